"""The one canonical form of a host name, and the only function that makes it.

SNI, Host, an absolute-form target, policies, aliases, the token's audience and the log all go
through ``canonical_host``. Two spellings that mean one host must become equal here, because a
name that is looked up in one spelling and judged in another is a bypass (Traefik CVE-2022-23632:
a trailing dot fell back to default TLS options).
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

import idna

_LDH_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
"""A label as RFC 1123 2.1 has it, and the underscore, which device names carry in practice."""

MAX_NAME_LENGTH = 253
"""RFC 1035 2.3.4: 255 octets on the wire, which is 253 characters as text."""


class HostnameError(ValueError):
    """The text is no host name and no IP literal; the message says why, without quoting it whole."""


@lru_cache(maxsize=4096)
def canonical_host(text: str) -> str:
    """Return the canonical form: lower case, A-labels, without one trailing dot, IP compressed.

    An IP literal comes without brackets. Raises ``HostnameError``. The same few names come all the time,
    so they are kept; what is no name is not.
    """
    if not text:
        raise HostnameError("the host name is empty")
    if ":" in text:
        return _canonical_ipv6(text)
    name = text[:-1] if text.endswith(".") else text
    if not name.isascii():
        name = _to_a_labels(name)
    name = name.lower()
    if len(name) > MAX_NAME_LENGTH:
        raise HostnameError(f"the host name is longer than {MAX_NAME_LENGTH} characters")
    labels = name.split(".")
    for label in labels:
        if not _LDH_LABEL.fullmatch(label):
            raise HostnameError(f"{label[:80]!r} is not a label of a host name")
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        # WHATWG URL: a name that ends in a number is an IPv4 address or nothing. "0x7f.1" and
        # "127.1" are read as addresses by some resolvers and as names by others: two meanings.
        return _canonical_ipv4(name)
    return name


def canonical_pattern(text: str) -> str:
    """Return the canonical form of a virtual host's name: a host, or ``*.`` and a host.

    Raises ``HostnameError``.
    """
    if text.startswith("*."):
        parent = canonical_host(text[2:])
        if is_ip_literal(parent):
            raise HostnameError("a wildcard cannot stand before an IP address")
        return "*." + parent
    return canonical_host(text)


def is_ip_literal(canonical: str) -> bool:
    """Tell whether a *canonical* host is an IP address."""
    return ":" in canonical or canonical.rpartition(".")[2].isdigit()


def split_authority(authority: bytes) -> tuple[str, int | None]:
    """Split ``host[:port]`` (RFC 9110 7.2) into the canonical host and the port.

    User information is refused. Raises ``HostnameError``.
    """
    try:
        text = authority.decode("ascii")
    except UnicodeDecodeError:
        raise HostnameError("the host has bytes outside ASCII") from None
    if text.startswith("["):
        literal, bracket, rest = text[1:].partition("]")
        if not bracket:
            raise HostnameError("the IPv6 literal has no closing bracket")
        return _canonical_ipv6(literal), _port(rest)
    host, colon, port = text.partition(":")
    if host.startswith("*"):
        raise HostnameError("a wildcard is no host")
    return canonical_host(host), _port(colon + port)


def _port(text: str) -> int | None:
    if text in ("", ":"):  # RFC 3986 3.2.3 allows an empty port after the colon
        return None
    digits = text[1:]
    if text[0] != ":" or not (digits.isascii() and digits.isdigit()) or len(digits) > 5:
        raise HostnameError("the port is not a number")
    port = int(digits)
    if port > 65535:
        raise HostnameError("the port is above 65535")
    return port


def _canonical_ipv6(text: str) -> str:
    if "%" in text:  # RFC 6874 zone identifiers mean something on one machine only
        raise HostnameError("a zone identifier is not accepted")
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise HostnameError("this is not an IPv6 address") from None


def _canonical_ipv4(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise HostnameError("the last label is a number, but this is not an IPv4 address") from None


def _to_a_labels(text: str) -> str:
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise HostnameError(f"this is no international host name: {error}") from None
