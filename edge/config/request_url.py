"""What a policy test and ``edge explain`` ask for: one URL, and the words around it."""

from __future__ import annotations

import difflib
import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from edge.config.text import Problem
from edge.config.values import read_text
from edge.model.hostname import HostnameError, is_ip_literal, split_authority
from edge.model.refusal import Reason

_URL = re.compile(r"https://([^/?#\\]*)([^#]*)(?:#.*)?", re.IGNORECASE | re.DOTALL | re.ASCII)
_METHOD = re.compile(r"[A-Z][A-Z_-]{0,31}", re.ASCII)
"""What a request line is accepted with."""
"""RFC 9110 5.6.2, and no longer than anybody's."""
_LINE_ENDS = re.compile(r"[\r\n]")
_URL_HINT = 'write it as "https://www.example.com/path"'
_TIME_HINT = "write it with its offset from UTC, as in 2030-01-31T12:00:00Z"

ALLOW = "allow"
"""What ``expect`` says of a request that passes."""

_NEVER_A_VERDICT = frozenset(
    (
        Reason.BODY_TOO_LARGE,
        Reason.REQUEST_TIMEOUT,
        Reason.ORIGIN_UNREACHABLE,
        Reason.ORIGIN_BAD_RESPONSE,
        Reason.ORIGIN_TIMEOUT,
        Reason.OVERLOADED,
        Reason.INTERNAL_ERROR,
    )
)
"""What happens to a request, and is not judged by its head and its certificate."""

EXPECTATIONS = (ALLOW, *(reason.value for reason in Reason if reason not in _NEVER_A_VERDICT))

LOOPBACK = ipaddress.IPv4Address("127.0.0.1")
"""Who asks, where nobody says: this machine."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class RequestUrl:
    """An ``https://`` URL: the connection it makes, and the request on it."""

    text: str
    authority: str
    """As it is written: what a client sends as Host."""
    host: str
    """Canonical."""
    target: str
    """Path and query as they are written; whether they have one meaning is for the reader of requests."""

    @property
    def server_name(self) -> str | None:
        """What a client sends as SNI; None for an address (RFC 6066 3)."""
        return None if is_ip_literal(self.host) else self.host


def read_request_url(value: object) -> RequestUrl:
    """Return the parts of a URL; a fragment is left out, as by every client. Raises ``Problem``."""
    text = read_text(value)
    if _LINE_ENDS.search(text):
        raise Problem("has a line end", _URL_HINT)
    match = _URL.fullmatch(text)
    if match is None:
        raise Problem("is not an https:// URL", _URL_HINT)
    authority, target = match.groups()
    if "@" in authority:
        raise Problem("has a user in front of the host", _URL_HINT, quote=False)
    try:
        host, _ = split_authority(authority.encode())
    except HostnameError as error:
        raise Problem("has no host name that is one", _URL_HINT, detail=str(error)) from None
    return RequestUrl(text, authority, host, target if target.startswith("/") else "/" + target)


def read_method(value: object) -> str:
    """Return a method of HTTP. Raises ``Problem``."""
    text = read_text(value)
    if not _METHOD.fullmatch(text):
        raise Problem("is no method of HTTP", 'write it as it is sent, e.g. "GET"')
    return text


def read_address(value: object) -> Address:
    """Return an IP address. Raises ``Problem``."""
    text = read_text(value)
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise Problem("is not an IP address", 'write it as "192.0.2.1" or "2001:db8::1"') from None
    if "%" in text:
        raise Problem("has a zone, which means something on one machine only", "leave the zone out")
    return address


def read_time(value: object) -> datetime:
    """Return a moment, given by TOML or as text of RFC 3339. Raises ``Problem``."""
    if not isinstance(value, datetime):
        try:
            value = datetime.fromisoformat(read_text(value))
        except ValueError:
            raise Problem("is not a date with a time", _TIME_HINT) from None
    if value.tzinfo is None:
        raise Problem("says nothing of its time zone", _TIME_HINT)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise Problem("is out of range", _TIME_HINT) from None


def read_expectation(value: object) -> str:
    """Return ``allow`` or the word of a refusal. Raises ``Problem``."""
    text = read_text(value)
    if text not in EXPECTATIONS:
        close = difflib.get_close_matches(text[:64].lower(), EXPECTATIONS, n=1)
        hint = f'did you mean "{close[0]}"?' if close else 'write "allow" or the reason of a refusal'
        raise Problem("is no outcome of a request", hint)
    return text
