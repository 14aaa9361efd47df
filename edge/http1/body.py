"""Readers of bodies: octets of the connection in, octets of the content out, nothing kept.

All four have one interface, ``BodyReader``. None holds content back: what is fed comes out at once,
decoded, so that memory does not grow with the body. After the end of the body the octets belong to the
next message and are left in ``excess``.

The chunked coding (RFC 9112 7.1) is read to the letter: hex digits and nothing else in a size, CRLF and
nothing else at the end of a line, and the CRLF after the data of a chunk is looked at (h11 CVE-2025-43859
did not). Chunk extensions are dropped, but only where they are well-formed: a bare LF inside one has been
a line end to one reader and not to the other (ASP.NET CVE-2025-55315).
"""

from __future__ import annotations

import re
from typing import Protocol

from edge.http1.headers import TOKEN_PATTERN, read_fields
from edge.http1.limits import HeadLimits, Side
from edge.model.http import Body, Framing, HeaderField
from edge.model.refusal import MessageError, Reason

_MAX_SIZE_LINE = 256
"""Octets of a chunk-size line with its extensions and line ends. No known sender of extensions needs
more, and without a bound they are free octets in a stream of tiny chunks (Go CVE-2023-39326)."""

_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*+"'
_EXTENSION = rb";" + TOKEN_PATTERN + rb"(?:=(?:" + TOKEN_PATTERN + rb"|" + _QUOTED + rb"))?+"
_SIZE = re.compile(rb"\r\n([0-9A-Fa-f]{1,16}+)(?:" + _EXTENSION + rb")*+\r\n")
"""The CRLF that ends the chunk before, and a size line. One match per chunk keeps a body of one-octet
chunks cheap. RFC 9112 7.1.1 has "bad white space" in extensions; a recipient may refuse it, and we do."""

_SIZE_BEGUN = re.compile(rb"\r(?:\n(?:[0-9A-Fa-f]{1,16}+(?:;[\t \x21-\x7e\x80-\xff]*+)?+\r?+)?+)?+")
"""What a size line may look like while its end is still on its way."""


class BodyReader(Protocol):
    """One body being read."""

    @property
    def done(self) -> bool:
        """Whether the body has ended."""

    @property
    def excess(self) -> bytes:
        """Octets that came after the end of the body."""

    @property
    def trailers(self) -> tuple[HeaderField, ...]:
        """The trailer section, once done; only a chunked body has one."""

    @property
    def verbatim(self) -> int:
        """How many of the next octets are content whatever they are; 0 if they have to be read."""

    def skip(self, size: int) -> None:
        """Take so many octets as read, at most ``verbatim``: somebody else handed them on."""

    def feed(self, data: bytes) -> bytes:
        """Return the content in ``data``. Raises ``MessageError``; the reader is of no use after that."""

    def finish(self) -> None:
        """The peer closed: raise ``MessageError`` if the body is not complete."""


class NoBodyReader:
    """A message without a body: everything is the next message."""

    __slots__ = ("excess",)
    done = True
    trailers: tuple[HeaderField, ...] = ()
    verbatim = 0

    def __init__(self) -> None:
        self.excess = b""

    def skip(self, size: int) -> None:
        """There is nothing to skip."""

    def feed(self, data: bytes) -> bytes:
        """Keep ``data`` as excess."""
        self.excess += data
        return b""

    def finish(self) -> None:
        """Nothing is missing."""


class LengthReader:
    """A body of ``Content-Length`` octets. Data that lies within it is handed on as the same object."""

    __slots__ = ("_side", "done", "excess", "verbatim")
    trailers: tuple[HeaderField, ...] = ()

    def __init__(self, length: int, side: Side = Side.CLIENT) -> None:
        self.verbatim = length
        self._side = side
        self.done = length == 0
        self.excess = b""

    def skip(self, size: int) -> None:
        """Count octets of the body."""
        self.verbatim -= size
        self.done = self.verbatim == 0

    def feed(self, data: bytes) -> bytes:
        """Return the octets of the body."""
        size = len(data)
        if size < self.verbatim:
            self.verbatim -= size
            return data
        if self.done:
            self.excess += data
            return b""
        content, self.excess = data[: self.verbatim], data[self.verbatim :]
        self.verbatim = 0
        self.done = True
        return content

    def finish(self) -> None:
        """Raise ``MessageError`` if octets are missing."""
        if not self.done:
            raise self._side.error(Reason.BAD_REQUEST, f"the body ended {self.verbatim} octets early")


