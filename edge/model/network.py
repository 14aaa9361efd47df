"""Addresses of clients: networks as operators write them, and whose addresses count as one client's."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SUBNET_BITS = 64


def parse_network(text: str) -> Network:
    """Read an address or CIDR block. Raises ``ValueError`` with a message for the operator.

    Host bits (``10.0.0.5/8``) are refused: the address and the network are two meanings. Networks of
    IPv4-mapped IPv6 addresses become the IPv4 networks they are.
    """
    address, slash, prefix = text.partition("/")
    if slash and not (prefix.isascii() and prefix.isdigit()):
        raise ValueError(f'{text[:80]!r} has no prefix length in digits, as in "10.0.0.0/8"')
    if "%" in text:  # RFC 6874 zone identifiers mean something on one machine only
        raise ValueError(f"{text[:80]!r} has a zone identifier")
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        try:
            whole = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f"{text[:80]!r} is neither an IP address nor a CIDR block") from None
        raise ValueError(
            f'{text[:80]!r} has host bits set; write "{whole}" for the network or "{address}" for the address'
        ) from None
    if network.version == 6 and network.prefixlen >= 96 and network.network_address.ipv4_mapped is not None:
        return ipaddress.IPv4Network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return network


def one_of(networks: tuple[Network, ...], address: Address) -> bool:
    """Tell whether an address is inside one of the networks; one of the other family never is."""
    return any(address in network for network in networks)


def subscriber(address: Address) -> str:
    """Return whom limits count as one client: an IPv4 address, or an IPv6 network of 64 bits.

    Whoever has one IPv6 address has the whole network it is in (RFC 6177, RFC 8981): counted one by one,
    the addresses of a single machine would never end.
    """
    if address.version == 4:
        return str(address)
    return f"{ipaddress.IPv6Address(int(address) >> _SUBNET_BITS << _SUBNET_BITS)}/{_SUBNET_BITS}"


@lru_cache(maxsize=4096)
def read_peer(text: str) -> tuple[Address, str]:
    """Return the address of a connected socket, without its zone, and whom limits count it as."""
    address = ipaddress.ip_address(text.partition("%")[0])
    return address, subscriber(address)
