"""One generation of everything a request may know, frozen and published through one reference.

What must agree is never published in parts: hosts with their contexts and CAs, applications with
their policies, keys and limits come and go together. A request takes the snapshot once and asks
nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from edge.access.path_table import ApplicationTable, HostTable
from edge.access.token import KeyRing
from edge.config.schema import Limits
from edge.http1.limits import HeadLimits
from edge.model.hostname import HostnameError, canonical_host
from edge.model.network import Network
from edge.origin.endpoint import Endpoint
from edge.tls.context import ClientCertificateMode, TlsContext
from edge.tls.verification import Verifier
from edge.trust.revocation import NO_REVOCATION, Revocation


@dataclass(frozen=True, slots=True)
class Host:
    """One virtual host: TLS, origins, and what applies where no application does."""

    name: str
    """Canonical; ``*.`` and a parent for a wildcard host."""
    aliases: frozenset[str]
    context: TlsContext = field(repr=False)
    mode: ClientCertificateMode
    verifier: Verifier | None
    """None on a host that asks for no client certificate."""
    origins: tuple[Endpoint, ...]
    unmatched_pass: bool
    forward_client_certificate: tuple[str, ...]

    @property
    def asks_for_certificate(self) -> bool:
        """Whether a client can prove anything here."""
        return self.verifier is not None


@dataclass(frozen=True, slots=True)
class Site:
    """The host a name led to, and the *identity* of that name: equal for names that mean one host.

    A host's name and its aliases are one identity. Two names under one wildcard are two.
    """

    host: Host
    identity: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One generation."""

    generation: int
    exact: Mapping[str, Host]
    """By canonical name and alias."""
    wildcard: Mapping[str, Host]
    """By the parent of a wildcard host's name."""
    default: Host | None
    applications: ApplicationTable
    issuer: str
    key_ring: KeyRing
    limits: Limits
    head_limits: HeadLimits
    trusted_proxies: tuple[Network, ...] = ()
    """From there a PROXY header is required, and from nowhere else accepted."""
    revocation: Revocation = field(default_factory=lambda: NO_REVOCATION, repr=False)
    """The CRLs in force; the one part that is renewed more often than the rest."""

    @property
    def hosts(self) -> dict[str, Host]:
        """Every host by its name."""
        return {host.name: host for host in (*self.exact.values(), *self.wildcard.values())}

    def with_revocation(self, revocation: Revocation) -> Snapshot:
        """Return the same generation with other CRLs in force."""
        return replace(self, revocation=revocation)

    def site(self, canonical_name: str) -> Site | None:
        """Find the host of a canonical name: exact first, then a wildcard of one label."""
        host = self.exact.get(canonical_name)
        if host is not None:
            return Site(host, host.name)
        _, _, parent = canonical_name.partition(".")
        host = self.wildcard.get(parent)
        return None if host is None else Site(host, canonical_name)

    def site_for_server_name(self, server_name: str | None) -> Site | None:
        """Find the host for the SNI of a hello; None means the alert unrecognized_name.

        An IP literal is no server name (RFC 6066 3); a name that is no host name is nobody's.
        """
        if server_name is None:
            return None if self.default is None else Site(self.default, self.default.name)
        try:
            return self.site(canonical_host(server_name))
        except HostnameError:
            return None

    def identity_of(self, canonical_name: str) -> str:
        """Return what is compared between a connection and a request; the name itself if it is unknown."""
        host = self.exact.get(canonical_name)
        return canonical_name if host is None else host.name

    def policies_for(self, identity: str) -> HostTable:
        """Return the applications of one identity."""
        return self.applications.for_host(identity)


class SnapshotHolder:
    """The one mutable reference: ``current`` is read once by a request, ``swap`` publishes a generation."""

    __slots__ = ("current",)

    def __init__(self, snapshot: Snapshot) -> None:
        self.current = snapshot

    def swap(self, snapshot: Snapshot) -> None:
        """Put a complete generation in force, for the next request on every connection."""
        self.current = snapshot
