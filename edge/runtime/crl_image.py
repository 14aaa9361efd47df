"""How a new generation of CRLs gets from one process to the others: as sealed memory, by descriptor.

The memory belongs to no file, is there once however many workers map it, and goes when the last of
them has let go of it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import socket

from edge.trust.revocation import Revocation
from edge.trust.revocation_image import pack, unpack

_MESSAGE = b"crl"
_MOST_DESCRIPTORS = 1
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
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def receive_image(sock: socket.socket) -> Revocation | None:
    """Return the newest image that has arrived; None if there is none. Raises ``ParentIsGone``."""
    newest: Revocation | None = None
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(sock, len(_MESSAGE), _MOST_DESCRIPTORS)
        except BlockingIOError:
            return newest
        if not message:
            raise ParentIsGone
        for descriptor in descriptors:
            try:
                newest = map_image(descriptor)
            finally:
                os.close(descriptor)
