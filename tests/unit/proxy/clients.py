"""A client whose handshake is done, on a connection of a worker whose time and whose CRLs a test moves."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import cast

import structlog

from edge.access.claims import decode_segment
from edge.model.client_auth import Verification
from edge.model.http import RequestHead
from edge.origin.pool import OriginPool
from edge.proxy.access_log import TlsFacts
from edge.proxy.admission import Admission, Doorkeeper
from edge.proxy.connection import ClientConnection
from edge.proxy.handshake import Secured
from edge.proxy.judgement import Judgement, credentials, judge
from edge.proxy.services import RequestIds, Services
from edge.proxy.view import View
from edge.reactor.strand import Strand
from edge.snapshot.snapshot import Snapshot, SnapshotHolder
from edge.telemetry.logging import EventWriter, logger
from edge.tls.chain_hints import ChainHints
from edge.tls.stream import TlsStream
from tests.certificates import Authority, Credential
from tests.crls import crl_of, moment, pem
from tests.unit.access.builders import key_ring
from tests.unit.http1.expect import request as request_of
from tests.unit.snapshot.world import CLIENTS, SERVER, World, application, ca, host
from tests.unit.strands import ManualLoop, manual_reactor

ISSUING = CLIENTS.intermediate("Issuing", not_after=timedelta(days=800))
"""Under ``CLIENTS``; only the clients have its certificate, unless ``ca.pem`` is written anew."""
SESSION = application("a.test", '"certificate"', "recheck_certificate = false", 'session_duration = "1h"')
"""An application where a token stands in for the certificate."""
FOR_CERTIFICATES = application()
"""An application that asks for the certificate on every request."""


def configuration(
    *hosts: str, applications: str = FOR_CERTIFICATES, crl: bool = True, stale: str = "deny"
) -> str:
    """Return a configuration whose CA has ``a.crl``, unless ``crl`` is False."""
    lists = f'crl = ["a.crl"]\ncrl_stale = "{stale}"\n' if crl else ""
    return SERVER + "".join(hosts or (host(),)) + ca() + lists + applications


class Desk:
    """The services of a worker, and the snapshots that are put in force one after the other."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder).prepare()
        self.world.write("ca.pem", ISSUING.bundle)
        self.write_crl()
        self.loop = ManualLoop()
        self.began = moment().timestamp()
        self.services = Services(
            reactor=manual_reactor(self.loop),
            holder=SnapshotHolder(cast("Snapshot", None)),
            pool=OriginPool(1.0, 1.0),
            log=logger(),
            events=EventWriter(),
            request_ids=RequestIds("r" * 12),
            hints=ChainHints(),
            clock=lambda: self.began + self.loop.now - 1000.0,
            doorkeeper=Doorkeeper(100, 100),
        )
        self._sockets: list[socket.socket] = []

    def write_crl(
        self,
        *revoked: Credential | Authority,
        number: int = 1,
        next_update: timedelta = timedelta(days=60),
        cas: Iterable[Authority] = (CLIENTS, ISSUING),
    ) -> None:
        """Put lists of these CAs in the place of ``a.crl``; each has what was issued by it."""
        a_day = timedelta(days=-1)
        lists = [
            crl_of(
                authority,
                [each for each in revoked if each.certificate.issuer == authority.certificate.subject],
                number=number,
                this_update=a_day,
                next_update=next_update,
            )
            for authority in cas
        ]
        self.world.write("a.crl", pem(*lists))

    def publish(self, text: str) -> Snapshot:
        """Build a snapshot and put it in force."""
        snapshot = self.world.build(text, ring=key_ring()).snapshot
        self.services.holder.swap(snapshot)
        return snapshot

    def connect(self, credential: Credential | None = None, name: str = "a.test") -> ClientConnection:
        """Return a connection on which this certificate was presented."""
        ours, theirs = socket.socketpair()
        self._sockets += [ours, theirs]
        strand = Strand(self.services.reactor)
        connection = ClientConnection(self.services, strand, ours, "192.0.2.1", Admission.SERVED)
        snapshot = self.services.holder.current
        site = snapshot.site_for_server_name(name)
        assert site is not None
        connection._secured = Secured(
            stream=cast("TlsStream", None),  # nobody reads or writes here
            tls=TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", resumed=False, server_name=name),
            snapshot=snapshot,
            site=site,
            server_name=name,
            verification=self._verified(snapshot, name, credential),
        )
        return connection

    def _verified(self, snapshot: Snapshot, name: str, credential: Credential | None) -> Verification | None:
        site = snapshot.site_for_server_name(name)
        if credential is None or site is None or site.host.verifier is None:
            return None
        verification = site.host.verifier.verify_again(credential.certificate, [])
        assert verification.errors == ()
        return verification

    def look(self, connection: ClientConnection) -> View:
        """Return what the snapshot in force means to a connection."""
        view = connection.view(self.services.holder.current)
        assert view is not None
        return view

    def judge(self, connection: ClientConnection, token: str | None = None) -> Judgement:
        """Judge a request on a connection, perhaps with a token in its cookie."""
        return judge(self.services, self.look(connection), request(token), connection.client_ip)

    def token(self, credential: Credential | None) -> str:
        """Return the token that a client with this certificate is given now."""
        connection = self.connect(credential)
        judgement = self.judge(connection)
        assert judgement.verdict.allowed
        given = credentials(self.services, self.look(connection), request(), judgement)
        assert given.assertion is not None
        return given.assertion

    def close(self) -> None:
        """End all connections."""
        for sock in self._sockets:
            sock.close()
        structlog.reset_defaults()


def request(token: str | None = None, host: bytes = b"a.test") -> RequestHead:
    """Return the head of a request."""
    cookies = [] if token is None else [b"Cookie: CF_Authorization=" + token.encode()]
    return request_of(b"GET / HTTP/1.1", b"Host: " + host, *cookies)


def with_claims(token: str, **claims: object) -> str:
    """Return the token with other claims, signed by the edge's own key; None leaves a claim out."""
    payload = json.loads(decode_segment(token.split(".")[1].encode()))
    payload |= claims
    kept = {name: value for name, value in payload.items() if value is not None}
    return key_ring().current.sign(json.dumps(kept).encode())
