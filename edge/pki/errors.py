"""The error of everything that acts on a PKI directory."""

from __future__ import annotations


class PkiError(Exception):
    """It was not done. The message is one line: what is wrong, where, and what to do."""
