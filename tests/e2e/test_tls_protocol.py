"""What is agreed on in the handshake: versions, ALPN, and none of what TLS would better have left out."""

from __future__ import annotations

import base64
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from OpenSSL import SSL

from tests.certificates import Authority, CredentialFiles
from tests.e2e.client_hellos import ILLEGAL_PARAMETER, HelloParts, alert, say
from tests.e2e.clients import curl, raw_tls, s_client
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.tls_client import TlsRefused
from tests.e2e.verdicts import FailedHandshakes, event_of, verdict
from tests.x509_version1 import _content, _elements, _tagged

OK = (200, "")
REQUEST = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
SUPPORTED_VERSIONS, SESSION_TICKET = 43, 35
DEFLATE = b"\x01"

VERSIONS = pytest.mark.parametrize(
    "version",
    [pytest.param(SSL.TLS1_2_VERSION, id="tls1.2"), pytest.param(SSL.TLS1_3_VERSION, id="tls1.3")],
)


# --- ALPN ----------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize(
    "offered",
    [[b"h3"], [b"h2"], [b"h2", b"h3"], [b"http/1.0"], [b"HTTP/1.1"], [b"http/1.1 "], [b"h2c"], [b"spdy/1"]],
)
def test_a_client_that_offers_no_http_1_1_is_refused(edge: Edge, offered: list[bytes], version: int) -> None:
    failures = FailedHandshakes(edge)
    with pytest.raises(TlsRefused, match="no application protocol"):
        raw_tls(edge, "a.test", alpn=offered, version=version)
    event = failures.only()
    assert (event["server_name"], event["detail"]) == ("a.test", "the client offers no http/1.1 in ALPN")


@VERSIONS
@pytest.mark.parametrize("offered", [[b"http/1.1"], [b"h2", b"http/1.1"], [b"h3", b"h2", b"x", b"http/1.1"]])
def test_http_1_1_is_chosen_wherever_it_stands(
    edge: Edge, ca_a: Authority, offered: list[bytes], version: int
) -> None:
    with raw_tls(edge, "a.test", ca_a.issue("James Royal"), alpn=offered, version=version) as client:
        assert client.alpn == b"http/1.1"
        assert verdict(client.ask()) == OK


@VERSIONS
def test_a_client_without_alpn_is_served(edge: Edge, ca_a: Authority, version: int) -> None:
    with raw_tls(edge, "a.test", ca_a.issue("James Royal"), alpn=(), version=version) as client:
        assert client.alpn == b""
        assert verdict(client.ask()) == OK


def test_curl_that_would_like_http_2_gets_http_1_1(edge: Edge, client_a: CredentialFiles) -> None:
    answer = curl(edge, "/", "--http2", cert=client_a)
    assert verdict(answer) == OK
    assert "ALPN: server accepted http/1.1" in answer.verbose


@pytest.mark.parametrize("offered", ["h2", "h3"])
def test_openssl_that_offers_only_another_protocol_is_told_so(edge: Edge, offered: str) -> None:
    output = s_client(edge, "a.test", "-alpn", offered)
    assert "alert no application protocol" in output.text
    assert "no peer certificate available" in output.text


# --- versions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["-tls1", "-tls1_1"])
def test_versions_before_tls_1_2_are_refused(edge: Edge, option: str) -> None:
    failures = FailedHandshakes(edge)
    output = s_client(edge, "a.test", option, "-cipher", "ALL:@SECLEVEL=0")
    assert "alert protocol version" in output.text
    assert failures.only()["server_name"] == "a.test"


