"""Octets in both directions without blocking: what TLS and plain TCP have in common.

Seven methods, so that a scripted stand-in is short. The rule for whoever uses them: try first, and
park only after a try gave nothing. Octets that TLS has already decrypted do not make the descriptor
readable again, so parking without having tried may wait for ever.
"""

from __future__ import annotations

import fcntl
import select
import socket
import sys
import termios
from collections.abc import Callable
from typing import Protocol

from edge.reactor.readiness import Readiness
from edge.reactor.strand import Strand

_RECV_OCTETS = 65536
"""Below malloc's mmap threshold: a larger buffer would cost two system calls and page faults a read."""


_SHARED = memoryview(bytearray(1 << 18))
"""One for all streams: what is handed on at once needs no memory of its own."""


class StreamBroken(Exception):
    """The peer is gone or broke the protocol; nothing more can be read or written."""


class Stream(Protocol):
    """One connection, seen as octets."""

    def try_read(self) -> bytes | None:
        """Return some octets, ``b""`` at the end, or None if nothing is there. Raises ``StreamBroken``."""

    def try_read_shared(self, most: int) -> bytes | memoryview | None:
        """Return at most so many octets as ``try_read`` does, good until the next read of any stream."""

    def try_write(self, octets: bytes | memoryview) -> int:
        """Write some of the (non-empty) octets and return how many; 0 means later, with the same octets."""

    def is_silent(self) -> bool:
        """Tell whether nothing has arrived: no octets, no end. What was there may be lost by asking."""

    def want_read(self) -> None:
        """Wake the strand when ``try_read`` may do better."""

    def want_write(self) -> None:
        """Wake the strand when ``try_write`` may do better."""

    def close(self) -> None:
        """Let go of the descriptor at once."""


async def send_all(stream: Stream, strand: Strand, octets: bytes, seconds: float, what: str) -> None:
    """Write everything; raises ``Expired(what)`` if that takes longer than so many seconds.

    For what is short: who takes an octet now and then does not buy more time.
    """
    written = stream.try_write(octets)
    if written == len(octets):
        return
    rest = memoryview(octets)[written:]
    deadline = strand.reactor.now() + seconds
    while rest:
        written = stream.try_write(rest)
        if written:
            rest = rest[written:]
        else:
            stream.want_write()
            await strand.parked(deadline, what)


def unacknowledged(sock: socket.socket) -> int:
    """Return how many octets the kernel still holds because the peer has not taken them (tcp(7), SIOCOUTQ).

    A socket is writable again only when a third of its buffer is free, which with a slow peer takes minutes.
    This tells that it takes something all the same.
    """
    try:
        return int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:
        return 0


class TcpStream:
    """A plain TCP connection on a non-blocking socket."""

    __slots__ = ("_poll", "readiness", "sock", "want_read", "want_write")

    def __init__(self, sock: socket.socket, strand: Strand) -> None:
        self.sock = sock
        self._poll = select.poll()
        self._poll.register(sock.fileno(), select.POLLIN)
        self.readiness = Readiness(sock.fileno(), strand)
        self.want_read: Callable[[], None] = self.readiness.want_read
        """See ``Stream``."""
        self.want_write: Callable[[], None] = self.readiness.want_write
        """See ``Stream``."""

    def try_read(self) -> bytes | None:
        """See ``Stream``."""
        try:
            return self.sock.recv(_RECV_OCTETS)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise StreamBroken(error.strerror) from None

    def try_read_shared(self, most: int) -> memoryview | None:
        """See ``Stream``."""
        try:
            return _SHARED[: self.sock.recv_into(_SHARED, min(most, len(_SHARED)))]
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise StreamBroken(error.strerror) from None

    def try_write(self, octets: bytes | memoryview) -> int:
        """See ``Stream``."""
        try:
            return self.sock.send(octets)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise StreamBroken(error.strerror) from None

    def is_silent(self) -> bool:
        """See ``Stream``. Asking the kernel costs a third of a read that brings nothing."""
        return not self._poll.poll(0)

    def close(self) -> None:
        """See ``Stream``."""
        self.readiness.close()
        self.sock.close()
