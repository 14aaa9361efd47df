"""Sort the ``hosts`` of a request into the kinds of subject alternative names."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from cryptography import x509

from edge.pki.cfssl.messages import CfsslError, Code

_ORDER = (x509.DNSName, x509.RFC822Name, x509.IPAddress, x509.UniformResourceIdentifier)
"""The kinds that there are, in the order in which Go writes them."""

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_DOT_ATOM = rf"{_ATEXT}(?:\.{_ATEXT})*"
_ADDRESS = rf"{_DOT_ATOM}@{_DOT_ATOM}"
_MAILBOX = re.compile(rf"(?P<bare>{_ADDRESS})|[^<>@]*<(?P<named>{_ADDRESS})>", re.ASCII)
"""RFC 5322 3.4: an address, or one in angle brackets behind a display name."""

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]*", re.ASCII)
"""RFC 3986 4.3, in visible ASCII. As in cfssl, ``host:8080`` is one too."""

_DNS = re.compile(r"[!-~]*", re.ASCII)
"""Visible ASCII, or nothing: ``"hosts": [""]`` becomes an empty dNSName."""


def general_names(hosts: Iterable[str]) -> tuple[x509.GeneralName, ...]:
    """Return the names, each of the kind that it looks like: an IP address, a mail address, a URI, else DNS.

    Raises ``CfsslError`` for what no certificate can hold: cfssl would write ``" b.example"`` of
    ``-hostname "a.example, b.example"``, and that never matches anything.
    """
    return in_order(map(_general_name, hosts))


def in_order(names: Iterable[x509.GeneralName]) -> tuple[x509.GeneralName, ...]:
    """Return the names in Go's order of kinds. Other kinds than those cfssl knows are left out."""
    names = tuple(names)
    return tuple(name for kind in _ORDER for name in names if isinstance(name, kind))


def _general_name(host: str) -> x509.GeneralName:
    address = _ip_address(host)
    if address is not None:
        return x509.IPAddress(address)
    mailbox = _MAILBOX.fullmatch(host)
    if mailbox:
        return x509.RFC822Name(mailbox["bare"] or mailbox["named"])
    if _URI.fullmatch(host):
        return x509.UniformResourceIdentifier(host)
    if _DNS.fullmatch(host):
        return x509.DNSName(host)
    raise CfsslError(
        f"the host {host[:64]!a} has a space, a control character or a letter that is not ASCII; "
        "write international names as xn--…",
        Code.CSR_GENERATION,
    )


def _ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.scope_id is not None:
        raise CfsslError(
            f"the host {host[:64]!a} has a zone, which means something on one machine only",
            Code.CSR_GENERATION,
        )
    return address.ipv4_mapped or address
