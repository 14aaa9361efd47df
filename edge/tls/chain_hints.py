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
"""A leaf may lie in one of so many neighbouring slots."""
_DIGEST = 32
_KEY = 32
_LENGTH = 4
_HEADER = _DIGEST + _KEY + _LENGTH
_MAX_CHAIN = _SLOT_OCTETS - _HEADER


class ChainHints:
    """Remembers the untrusted part of a chain by the digest of its leaf."""

    __slots__ = ("_memory",)

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _SLOTS * _SLOT_OCTETS)

    def leave(self, leaf_sha256: bytes, intermediates: Sequence[bytes]) -> None:
        """Write the chain (DER each); one that is too long for a slot is not kept."""
        content = b"".join(len(octets).to_bytes(_LENGTH, "big") + octets for octets in intermediates)
        if len(content) > _MAX_CHAIN:
            return
        record = leaf_sha256 + len(content).to_bytes(_LENGTH, "big") + content
        at = self._slot_for(leaf_sha256)
        self._memory[at : at + _DIGEST + len(record)] = hashlib.sha256(record).digest() + record

    def recall(self, leaf_sha256: bytes) -> list[bytes]:
        """Return the intermediates left for this leaf, or none."""
        for at in self._probes(leaf_sha256):
            if self._memory[at + _DIGEST : at + _DIGEST + _KEY] == leaf_sha256:
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

    def _slot_for(self, leaf_sha256: bytes) -> int:
        probes = self._probes(leaf_sha256)
        for at in probes:
            key = self._memory[at + _DIGEST : at + _DIGEST + _KEY]
            if key in (leaf_sha256, bytes(_KEY)):
                return at
        return probes[leaf_sha256[4] % _PROBES]  # all taken: one of them gives way

    def _probes(self, leaf_sha256: bytes) -> list[int]:
        first = int.from_bytes(leaf_sha256[:4], "big")
        return [(first + step) % _SLOTS * _SLOT_OCTETS for step in range(_PROBES)]


def _split(content: bytes) -> list[bytes]:
    pieces, at = [], 0
    while at < len(content):
        length = int.from_bytes(content[at : at + _LENGTH], "big")
        pieces.append(content[at + _LENGTH : at + _LENGTH + length])
        at += _LENGTH + length
    return pieces
