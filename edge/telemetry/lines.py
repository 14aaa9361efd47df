"""Finished lines of the log on their way to a descriptor that may be slow, full or gone.

Whoever reads the log must never keep the edge from serving: a pipe is written to without waiting, what
it does not take is kept for later, and beyond a bound it is lost and counted. Within a loop the lines of
some hundredths of a second are written together, which saves a system call for each request.

Several processes write to one descriptor. A write of at most PIPE_BUF octets to a pipe is taken whole
or not at all (POSIX write), so only whole lines go together and up to that size: lines never mix.
"""

from __future__ import annotations

import os
import select
import socket
import stat
from collections.abc import Callable
from contextlib import suppress

MAX_WAITING = 4 * 1024 * 1024
"""Octets of the log that a process keeps for a reader that is slow."""
_RETRY_SECONDS = 0.1
_MOMENT_SECONDS = 0.02
"""How long a line waits for others to be written with it: one system call instead of one for each."""
_MUCH = 65536
"""Octets that are not waited with."""

_KEPT: list[socket.socket] = []
"""Held for as long as the process lives: a log has no end before that."""

After = Callable[[float, Callable[[], None]], object]


class Lines:
    """Writes lines to a descriptor, at once, or a moment later after ``defer``."""

    def __init__(self, descriptor: int) -> None:
        """Take over the descriptor."""
        self._write, self._most = _writer(descriptor)
        self._waiting = bytearray()
        os.register_at_fork(after_in_child=self._begin_anew)
        self._after: After | None = None
        self._scheduled = False
        self._is_stuck = False
        """The reader took nothing the last time; it is tried again by and by."""
        self.lost = 0
        """Lines that nobody took. Whoever tells of them sets it to zero."""
        self.lost_in_all = 0

    def _begin_anew(self) -> None:
        """In a child: what waits here is its parent's to write, and what was lost its parent's to count."""
        self._waiting.clear()
        self.lost_in_all = 0

    def defer(self, after: After) -> None:
        """Write lines together from now on, a moment later. ``after`` is the loop's call_later."""
        self._after = after

    def msg(self, line: bytes) -> None:
        """Write one line, now or soon; or lose it. Never raises, never waits."""
        self.add(line + b"\n")

    def add(self, line: bytes) -> None:
        """Write one line that has its line end already, as ``msg`` does."""
        waiting = self._waiting
        if len(waiting) + len(line) > _MUCH and not self._has_room(len(line)):
            return
        waiting += line
        if not self._scheduled:
            self._schedule()

    def _has_room(self, octets: int) -> bool:
        """Write now what is much; tell whether a line may be kept, or is lost."""
        if not self._is_stuck:
            self.flush()
        if len(self._waiting) + octets <= MAX_WAITING:
            return True
        self._lose(1)
        return False

    def _lose(self, lines: int) -> None:
        self.lost += lines
        self.lost_in_all += lines

    def _schedule(self) -> None:
        if self._after is None:
            self.flush()
        else:
            self._scheduled = True
            self._after(_MOMENT_SECONDS, self.flush)

    debug = info = warning = error = critical = exception = msg

    def flush(self) -> None:
        """Write what is waiting, as far as it is taken."""
        self._scheduled = self._is_stuck = False
        waiting = self._waiting
        while waiting:
            piece = bytes(waiting[: _whole_lines(waiting, self._most)])
            try:
                written = self._write(piece)
            except BlockingIOError:
                if self._after is not None:
                    self._scheduled = self._is_stuck = True
                    self._after(_RETRY_SECONDS, self.flush)
                return
            except OSError:  # the reader is gone, or the disk full
                self._lose(waiting.count(b"\n"))
                waiting.clear()
                return
            del waiting[:written]


def _whole_lines(waiting: bytearray, most: int) -> int:
    """Return how many octets to write at once; a line that is longer goes in pieces."""
    if len(waiting) <= most:
        return len(waiting)
    end = waiting.rfind(b"\n", 0, most)
    return end + 1 if end >= 0 else most


def _writer(descriptor: int) -> tuple[Callable[[bytes], int], int]:
    """Return what writes without waiting, and how much to write at once.

    O_NONBLOCK belongs to the open file, which others share: the shell, the parent, a neighbour. So a pipe
    is opened once more for us alone, and a socket is told with every message.
    """
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return lambda octets: os.write(descriptor, octets), MAX_WAITING
    if stat.S_ISSOCK(mode):
        sock = socket.socket(fileno=descriptor)
        _KEPT.append(sock)
        return lambda octets: sock.send(octets, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL), select.PIPE_BUF
    if stat.S_ISFIFO(mode):
        with suppress(OSError):
            own = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.close(descriptor)
            return lambda octets: os.write(own, octets), select.PIPE_BUF
    return lambda octets: os.write(descriptor, octets), MAX_WAITING
