"""Field lines: their grammar, the lists inside them, and which of them must not be passed on.

RFC 9110 5.1 and 5.5, RFC 9112 5: ``field-line = field-name ":" OWS field-value OWS``.

Where we are stricter than a recipient has to be:

* A line ends in CRLF and in nothing else. A bare CR or LF is refused, not replaced by a space.
* obs-fold (a line that begins with white space) is refused.
* White space before the colon is refused, in answers too: removing it has hidden fields from the reader
  who decided (threat: the name that only the next hop understands).
* In a value only HTAB, SP, VCHAR and obs-text are accepted. obs-text (0x80 to 0xFF) stays because UTF-8
  in values is common and opaque: nothing here gives these octets a meaning. In a name it is refused.
* Only SP and HTAB are trimmed. Python's own ``strip()`` also takes VT and FF, which another reader keeps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from edge.http1.field_names import LOWER_NAMES, NEVER_IN_TRAILERS, NEVER_IN_TRAILERS_PREFIXES
from edge.model.http import HeaderField, RequestHead, ResponseHead
from edge.model.refusal import MessageError, Reason

OWS = b" \t"
"""RFC 9110 5.6.3."""

TOKEN_PATTERN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
"""RFC 9110 5.6.2, one or more ``tchar``."""

_TOKEN = re.compile(TOKEN_PATTERN)
_PROTOCOL = re.compile(TOKEN_PATTERN + rb"(?:/" + TOKEN_PATTERN + rb")?+")
_VALUE_OCTETS = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))


def read_fields(section: bytes, max_count: int) -> tuple[HeaderField, ...]:
    """Read a field section: lines that each end in CRLF, without the empty line after them.

    Raises ``MessageError``: HEADER_TOO_LARGE above ``max_count`` lines, else BAD_REQUEST.
    """
    lines = section.split(b"\r\n")
    count = len(lines) - 1
    if count > max_count:
        raise MessageError(Reason.HEADER_TOO_LARGE, f"more than {max_count} header fields")
    # One pass in C: without the octets of names and values nothing may be left but the line ends, and as
    # many CRs and LFs as there are CRLF pairs means that none of them stands alone.
    if section.translate(None, _VALUE_OCTETS) != b"\r\n" * count or lines.pop():
        raise MessageError(Reason.BAD_REQUEST, "a control character or a bare CR or LF in the header")
    known = _known_lines.get
    return tuple([known(line) or _read_line(line) for line in lines])


def _read_line(line: bytes) -> HeaderField:
    name, colon, value = line.partition(b":")
    lower = LOWER_NAMES.get(name)
    if lower is None or not colon:
        lower = _lower_name(name, colon)
    field = (lower, name, value.strip(OWS))
    if lower in _THE_SAME_FOR_MANY and len(line) <= _MOST_OCTETS_OF_A_LINE:
        if len(_known_lines) >= _MOST_LINES:
            _known_lines.clear()
        _known_lines[line] = field
    return field


def is_token(text: bytes) -> bool:
    """Tell whether ``text`` is an RFC 9110 5.6.2 token."""
    return _TOKEN.fullmatch(text) is not None


def read_connection_options(values: Sequence[bytes]) -> frozenset[bytes]:
    """Return the lower-case options of all ``Connection`` values (RFC 9110 7.6.1).

    Empty list elements are skipped (RFC 9110 5.6.1). Raises ``MessageError`` BAD_REQUEST for what is no
    token: an option that only the next reader understands is a field it drops and we do not.
    """
    if len(values) == 1 and (known := _COMMON_OPTIONS.get(values[0])) is not None:
        return known
    return frozenset(_elements(values, _TOKEN, "Connection"))


def read_upgrade(values: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return the lower-case protocols of all ``Upgrade`` values, in order (RFC 9110 7.8).

    Raises ``MessageError`` BAD_REQUEST for what is neither ``name`` nor ``name/version``.
    """
    return tuple(_elements(values, _PROTOCOL, "Upgrade"))


def is_persistent(version: tuple[int, int], options: frozenset[bytes]) -> bool:
    """Tell whether the sender of a head means to keep its connection (RFC 9112 9.3); close wins."""
    if b"close" in options:
        return False
    return version == (1, 1) or b"keep-alive" in options


