"""Paths that are the edge's own on hosts with an application, and of which no origin ever hears."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.certificates import Authority, Credential, CredentialFiles
from tests.e2e.clients import curl, raw_tls
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.refusals import assert_refused
from tests.e2e.token_edge import published, signing_key, token_edge

CERTS = "/cdn-cgi/access/certs"


@pytest.fixture(scope="module")
def rs256_edge(tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin) -> Iterator[Edge]:
    with token_edge(tmp_path_factory.mktemp("reserved"), pki, session_origin.url, "RS256") as running:
        yield running


@pytest.fixture(scope="module")
def es256_edge(tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin) -> Iterator[Edge]:
    with token_edge(tmp_path_factory.mktemp("reserved-ec"), pki, session_origin.url, "ES256") as running:
        yield running


@pytest.fixture(scope="module")
def james(ca_a: Authority) -> Credential:
    return ca_a.issue("James Royal", serial=0x0ABC01)


@pytest.mark.parametrize(
    ("algorithm", "members"),
    [
        ("RS256", {"kid", "alg", "use", "kty", "n", "e"}),
        ("ES256", {"kid", "alg", "use", "kty", "crv", "x", "y"}),
    ],
)
def test_certs_publishes_public_keys_in_cloudflares_shape(
    rs256_edge: Edge, es256_edge: Edge, algorithm: str, members: set[str]
) -> None:
    edge = {"RS256": rs256_edge, "ES256": es256_edge}[algorithm]
    document = published(edge)
    assert document.keys() == {"keys", "public_cert", "public_certs"}
    (key,) = document["keys"]
    assert key.keys() == members
    assert (key["alg"], key["use"]) == (algorithm, "sig")
    assert document["public_certs"] == [document["public_cert"]]
    certificate = x509.load_pem_x509_certificate(document["public_cert"]["cert"].encode())
    kid, private = signing_key(edge)
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert certificate.public_key().public_bytes(*form) == private.public_key().public_bytes(*form)
    assert key["kid"] == document["public_cert"]["kid"] == kid
    assert "PRIVATE" not in json.dumps(document)


def test_the_signing_keys_are_for_the_edge_alone(rs256_edge: Edge) -> None:
    directory = rs256_edge.config_path.parent / "state"
    for path in [directory, *directory.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_certs_needs_no_certificate_and_may_be_kept_for_a_while(
    rs256_edge: Edge, origin: Origin, client_a: CredentialFiles
) -> None:
    for cert in (None, client_a):
        answer = curl(rs256_edge, CERTS, cert=cert)
        assert (answer.status, answer.value("content-type")) == (200, "application/json")
        assert "max-age" in (answer.value("cache-control") or "")
        assert answer.values("set-cookie") == []
    assert origin.received() == []


@pytest.mark.parametrize(
    "path",
    [
        CERTS,
        "/cdn-cgi/access/%63erts",
        "/%63dn-cgi/./access/certs",
        "/x/../cdn-cgi/access/certs",
        "/cdn-cgi/access/certs?x",
    ],
)
def test_every_spelling_of_a_reserved_path_is_the_edges(rs256_edge: Edge, origin: Origin, path: str) -> None:
    with raw_tls(rs256_edge) as client:
        assert "keys" in json.loads(client.ask(path).body)
    assert origin.received() == []


NOT_FOUND = [
    "/cdn-cgi/access",
    "/cdn-cgi/access/",
    "/cdn-cgi/access/certs/",
    "/cdn-cgi/access/certs/x",
    "/cdn-cgi/access/Certs",
    "/cdn-cgi/access/login",
    "/cdn-cgi/access/get-identity/x",
    "/cdn-cgi/access/certs;x",
    "/cdn-cgi/access/%2e%2e%2e",
]


@pytest.mark.parametrize("path", NOT_FOUND)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS"])
def test_any_other_reserved_path_is_not_found(
    rs256_edge: Edge, origin: Origin, james: Credential, path: str, method: str
) -> None:
    for credential in (None, james):
        with raw_tls(rs256_edge, credential=credential) as client:
            assert client.ask(path, method=method).status == 404
    assert origin.received() == []


def test_a_path_that_only_looks_reserved_is_judged_as_any_other(
    rs256_edge: Edge, origin: Origin, james: Credential
) -> None:
    paths = ["/cdn-cgi", "/cdn-cgi/x", "/cdn-cgi/accessx", "/CDN-CGI/access/certs", "/x/cdn-cgi/access/certs"]
    with raw_tls(rs256_edge) as client:
        for path in paths:
            assert_refused(client.ask(path), "client_certificate_required")
    assert origin.received() == []
    with raw_tls(rs256_edge, credential=james) as client:
        for path in paths:
            assert client.ask(path).status == 200
    assert [received.path for received in origin.received()] == paths


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "FOO"])
def test_reserved_paths_are_for_reading(rs256_edge: Edge, origin: Origin, method: str) -> None:
    with raw_tls(rs256_edge) as client:
        for path in (CERTS, "/cdn-cgi/access/get-identity"):
            assert_refused(client.ask(path, method=method), "method_not_allowed", 405)
    assert origin.received() == []


def test_get_identity_tells_a_client_who_it_is_taken_for(
    rs256_edge: Edge, origin: Origin, ca_a: Authority, james: Credential
) -> None:
    with raw_tls(rs256_edge, credential=james) as client:
        answer = client.ask("/cdn-cgi/access/get-identity")
    assert (answer.status, answer.values("cache-control")) == (200, ["no-store"])
    identity = json.loads(answer.body)
    assert identity["common_name"] == "James Royal"
    assert identity["ip"] == "127.0.0.1"
    ski = ca_a.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert identity["mtls_auth"] == {
        "auth_status": "SUCCESS",
        "cert_issuer_dn": "CN=CA A,O=Test",
        "cert_issuer_ski": ski.hex().upper(),
        "cert_presented": True,
        "cert_serial": "0ABC01",
    }
    assert origin.received() == []


def test_get_identity_refuses_those_who_are_nobody(rs256_edge: Edge, origin: Origin, ca_a: Authority) -> None:
    for credential, reason in (
        (None, "client_certificate_required"),
        (ca_a.impostor().issue("James Royal"), "client_certificate_invalid"),
    ):
        with raw_tls(rs256_edge, credential=credential) as client:
            assert_refused(client.ask("/cdn-cgi/access/get-identity"), reason)
    assert origin.received() == []


def test_logout_clears_every_cookie_the_host_may_have_set(rs256_edge: Edge, origin: Origin) -> None:
    with raw_tls(rs256_edge) as client:
        for method in ("GET", "POST"):
            answer = client.ask("/cdn-cgi/access/logout", method=method)
            assert answer.status == 200
            assert set(answer.values("set-cookie")) == {
                "CF_Authorization=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=None",
                "CF_Authorization=; Max-Age=0; Path=/lax; Secure; SameSite=Lax",
            }
    assert origin.received() == []


def test_head_of_a_reserved_path_has_no_body(rs256_edge: Edge) -> None:
    with raw_tls(rs256_edge) as client:
        answer = client.ask(CERTS, method="HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert client.ask(CERTS).status == 200


def test_every_host_with_an_application_has_them_and_no_other(rs256_edge: Edge, origin: Origin) -> None:
    for host in ("a.test", "alias-of-a.test", "b.test", "one.wild.test"):
        with raw_tls(rs256_edge, host) as client:
            assert "keys" in json.loads(client.ask(CERTS, host=host).body)
    assert origin.received() == []
    with raw_tls(rs256_edge, "open.test") as client:
        assert client.ask(CERTS, host="open.test").status == 200
    assert [received.path for received in origin.received()] == [CERTS]


def test_a_host_keeps_its_own_in_another_hosts_name(rs256_edge: Edge) -> None:
    with raw_tls(rs256_edge, "open.test") as client:
        assert client.ask(CERTS, host="a.test").status == 421
