"""Request smuggling, judged at the origin: of every ambiguous message nothing gets through but a refusal."""

from __future__ import annotations

import pytest

from tests.e2e.clients import raw_tls
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.smuggling import SMUGGLED, assert_refused_and_closed

HOST = b"Host: open.test\r\n"
CHUNKED_BODY = b"5\r\nhello\r\n0\r\n\r\n"


def post(*fields: bytes, version: bytes = b"1.1") -> bytes:
    return b"POST /x HTTP/%b\r\n" % version + HOST + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


BOTH = [
    (b"Content-Length: 6", b"Transfer-Encoding: chunked"),
    (b"Transfer-Encoding: chunked", b"Content-Length: 6"),
    (b"transfer-encoding: CHUNKED", b"content-length: 0"),
    (b"Content-Length: 6", b"Transfer-Encoding: identity"),
    (b"Content-Length: 6", b"Transfer-Encoding:"),
    (b"Content-Length: 6", b"Transfer-Encoding: x"),
    (b"Content-Length:", b"Transfer-Encoding: chunked"),
]


@pytest.mark.parametrize("fields", BOTH)
@pytest.mark.parametrize("body", [b"0\r\n\r\nX", CHUNKED_BODY, b""])
def test_two_framings_at_once_are_refused(
    edge: Edge, origin: Origin, fields: tuple[bytes, ...], body: bytes
) -> None:
    assert_refused_and_closed(edge, origin, post(*fields) + body)


TRANSFER_ENCODINGS = [
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding\t: chunked",
    b" Transfer-Encoding: chunked",
    b"X: y\r\n Transfer-Encoding: chunked",
    b"Transfer-Encoding:\r\n chunked",
    b"Transfer-Encoding: chun\r\n ked",
    b"Transfer-Encoding: \x0bchunked",
    b"Transfer-Encoding: \x0cchunked",
    b"Transfer-Encoding: chunked\x0b",
    b"Transfer-Encoding: \x85chunked",
    b"Transfer-Encoding: \xa0chunked",
    b"Transfer-Encoding: chunked\x00",
    b"Transfer-Encoding: chunked\x1f",
    b"Transfer-Encoding: chunked\rX: y",
    b"Transfer-Encoding: chunked\nX: y",
    b"\nTransfer-Encoding: chunked",
    b"X: y\nTransfer-Encoding: chunked",
    b"X: y\rTransfer-Encoding: chunked",
    b"Transfer-Encoding\x00: chunked",
    b"Transfer-Encoding\x85: chunked",
    b"\xefTransfer-Encoding: chunked",
    b"Transfer-Encoding chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding:",
    b"Transfer-Encoding: ,",
    b"Transfer-Encoding: ,chunked",
    b"Transfer-Encoding: chunked,",
    b"Transfer-Encoding: chunked chunked",
    b'Transfer-Encoding: "chunked"',
    b"Transfer-Encoding: (chunked)",
]


@pytest.mark.parametrize("field", TRANSFER_ENCODINGS)
def test_a_disguised_transfer_encoding_is_refused(edge: Edge, origin: Origin, field: bytes) -> None:
    assert_refused_and_closed(edge, origin, post(field) + CHUNKED_BODY)


@pytest.mark.parametrize("field", TRANSFER_ENCODINGS)
def test_a_disguised_transfer_encoding_beside_a_length_is_refused(
    edge: Edge, origin: Origin, field: bytes
) -> None:
    assert_refused_and_closed(edge, origin, post(field, b"Content-Length: 5") + CHUNKED_BODY)


@pytest.mark.parametrize(
    "coding",
    [
        b"identity",
        b"gzip",
        b"xchunked",
        b"chunkedx",
        b"chunked, identity",
        b"identity, chunked",
        b"gzip, chunked",
        b"chunked, chunked",
        b"chunked;q=1",
    ],
)
def test_another_transfer_coding_is_not_implemented(edge: Edge, origin: Origin, coding: bytes) -> None:
    octets = post(b"Transfer-Encoding: " + coding) + CHUNKED_BODY
    assert_refused_and_closed(edge, origin, octets, statuses=(501,))


def test_a_transfer_encoding_in_http_1_0_is_refused(edge: Edge, origin: Origin) -> None:
    for fields in (
        (b"Transfer-Encoding: chunked",),
        (b"Transfer-Encoding: chunked", b"Connection: keep-alive"),
        (b"Transfer-Encoding: identity",),
    ):
        assert_refused_and_closed(edge, origin, post(*fields, version=b"1.0") + CHUNKED_BODY)


