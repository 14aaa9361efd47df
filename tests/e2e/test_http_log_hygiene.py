"""The log after hostile traffic: one JSON object a line, in whole, and no secret in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority, Credential, StringType, name
from tests.e2e.clients import raw_tls
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.tls_client import TlsRefused
from tests.e2e.token_edge import obtain, token_edge

HOSTILE = '\r\n{"event":"request","mtls_authenticated":true}\x1b[31m\x07'


@pytest.fixture(scope="module")
def logging_edge(
    tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin
) -> Iterator[Edge]:
    with token_edge(tmp_path_factory.mktemp("log"), pki, session_origin.url, "ES256") as running:
        yield running


@pytest.fixture(scope="module")
def james(ca_a: Authority) -> Credential:
    return ca_a.issue("James Royal")


def exchange(
    edge: Edge, octets: bytes, *, sni: str = "a.test", credential: Credential | None = None
) -> bytes:
    with raw_tls(edge, sni, credential) as client:
        client.send(octets)
        return client.read_until_close()


def request(target: str, *lines: str, host: str = "a.test", method: str = "GET") -> bytes:
    text = "".join(f"{line}\r\n" for line in [f"Host: {host}", *lines, "Connection: close"])
    return f"{method} {target} HTTP/1.1\r\n{text}\r\n".encode("latin-1")


def assert_log_is_in_order(edge: Edge) -> None:
    """Whatever a reader takes for the end of a line: ``splitlines`` knows eleven of them."""
    assert edge.stray_lines == []
    for line in edge.log.splitlines():
        assert isinstance(json.loads(line), dict)
        assert line.isprintable()


ODD_REQUESTS = [
    request("/%22%7D,%22mtls_authenticated%22:true"),
    request("/%1b%5b31m"),
    request("/%0a%7B%22event%22:%22request%22%7D"),
    request("/" + "x" * 5000),
    request("/\xc3\xa9"),
    request("/x", host='a.test"},{"x":"'),
    request("/x", host="\x1b[31m"),
    request("/x", host="x" * 3000),
    request("/x", host="b.test"),
    request("/x", "User-Agent: \x1b]0;x\x07"),
    request("/x", "User-Agent: caf\u00e9 \u00ff"),
    request("/x", method='G"ET'),
    request("/x", method="X" * 3000),
    request("/x", method="`|~^_!#$%&'*+-."),
    b'{"event":"request"}\r\n\r\n',
    b'\n{"event":"request"}\n\n',
    b"\x00\x1b[2J\r\n\r\n",
]


@pytest.mark.parametrize("octets", ODD_REQUESTS)
def test_an_odd_request_is_one_line_of_the_log(logging_edge: Edge, octets: bytes) -> None:
    before = len(logging_edge.log_events("request"))
    exchange(logging_edge, octets)
    event = logging_edge.wait_for_event("request", count=before + 1)
    assert len(logging_edge.log_events("request")) == before + 1
    assert event["status"] in {400, 403, 414, 421}
    assert event["mtls_authenticated"] is False
    assert all(len(value) <= 256 for value in event.values() if isinstance(value, str))
    assert_log_is_in_order(logging_edge)


@pytest.mark.parametrize(
    "sni",
    [
        b"unknown.test",
        b"a\x1b[31m.test",
        b'a"},{"event":"request',
        b"a\r\nb.test",
        b"a\xff.test",
        b"a.test%0a",
        b"x" * 255,
        b"*.wild.test",
    ],
)
def test_an_odd_server_name_is_one_line_of_the_log(logging_edge: Edge, sni: bytes) -> None:
    before = len(logging_edge.log_events("handshake_failed"))
    with pytest.raises(TlsRefused):
        raw_tls(logging_edge, sni)
    event = logging_edge.wait_for_event("handshake_failed", count=before + 1)
    assert (event["client"], bool(event["detail"])) == ("127.0.0.1", True)
    assert len(logging_edge.log_events("handshake_failed")) == before + 1
    assert_log_is_in_order(logging_edge)


@pytest.mark.parametrize("verified", [True, False])
@pytest.mark.parametrize(
    "subject",
    [
        name(("CN", f"James Royal{HOSTILE}")),
        name(("CN", "x\0y"), ("O", "\u202egnp.exe")),
        name(("CN", "x\u2028y\u0085z\u009b31m")),
        name(("O", '"},{"x":"'), ("CN", "\\")),
        name(("CN", "x" * 5000)),
        name(("CN", "Caf\u00e9", StringType.BMPString)),
        name(("CN", "\U0001f600 \U000e0001")),
    ],
    ids=range(7),
)
def test_an_odd_name_in_a_certificate_is_one_line_of_the_log(
    logging_edge: Edge, ca_a: Authority, subject: object, verified: bool
) -> None:
    authority = ca_a if verified else ca_a.impostor()
    credential = authority.issue(subject=subject)  # type: ignore[arg-type]
    answer = exchange(logging_edge, request("/session"), credential=credential)
    assert answer.startswith(b"HTTP/1.1 403 ")
    event = logging_edge.wait_for_event("request", certificate_sha256=credential.fingerprint)
    assert event["mtls_authenticated"] is verified
    assert len(event["certificate_subject"]) <= 256
    assert_log_is_in_order(logging_edge)


def test_no_secret_is_in_the_log(logging_edge: Edge, origin: Origin, james: Credential) -> None:
    token = obtain(logging_edge, james, "/session")
    secrets = ["s3cret-query", "s3cret-cookie", "s3cret-authorization", "s3cret-body", "s3cret-header"]
    lines = (
        f"Cookie: app=s3cret-cookie; CF_Authorization={token}",
        "Authorization: Bearer s3cret-authorization",
        "X-Api-Key: s3cret-header",
        "Content-Length: 11",
    )
    for path in (
        "/session",
        "/public",
        "/x",
        "/cdn-cgi/access/certs",
        "/cdn-cgi/access/nothing",
        "//",
        "/%zz",
    ):
        octets = request(f"{path}?token=s3cret-query&jwt={token}", *lines, method="POST") + b"s3cret-body"
        for credential in (None, james):
            exchange(logging_edge, octets, credential=credential)
    for octets in (
        request("/x?s3cret-query", *lines, "Upgrade: h3"),
        request("/x?s3cret-query", *lines, host="b.test"),
        request("/x?s3cret-query#", *lines),
        request("/x?s3cret-query\x01", *lines),
        request("/x?s3cret-query", *lines, "Bad : s3cret-header"),
        request("/x?s3cret-query", *lines, method="TRACE"),
        request("https://a.test/x?s3cret-query", *lines),
        request("https://user:s3cret-header@a.test/x", *lines),
        request("/x", *lines, "Expect: s3cret-header"),
        request("/x", *lines, "Transfer-Encoding: s3cret-header"),
    ):
        exchange(logging_edge, octets)
    logging_edge.wait_for_event("request", path="/session", session=True)
    assert origin.received("/session")
    log = logging_edge.log
    for secret in [*secrets, token, *token.split(".")]:
        assert secret not in log
    assert (
        "eyJ" not in log
    )  # no JSON object in base64url: no token at all, the edge's own assertions included
    assert "PRIVATE KEY" not in log
    assert_log_is_in_order(logging_edge)


def test_a_request_event_says_all_that_an_operator_asks_for(
    logging_edge: Edge, origin: Origin, james: Credential
) -> None:
    octets = request("/session/all?x", "Content-Length: 5", method="POST") + b"hello"
    exchange(logging_edge, octets, credential=james)
    event = logging_edge.wait_for_event("request", path="/session/all")
    assert event["level"] == "info"
    assert event["time"].endswith("Z")
    assert (event["client"], event["host"], event["method"]) == ("127.0.0.1", "a.test", "POST")
    assert (event["status"], event["bytes_in"]) == (200, 5)
    assert event["bytes_out"] > 0
    assert 0 < event["origin_duration"] <= event["duration"] < 30
    assert (event["application"], event["policy"]) == ("a.test/session", "a.test/session policy")
    assert (event["tls_version"], event["resumed"]) == ("TLSv1.3", False)
    assert event["cipher"].startswith("TLS_")
    assert (event["mtls_authenticated"], event["verify"]) == (True, "SUCCESS")
    assert event["certificate_sha256"] == james.fingerprint
    assert int(event["certificate_serial"], 16) == james.certificate.serial_number
    assert event["certificate_subject"] == "CN=James Royal"
    assert event["request_id"] == origin.received("/session/all")[0].value("x-request-id")
    assert event["origin"].endswith(str(origin.port))


def test_a_malformed_request_of_a_known_client_is_logged_with_its_certificate(
    logging_edge: Edge, james: Credential
) -> None:
    exchange(logging_edge, b"GET / HTTP/1.1\r\nHost : a.test\r\n\r\n", credential=james)
    event = logging_edge.wait_for_event("request", reason="bad_request", certificate_sha256=james.fingerprint)
    assert (event["host"], event["mtls_authenticated"]) == ("a.test", True)
