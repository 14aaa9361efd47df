"""Heads and chunks as octets, made from parts: never from octets as they were received.

Everything written here is held against response splitting: a CR, LF or NUL inside a part is a
``ValueError``, because it can only be a fault of the edge itself. The parts came through the readers,
which let none of them pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

_STATUS_LINES = {
    (status.value, status.phrase.encode("ascii")): b"HTTP/1.1 %d %b" % (status, status.phrase.encode("ascii"))
    for status in HTTPStatus
}


def request_head(method: bytes, target: bytes, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a request head. Raises ``ValueError`` for a part that would change its structure."""
    line = b"%b %b HTTP/1.1" % (method, target)
    if line.count(b" ") != 2:
        raise ValueError("white space in the method or the target")
    return _head(line, fields)


def response_head(status: int, phrase: bytes, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the head of an answer. Raises ``ValueError`` for a part that would change its structure."""
    line = _STATUS_LINES.get((status, phrase)) or b"HTTP/1.1 %d %b" % (status, phrase)
    return _head(line, fields)


def field_lines(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return field lines, each with its CRLF. Raises ``ValueError`` as the heads do."""
    return _head(b"", fields)[2:-2]


def chunk(data: bytes) -> bytes:
    """Return ``data`` as one chunk. No data is no chunk: an empty one would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def last_chunk(trailers: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """Return the end of a chunked body. Raises ``ValueError`` as the heads do."""
    return _head(b"0", trailers)


def _head(first_line: bytes, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    lines = [first_line, *map(b": ".join, fields), b"", b""]
    head = b"\r\n".join(lines)
    ends = len(lines) - 1
    # As many CRs and LFs as there are line ends: all of them are the ones written here.
    if head.count(b"\r") != ends or head.count(b"\n") != ends or b"\0" in head:
        raise ValueError("a CR, LF or NUL inside a part of a head")
    return head
