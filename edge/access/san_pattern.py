"""Patterns over one subject alternative name, and how an operator writes them.

A ``*`` stands for exactly one DNS label, one path segment of a URI, or the whole local part of an
e-mail address. It is never part of a label or a segment, and never crosses a border: what it stands
for is a piece a certification authority puts one name into. An ``ip`` is an address or a network.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Protocol

from edge.model.hostname import HostnameError, canonical_host
from edge.model.network import Network, parse_network

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?", re.ASCII)
"""What ``*`` may stand for in a DNS name. Not another ``*``: a wildcard name is no single name."""
_SEGMENT = re.compile(r"(?!\.{1,2}\Z)[^%?#*/]+")
"""What ``*`` may stand for in a URI; see ``UriPattern``."""


class SanPattern(Protocol):
    """What every kind of pattern offers."""

    @property
    def text(self) -> str:
        """The pattern in canonical form."""

    def accepts(self, name: str) -> bool:
        """Tell whether a name from a certificate fits. Never raises."""


@dataclass(frozen=True, slots=True)
class DnsPattern:
    """Labels compared without ASCII case (RFC 4343)."""

    text: str
    labels: tuple[str, ...]

    def accepts(self, name: str) -> bool:
        """Compare label by label."""
        if not name.isascii():  # lower() below would fold a Kelvin sign to a k
            return False
        labels = name.lower().split(".")
        return len(labels) == len(self.labels) and all(
            _LABEL.fullmatch(label) is not None if wanted == "*" else label == wanted
            for wanted, label in zip(self.labels, labels, strict=True)
        )


@dataclass(frozen=True, slots=True)
class EmailPattern:
    """Local part exact, domain without ASCII case (RFC 5321 2.4). A local part ``*`` is any."""

    text: str
    local: str
    domain: str

    def accepts(self, name: str) -> bool:
        """Compare both parts. The local part may not hold an ``@`` of its own: it would be two addresses."""
        local, at, domain = name.rpartition("@")
        if not at or not local or "@" in local or not domain.isascii() or domain.lower() != self.domain:
            return False
        return self.local in ("*", local)


@dataclass(frozen=True, slots=True)
class UriPattern:
    """Exact, but for whole path segments written ``*``.

    ``*`` does not stand for ``.`` or ``..``, nor for a segment with a percent escape, a query, a
    fragment or another ``*``: whoever reads such an identifier later may find another one in it.
    """

    text: str
    segments: tuple[str, ...]

    def accepts(self, name: str) -> bool:
        """Compare segment by segment."""
        segments = name.split("/")
        return len(segments) == len(self.segments) and all(
            _SEGMENT.fullmatch(segment) is not None if wanted == "*" else segment == wanted
            for wanted, segment in zip(self.segments, segments, strict=True)
        )


@dataclass(frozen=True, slots=True)
class IpPattern:
    """An address inside a network; a single address is a network of one."""

    network: Network

    @property
    def text(self) -> str:
        """The network."""
        return str(self.network)

    def accepts(self, name: str) -> bool:
        """Parse and compare; what is no address is in no network."""
        try:
            return ipaddress.ip_address(name) in self.network
        except ValueError:
            return False


def parse_san_pattern(kind: str, text: str) -> SanPattern:
    """Read a pattern of that kind. Raises ``ValueError`` with a message for the operator."""
    match kind:
        case "dns":
            return _parse_dns(text)
        case "email":
            return _parse_email(text)
        case "uri":
            return _parse_uri(text)
        case "ip":
            return IpPattern(parse_network(text))
        case _:
            raise ValueError(f"{kind[:80]!r} is no kind of subject alternative name")


def _parse_dns(text: str) -> DnsPattern:
    labels = text.removesuffix(".").split(".")
    if any("*" in label and label != "*" for label in labels):
        raise ValueError(f'{text[:80]!r}: a "*" stands for one whole label')
    if "*" in labels and not text.isascii():
        raise ValueError(f'{text[:80]!r}: beside a "*", write international labels as A-labels (xn--...)')
    try:
        # "a" is a label as good as any: what stands around it is checked and made canonical.
        canonical = canonical_host(".".join("a" if label == "*" else label for label in labels))
    except HostnameError as error:
        raise ValueError(f"{text[:80]!r} is no DNS name: {error}") from None
    if "*" in labels:
        canonical = ".".join(
            "*" if label == "*" else name for label, name in zip(labels, canonical.split("."), strict=True)
        )
    return DnsPattern(canonical, tuple(canonical.split(".")))


def _parse_email(text: str) -> EmailPattern:
    local, at, domain = text.rpartition("@")
    if not at or not local or "@" in local:
        raise ValueError(f'{text[:80]!r} is no e-mail address; write "name@example.com" or "*@example.com"')
    if "*" in domain or ("*" in local and local != "*"):
        raise ValueError(f'{text[:80]!r}: a "*" stands for the whole local part')
    try:
        domain = canonical_host(domain)
    except HostnameError as error:
        raise ValueError(f"{text[:80]!r} is no e-mail address: {error}") from None
    return EmailPattern(f"{local}@{domain}", local, domain)


def _parse_uri(text: str) -> UriPattern:
    scheme, colon, rest = text.partition(":")
    if not colon or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme) or not rest:
        raise ValueError(f'{text[:80]!r} is no URI with a scheme, as in "spiffe://example.com/ns/*"')
    if "*" in text and ("?" in text or "#" in text):
        raise ValueError(f'{text[:80]!r}: a "*" cannot stand beside a query or a fragment')
    segments = tuple(text.split("/"))
    # scheme:, the empty piece between the two slashes, and the authority are no path segments.
    first = 3 if rest.startswith("//") else 1
    if any("*" in segment for segment in segments[:first]) or any(
        "*" in segment and segment != "*" for segment in segments[first:]
    ):
        raise ValueError(f'{text[:80]!r}: a "*" stands for one whole segment of the path')
    return UriPattern(text, segments)
