"""The demonstration's certificates: made once, kept while good, repaired when not."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from edge.pki import issue
from edge.pki.demo import DemoPki, DemoPkiError, make_demo_pki
from edge.pki.keys import PrivateKey, key_pem, new_key

NOW = datetime.fromtimestamp(1_800_000_000, UTC)
LEAVES = ("server", "client", "stranger", "expired", "revoked", "foreign")
FILES = sorted(
    ["ca.pem", "ca-key.pem", "crl.pem", "server-ca.pem"]
    + [f"{n}.pem" for n in LEAVES]
    + [f"{n}-key.pem" for n in LEAVES]
)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def swap_keys(directory: Path) -> None:
    (directory / "client-key.pem").rename(directory / "x")
    (directory / "stranger-key.pem").rename(directory / "client-key.pem")
    (directory / "x").rename(directory / "stranger-key.pem")


def leaf_of_another_making(directory: Path) -> None:
    other = make_demo_pki(directory.with_name("another-making"), NOW)
    other.certificate("client").replace(directory / "client.pem")
    other.key("client").replace(directory / "client-key.pem")


def root_without_its_intermediate(directory: Path) -> None:
    _, root = x509.load_pem_x509_certificates((directory / "ca.pem").read_bytes())
    (directory / "ca.pem").write_bytes(issue.certificate_pem(root))


def no_certificate(directory: Path) -> None:
    (directory / "client.pem").unlink()


def half_a_key(directory: Path) -> None:
    (directory / "ca-key.pem").write_bytes((directory / "ca-key.pem").read_bytes()[:60])


def empty_authority(directory: Path) -> None:
    (directory / "server-ca.pem").write_bytes(b"")


def no_list(directory: Path) -> None:
    (directory / "crl.pem").unlink()


def lists_of_another_making(directory: Path) -> None:
    make_demo_pki(directory.with_name("another-making"), NOW).crl.replace(directory / "crl.pem")


def one_list_only(directory: Path) -> None:
    text = (directory / "crl.pem").read_bytes()
    (directory / "crl.pem").write_bytes(text[: text.index(b"-----BEGIN", 1)])


@pytest.mark.parametrize(
    "damage",
    [
        no_list,
        lists_of_another_making,
        one_list_only,
        swap_keys,
        leaf_of_another_making,
        root_without_its_intermediate,
        no_certificate,
        half_a_key,
        empty_authority,
    ],
)
def test_a_damaged_set_is_made_anew(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    make_demo_pki(tmp_path, NOW)
    before = contents(tmp_path)
    damage(tmp_path)
    assert make_demo_pki(tmp_path, NOW).made
    after = contents(tmp_path)
    assert all(before[name] != after[name] for name in FILES)
    assert not make_demo_pki(tmp_path, NOW).made


@pytest.mark.parametrize("name", ["ca.pem", "server-ca.pem"])
def test_the_authority_of_somebody_else_is_never_replaced(tmp_path: Path, name: str) -> None:
    subject = x509.Name.from_rfc4514_string("CN=Real CA,O=Widgetcorp")
    validity = issue.valid_for(NOW, timedelta(days=90))
    real = issue.make_root(subject, new_key(), validity, lambda bits: 1)
    (tmp_path / name).write_bytes(issue.certificate_pem(real.certificate))
    (tmp_path / "ca-key.pem").write_bytes(key_pem(real.key))
    before = contents(tmp_path)
    with pytest.raises(DemoPkiError, match="not made by the demo"):
        make_demo_pki(tmp_path, NOW)
    assert contents(tmp_path) == before


def test_a_good_set_is_kept_to_the_last_octet(tmp_path: Path) -> None:
    assert make_demo_pki(tmp_path / "certs" / "demo", NOW).made
    before = contents(tmp_path / "certs" / "demo")
    assert not make_demo_pki(tmp_path / "certs" / "demo", NOW + timedelta(days=363)).made
    assert contents(tmp_path / "certs" / "demo") == before


@pytest.mark.parametrize("later", [timedelta(days=364, seconds=1), timedelta(days=900), timedelta(hours=-2)])
def test_a_set_that_is_not_good_for_another_day_is_made_anew(tmp_path: Path, later: timedelta) -> None:
    make_demo_pki(tmp_path, NOW)
    assert make_demo_pki(tmp_path, NOW + later).made
    assert not make_demo_pki(tmp_path, NOW + later).made


def test_the_files_are_the_documented_ones_and_keys_are_private(tmp_path: Path) -> None:
    pki = make_demo_pki(tmp_path / "demo", NOW)
    assert sorted(contents(pki.directory)) == FILES
    assert pki.directory.stat().st_mode & 0o777 == 0o700
    for path in pki.directory.iterdir():
        assert path.stat().st_mode & 0o777 == (0o600 if path.name.endswith("-key.pem") else 0o644)


def test_a_leaf_file_holds_the_leaf_only(tmp_path: Path) -> None:
    pki = make_demo_pki(tmp_path, NOW)
    for name in LEAVES:
        assert pki.certificate(name).read_bytes().count(b"BEGIN CERTIFICATE") == 1
        assert b"CERTIFICATE" not in pki.key(name).read_bytes()


def openssl_verifies(pki: DemoPki, name: str, purpose: str, ca: Path, *arguments: str) -> str:
    command = ["openssl", "verify", "-x509_strict", "-attime", str(int(NOW.timestamp())), "-purpose", purpose]
    command += ["-CAfile", str(ca), *arguments, str(pki.certificate(name))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return "OK" if done.returncode == 0 else done.stdout + done.stderr


def test_openssl_agrees_about_every_leaf(tmp_path: Path) -> None:
    pki = make_demo_pki(tmp_path, NOW)
    assert openssl_verifies(pki, "client", "sslclient", pki.client_ca) == "OK"
    assert openssl_verifies(pki, "stranger", "sslclient", pki.client_ca) == "OK"
    assert "expired" in openssl_verifies(pki, "expired", "sslclient", pki.client_ca)
    assert "unable to get local issuer" in openssl_verifies(pki, "foreign", "sslclient", pki.client_ca)
    assert "unable to get local issuer" in openssl_verifies(pki, "server", "sslserver", pki.client_ca)
    for host in (["-verify_hostname", "localhost"], ["-verify_ip", "127.0.0.1"], ["-verify_ip", "::1"]):
        assert openssl_verifies(pki, "server", "sslserver", pki.server_ca, *host) == "OK"
    assert openssl_verifies(pki, "server", "sslclient", pki.server_ca) != "OK"
    assert openssl_verifies(pki, "client", "sslserver", pki.client_ca) != "OK"


def test_openssl_agrees_about_who_was_revoked_on_every_day_the_set_is_kept(tmp_path: Path) -> None:
    pki = make_demo_pki(tmp_path, NOW)
    for day in (timedelta(0), timedelta(days=363)):
        time = str(int((NOW + day).timestamp()))
        lists = ["-attime", time, "-crl_check_all", "-CRLfile", str(pki.crl)]
        assert openssl_verifies(pki, "client", "sslclient", pki.client_ca, *lists) == "OK"
        assert "certificate revoked" in openssl_verifies(pki, "revoked", "sslclient", pki.client_ca, *lists)


def test_the_client_has_the_subject_of_the_guide(tmp_path: Path) -> None:
    pki = make_demo_pki(tmp_path, NOW)
    leaf = x509.load_pem_x509_certificate(pki.certificate("client").read_bytes())
    assert leaf.subject.rfc4514_string() == "CN=James Royal,OU=Access Admins,O=Access,L=Austin,ST=Texas,C=US"


def test_the_kept_key_issues_further_clients(tmp_path: Path) -> None:
    pki = make_demo_pki(tmp_path, NOW)
    key = load_pem_private_key(pki.client_ca_key.read_bytes(), password=None)
    assert isinstance(key, PrivateKey)
    issuing = x509.load_pem_x509_certificates(pki.client_ca.read_bytes())[0]
    subject = x509.Name.from_rfc4514_string("CN=another")
    leaf = issue.issue(
        issue.Authority(issuing, key),
        subject,
        new_key().public_key(),
        issue.Profile.CLIENT,
        issue.valid_for(NOW, timedelta(days=1)),
        lambda bits: 1,
    )
    pki.certificate("client").write_bytes(issue.certificate_pem(leaf))
    assert openssl_verifies(pki, "client", "sslclient", pki.client_ca) == "OK"
