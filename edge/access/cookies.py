"""The CF_Authorization cookie on the wire: read strictly, removed generously.

Reading takes the one spelling the edge writes, and only if it is there once: with two, a client and a
server choose differently, and somebody may have planted one of them. Removing takes every spelling
that some server or browser may understand as this cookie, because a token that slips through in
another spelling reaches an origin that must never see it, or is set by one that must not.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from edge.access.application import Application

COOKIE_NAME = b"CF_Authorization"

_WHITE_SPACE = b" \t"

_SEPARATOR = re.compile(rb"[;,]")
"""RFC 6265 separates cookies by semicolons only; RFC 2109 had servers accept commas, and some still do."""

_TRIMMED = rb"[^!#-~]*"
"""What lax readers trim from a name: white space of any kind, controls, octets outside ASCII, quotes."""

_LAX_UNDERSCORE = rb"(?:_|\.|\+|\[|\s|%5f|%2e|%20|%5b)"
"""PHP decodes percent escapes in names, and turns dots, spaces and brackets into underscores."""


def find_cookie(values: Iterable[bytes], name: bytes = COOKIE_NAME) -> bytes | None:
    """Return the value of a cookie, given all Cookie fields of a request; None unless it is there once.

    The name is compared octet for octet. A quoted or an empty value is none, but counts.
    """
    found: bytes | None = None
    for value in values:
        for pair in value.split(b";"):
            key, equals, text = pair.strip(_WHITE_SPACE).partition(b"=")
            if key == name and equals:
                if found is not None:
                    return None
                found = text
    if not found or found.startswith(b'"'):
        return None
    return found


def strip_cookie(values: Iterable[bytes], name: bytes = COOKIE_NAME) -> list[bytes]:
    """Return the Cookie fields without a cookie of that name in any spelling.

    A field without it stays as it came, octet for octet. A field of which nothing is left is dropped.
    """
    kept = []
    for value in values:
        stripped = _strip(value, name)
        if stripped or not value:
            kept.append(stripped)
    return kept


def sets_cookie(value: bytes, name: bytes = COOKIE_NAME) -> bool:
    """Tell whether an origin's Set-Cookie value sets a cookie of that name, in any spelling.

    All its parts are looked at: some clients take a comma for the border between two cookies.
    """
    return any(_is_named(part, name) for part in _SEPARATOR.split(value))


def set_cookie(token: str, application: Application) -> bytes:
    """Return the value of the Set-Cookie field that gives the client a token."""
    return COOKIE_NAME + b"=" + token.encode("ascii") + b"; " + application.cookie_attributes


def clear_cookie(application: Application) -> bytes:
    """Return the value of the Set-Cookie field that makes the client forget the token (RFC 6265 3.1)."""
    return COOKIE_NAME + b"=; Max-Age=0; " + application.cookie_attributes


def _strip(value: bytes, name: bytes) -> bytes:
    pairs = value.split(b";")
    kept = [left for left in (_strip_pair(pair, name) for pair in pairs) if left is not None]
    return value if kept == pairs else b";".join(kept).strip(_WHITE_SPACE)


def _strip_pair(pair: bytes, name: bytes) -> bytes | None:
    if b"," not in pair:
        return None if _is_named(pair, name) else pair
    kept = [part for part in pair.split(b",") if not _is_named(part, name)]
    return b",".join(kept) if kept else None


def _is_named(part: bytes, name: bytes) -> bool:
    return _spellings(name).match(part) is not None


@functools.cache
def _spellings(name: bytes) -> re.Pattern[bytes]:
    """Return what lax readers take for a cookie of that name: any case, any octet percent-encoded.

    A nameless cookie (``=CF_Authorization=x``) comes back from browsers without its first ``=``, so
    that signs of equality before the name do not save it.
    """
    spelled = b"".join(map(_octet_spellings, name))
    return re.compile(rb"(?:[^!#-~]|=)*" + spelled + _TRIMMED + rb"(?:=|\Z)", re.IGNORECASE)


def _octet_spellings(octet: int) -> bytes:
    if octet == ord("_"):
        return _LAX_UNDERSCORE
    literal = bytes((octet,))
    escapes = sorted({b"%%%02x" % ord(letter) for letter in (literal.lower(), literal.upper())})
    return b"(?:" + b"|".join((re.escape(literal), *escapes)) + b")"