class UntilCloseReader:
    """An answer's body that ends where the origin closes. It never has excess."""

    __slots__ = ("done",)
    excess = b""
    trailers: tuple[HeaderField, ...] = ()
    verbatim = 1 << 62

    def __init__(self) -> None:
        self.done = False

    def skip(self, size: int) -> None:
        """There is nothing to count."""

    def feed(self, data: bytes) -> bytes:
        """Return ``data``."""
        return data

    def finish(self) -> None:
        """Mark the end."""
        self.done = True


class ChunkedReader:
    """A body in the chunked coding, decoded. At most one size line is kept between two feeds."""

    __slots__ = (
        "_limits",
        "_pending",
        "_remaining",
        "_searched",
        "_section",
        "_side",
        "done",
        "excess",
        "trailers",
    )
    verbatim = 0

    def __init__(self, limits: HeadLimits, side: Side = Side.CLIENT) -> None:
        self._limits = limits
        self._side = side
        # The first size line has no chunk before it; it is read as if it had.
        self._pending = b"\r\n"
        self._remaining = 0
        """Octets of data still to come in the present chunk."""
        self._section: bytearray | None = None
        """The trailer section as far as it arrived, after the CRLF of the last size line."""
        self._searched = 0
        self.done = False
        self.excess = b""
        self.trailers: tuple[HeaderField, ...] = ()

    def skip(self, size: int) -> None:
        """There is nothing that may be skipped."""

    def feed(self, data: bytes) -> bytes:
        """Return the decoded octets of the body. The cost is linear in ``data``, however it is cut."""
        if self.done:
            self.excess += data
            return b""
        if self._section is not None:
            self._feed_trailers(self._section, data)
            return b""
        if self._pending:
            data = self._pending + data
            self._pending = b""
        pieces: list[bytes] = []
        position, size, remaining = 0, len(data), self._remaining
        while position < size:
            if not remaining:
                line = _SIZE.match(data, position)
                if line is None:
                    self._keep_begun(data[position:])
                    break
                if line.end() - position > _MAX_SIZE_LINE:
                    raise self._side.error(Reason.BAD_REQUEST, "a chunk extension is too long")
                position = line.end()
                remaining = int(line[1], 16)
                if not remaining:
                    self._section = bytearray(b"\r\n")
                    self._feed_trailers(self._section, data[position:])
                    break
            piece = data[position : position + remaining]
            pieces.append(piece)
            position += len(piece)
            remaining -= len(piece)
        self._remaining = remaining
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def finish(self) -> None:
        """Raise ``MessageError`` if the last chunk or the end of the trailers is missing."""
        if not self.done:
            raise self._side.error(Reason.BAD_REQUEST, "the body ended before its last chunk")

    def _keep_begun(self, rest: bytes) -> None:
        if len(rest) > _MAX_SIZE_LINE or not _SIZE_BEGUN.fullmatch(rest):
            raise self._side.error(Reason.BAD_REQUEST, "a chunk or its size line is malformed")
        self._pending = rest

    def _feed_trailers(self, section: bytearray, data: bytes) -> None:
        section += data
        end = section.find(b"\r\n\r\n", self._searched)
        if (end if end >= 0 else len(section)) > self._limits.header_size:
            raise self._side.error(Reason.HEADER_TOO_LARGE, "the trailer section is too large")
        if end < 0:
            self._searched = max(len(section) - 3, 0)
            return
        try:
            self.trailers = read_fields(bytes(section[2 : end + 2]), self._limits.header_count)
        except MessageError as error:
            raise self._side.error(error.refusal.reason, error.refusal.detail) from None
        self.done = True
        self.excess = bytes(section[end + 4 :])
        self._section = None


def body_reader(body: Body, limits: HeadLimits, side: Side) -> BodyReader:
    """Return the reader for a body. ``side`` is the peer that sends it and decides the errors' reason."""
    match body.framing:
        case Framing.NONE:
            return NoBodyReader()
        case Framing.LENGTH:
            return LengthReader(body.length, side)
        case Framing.CHUNKED:
            return ChunkedReader(limits, side)
        case Framing.UNTIL_CLOSE:
            return UntilCloseReader()
