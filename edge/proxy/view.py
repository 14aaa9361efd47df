"""What one generation of the configuration means to one connection: its host, its policies, the flag.

Made when a connection opens and again when a newer generation is in force. The flag in it is judged
again once a certificate of the chain has ended or a CRL is stale, so it may be read at every request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge.access.path_table import HostTable
from edge.http1.http3_hints import ALT_SVC_CLEAR
from edge.model.client_auth import ClientAuth, Verification
from edge.proxy.access_log import auth_fields
from edge.proxy.identity_headers import Header, identity_headers
from edge.snapshot.snapshot import Site, Snapshot
from edge.tls.chain_hints import ChainHints
from edge.trust.authenticate import authenticate


@dataclass(frozen=True, slots=True)
class View:
    """One connection under one generation, at one time."""

    snapshot: Snapshot
    site: Site
    table: HostTable
    verification: Verification | None
    auth: ClientAuth
    identity: tuple[Header, ...]
    """What the origin is told about the client on every request."""
    log_fields: Mapping[str, object]
    """What the log is told about the client on every request."""

    @property
    def bundle(self) -> bytes:
        """Digest of the host's CA bundle; empty where no certificate is asked for."""
        verifier = self.site.host.verifier
        return b"" if verifier is None else verifier.bundle.digest

    @property
    def alt_svc(self) -> tuple[Header, ...]:
        """What every answer says of alternative services: none, where a client could prove something."""
        return (ALT_SVC_CLEAR,) if self.site.host.asks_for_certificate else ()


def look(
    snapshot: Snapshot, site: Site, verification: Verification | None, hints: ChainHints, now: float
) -> View:
    """Return a connection as the snapshot sees it. A record made under other CAs is verified again."""
    verifier = site.host.verifier
    if verifier is not None and verification and verification.bundle != verifier.bundle.digest:
        verification = verifier.reconsider(verification, hints)
    bundle = None if verifier is None else verifier.bundle
    auth = authenticate(verification, bundle, snapshot.revocation, now)
    return View(
        snapshot=snapshot,
        site=site,
        table=snapshot.policies_for(site.identity),
        verification=verification,
        auth=auth,
        identity=identity_headers(auth, site.host.forward_client_certificate),
        log_fields=auth_fields(auth),
    )