@pytest.mark.parametrize(("option", "version"), [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
def test_tls_1_2_and_1_3_are_spoken_and_logged(edge: Edge, option: str, version: str) -> None:
    output = s_client(edge, "a.test", option, stdin=REQUEST)
    assert f"\nNew, {version}, Cipher is " in output.text
    identifier = output.text.partition("X-Request-Id: ")[2].split()[0]
    event = edge.wait_for_event("request", request_id=identifier)
    assert (event["tls_version"], event["resumed"]) == (version, False)
    assert f"Cipher is {event['cipher']}" in output.text


@pytest.mark.parametrize("ciphers", ["aNULL", "eNULL", "RC4", "3DES", "EXPORT", "MD5", "PSK", "kRSA", "kDH"])
def test_weak_ciphers_are_refused(edge: Edge, ciphers: str) -> None:
    output = s_client(edge, "a.test", "-tls1_2", "-cipher", f"{ciphers}:@SECLEVEL=0")
    assert "Cipher is (NONE)" in output.text or "no cipher match" in output.text


# --- renegotiation, compression, early data ------------------------------------------------------


def test_openssl_may_not_renegotiate(edge: Edge, client_a: CredentialFiles, origin: Origin) -> None:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{edge.port}", "-servername", "a.test"]
    command += ["-tls1_2", "-CAfile", str(edge.server_ca)]
    command += ["-cert", str(client_a.certificate), "-key", str(client_a.key)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"R\n")
        process.stdin.flush()  # and left open: at its end s_client would leave by itself
        text = process.stdout.read().decode()
    assert "Secure Renegotiation IS supported" in text  # in the handshake, against splicing
    assert "RENEGOTIATING" in text
    assert "no renegotiation" in text
    assert process.returncode != 0


def test_a_client_that_renegotiates_with_a_better_certificate_gains_nothing(
    edge: Edge, origin: Origin, ca_a: Authority
) -> None:
    with raw_tls(edge, "a.test", version=SSL.TLS1_2_VERSION) as client:
        assert verdict(client.ask()) == (403, "client_certificate_required")
        good = ca_a.issue("James Royal")
        client.tls.use_certificate(good.certificate)
        client.tls.use_privatekey(good.key)
        assert client.tls.renegotiate()
        with pytest.raises(TlsRefused, match="no renegotiation"):
            client.handshake()
    assert origin.received() == []


def test_compression_is_not_agreed_on(edge: Edge) -> None:
    plain = HelloParts.of()
    old = replace(plain.with_extension(SUPPORTED_VERSIONS), compression=DEFLATE + b"\0")
    server_hello = say(edge, old.wire, half_close=True)
    assert server_hello[:1] == b"\x16"
    assert compression_in(server_hello) == b"\0"


def test_a_client_that_offers_only_compression_is_refused(edge: Edge) -> None:
    old = replace(HelloParts.of().with_extension(SUPPORTED_VERSIONS), compression=DEFLATE)
    answer = say(edge, old.wire)
    assert answer == alert(ILLEGAL_PARAMETER)


@pytest.mark.parametrize("option", ["-tls1_2", "-tls1_3"])
def test_openssl_sees_no_compression(edge: Edge, option: str) -> None:
    assert "\nCompression: NONE\n" in s_client(edge, "a.test", option).text


def test_a_tls13_handshake_sends_one_ticket(edge: Edge) -> None:
    said = s_client(edge, "a.test", "-tls1_3", stdin=REQUEST)
    assert said.text.count("New Session Ticket arrived") == 1


def test_tickets_allow_no_early_data(edge: Edge, tmp_path: Path) -> None:
    kept, early = tmp_path / "session.pem", tmp_path / "early"
    early.write_bytes(REQUEST)
    first = s_client(edge, "a.test", "-tls1_3", "-sess_out", str(kept), stdin=REQUEST)
    assert "\n    Max Early Data: 0\n" in first.text
    arguments = ("-tls1_3", "-sess_in", str(kept), "-early_data", str(early))
    again = s_client(edge, "a.test", *arguments, stdin=REQUEST)
    assert again.resumed
    assert "Early data was not sent" in again.text


def test_early_data_that_is_sent_all_the_same_is_thrown_away(
    edge: Edge, origin: Origin, client_a: CredentialFiles, tmp_path: Path
) -> None:
    kept, early = tmp_path / "session.pem", tmp_path / "early"
    early.write_bytes(REQUEST.replace(b" / ", b" /early "))
    s_client(edge, "a.test", "-tls1_3", "-sess_out", str(kept), stdin=REQUEST, cert=client_a)
    allow_early_data(kept)
    arguments = ("-tls1_3", "-sess_in", str(kept), "-early_data", str(early))
    again = s_client(edge, "a.test", *arguments, stdin=REQUEST.replace(b" / ", b" /late "))
    assert again.resumed
    assert "Early data was rejected" in again.text
    assert origin.wait_for("/late")
    assert origin.received("/early") == []


# --- authentication after the handshake ----------------------------------------------------------


def test_a_certificate_is_asked_for_in_the_handshake_and_never_later(
    edge: Edge, client_a: CredentialFiles
) -> None:
    output = s_client(
        edge, "a.test", "-tls1_3", "-enable_pha", "-msg", stdin=REQUEST.replace(b" / ", b" /james ")
    )
    requests = [line for line in output.text.splitlines() if line.endswith("CertificateRequest")]
    assert len(requests) == 1


def test_curl_speaks_to_the_edge_with_its_own_defaults(edge: Edge, client_a: CredentialFiles) -> None:
    answer = curl(edge, "/james", cert=client_a)
    assert verdict(answer) == OK
    assert event_of(edge, answer)["tls_version"] == "TLSv1.3"


def compression_in(server_hello: bytes) -> bytes:
    at = 5 + 4 + 2 + 32
    at += 1 + server_hello[at] + 2
    return server_hello[at : at + 1]


def allow_early_data(session: Path) -> None:
    """Make the client believe that the ticket allows it: field 15 of OpenSSL's own session format."""
    armour = session.read_text(encoding="ascii").splitlines()
    fields = _elements(_content(base64.b64decode("".join(armour[1:-1]))))
    allowed = _tagged(0xA0 + 15, _tagged(0x02, (16384).to_bytes(2)))
    at = next((i for i, field in enumerate(fields) if field[0] > allowed[0]), len(fields))
    octets = _tagged(0x30, b"".join((*fields[:at], allowed, *fields[at:])))
    text = base64.encodebytes(octets).decode("ascii")
    session.write_text(f"{armour[0]}\n{text}{armour[-1]}\n", encoding="ascii")
