"""The request as the origin gets it: what the client may not say is gone, what the edge says is there."""

from __future__ import annotations

import pytest

from edge.http1.limits import HeadLimits
from edge.http1.request_parser import read_request_head
from edge.http1.response_parser import read_response_head
from edge.model.http import RequestHead
from edge.proxy.origin_request import (
    binds_connection,
    is_idempotent,
    origin_request,
    origin_request_front,
)
from tests.unit.http1.expect import get, request

IDENTITY = ((b"Mtls-Authenticated", b"true"), (b"Cf-Client-Cert-Sha256", b"ab"))
EDGES = [
    b"X-Forwarded-For: 192.0.2.1",
    b"X-Forwarded-Proto: https",
    b"X-Forwarded-Host: a.test",
    b"Mtls-Authenticated: true",
    b"Cf-Client-Cert-Sha256: ab",
]
REQUEST_ID = b"X-Request-Id: r1"


def written(
    head: RequestHead, *, assertion: str | None = None, fallback_host: str = "a.test", websocket: bool = False
) -> list[bytes]:
    """The lines of the head."""
    front = origin_request_front(
        head,
        identity=IDENTITY,
        assertion=assertion,
        client="192.0.2.1",
        fallback_host=fallback_host,
        websocket=websocket,
    )
    octets = origin_request(front, b"r1")
    assert octets.endswith(b"\r\n\r\n")
    return octets[:-4].split(b"\r\n")


def test_a_plain_request_passes_with_what_the_edge_adds() -> None:
    head = request(b"GET /a/b?c HTTP/1.1", b"Host: A.Test:8443", b"Accept: */*", b"X-Own: 1", b"X-Own: 2")
    lines = written(head)
    assert lines[:5] == [
        b"GET /a/b?c HTTP/1.1",
        b"Host: A.Test:8443",
        b"Accept: */*",
        b"X-Own: 1",
        b"X-Own: 2",
    ]
    edges = [line.replace(b"Host: a.test", b"Host: A.Test:8443") for line in EDGES]
    assert lines[5:] == [*edges, REQUEST_ID]


@pytest.mark.parametrize(
    "field",
    [
        b"Mtls-Authenticated: true",
        b"MTLS_Authenticated: true",
        b"mtls.authenticated: true",
        b"X-Forwarded-For: 10.0.0.1",
        b"X_Forwarded_For: 10.0.0.1",
        b"X-Forwarded-Host: evil.test",
        b"X-Request-ID: mine",
        b"Cf-Access-Jwt-Assertion: mine",
        b"Cf-Client-Cert-Der-Base64: mine",
        b"Client-Cert: :mine:",
        b"Client_Cert: :mine:",
        b"X-SSL-Client-Verify: SUCCESS",
        b"X-Forwarded-Client-Cert: By=mine",
        b"Forwarded: for=10.0.0.1",
        b"X-Real-IP: 10.0.0.1",
        b"True-Client-IP: 10.0.0.1",
        b"Content_Length: 5",
        b"Transfer_Encoding: chunked",
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: keep-alive",
        b"Proxy-Authorization: Basic x",
        b"TE: trailers",
        b"Trailer: X-Sum",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        b"Connection: keep-alive",
    ],
)
def test_what_a_client_may_not_say_is_gone(field: bytes) -> None:
    assert written(get(field)) == [b"GET / HTTP/1.1", b"Host: a.test", *EDGES, REQUEST_ID]


@pytest.mark.parametrize(
    "named",
    [b"Mtls-Authenticated", b"X-Forwarded-For", b"Host", b"Cookie", b"Content-Length", b"X-Request-Id"],
)
def test_connection_cannot_name_away_what_the_edge_needs(named: bytes) -> None:
    lines = written(get(b"Connection: " + named, b"Cookie: a=b"), assertion="t")
    assert lines == [
        b"GET / HTTP/1.1",
        b"Host: a.test",
        b"Cookie: a=b",
        *EDGES,
        b"Cf-Access-Jwt-Assertion: t",
        REQUEST_ID,
    ]


def test_connection_can_name_away_what_is_the_clients_own() -> None:
    assert b"X-Own: 1" not in written(get(b"Connection: close, X-Own", b"X-Own: 1"))


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        ((b"a=b; CF_Authorization=t; c=d",), [b"Cookie: a=b; c=d"]),
        ((b"CF_Authorization=t",), []),
        ((b"cf_authorization=t; a=b",), [b"Cookie: a=b"]),
        ((b"a=b", b"CF_Authorization=t"), [b"Cookie: a=b"]),
        ((b"a=b",), [b"Cookie: a=b"]),
    ],
)
def test_the_cookie_stays_at_the_edge(sent: tuple[bytes, ...], passed: list[bytes]) -> None:
    lines = written(get(*(b"Cookie: " + value for value in sent)))
    assert [line for line in lines if line.lower().startswith(b"cookie")] == passed


