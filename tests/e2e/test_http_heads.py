"""Heads that two readers may read differently, or that nobody can read: one refusal, and the end."""

from __future__ import annotations

import pytest

from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.smuggling import assert_refused_and_closed

LINES = [
    b"GET /x HTTP/1.1\nHost: open.test\n\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\n\r\n",
    b"GET /x HTTP/1.1\nHost: open.test\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\r\n\n",
    b"GET /x HTTP/1.1\rHost: open.test\r\r",
    b"GET /x HTTP/1.1\r\r\nHost: open.test\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\rX: y\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\r\nX: a\nb\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\r\nX: a\x00b\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\r\nX: a\x01b\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\r\nX: a\x7fb\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\r\nX: a\r\n folded\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\r\nX: a\r\n\tfolded\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\r\n \r\n\r\n",
    b"GET /x HTTP/1.1\r\n Host: open.test\r\n\r\n",
    b"GET /x HTTP/1.1\r\n X: y\r\nHost: open.test\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost : open.test\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\r\nX : y\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\r\n: y\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\r\nnocolon\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\r\nX Y: z\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\r\nX(Y): z\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\r\nX\x80: z\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\r\nX\x0b: z\r\n\r\n",
    b'GET /x HTTP/1.1\r\nHost: open.test\r\n"X": z\r\n\r\n',
    b"GET /x HTTP/1.1\r\n\r\n",
    b"GET /x HTTP/1.1\r\nX: y\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost:\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\r\nHost: open.test\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\r\nhost: a.test\r\n\r\n",
    b"GET /x HTTP/1.0\r\nHost: open.test\r\nHost: a.test\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\r\nConnection: a b\r\n\r\n",
    b"GET /x HTTP/1.1\r\nHost: open.test\r\nConnection: \xa0close\r\n\r\n",
    b"GET  /x HTTP/1.1\r\nHost: open.test\r\n\r\n",
    b"GET /x  HTTP/1.1\r\nHost: open.test\r\n\r\n",
    b"GET\t/x\tHTTP/1.1\r\nHost: open.test\r\n\r\n",
    b"GET\x0b/x HTTP/1.1\r\nHost: open.test\r\n\r\n",
    b" GET /x HTTP/1.1\r\nHost: open.test\r\n\r\n",
    b"GET /x HTTP/1.1 \r\nHost: open.test\r\n\r\n",
    b"GET /x HTTP/1.1 x\r\nHost: open.test\r\n\r\n",
    b"GET /x y HTTP/1.1\r\nHost: open.test\r\n\r\n",
    b"GET /x\xa0HTTP/1.1\r\nHost: open.test\r\n\r\n",
    b"GET /x\r\nHost: open.test\r\n\r\n",
    b"GET /x\r\n",
    b"GET /x\n",
    b"GET\r\n\r\n",
    b"/x HTTP/1.1\r\nHost: open.test\r\n\r\n",
    b"GET /x http/1.1\r\nHost: open.test\r\n\r\n",
    b"GET /x HTTP/1.10\r\nHost: open.test\r\n\r\n",
    b"GET /x HTTP/01.1\r\nHost: open.test\r\n\r\n",
    b"GET /x HTTP/1\r\nHost: open.test\r\n\r\n",
    b"GET /x HTTP/1,1\r\nHost: open.test\r\n\r\n",
    b"GET /x HTTPS/1.1\r\nHost: open.test\r\n\r\n",
    b"GET /x HTTP /1.1\r\nHost: open.test\r\n\r\n",
    b"G(T /x HTTP/1.1\r\nHost: open.test\r\n\r\n",
    b"GET, /x HTTP/1.1\r\nHost: open.test\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"\x00" * 100,
    b"\xff" * 100,
    b"\r\n" * 50,
    b"\n\n\n",
    b"\r\r",
]


@pytest.mark.parametrize("octets", LINES)
def test_a_head_with_two_meanings_or_none_is_refused(edge: Edge, origin: Origin, octets: bytes) -> None:
    assert_refused_and_closed(edge, origin, octets)


@pytest.mark.parametrize("version", [b"0.9", b"1.2", b"2.0", b"3.0", b"9.9"])
def test_another_version_is_not_supported(edge: Edge, origin: Origin, version: bytes) -> None:
    octets = b"GET /x HTTP/" + version + b"\r\nHost: open.test\r\n\r\n"
    assert_refused_and_closed(edge, origin, octets, statuses=(505,))
