"""What is tried: one endpoint, the protected URL on it, and what the owner has to show.

Nothing is sent to an address that was not checked: names are resolved once, all their addresses are
looked at, and connections go to the address that was looked at, not to the name.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from cryptography import x509

from edge.config.request_url import RequestUrl
from edge.tls.raw_client import ClientIdentity


class AimError(ValueError):
    """Nothing was sent, and why."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One TCP address."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Host:
    """A virtual host of the endpoint, as a client names it."""

    authority: str
    """For the Host field."""
    server_name: bytes | None
    """For SNI; None for an address."""


@dataclass(frozen=True, slots=True)
class Aim:
    """Everything the owner said."""

    url: RequestUrl
    endpoint: Endpoint
    identity: ClientIdentity
    """What the protected host accepts."""
    trust: tuple[x509.Certificate, ...] | None
    """The server's CAs; None: its certificate is not judged."""
    other: Host | None = None
    other_identity: ClientIdentity | None = None
    """What the other host accepts, and the protected host must not."""
    echo_target: str | None = None
    """A target whose answer repeats the head that reached the origin."""
    patience: float = 90.0
    """Seconds until something slow has to be cut."""

    @property
    def host(self) -> Host:
        """The protected host."""
        name = self.url.server_name
        return Host(self.url.authority, None if name is None else name.encode("ascii"))


def find_endpoint(host: str, port: int, *, own: bool) -> Endpoint:
    """Resolve a host to one address. Raises ``AimError`` unless *all* are loopback, or ``own`` is said."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AimError(f"{host} has no address: {error}; name one with --connect") from None
    addresses = [str(entry[4][0]) for entry in found]
    strangers = [address for address in addresses if not _is_loopback(address)]
    if strangers and not own:
        raise AimError(
            f"{host} is {', '.join(dict.fromkeys(strangers))}, which is not this machine; nothing was sent. "
            "Say --i-own-this-host if it is yours to try"
        )
    return Endpoint(addresses[0], port)


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
