"""Intermediates that only clients have, found by every worker: hints in shared memory, never authority.

A resumed session carries the leaf alone. A worker that has not seen this client needs the
intermediates the client sent to whichever worker did the full handshake. They are public, and are
used as *untrusted* certificates in a verification from scratch: a wrong or torn hint can only fail
to help. That is why no lock is needed. Each slot carries a digest of its own content.

Anonymous memory, mapped before the workers are forked; bounded by construction; untouched pages
cost nothing.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Sequence

_SLOTS = 1024
_SLOT_OCTETS = 16384
_PROBES = 4
"""A chain may lie in one of so many neighbouring slots."""
_DIGEST = 32
_KEY = 32
_LENGTH = 4
_HEADER = _DIGEST + _KEY + _LENGTH
_MAX_CHAIN = _SLOT_OCTETS - _HEADER


class ChainHints:
    """Remembers the untrusted part of chains, by a digest that the caller chooses."""

    __slots__ = ("_memory",)

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _SLOTS * _SLOT_OCTETS)

    def leave(self, key: bytes, intermediates: Sequence[bytes]) -> bool:
        """Write the chain (DER each); one that is too long for a slot is not kept. Tell whether it was."""
        content = b"".join(len(octets).to_bytes(_LENGTH, "big") + octets for octets in intermediates)
        if len(content) > _MAX_CHAIN:
            return False
        record = key + len(content).to_bytes(_LENGTH, "big") + content
        at = self._slot_for(key)
        self._memory[at : at + _DIGEST + len(record)] = hashlib.sha256(record).digest() + record
        return True

    def recall(self, key: bytes) -> list[bytes]:
        """Return the intermediates left under this key, or none."""
        for at in self._probes(key):
            if self._memory[at + _DIGEST : at + _DIGEST + _KEY] == key:
                content = self._content(at)
                if content is not None:
                    return _split(content)
        return []

    def _content(self, at: int) -> bytes | None:
        length = int.from_bytes(self._memory[at + _DIGEST + _KEY : at + _HEADER], "big")
        if length > _MAX_CHAIN:
            return None
        record = self._memory[at + _DIGEST : at + _HEADER + length]
        if hashlib.sha256(record).digest() != self._memory[at : at + _DIGEST]:
            return None  # torn: another worker was writing
        return record[_KEY + _LENGTH :]

    def _slot_for(self, key: bytes) -> int:
        probes = self._probes(key)
        for at in probes:
            found = self._memory[at + _DIGEST : at + _DIGEST + _KEY]
            if found in (key, bytes(_KEY)):
                return at
        return probes[key[4] % _PROBES]  # all taken: one of them gives way

    def _probes(self, key: bytes) -> list[int]:
        first = int.from_bytes(key[:4], "big")
        return [(first + step) % _SLOTS * _SLOT_OCTETS for step in range(_PROBES)]


def _split(content: bytes) -> list[bytes]:
    pieces, at = [], 0
    while at < len(content):
        length = int.from_bytes(content[at : at + _LENGTH], "big")
        pieces.append(content[at + _LENGTH : at + _LENGTH + length])
        at += _LENGTH + length
    return pieces
