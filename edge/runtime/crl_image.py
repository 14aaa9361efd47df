"""How a new generation of CRLs gets from one process to the others: as sealed memory, by descriptor.

The memory belongs to no file, is there once however many workers map it, and goes when the last of
them has let go of it.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import socket
from contextlib import suppress

from edge.trust.revocation import Revocation
from edge.trust.revocation_image import pack, unpack

_MESSAGE = b"crl"
_MOST_DESCRIPTORS = 1
_RESERVE = 4
"""Two are needed to take an image up; the others are for those that follow before connections end."""
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ECONNREFUSED, errno.ENOTCONN)
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
"""Nobody changes what others read; least of all its length, which would kill them (SIGBUS)."""


class ParentIsGone(Exception):
    """The other end of the channel is closed."""


def new_image() -> int:
    """Return the descriptor of new, empty memory."""
    return os.memfd_create("edge-crl", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def write_image(descriptor: int, revocation: Revocation) -> None:
    """Fill the memory and seal it."""
    with os.fdopen(os.dup(descriptor), "wb") as file:
        for piece in pack(revocation):
            file.write(piece)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)


def map_image(descriptor: int) -> Revocation:
    """Return what the memory holds, without a copy."""
    # A private mapping that is never written to shares its pages; a shared one of sealed memory is
    # refused by kernels before 6.7.
    return unpack(memoryview(mmap.mmap(descriptor, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)))


def channel() -> tuple[socket.socket, socket.socket]:
    """Return the parent's end and the worker's end; both never block."""
    parent, worker = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent.setblocking(False)
    worker.setblocking(False)
    return parent, worker


def send_image(sock: socket.socket, descriptor: int) -> bool:
    """Hand the memory to a worker; tell whether it could be. A worker that is gone needs none."""
    try:
        socket.send_fds(sock, [_MESSAGE], [descriptor])
    except OSError as error:
        return error.errno in _GONE
    return True


def wants_again(sock: socket.socket) -> bool:
    """Tell whether the worker could not take what it was sent."""
    try:
        return bool(sock.recv(len(_MESSAGE)))
    except OSError:
        return False


class ImageReceiver:
    """A worker's end of the channel.

    Whoever can open connections can take every descriptor that a worker may have. That must not keep
    a revocation from it: some are held in reserve for images. A mapping keeps one for as long as it
    is in use.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._reserve: list[int] = []
        self._refill()

    def receive(self) -> Revocation | None:
        """Return the newest image that has arrived; None if there is none. Raises ``ParentIsGone``."""
        newest: Revocation | None = None
        while True:
            self._release()
            try:
                message, descriptors, _, _ = socket.recv_fds(self._sock, len(_MESSAGE), _MOST_DESCRIPTORS)
                if not message:
                    raise ParentIsGone
                newest = _map_received(descriptors)
            except BlockingIOError:
                return newest
            except OSError:
                self._ask_again()
            except ValueError:  # a defect: what was in force stays until another try goes well
                self._ask_again()
                raise
            finally:
                self._refill()

    def _ask_again(self) -> None:
        with suppress(OSError):
            self._sock.send(_MESSAGE)

    def close(self) -> None:
        """Give the reserve back; the socket is its owner's."""
        self._release()

    def _release(self) -> None:
        while self._reserve:
            os.close(self._reserve.pop())

    def _refill(self) -> None:
        with suppress(OSError):
            while len(self._reserve) < _RESERVE:
                self._reserve.append(os.dup(self._sock.fileno()))


def _map_received(descriptors: list[int]) -> Revocation:
    """Map what came with a message. Raises ``OSError`` also where the system had no room to let it in."""
    if not descriptors:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    try:
        return map_image(descriptors[0])
    finally:
        os.close(descriptors[0])
