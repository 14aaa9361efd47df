"""The serial numbers of one CRL as a hash table in plain octets: one copy serves every process.

A million entries as Python objects would cost each worker a hundred megabytes, and a second of its
loop to take over. As octets they are built once, mapped by all, and looked up where they lie::

    buckets (4), entries (4), then buckets + 1 times: where a bucket begins (4), then the entries,
    bucket after bucket: serial (20), revoked at (4, seconds since the epoch), reason (1)

Numbers are little-endian. A serial's bucket is its value modulo the number of buckets, so a lookup
reads two entries on average, however long the list is.
"""

from __future__ import annotations

import hashlib
import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

_HEADER = struct.Struct("<II")
_OFFSET = struct.Struct("<I")
_ENTRY = struct.Struct("<20sIB")
_SERIAL_OCTETS = 20
"""RFC 5280 4.1.2.2: no certificate needs more."""
_MAX_TIME = 2**32 - 1

NO_REASON = 0
"""RFC 5280 5.3.1: the same as "unspecified"."""


class SerialIndexError(ValueError):
    """The octets are no index."""


@dataclass(frozen=True, slots=True)
class RevokedEntry:
    """What a CRL says of one certificate: since when, in seconds since the epoch, and the reason code."""

    revoked_at: int
    reason: int


class SerialIndex:
    """Looks serials up in octets that ``build_index`` made."""

    __slots__ = ("_buckets", "_count", "_entries", "octets")

    _buckets: int
    _count: int

    def __init__(self, octets: memoryview) -> None:
        """Take the octets, which must not change. Raises ``SerialIndexError``."""
        if len(octets) < _HEADER.size:
            raise SerialIndexError("the index is cut off")
        self._buckets, self._count = _HEADER.unpack_from(octets)
        self._entries = _HEADER.size + _OFFSET.size * (self._buckets + 1)
        if not self._buckets or len(octets) != self._entries + _ENTRY.size * self._count:
            raise SerialIndexError("the index has not the length it says")
        self.octets = octets

    def __len__(self) -> int:
        return self._count

    def find(self, serial: int) -> RevokedEntry | None:
        """Return the entry of a serial; None if it is not in the list."""
        key = key_of(serial)
        place = _HEADER.size + _OFFSET.size * (int.from_bytes(key, "big") % self._buckets)
        (begin,) = _OFFSET.unpack_from(self.octets, place)
        (end,) = _OFFSET.unpack_from(self.octets, place + _OFFSET.size)
        for number in range(begin, end):
            found, revoked_at, reason = _ENTRY.unpack_from(self.octets, self._entries + _ENTRY.size * number)
            if found == key:
                return RevokedEntry(revoked_at, reason)
        return None


def key_of(serial: int) -> bytes:
    """Return the 20 octets that stand for a serial. One that needs more is stood for by its digest."""
    try:
        return serial.to_bytes(_SERIAL_OCTETS, "big", signed=True)
    except OverflowError:
        # The fewest octets that hold it, as DER writes it: -128 needs one, and 128 two.
        bits = (~serial if serial < 0 else serial).bit_length()
        return key_of_octets(serial.to_bytes(bits // 8 + 1, "big", signed=True))


def key_of_octets(octets: bytes) -> bytes:
    """Return the same from the content octets of a DER INTEGER."""
    if len(octets) <= _SERIAL_OCTETS:
        padding = b"\xff" if octets[:1] >= b"\x80" else b"\0"
        return octets.rjust(_SERIAL_OCTETS, padding)
    return hashlib.sha256(octets).digest()[:_SERIAL_OCTETS]


def build_index(entries: Sequence[tuple[bytes, int, int]]) -> bytes:
    """Return the octets of an index of (key, revoked at, reason), by a counting sort."""
    count = len(entries)
    buckets = count // 2 + 1
    bucket_of = array("I", bytes(4 * count))
    ends = array("I", bytes(4 * (buckets + 1)))
    for number, (key, _, _) in enumerate(entries):
        bucket = int.from_bytes(key, "big") % buckets
        bucket_of[number] = bucket
        ends[bucket + 1] += 1
    for bucket in range(buckets):
        ends[bucket + 1] += ends[bucket]
    offsets = struct.pack(f"<{buckets + 1}I", *ends)
    base = _HEADER.size + len(offsets)
    octets = bytearray(base + _ENTRY.size * count)
    octets[:base] = _HEADER.pack(buckets, count) + offsets
    for number, (key, revoked_at, reason) in enumerate(entries):
        bucket = bucket_of[number]
        place = ends[bucket]
        ends[bucket] = place + 1
        _ENTRY.pack_into(octets, base + _ENTRY.size * place, key, min(max(revoked_at, 0), _MAX_TIME), reason)
    return bytes(octets)
