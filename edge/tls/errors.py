"""Foreign errors, translated once: what pyOpenSSL raises, in words for logs.

pyOpenSSL raises ``SSL.Error`` with a list of (library, function, reason), ``SysCallError`` with an
errno, and the empty list for a second call on a dead connection.
"""

from __future__ import annotations

from OpenSSL import SSL


def reason_of(error: SSL.Error) -> str:
    """Return the first reason OpenSSL gave, or what the system said; never empty."""
    if isinstance(error, SSL.SysCallError):
        return "the connection ended" if error.args[0] == -1 else str(error.args[1])
    entries = error.args[0] if error.args else None
    if isinstance(entries, list) and entries:
        return str(entries[0][-1]) or "unknown TLS error"
    return "unknown TLS error"
