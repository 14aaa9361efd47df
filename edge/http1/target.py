r"""Request targets (RFC 9112 3.2) and the one normal form of a path (RFC 3986 6.2.2).

What a policy sees is what the origin gets: the path is normalised once, here, and the normalised octets
are forwarded. Normalising means: percent-escapes of unreserved characters are decoded, the hex digits of
the others are upper-cased, and then dot segments are removed (RFC 3986 5.2.4).

Refused is whatever another reader may see differently:

* an encoded ``/``, ``\`` or control character, NUL among them, and a raw ``\``;
* an escape without two hex digits, and every octet that is not an RFC 3986 path character;
* dot segments that climb above the root, which the RFC would drop in silence;
* a fragment, which has no place in a request and hides a suffix from some readers.

Kept as they are: empty segments (``//``; the caller decides), path parameters (``;``), the case of
letters, and ``%25``: a path is decoded once and never twice.

The query is opaque. It is handed on untouched, with the characters that browsers send raw.
"""

from __future__ import annotations

import re

from edge.model.http import Target
from edge.model.refusal import MessageError, Reason

_PCHAR = rb"A-Za-z0-9\-._~!$&'()*+,;=:@"
"""RFC 3986 3.3 ``pchar`` without the escapes."""

_PLAIN_PATH = re.compile(rb"(?:/(?!\.\.?+(?:/|\Z))[" + _PCHAR + rb"]*+)++")
"""A path that is its own normal form: no escapes and no dot segments."""

_PATH = re.compile(rb"/(?:[" + _PCHAR + rb"/]++|%[0-9A-Fa-f]{2})*+")

_QUERY = re.compile(rb"[" + _PCHAR + rb"/?%\[\]{}|^`\\]*+")
"""RFC 3986 3.4, and ``[ ] { } | ^ ` \\`` and a stray ``%``, which browsers send (WHATWG URL)."""

_ESCAPE = re.compile(rb"%[0-9A-Fa-f]{2}")

_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?+://([^/?#]*+)([^#]*+)", re.DOTALL)

_FORBIDDEN_OCTETS = frozenset((*range(0x20), 0x7F, ord("/"), ord("\\")))
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
"""RFC 3986 2.3."""


def _escapes() -> dict[bytes, bytes]:
    table: dict[bytes, bytes] = {}
    for octet in range(256):
        if octet in _FORBIDDEN_OCTETS:
            continue
        normal = bytes((octet,)) if octet in _UNRESERVED else b"%%%02X" % octet
        for spelling in (b"%%%02X", b"%%%02x"):
            table[spelling % octet] = normal
        high, low = b"%02X" % octet, b"%02x" % octet
        table[b"%" + high[:1] + low[1:]] = table[b"%" + low[:1] + high[1:]] = normal
    return table


_NORMAL_ESCAPES = _escapes()
"""Every allowed escape in every spelling, with what stands for it in a normal path."""


def normalise_path(raw: bytes) -> bytes:
    """Return the normal form of an absolute path; what is normal already comes back as it is.

    Raises ``MessageError`` BAD_REQUEST. Applying it twice changes nothing.
    """
    if _PLAIN_PATH.fullmatch(raw):
        return raw
    if not _PATH.fullmatch(raw):
        raise MessageError(Reason.BAD_REQUEST, _path_fault(raw))
    decoded = _ESCAPE.sub(_normal_escape, raw) if b"%" in raw else raw
    if _PLAIN_PATH.fullmatch(decoded):
        return decoded
    return _without_dot_segments(decoded)


def read_target(raw: bytes) -> tuple[bytes | None, Target]:
    """Read origin-form or absolute-form; return the authority of the latter (else None) and the target.

    The authority comes as it was written, for the caller to hold against ``Host``. The asterisk-form is
    refused: no application covers it, since it has no path. The authority-form belongs to CONNECT.
    Raises ``MessageError`` BAD_REQUEST.
    """
    if raw.startswith(b"/"):
        return None, _origin_form(raw)
    if raw == b"*":
        raise MessageError(Reason.BAD_REQUEST, "the target * has no path that a policy could judge")
    match = _ABSOLUTE.fullmatch(raw)
    if match is None:
        raise MessageError(Reason.BAD_REQUEST, "the target is neither a path nor an http or https address")
    authority, rest = match.groups()
    if b"@" in authority:
        raise MessageError(Reason.BAD_REQUEST, "the target names a user")
    # RFC 9112 3.2.1: an empty path is sent as "/".
    return authority, _origin_form(rest if rest.startswith(b"/") else b"/" + rest)


def _origin_form(raw: bytes) -> Target:
    path, mark, query = raw.partition(b"?")
    if not mark:
        return Target(normalise_path(path))
    if not _QUERY.fullmatch(query):
        raise MessageError(Reason.BAD_REQUEST, "the query has a character that is not allowed there")
    return Target(normalise_path(path), query)


def _normal_escape(match: re.Match[bytes]) -> bytes:
    normal = _NORMAL_ESCAPES.get(match[0])
    if normal is None:
        raise MessageError(Reason.BAD_REQUEST, "the path encodes a slash, a backslash or a control character")
    return normal


def _without_dot_segments(path: bytes) -> bytes:
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for segment in segments:
        if segment == b"..":
            if not kept:
                raise MessageError(Reason.BAD_REQUEST, "the path climbs above the root")
            kept.pop()
        elif segment != b".":
            kept.append(segment)
    if segments[-1] in (b".", b".."):
        kept.append(b"")  # RFC 3986 5.2.4: "/a/." and "/a/b/.." are directories
    return b"/" + b"/".join(kept)


def _path_fault(raw: bytes) -> str:
    if not raw.startswith(b"/"):
        return "the path does not begin with a slash"
    if b"#" in raw:
        return "the target has a fragment"
    if b"\\" in raw:
        return "the path has a backslash"
    if _ESCAPE.sub(b"", raw).count(b"%"):
        return "the path has a % without two hex digits"
    return "the path has a character that is not allowed there"
