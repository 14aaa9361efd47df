"""Make passwords that people can read out and type on a phone."""

from __future__ import annotations

from edge.pki.issue import RandomBits

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: five bits a letter, and no i, l, o or u to be mistaken for others."""
_GROUPS, _LETTERS = 4, 5


def new_password(random_bits: RandomBits) -> str:
    """Return a hundred random bits as four groups of five letters."""
    groups = ("".join(_ALPHABET[random_bits(5)] for _ in range(_LETTERS)) for _ in range(_GROUPS))
    return "-".join(groups)
