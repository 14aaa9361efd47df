"""Finds the end of an HTTP/1.1 answer in the octets of a connection. Bodies are counted, not kept."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_HEAD = 262144
"""Octets of a head, of the lines around a chunk, of the trailers."""

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*\bchunked[ \t]*\r\n", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection:[^\r\n]*\bclose\b", re.IGNORECASE)
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})[ \r]")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_BODILESS = frozenset({"204", "304"})


class BadAnswer(Exception):
    """The octets are no HTTP/1.1 answer, or more than one."""


@dataclass(frozen=True, slots=True)
class _Framing:
    """What a head says of the body behind it (RFC 9112, section 6.3)."""

    status: str
    closes: bool
    chunked: bool = False
    length: int = 0
    until_close: bool = False


_KNOWN: dict[bytes, _Framing] = {}
"""Heads that were read already: a server says the same until its clock goes on."""
_MOST_KNOWN = 64


def _remember(head: bytes) -> _Framing:
    if len(_KNOWN) >= _MOST_KNOWN:
        _KNOWN.clear()
    _KNOWN[head] = framing = _read_framing(head + b"\r\n")
    return framing


def _read_framing(head: bytes) -> _Framing:
    line = _STATUS_LINE.match(head)
    if line is None:
        raise BadAnswer("not an HTTP/1 answer")
    status = line[2].decode("ascii")
    closes = line[1] == b"0" or status == "101" or _CLOSE.search(head) is not None
    if status in _BODILESS or status[0] == "1":
        return _Framing(status, closes)
    if _CHUNKED.search(head):
        return _Framing(status, closes, chunked=True)
    if length := _CONTENT_LENGTH.search(head):
        return _Framing(status, closes, length=int(length[1]))
    return _Framing(status, closes, until_close=True)


class Answer:
    """One answer, fed piece by piece. ``done`` tells when it is whole."""

    __slots__ = (
        *("_buffer", "_chunked", "_head_only", "_in_trailers", "_left"),
        *("body", "closes", "done", "status", "until_close"),
    )

    def __init__(self, *, head_only: bool = False) -> None:
        """``head_only``: the request was HEAD."""
        self._head_only = head_only
        self._buffer = b""
        self._chunked = False
        self._in_trailers = False
        self._left = 0
        """Octets of the body, or of the chunk and the end of its line, that are still to come."""
        self.status = ""
        """Empty until the head has come."""
        self.body = 0
        """Octets of the body so far, without the framing of chunks; a chunk counts when it begins."""
        self.closes = False
        """Whether the connection is of no use afterwards."""
        self.until_close = False
        """Whether the body lasts until the connection ends."""
        self.done = False

    def feed(self, data: bytes) -> bool:
        """Take what came and return ``done``. Raises ``BadAnswer``."""
        if not self.status:
            rest = self._feed_head(data)
            if rest is None:
                return False
            data = rest
        if self._chunked:
            self._feed_chunks(data)
        elif self.until_close:
            self.body += len(data)
        else:
            self.body += len(data)
            self._left -= len(data)
            if self._left < 0:
                raise BadAnswer("octets after the end of the answer")
            self.done = not self._left
        return self.done

    def end(self) -> bool:
        """Take the end of the connection and return ``done``: whether the answer may end like this."""
        self.done = self.done or self.until_close
        return self.done

    def _feed_head(self, data: bytes) -> bytes | None:
        """Read the head, and skip interim ones; return what follows it, None if it is not whole yet."""
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        while True:
            head, empty_line, rest = data.partition(b"\r\n\r\n")
            if not empty_line:
                if len(data) > MAX_HEAD:
                    raise BadAnswer("the head has no end")
                self._buffer = data
                return None
            framing = _KNOWN.get(head)
            if framing is None:
                framing = _remember(head)
            if framing.status[0] != "1" or framing.status == "101":
                self._frame(framing)
                return rest
            data = rest

    def _frame(self, framing: _Framing) -> None:
        self.status = framing.status
        self.closes = framing.closes
        if not self._head_only:
            self._chunked = framing.chunked
            self._left = framing.length
            if framing.until_close:
                self.until_close = self.closes = True

    def _feed_chunks(self, data: bytes) -> None:
        """Read chunks and trailers (RFC 9112, section 7.1)."""
        data = self._buffer + data
        self._buffer = b""
        while data and not self.done:
            if self._left:
                taken = min(self._left, len(data))
                self._left -= taken
                data = data[taken:]
            elif self._in_trailers:
                data = self._feed_trailer(data)
            else:
                data = self._feed_chunk_size(data)
        if data:
            raise BadAnswer("octets after the end of the answer")

    def _feed_chunk_size(self, data: bytes) -> bytes:
        line, line_end, rest = data.partition(b"\r\n")
        if not line_end:
            return self._keep(data)
        size = _CHUNK_SIZE.fullmatch(line)
        if size is None:
            raise BadAnswer("a chunk has no size")
        length = int(size[1], 16)
        self.body += length
        self._left = length + 2 if length else 0
        self._in_trailers = not length
        return rest

    def _feed_trailer(self, data: bytes) -> bytes:
        line, line_end, rest = data.partition(b"\r\n")
        if not line_end:
            return self._keep(data)
        self.done = not line
        return rest

    def _keep(self, data: bytes) -> bytes:
        """Keep a line that has no end yet for the octets that follow."""
        if len(data) > MAX_HEAD:
            raise BadAnswer("a line has no end")
        self._buffer = data
        return b""