@pytest.mark.parametrize(
    "value",
    [
        b"+5",
        b"-1",
        b"-0",
        b"0x5",
        b"5.0",
        b"1e1",
        b"5_0",
        b"5 5",
        b"5, 5",
        b"5,5",
        b"5;",
        b"",
        b",",
        b"five",
        b"\xd9\xa5",
        b"\xef\xbc\x95",
        b"5\x00",
        b"5\x0b",
        b"5\xa0",
        b"9" * 19,
        b"9" * 400,
        b"18446744073709551616",
        b"5\r\nContent-Length: 5",
        b"5\r\nContent-Length: 6",
        b"0\r\nContent-Length: 5",
        b"5\r\n 6",
        b"5\r\nContent-Length:",
    ],
)
def test_a_length_that_is_not_one_plain_number_is_refused(edge: Edge, origin: Origin, value: bytes) -> None:
    assert_refused_and_closed(edge, origin, post(b"Content-Length: " + value) + b"hello")


@pytest.mark.parametrize(
    "field", [b"Content-Length : 5", b" Content-Length: 5", b"Content-Length\x00: 5", b"Content-Length 5"]
)
def test_a_disguised_length_is_refused(edge: Edge, origin: Origin, field: bytes) -> None:
    assert_refused_and_closed(edge, origin, post(field) + b"hello")


CHUNKS = [
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"5_0\r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b"5\t\r\nhello\r\n0\r\n\r\n",
    b"\xef\xbc\x95\r\nhello\r\n0\r\n\r\n",
    b"5h\r\nhello\r\n0\r\n\r\n",
    b"\r\nhello\r\n0\r\n\r\n",
    b";a\r\nhello\r\n0\r\n\r\n",
    b"00000000000000005\r\nhello\r\n0\r\n\r\n",
    b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    b"5\nhello\r\n0\r\n\r\n",
    b"5\rhello\r\n0\r\n\r\n",
    b"5\r\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhello\r0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n",
    b"5\r\nhelloXX0\r\n\r\n",
    b"5\r\nhello\r\n\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\n\n",
    b"5\r\nhello\r\n0\r\n\n",
    b"5\r\nhello\r\n0\n\r\n",
    b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    b"5;\n\r\nhello\r\n0\r\n\r\n",
    b"5;a=\n\r\nhello\r\n0\r\n\r\n",
    b'5;a="\n"\r\nhello\r\n0\r\n\r\n',
    b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    b"5;a\x00\r\nhello\r\n0\r\n\r\n",
    b"5;" + b"a" * 20_000 + b"\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX: y\nZ: z\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX : y\r\n\r\n",
    b"5\r\nhello\r\n0\r\n X: y\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX: y\r\n z\r\n\r\n",
    b"5\r\nhello\r\n0\r\nnothing\r\n\r\n",
    b"5\r\nhello\r\n0\r\nX: \x00\r\n\r\n",
]


@pytest.mark.parametrize("body", CHUNKS)
def test_a_malformed_chunk_is_refused(edge: Edge, origin: Origin, body: bytes) -> None:
    assert_refused_and_closed(edge, origin, post(b"Transfer-Encoding: chunked") + body)


def test_a_chunked_body_is_framed_anew(edge: Edge, origin: Origin) -> None:
    body = b'5;name=value;q="a;b"\r\nhello\r\n00001\r\n!\r\n000\r\nX-Sum: 1\r\n\r\n'
    with raw_tls(edge, "open.test") as client:
        client.send(post(b"Transfer-Encoding: Chunked") + body + SMUGGLED)
        assert client.read_answer().status == 200
        assert client.read_answer().status == 200
    # Of a message that was refused half way, a piece may still have been on its way to the origin.
    first, second = (request for request in origin.received() if request.complete)
    assert (first.path, first.body, first.trailers) == ("/x", b"hello!", [("x-sum", "1")])
    assert second.path == "/smuggled"
    assert b"name=value" not in origin.octets


