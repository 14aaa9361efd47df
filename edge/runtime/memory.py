"""Sealed memory that goes from one process to another by descriptor.

It belongs to no file, is there once however many processes map it, and goes when the last of them has
let go of it.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterable

_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
"""Nobody changes what others read; least of all its length, which would kill them (SIGBUS)."""


def new_memory() -> int:
    """Return the descriptor of new, empty memory."""
    return os.memfd_create("edge", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def fill(descriptor: int, pieces: Iterable[bytes | memoryview]) -> None:
    """Write the pieces into the memory and seal it."""
    with os.fdopen(os.dup(descriptor), "wb") as file:
        for piece in pieces:
            file.write(piece)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)


def mapped(descriptor: int) -> memoryview:
    """Return what the memory holds, without a copy."""
    # A private mapping that is never written to shares its pages; a shared one of sealed memory is
    # refused by kernels before 6.7.
    return memoryview(mmap.mmap(descriptor, 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ))
