"""The memory in which a worker leaves its numbers for its parent; there is one for each worker.

    length, checksum | octets

A worker may be killed in the middle of writing. What does not fit its checksum was never written.
"""

from __future__ import annotations

import os
import struct
import zlib

_HEAD = struct.Struct("=QI")
_MOST_OCTETS = 64 * 1024 * 1024
"""More than twenty thousand series of every metric take. A worker that claims more is not believed."""


def new_counted_memory() -> int:
    """Return the descriptor of new memory, in which nothing was left yet. Raises ``OSError``."""
    return os.memfd_create("edge-numbers", os.MFD_CLOEXEC)


def leave(descriptor: int, octets: bytes) -> None:
    """Write the numbers over those before. Raises ``OSError``."""
    os.pwrite(descriptor, bytes(_HEAD.size), 0)  # from here on there is nothing, until everything is there
    rest, place = memoryview(octets), _HEAD.size
    while rest:
        written = os.pwrite(descriptor, rest, place)
        rest, place = rest[written:], place + written
    os.pwrite(descriptor, _HEAD.pack(len(octets), zlib.crc32(octets)), 0)


def find(descriptor: int) -> bytes | None:
    """Return what was left; None if there is nothing whole."""
    try:
        head = os.pread(descriptor, _HEAD.size, 0)
        if len(head) < _HEAD.size:
            return None
        length, checksum = _HEAD.unpack(head)
        if not 0 < length <= _MOST_OCTETS:
            return None
        octets = os.pread(descriptor, length, _HEAD.size)
    except OSError:
        return None
    return octets if len(octets) == length and zlib.crc32(octets) == checksum else None
