"""``client_certificate = "require"``: without a certificate that verifies there is no connection at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from OpenSSL import SSL

from tests.certificates import SERVER, Authority, Credential, CredentialFiles, self_signed
from tests.e2e.clients import curl, raw_tls, s_client
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.tls_client import TlsRefused
from tests.e2e.verdicts import FailedHandshakes, event_of, verdict

HOST = "require.test"
VERSIONS = [
    pytest.param(SSL.TLS1_2_VERSION, id="tls1.2"),
    pytest.param(SSL.TLS1_3_VERSION, id="tls1.3"),
]

Maker = Callable[[Authority, Authority], Credential]

BAD: dict[str, tuple[Maker, str]] = {
    "expired": (lambda a, b: a.issue(not_after=timedelta(minutes=-1)), "certificate expired"),
    "not yet valid": (lambda a, b: a.issue(not_before=timedelta(minutes=5)), "bad certificate"),
    "foreign": (lambda a, b: b.issue(), "unknown ca"),
    "self-signed": (lambda a, b: self_signed(), "unknown ca"),
    "signed by an impostor": (lambda a, b: a.impostor().issue(), "decrypt error"),
    "for servers only": (lambda a, b: a.issue(eku=[SERVER]), "unsupported certificate"),
    "RSA with 1024 bits": (lambda a, b: a.issue(key="rsa1024"), "bad certificate"),
}


@pytest.mark.parametrize(
    ("version", "said"),
    [
        pytest.param(SSL.TLS1_2_VERSION, "handshake failure", id="tls1.2"),
        pytest.param(SSL.TLS1_3_VERSION, "certificate required", id="tls1.3"),
    ],
)
def test_no_certificate_fails_the_handshake_with_an_alert(edge: Edge, version: int, said: str) -> None:
    with pytest.raises(TlsRefused, match=f"alert {said}"), raw_tls(edge, HOST, version=version) as client:
        client.read()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", BAD)
def test_a_bad_certificate_fails_the_handshake_with_an_alert_that_says_why(
    edge: Edge, ca_a: Authority, ca_b: Authority, case: str, version: int
) -> None:
    make, said = BAD[case]
    credential = make(ca_a, ca_b)
    failures = FailedHandshakes(edge)
    with (
        pytest.raises(TlsRefused, match=f"alert {said}"),
        raw_tls(edge, HOST, credential, version=version) as client,
    ):
        client.read()
    event = failures.only()
    assert event["server_name"] == HOST
    assert event["detail"].startswith("certificate verify failed: ")
    assert int(event["certificate_serial"], 16) == credential.certificate.serial_number
    assert event["certificate_sha256"] == credential.fingerprint
    assert event["certificate_subject"] == "CN=client"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_good_certificate_passes(edge: Edge, origin: Origin, ca_a: Authority, version: int) -> None:
    with raw_tls(edge, HOST, ca_a.issue("James Royal"), version=version) as client:
        answer = client.ask("/good", host=HOST)
    assert verdict(answer) == (200, "")
    assert origin.wait_for("/good")[0].value("mtls-authenticated") == "true"
    assert event_of(edge, answer)["verify"] == "SUCCESS"


def test_a_request_sent_before_the_refusal_arrives_never_reaches_the_origin(
    edge: Edge, origin: Origin, ca_b: Authority
) -> None:
    # With TLS 1.3 the client is done before the server has looked at its certificate.
    with raw_tls(edge, HOST, ca_b.issue(), version=SSL.TLS1_3_VERSION) as client:
        client.send(b"GET /early HTTP/1.1\r\nHost: require.test\r\n\r\n" * 50)
        with pytest.raises(TlsRefused, match="alert unknown ca"):
            client.read_until_close()
    with raw_tls(edge, HOST, version=SSL.TLS1_3_VERSION) as client:
        client.send(b"GET /early HTTP/1.1\r\nHost: require.test\r\n\r\n" * 50)
        with pytest.raises(TlsRefused, match="alert certificate required"):
            client.read_until_close()
    assert origin.received("/early") == []


@pytest.mark.parametrize("attempt", range(10))
def test_curl_is_told_by_an_alert_and_not_by_a_broken_connection(
    edge: Edge, client_b: CredentialFiles, attempt: int
) -> None:
    answer = curl(edge, "/", host=HOST, cert=client_b)
    assert answer.status == 0
    assert "alert unknown ca" in answer.verbose


def test_openssl_is_told_that_a_certificate_is_required(edge: Edge) -> None:
    output = s_client(edge, HOST, "-tls1_3", stdin=b"GET / HTTP/1.1\r\nHost: require.test\r\n\r\n")
    assert "certificate required" in output.text
    assert "HTTP/1.1" not in output.text


@pytest.mark.parametrize("version", VERSIONS)
def test_a_good_client_may_resume(edge: Edge, ca_a: Authority, version: int) -> None:
    with raw_tls(edge, HOST, ca_a.issue("James Royal"), version=version) as client:
        assert verdict(client.ask(host=HOST)) == (200, "")
        session = client.session
    with raw_tls(edge, HOST, session=session) as client:
        assert client.resumed
        assert verdict(client.ask(host=HOST)) == (200, "")