INNER = b"GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(INNER)
UNREAD = {
    "denied": (403, b"POST / HTTP/1.1\r\nHost: a.test\r\n" + LENGTH),
    "denied GET": (403, b"GET / HTTP/1.1\r\nHost: a.test\r\n" + LENGTH),
    "denied chunked": (403, b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n"),
    "denied expecting": (403, b"POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\n" + LENGTH),
    "misdirected": (421, b"POST / HTTP/1.1\r\nHost: b.test\r\n" + LENGTH),
    "expectation": (417, b"POST /public HTTP/1.1\r\nHost: a.test\r\nExpect: x\r\n" + LENGTH),
    "hint": (505, b"POST /public HTTP/1.1\r\nHost: a.test\r\nUpgrade: h3\r\n" + LENGTH),
    "not allowed": (405, b"TRACE /public HTTP/1.1\r\nHost: a.test\r\n" + LENGTH),
    "reserved": (200, b"GET /cdn-cgi/access/certs HTTP/1.1\r\nHost: a.test\r\n" + LENGTH),
    "not found": (404, b"POST /cdn-cgi/access/x HTTP/1.1\r\nHost: a.test\r\n" + LENGTH),
}


@pytest.mark.parametrize("case", UNREAD)
def test_a_body_that_was_not_read_never_becomes_a_request(edge: Edge, origin: Origin, case: str) -> None:
    status, head = UNREAD[case]
    with raw_tls(edge) as client:
        client.send(head + b"\r\n" + INNER + INNER)
        answer = client.read_until_close()
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"\r\nConnection: close\r\n" in answer
    assert origin.received() == []


def test_a_request_inside_a_body_stays_a_body(edge: Edge, origin: Origin) -> None:
    for method in (b"GET", b"POST", b"DELETE"):
        with raw_tls(edge, "open.test") as client:
            client.send(method + b" /x HTTP/1.1\r\n" + HOST + LENGTH + b"\r\n" + INNER + SMUGGLED)
            assert client.read_answer().status == 200
            assert client.read_answer().status == 200
    assert [request.path for request in origin.received()] == ["/x", "/smuggled"] * 3
    assert all(request.body == INNER for request in origin.received("/x"))


@pytest.mark.parametrize(
    "field",
    [
        b"Transfer_Encoding: chunked",
        b"Transfer.Encoding: chunked",
        b"Content_Length: 0",
        b"CONTENT.LENGTH: 0",
        b"X-Content-Length: 0",
    ],
)
def test_a_field_that_only_looks_like_a_framing_does_not_frame(
    edge: Edge, origin: Origin, field: bytes
) -> None:
    with raw_tls(edge, "open.test") as client:
        client.send(post(field, b"Content-Length: %d" % len(CHUNKED_BODY)) + CHUNKED_BODY + SMUGGLED)
        assert client.read_answer().status == 200
        assert client.read_answer().status == 200
    first, second = origin.received()
    assert (first.body, second.path) == (CHUNKED_BODY, "/smuggled")
    assert not [name for name, _ in first.headers if "_" in name or "." in name]


def test_trailers_do_not_become_headers_nor_identity(edge: Edge, origin: Origin) -> None:
    forged = [
        b"Mtls-Authenticated: true",
        b"mtls_authenticated: true",
        b"Cf-Access-Jwt-Assertion: FORGED",
        b"Cf_Access_Jwt_Assertion: FORGED",
        b"X-Forwarded-For: 203.0.113.9",
        b"X-Forwarded-Client-Cert: FORGED",
        b"Client-Cert: :FORGED:",
        b"X-SSL-Client-Verify: SUCCESS",
        b"X-Client-Verify: SUCCESS",
        b"SSL-Client-Verify: SUCCESS",
        b"X-Client-Cert: FORGED",
        b"True-Client-IP: 203.0.113.9",
        b"X-Client-IP: 203.0.113.9",
        b"Mtls-Something: FORGED",
        b"Host: a.test",
        b"Content-Length: 3",
        b"Transfer-Encoding: identity",
        b"Cookie: CF_Authorization=FORGED",
        b"Authorization: FORGED",
        b"X-Request-Id: FORGED",
    ]
    with raw_tls(edge, "open.test") as client:
        client.send(
            post(b"Transfer-Encoding: chunked", b"Trailer: Mtls-Authenticated")
            + b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n"
            + b"".join(line + b"\r\n" for line in forged)
            + b"\r\n"
        )
        assert client.read_answer().status == 200
    (received,) = origin.received()
    assert received.trailers == [("x-sum", "1")]
    assert received.values("mtls-authenticated") == ["false"]
