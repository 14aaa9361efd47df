from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from comparison import origin
from comparison.generator import MeasureError, judge_probe, judge_run
from comparison.machine import Cores, choose_cores, describe_build, process_tree
from comparison.origin_server import ANSWERS, GREETING
from comparison.origin_server import BULK_SIZE as OWN_BULK_SIZE
from comparison.peers import BASE, PEERS
from comparison.peers.asgi import Hypercorn
from comparison.peers.caddy import Caddy
from comparison.peers.edge import Edge
from comparison.peers.envoy import Envoy
from comparison.peers.haproxy import Haproxy
from comparison.peers.hitch import Hitch
from comparison.peers.nginx import Nginx
from comparison.peers.peer import Peer, Program
from comparison.rows import ROWS
from comparison.setting import BULK_PATH, BULK_SIZE, HELLO, REFUSED_PATH, Pki, Setting, make_pki
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from edge.config.load import load

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SETTING = Setting(Path("/there/peer"), Pki(Path("/there/pki")), 1234, 5678)
AS_ROOT = Setting(Path("/there/peer"), Pki(Path("/there/pki")), 1234, 5678, root=True)


def everything(peer: Peer, setting: Setting = SETTING) -> str:
    environment = json.dumps(peer.environment(setting))
    return "\n".join([*peer.texts(setting).values(), *peer.command(setting), environment])


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_server_gets_its_port_its_origin_and_the_clients_ca(peer: Peer) -> None:
    text = everything(peer)
    for expected in ("1234", "5678", "/there/pki/client-ca.pem", "/there/pki/server"):
        assert expected in text


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_no_server_listens_beyond_loopback(peer: Peer) -> None:
    assert not any(address in everything(peer) for address in ("0.0.0.0", "[::]", '"::"', "*:1234"))


@pytest.mark.parametrize(
    ("peer", "word"),
    [
        (Nginx(), "ssl_verify_client on;"),
        (Haproxy(), "verify required"),
        (Caddy(), "mode require_and_verify"),
        (Hitch(), "client-verify = required"),
        (Hypercorn(), "CERT_REQUIRED"),
        (Envoy(), '"require_client_certificate": true'),
    ],
    ids=lambda value: value.name if isinstance(value, Peer) else "",
)
def test_the_client_certificate_is_verified(peer: Peer, word: str) -> None:
    assert word in everything(peer)


@pytest.mark.parametrize("peer", [Nginx(), Haproxy(), Caddy(), Edge()], ids=lambda peer: peer.name)
def test_braces_and_quotes_of_a_configuration_are_balanced(peer: Peer) -> None:
    text = everything(peer)
    assert text.count("{") == text.count("}")
    assert text.count('"') % 2 == 0


def test_envoys_configuration_is_json_and_hypercorns_is_toml() -> None:
    assert json.loads(Envoy().texts(SETTING)["envoy.json"])["static_resources"]["listeners"]
    assert tomllib.loads(Hypercorn().texts(SETTING)["hypercorn.toml"])["bind"] == "127.0.0.1:1234"


def test_only_root_says_which_user_the_workers_are() -> None:
    for peer in (Nginx(), Hitch()):
        assert "root" not in everything(peer)
        assert "root" in everything(peer, AS_ROOT)


def test_the_edge_takes_its_configuration(tmp_path: Path) -> None:
    pki = make_pki(tmp_path / "pki", NOW)
    path = tmp_path / "edge.toml"
    path.write_text(Edge().texts(Setting(tmp_path, pki, 1234, 5678))["edge.toml"])
    config = load(path, {})
    assert [application.domain for application in config.applications] == ["localhost", "localhost/no"]
    assert config.server.workers == 1


def test_the_certificates_are_p256_and_signed_by_their_roots(tmp_path: Path) -> None:
    pki = make_pki(tmp_path / "pki", NOW)
    for leaf, root in ((pki.server, pki.server_ca), (pki.client, pki.client_ca)):
        certificate, issuer = (x509.load_pem_x509_certificate(path.read_bytes()) for path in (leaf, root))
        certificate.verify_directly_issued_by(issuer)
        key = certificate.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert key.curve.name == "secp256r1"
    for secret in (pki.server_key, pki.client_key, pki.server_both):
        assert secret.stat().st_mode & 0o777 == 0o600
    assert pki.server_ca.read_bytes() != pki.client_ca.read_bytes()


def test_names_are_different_and_the_base_is_one_of_them() -> None:
    names = [peer.name for peer in PEERS]
    assert len(set(names)) == len(names)
    assert BASE in names


