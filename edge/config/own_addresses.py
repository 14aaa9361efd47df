"""Which addresses are this machine, and which of them are the same one."""

from __future__ import annotations

import ipaddress

from edge.config.endpoints import ListenAddress

_EVERY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - recognised, not bound


def meets(target: ListenAddress, address: ListenAddress) -> bool:
    """Tell whether who connects to ``target`` may arrive where ``address`` is listened on."""
    if target.port != address.port:
        return False
    here = _is_here(target.host) and (address.host in _EVERY_ADDRESS or _is_here(address.host))
    return here or _plain(target.host) == _plain(address.host)


def overlap(left: ListenAddress, right: ListenAddress) -> bool:
    """Tell whether two addresses to listen on have something in common."""
    same_port = left.port == right.port != 0
    every = left.host in _EVERY_ADDRESS or right.host in _EVERY_ADDRESS
    return same_port and (every or meets(left, right))


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches a host. ``localhost`` is (RFC 6761 6.3)."""
    plain = _plain(host)
    return plain == "localhost" if isinstance(plain, str) else plain.is_loopback


def _is_here(host: str) -> bool:
    """Tell whether a host is this machine whatever its interfaces are; 0.0.0.0 connects to loopback."""
    return host in _EVERY_ADDRESS or is_loopback(host)


def _plain(host: str) -> str | ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return what is compared: ``::ffff:127.0.0.1`` connects to 127.0.0.1 (RFC 4291 2.5.5.2)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