def squash(name: bytes) -> bytes:
    """Return the form in which names are compared that an origin may take for one another.

    CGI, WSGI and PHP turn ``-``, ``_`` and ``.`` into one character, so that ``X_Forwarded.For`` arrives
    as ``X-Forwarded-For``.
    """
    return name.lower().translate(_SQUASHED)


def hop_by_hop(
    head: RequestHead | ResponseHead, protected: frozenset[bytes] = frozenset()
) -> frozenset[bytes]:
    """Return the lower-case names of the fields that end at this hop (RFC 9110 7.6.1).

    ``Connection`` of the peer adds names, but never one of ``protected`` (squashed names) nor one of
    those that carry routing or identity: a client must not be able to name away what the edge writes
    (Traefik CVE-2021-32813, Apache httpd CVE-2022-31813).
    """
    named = head.connection_options - _HARMLESS_OPTIONS
    if not named:
        return HOP_BY_HOP
    return HOP_BY_HOP | {name for name in named if not _is_protected(name, protected)}


def forwardable_trailers(
    trailers: Iterable[HeaderField], protected: frozenset[bytes] = frozenset()
) -> tuple[tuple[bytes, bytes], ...]:
    """Return (name, value) of the trailer fields that may be passed on as trailers (RFC 9110 6.5.1).

    Dropped is whatever frames, routes, authenticates, modifies the request or controls the answer, and
    whatever is in ``protected`` (squashed names), in any spelling.
    """
    return tuple(
        (name, value)
        for lower, name, value in trailers
        if (squashed := squash(lower)) not in NEVER_IN_TRAILERS
        and squashed not in protected
        and not squashed.startswith(NEVER_IN_TRAILERS_PREFIXES)
    )


def _lower_name(name: bytes, colon: bytes) -> bytes:
    if name[:1] in (b" ", b"\t"):
        raise MessageError(Reason.BAD_REQUEST, "a header line is folded or begins with white space")
    if not colon:
        raise MessageError(Reason.BAD_REQUEST, "a header line has no colon")
    if not name:
        raise MessageError(Reason.BAD_REQUEST, "a header field has no name")
    if name[-1:] in (b" ", b"\t"):
        raise MessageError(Reason.BAD_REQUEST, "white space between a field name and its colon")
    if not _TOKEN.fullmatch(name):
        raise MessageError(Reason.BAD_REQUEST, "a field name is not a token")
    return name.lower()


def _elements(values: Sequence[bytes], grammar: re.Pattern[bytes], field_name: str) -> Iterable[bytes]:
    for value in values:
        for part in value.split(b","):
            element = part.strip(OWS)
            if not element:
                continue
            if not grammar.fullmatch(element):
                raise MessageError(Reason.BAD_REQUEST, f"{field_name} has an element that is malformed")
            yield element.lower()


def _is_protected(name: bytes, protected: frozenset[bytes]) -> bool:
    squashed = squash(name)
    return squashed in _NEVER_NAMED_AWAY or squashed in protected


_known_lines: dict[bytes, HeaderField] = {}
"""Lines that came before, and what they say: a field follows from its line and nothing else. Bounded.

None of them is a secret of one client: they outlive its connection.
"""
_MOST_LINES = 1024
_MOST_OCTETS_OF_A_LINE = 256
_THE_SAME_FOR_MANY = frozenset(
    b"""accept accept-charset accept-encoding accept-language accept-ranges cache-control connection
    content-encoding content-type dnt expect host pragma priority sec-ch-ua sec-ch-ua-mobile
    sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user server te
    transfer-encoding upgrade upgrade-insecure-requests user-agent vary""".split()
)

_SQUASHED = bytes.maketrans(b"_.", b"--")

_COMMON_OPTIONS = {
    option: frozenset(option.lower().split(b", "))
    for option in (
        b"keep-alive",
        b"Keep-Alive",
        b"close",
        b"Close",
        b"Upgrade",
        b"upgrade",
        b"keep-alive, Upgrade",
    )
}
"""What nearly every ``Connection`` says, read once."""

_HARMLESS_OPTIONS = frozenset((b"close", b"keep-alive", b"upgrade", b"te", b"http2-settings"))
"""Options that name no field, or one that is in HOP_BY_HOP anyway."""

HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""RFC 9110 7.6.1 and 11.7, RFC 7540 3.2.1: fields of one connection, whatever ``Connection`` says."""

_NEVER_NAMED_AWAY = frozenset((b"host", b"cookie", b"set-cookie", b"authorization", b"content-length"))