def test_what_a_server_leaves_out_is_a_row() -> None:
    for peer in PEERS:
        assert set(peer.leaves_out) <= {row.key for row in ROWS}


def test_a_program_that_is_not_there_says_so() -> None:
    class Absent(Hitch):
        program = "no-such-server-anywhere"

    assert Absent().missing() == "there is no program 'no-such-server-anywhere'"


@pytest.mark.parametrize(
    ("peer", "said", "expected"),
    [
        (Nginx(), "nginx version: nginx/1.22.1\n", "nginx 1.22.1"),
        (Nginx(), "", "nginx of unknown version"),
        (Haproxy(), "HAProxy version 2.6.12-1+deb12u4 2023/12/16 - https://haproxy.org/\n", "HAProxy 2.6.12"),
        (Caddy(), "v2.11.7 h1:yj0Y4f=\n", "Caddy 2.11.7"),
        (Hitch(), "hitch 1.7.2\n", "hitch 1.7.2"),
        (Hitch(), "nothing of use", "hitch of unknown version"),
        (Envoy(), "envoy  version: 9e55809/1.40.0/Clean/RELEASE/BoringSSL\n", "Envoy 1.40.0"),
    ],
)
def test_versions_are_found_in_what_a_program_says(peer: Program, said: str, expected: str) -> None:
    assert peer.read_version(said) == expected


def test_both_origins_answer_alike() -> None:
    conf = origin.texts(SETTING)["origin.conf"]
    assert f"location = {BULK_PATH} " in conf
    assert f"location {REFUSED_PATH} {{ return 403; }}" in conf
    assert set(ANSWERS) == {BULK_PATH.encode(), REFUSED_PATH.encode()}
    assert ANSWERS[BULK_PATH.encode()].endswith(b"\r\n\r\n" + bytes(BULK_SIZE))
    assert OWN_BULK_SIZE == BULK_SIZE
    assert GREETING.endswith(b"Content-Length: 25\r\n\r\n" + HELLO.encode())


GOOD_PROBE = {
    "version": "TLSv1.3",
    "cipher": "TLS_AES_128_GCM_SHA256",
    "group": "x25519",
    "resumed": True,
    "refused": "403",
    "allowed": "200",
    "stranger": "closed",
}


def test_a_server_that_does_what_is_compared_is_measured() -> None:
    assert judge_probe(GOOD_PROBE, "403")
    assert not judge_probe({**GOOD_PROBE, "resumed": False, "stranger": "403"}, "403")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"group": "X25519MLKEM768"}, "another kind of handshake"),
        ({"cipher": "TLS_AES_256_GCM_SHA384"}, "another kind of handshake"),
        ({"version": "TLSv1.2"}, "another kind of handshake"),
        ({"stranger": "200"}, "without a certificate"),
        ({"refused": "200"}, "refused with 200"),
        ({"allowed": "502"}, "allowed with 502"),
    ],
)
def test_a_server_that_does_something_else_is_not_measured(change: dict[str, str], word: str) -> None:
    with pytest.raises(MeasureError, match=word):
        judge_probe({**GOOD_PROBE, **change}, "403")


def test_a_good_run_may_have_very_few_errors() -> None:
    judge_run({"answers": 1000, "statuses": {"403": 1000}, "errors": {"reset": 3}}, "403")


@pytest.mark.parametrize(
    "result",
    [
        {"answers": 0, "statuses": {}, "errors": {"refused": 9}},
        {"answers": 10, "statuses": {"403": 9, "502": 1}, "errors": {}},
        {"answers": 10, "statuses": {"403": 10}, "errors": {"reset": 1}},
    ],
)
def test_a_run_that_says_nothing_is_an_error(result: dict[str, object]) -> None:
    with pytest.raises(MeasureError):
        judge_run(result, "403")


@pytest.mark.parametrize(
    ("available", "expected"),
    [({3}, Cores(3, 3, 3)), ({0, 1}, Cores(0, 1, 1)), ({4, 2, 9, 7}, Cores(2, 4, 7))],
)
def test_the_server_has_a_core_of_its_own_where_there_are_two(available: set[int], expected: Cores) -> None:
    assert choose_cores(available) == expected


def test_the_build_of_python_is_named() -> None:
    assert describe_build("'--enable-optimizations' '--with-lto'") == "PGO and LTO"
    assert describe_build("'--enable-optimizations'") == "PGO"
    assert describe_build("'--prefix=/usr'").startswith("no PGO")


def test_a_process_that_has_ended_has_only_itself() -> None:
    assert process_tree(2**30) == [2**30]
