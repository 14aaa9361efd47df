"""Destinations: the patterns ``host[/path]`` that say which requests an application governs.

Cloudflare's application paths, with the meaning fixed where its documentation is silent:

- A ``*`` in the host stands for any characters but a dot, none included: ``*test.example.com`` covers
  ``test.example.com`` and ``alphatest.example.com``. A label that is only ``*`` is one label. It never
  reaches over a dot, and never into an IP address.
- A path without ``*`` covers itself and everything below: ``/eng`` covers ``/eng``, ``/eng/`` and
  ``/eng/x``, not ``/engine``. ``/eng/`` is written for the same thing.
- A ``*`` in the path stands for any characters, none and slashes included: ``/foo*/bar`` covers
  ``/foo/bar`` and ``/food/stuff/bar``. What follows the last ``*`` ends at the end of a segment, and
  everything below is covered, as without ``*``. ``/alpha/*`` covers ``/alpha/`` and ``/alpha/one``, not
  ``/alpha``.
- No path, ``/`` and ``/*`` are the same: everything on the host.
- At most one ``*`` between two dots and between two slashes. No port, query, fragment or scheme.

The more specific destination wins: (1) an exact host, then more literal characters in the host, then
fewer ``*`` in it; (2) the longer literal path before the first ``*``; (3) fewer ``*`` in the path. What
is still equal is decided by more literal characters in the path and then by the text, so that the
order of the configuration never decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

from edge.model.hostname import HostnameError, canonical_host
from edge.model.refusal import MessageError

_PATH = re.compile(rb"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)*")
"""RFC 3986 3.3: path-abempty of pchar."""

_NUMBERS_AND_STARS = re.compile(r"(?=.*[0-9])[0-9*.]+")


class DestinationError(ValueError):
    """The text is no destination; the message says why and what to write instead."""


@dataclass(frozen=True, slots=True)
class Destination:
    """One pattern in canonical form. Made by ``parse_destination``."""

    host: str
    """Canonical, or with ``*`` in its labels."""
    path: bytes
    """Normalised, with ``*``; empty for everything on the host."""
    pieces: tuple[bytes, ...] = field(init=False, repr=False, compare=False)
    """The literal pieces of the path, between its ``*``."""
    host_rank: tuple[bool, int, int] = field(init=False, repr=False, compare=False)
    """Less is more specific."""
    path_rank: tuple[int, int, int, str] = field(init=False, repr=False, compare=False)
    """Less is more specific, among destinations of equal host rank."""

    def __post_init__(self) -> None:
        pieces = tuple(self.path.split(b"*"))
        host_stars = self.host.count("*")
        literal = len(self.host) - host_stars - self.host.count(".")
        object.__setattr__(self, "pieces", pieces)
        object.__setattr__(self, "host_rank", (host_stars > 0, -literal, host_stars))
        object.__setattr__(
            self, "path_rank", (-len(pieces[0]), len(pieces) - 1, -sum(map(len, pieces)), self.text)
        )

    @property
    def text(self) -> str:
        """The pattern as it would be written."""
        return self.host + self.path.decode("ascii")

    @property
    def covers_every_path(self) -> bool:
        """Whether nothing on the host is left out."""
        return not self.path

    @property
    def cookie_path(self) -> bytes:
        """The deepest path above everything that is covered, in a form a cookie attribute can hold."""
        path, star, _ = self.path.partition(b"*")
        if star:
            path = path[: path.rfind(b"/")]
        if b";" in path:  # a semicolon would end the attribute and begin another one
            path = path[: path.rfind(b"/", 0, path.index(b";"))]
        return path or b"/"

    def with_host(self, host: str) -> Destination:
        """Return the same path on another host: an alias means the name of its host."""
        return Destination(host, self.path)

    def covers_path(self, path: bytes) -> bool:
        """Tell whether a normalised path is covered. Takes time linear in its length."""
        first, *rest = self.pieces
        if not path.startswith(first):
            return False
        if not rest:
            return len(path) == len(first) or not first or path[len(first)] == _SLASH
        at = len(first)
        for piece in rest[:-1]:
            at = path.find(piece, at)
            if at < 0:
                return False
            at += len(piece)
        return _ends_with_segment(path, rest[-1], at)

    def covers(self, other: Destination) -> bool:
        """Tell whether every path of another destination surely is covered; for warnings only."""
        if self.covers_every_path or self.path == other.path:
            return True
        first = other.pieces[0]
        if len(self.pieces) == 1:
            return first.startswith(self.path + b"/")
        return self.pieces[1:] == (b"",) and first.startswith(self.pieces[0])


_SLASH = 0x2F


def _ends_with_segment(path: bytes, piece: bytes, at: int) -> bool:
    """Tell whether ``piece`` occurs at or after ``at`` and ends where a segment of ``path`` ends."""
    if not piece:
        return True
    while (found := path.find(piece, at)) >= 0:
        end = found + len(piece)
        if end == len(path) or path[end] == _SLASH:
            return True
        at = found + 1
    return False


def parse_destination(text: str, normalise: Callable[[bytes], bytes] = bytes) -> Destination:
    """Read ``host[/path]``.

    ``normalise`` is what the paths of requests go through before they are looked up; the pattern's
    path goes through it as well, with its ``*`` in place. Raises ``DestinationError``.
    """
    if not text:
        raise DestinationError("the destination is empty")
    if "://" in text:
        raise DestinationError(f"{text[:80]!r} has a scheme; write only host and path")
    for sign, what in (("?", "a query string"), ("#", "a fragment")):
        if sign in text:
            raise DestinationError(f"{text[:80]!r} has {what}, which destinations cannot match; leave it out")
    host, slash, path = text.partition("/")
    return Destination(_read_host(host), _read_path(slash + path, normalise))


def _read_host(text: str) -> str:
    if not text:
        raise DestinationError(
            'there is no host before the path; write "example.com/path" or "*.example.com"'
        )
    try:
        if text.startswith("["):
            return _read_ipv6(text)
        if text.count(":") == 1:
            raise DestinationError(f"{text[:80]!r} has a port, which destinations cannot match; leave it out")
        return _read_labels(text) if "*" in text else canonical_host(text)
    except HostnameError as error:
        raise DestinationError(f"{text[:80]!r} is no host: {error}") from None


def _read_ipv6(text: str) -> str:
    literal, bracket, rest = text[1:].partition("]")
    if not bracket:
        raise DestinationError(f"{text[:80]!r} has no closing bracket")
    if rest:
        raise DestinationError(f"{text[:80]!r} has a port, which destinations cannot match; leave it out")
    host = canonical_host(literal)
    if ":" not in host:
        raise DestinationError(f"{text[:80]!r}: only an IPv6 address stands in brackets")
    return host


def _read_labels(text: str) -> str:
    if not text.isascii():
        raise DestinationError(
            f'{text[:80]!r}: beside a "*", write international labels as A-labels (xn--...)'
        )
    labels = text.lower().removesuffix(".").split(".")
    if not all(labels):
        raise DestinationError(f"{text[:80]!r} is no host: it has an empty label")
    if any(label.count("*") > 1 for label in labels):
        raise DestinationError(f'{text[:80]!r} has more than one "*" between two dots')
    if _NUMBERS_AND_STARS.fullmatch(text):
        raise DestinationError(f'{text[:80]!r}: a "*" does not stand for a part of an IP address')
    canonical_host(".".join(label.replace("*", "a") for label in labels))
    return ".".join(labels)


def _read_path(text: str, normalise: Callable[[bytes], bytes]) -> bytes:
    if text in ("", "/", "/*"):
        return b""
    path = _encode(text)
    segments = path.split(b"/")[1:]
    if any(segment.count(b"*") > 1 for segment in segments):
        raise DestinationError(f'the path {text[:80]!r} has more than one "*" between two slashes')
    if b"" in segments[:-1]:
        raise DestinationError(f"the path {text[:80]!r} has an empty segment, which no request can have")
    if path.endswith(b"*/"):
        raise DestinationError(
            f'the path {text[:80]!r} ends in "*/"; end it in "*", or in "*/*" for what is below'
        )
    normal = _normalised(text, path, normalise).removesuffix(b"/")
    if normal.count(b"*") != path.count(b"*") or not normal:
        raise DestinationError(f"the path {text[:80]!r} is not in normal form")
    return normal


def _encode(text: str) -> bytes:
    """Return the path's octets; characters outside ASCII as UTF-8 in percent-encoding (RFC 3987 3.1)."""
    try:
        path = "".join(char if char.isascii() else quote(char) for char in text).encode("ascii")
    except UnicodeEncodeError:
        raise DestinationError(f"the path {text[:80]!r} is no Unicode text") from None
    if not _PATH.fullmatch(path):
        raise DestinationError(
            f"the path {text[:80]!r} has characters that a path cannot have; percent-encode them"
        )
    return path


def _normalised(text: str, path: bytes, normalise: Callable[[bytes], bytes]) -> bytes:
    try:
        normal = normalise(path)
    except (MessageError, ValueError) as error:
        raise DestinationError(f"the path {text[:80]!r} cannot be asked for: {error}") from None
    if any(segment in (b".", b"..") for segment in path.split(b"/")) or normal.count(b"/") != path.count(
        b"/"
    ):
        raise DestinationError(
            f"the path {text[:80]!r} has dot segments, which no request keeps; leave them out"
        )
    return normal