@pytest.mark.parametrize(
    ("head", "framing"),
    [
        (request(b"POST / HTTP/1.1", b"Host: a.test", b"Content-Length: 005"), b"Content-Length: 5"),
        (request(b"POST / HTTP/1.1", b"Host: a.test", b"Content-Length: 0"), b"Content-Length: 0"),
        (
            request(b"POST / HTTP/1.1", b"Host: a.test", b"Transfer-Encoding: Chunked"),
            b"Transfer-Encoding: chunked",
        ),
    ],
)
def test_the_body_is_framed_once_and_anew(head: RequestHead, framing: bytes) -> None:
    lines = [line for line in written(head) if b"ength" in line or b"ncoding" in line]
    assert lines == [framing]


def test_a_request_without_a_body_is_framed_by_nothing() -> None:
    assert not [line for line in written(get()) if b"ength" in line or b"ncoding" in line]


def test_an_expectation_is_passed_on() -> None:
    head = request(b"PUT / HTTP/1.1", b"Host: a.test", b"Expect: 100-Continue", b"Content-Length: 5")
    assert written(head).count(b"Expect: 100-continue") == 1


def test_an_upgrade_is_written_only_for_a_tunnel() -> None:
    head = get(b"Connection: Upgrade", b"Upgrade: websocket")
    assert b"Upgrade: websocket" not in written(head)
    lines = written(head, websocket=True)
    assert lines.count(b"Upgrade: websocket") == lines.count(b"Connection: Upgrade") == 1


@pytest.mark.parametrize(("fallback", "host"), [("a.test", b"a.test"), ("::1", b"[::1]")])
def test_a_request_without_host_is_given_the_connections(fallback: str, host: bytes) -> None:
    lines = written(request(b"GET / HTTP/1.0"), fallback_host=fallback)
    assert [line for line in lines if line.lower().startswith(b"host")] == [b"Host: " + host]
    assert b"X-Forwarded-Host: " + host in lines


def test_an_assertion_is_written_after_what_the_client_says_and_once() -> None:
    lines = written(get(b"Cf-Access-Jwt-Assertion: mine"), assertion="theirs")
    assert lines[-2:] == [b"Cf-Access-Jwt-Assertion: theirs", REQUEST_ID]
    assert not [line for line in lines if b"mine" in line]


def test_what_is_written_reads_back_as_one_request() -> None:
    head = request(b"POST http://a.test/x/../%7ey?q HTTP/1.1", b"Host: a.test", b"A: b")
    again = read_request_head(b"\r\n".join([*written(head), b"", b""]), HeadLimits())
    assert again.target.wire == b"/~y?q"
    assert again.host == "a.test"


@pytest.mark.parametrize(
    ("method", "idempotent"),
    [
        (b"GET", True),
        (b"HEAD", True),
        (b"PUT", True),
        (b"DELETE", True),
        (b"OPTIONS", True),
        (b"POST", False),
        (b"PATCH", False),
        (b"PROPFIND", False),
    ],
)
def test_only_what_may_be_sent_twice_is_idempotent(method: bytes, *, idempotent: bool) -> None:
    assert is_idempotent(request(method + b" / HTTP/1.1", b"Host: a.test")) is idempotent


@pytest.mark.parametrize(
    ("value", "binds"),
    [
        (b"NTLM TlRMTVNTUAAB", True),
        (b"ntlm x", True),
        (b"Negotiate YII", True),
        (b"NEGOTIATE", True),
        (b"Basic dTpw", False),
        (b'Basic realm="x", Negotiate', True),
        (b"Bearer NTLM", False),
        (b"NTLMv9 x", False),
        (b"Negotiated x", False),
        (b"", False),
    ],
)
def test_ntlm_and_negotiate_take_the_whole_connection(value: bytes, *, binds: bool) -> None:
    challenge = (
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic x\r\nWWW-Authenticate: %b\r\n\r\n" % value
    )
    offered = read_response_head(challenge, b"GET", HeadLimits())
    assert binds_connection(get(b"Authorization: " + value), None) is binds
    assert binds_connection(get(), offered) is binds
    assert not binds_connection(get(b"X-Authorization: " + value), None)
