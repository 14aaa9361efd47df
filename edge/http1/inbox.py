"""Octets that arrived and were not read yet, in which heads are found at a cost linear in their length.

Two dangers rule this file. A head that is sent octet by octet must not be searched, or copied, from its
beginning at every octet: the search goes on where it stopped. And a peer must not be able to keep us
waiting for the end of what is refused anyway: while a head is incomplete, what has arrived of it is held
against the limits and the line rules.

A head that arrives in one piece takes the short way: one search, one slice.
"""

from __future__ import annotations

import re

from edge.http1.limits import HeadLimits, Side
from edge.http1.start_line import REQUEST_LINE_ROOM, read_request_line
from edge.model.refusal import Reason

_HEAD_END = b"\r\n\r\n"

_EMPTY_LINES_SKIPPED = 2
"""RFC 9112 2.2: "a server SHOULD ignore at least one empty line (CRLF) received prior to the
request-line". A few old clients send one after a body; nobody sends more than two."""

_MISPLACED = re.compile(rb"\x00|(?<!\r)\n|\r[^\n]")
"""NUL, a bare LF, a bare CR that is not the last octet so far."""


class Inbox:
    """Received and not yet consumed octets of one connection. ``side`` is the peer that sends."""

    __slots__ = ("_checked", "_data", "_empty_lines", "_line_seen", "_searched", "_side", "_start", "empty")

    def __init__(self, side: Side = Side.CLIENT) -> None:
        self._side = side
        self._data: bytes | bytearray = b""
        self._start = 0
        """Where the octets begin that were not consumed yet."""
        self.empty = True
        """Whether everything was consumed; what ``len`` says, for who asks at every request."""
        self._empty_lines = 0
        """How many were skipped before the head that is awaited."""
        self._searched = 0
        """Where the search for the end of the head goes on."""
        self._checked = 0
        """Where the search for misplaced octets goes on."""
        self._line_seen = False
        """Whether the first line is complete, and was found in order."""

    def __len__(self) -> int:
        return len(self._data) - self._start

    def feed(self, data: bytes) -> None:
        """Add octets that were received."""
        self.empty = self.empty and not data
        if self._start == len(self._data):
            self._data = data
            self._start = 0
            self._forget_progress()
            return
        if not isinstance(self._data, bytearray):
            self._data = bytearray(memoryview(self._data)[self._start :])
        elif self._start:
            del self._data[: self._start]
        self._checked -= self._start
        self._searched -= self._start
        self._start = 0
        self._data += data

    def next_head(self, limits: HeadLimits) -> bytes | None:
        """Consume and return the next head, up to its empty line inclusive; None: not enough yet.

        Raises ``MessageError`` as soon as it is certain that no acceptable head can come of what is here:
        URI_TOO_LONG, HEADER_TOO_LARGE, HTTP_VERSION_NOT_SUPPORTED or BAD_REQUEST for a client,
        ORIGIN_BAD_RESPONSE for an origin.
        """
        if self._start == len(self._data):
            return None
        if self._side is Side.CLIENT:
            self._skip_empty_lines()
        end = self._data.find(_HEAD_END, self._searched)
        if end < 0:
            self._check_incomplete(limits)
            self._searched = max(len(self._data) - len(_HEAD_END) + 1, self._start)
            return None
        end += len(_HEAD_END)
        if self._side is Side.CLIENT and end - self._start > limits.target_size:
            self._check_line_size(self._data.find(b"\r\n", self._start), limits)
        self._check_size(end, limits)
        head = bytes(self._data[self._start : end])
        if end == len(self._data):
            self._data, end = b"", 0  # an idle connection keeps no memory
            self.empty = True
        self._start = end
        self._empty_lines = 0
        self._forget_progress()
        return head

    def take(self) -> bytes:
        """Consume and return everything that is left: octets of a body, or of a tunnel."""
        data, start = self._data, self._start
        self._data, self._start = b"", 0
        self.empty = True
        self._empty_lines = 0
        self._forget_progress()
        return bytes(memoryview(data)[start:]) if start else bytes(data)

    def _forget_progress(self) -> None:
        """Begin a new head at ``_start``; belongs after every change of ``_start`` that skips octets."""
        self._searched = self._start
        self._checked = self._start
        self._line_seen = False

    def _skip_empty_lines(self) -> None:
        while self._data.startswith(b"\r\n", self._start):
            self._empty_lines += 1
            if self._empty_lines > _EMPTY_LINES_SKIPPED:
                raise self._side.error(Reason.BAD_REQUEST, "empty lines where a request line should be")
            self._start += 2
            self.empty = self._start == len(self._data)
            self._forget_progress()

    def _check_incomplete(self, limits: HeadLimits) -> None:
        """Refuse early what cannot become a head any more. Looks at each octet once."""
        if _MISPLACED.search(self._data, self._checked):
            raise self._side.error(Reason.BAD_REQUEST, "a bare CR, a bare LF or a NUL in the head")
        # The last octet may be a CR whose LF is still on its way.
        self._checked = max(len(self._data) - 1, self._start)
        if self._side is Side.CLIENT and not self._line_seen:
            self._check_first_line(limits)
        self._check_size(len(self._data), limits)

    def _check_first_line(self, limits: HeadLimits) -> None:
        line_end = self._data.find(b"\r\n", self._searched)
        self._line_seen = line_end >= 0
        self._check_line_size(line_end if self._line_seen else len(self._data), limits)
        if self._line_seen:
            read_request_line(bytes(self._data[self._start : line_end]))

    def _check_line_size(self, line_end: int, limits: HeadLimits) -> None:
        if line_end - self._start > limits.target_size + REQUEST_LINE_ROOM:
            raise self._side.error(
                Reason.URI_TOO_LONG,
                f"the request line is too long for a target of {limits.target_size} octets",
            )

    def _check_size(self, end: int, limits: HeadLimits) -> None:
        if end - self._start > limits.header_size:
            raise self._side.error(
                Reason.HEADER_TOO_LARGE, f"the head is longer than {limits.header_size} octets"
            )
