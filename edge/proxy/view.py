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


class Views:
    """The views of one worker, by host and certificate: a fleet comes back again and again. Bounded.

    A view follows from the snapshot, the host and what was verified, until its flag has to be judged
    again; all of that is compared before a view is handed out again. Only what verified is kept, and the
    view of who shows no certificate.
    """

    __slots__ = ("_limit", "_snapshot", "_views")

    def __init__(self, limit: int = 8192) -> None:
        self._limit = limit
        self._snapshot: Snapshot | None = None
        self._views: dict[tuple[str, bytes], View] = {}

    def look(
        self,
        snapshot: Snapshot,
        site: Site,
        verification: Verification | None,
        hints: ChainHints,
        now: float,
    ) -> View:
        """Return what ``look`` returns."""
        if snapshot is not self._snapshot:
            self._views.clear()
            self._snapshot = snapshot
        key = (site.identity, b"" if verification is None else verification.leaf.sha256)
        view = self._views.get(key)
        if view is not None and view.verification is verification and now <= view.auth.good_until:
            return view
        view = look(snapshot, site, verification, hints, now)
        if view.verification is verification and (verification is None or view.auth.mtls_authenticated):
            if len(self._views) >= self._limit:
                del self._views[next(iter(self._views))]
            self._views[key] = view
        return view


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
