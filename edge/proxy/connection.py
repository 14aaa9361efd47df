"""One client connection, from accept to close: a handshake, then request after request.

    accepted --handshake--> open --request*--> closing --> closed

Two things end a connection without an answer: a failed handshake (an alert says so) and a client
that is gone. Everything that can be answered is answered in ``exchange``.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from contextlib import suppress

from edge.access.rules import Address
from edge.http1.inbox import Inbox
from edge.model.hostname import canonical_host
from edge.model.refusal import MessageError, Reason, Refusal
from edge.proxy.access_log import RequestRecord
from edge.proxy.admission import Admission
from edge.proxy.exchange import Exchange
from edge.proxy.handshake import Handshake, Secured
from edge.proxy.responses import refusal_answer
from edge.proxy.services import Services
from edge.proxy.view import View, look
from edge.reactor.readiness import Readiness
from edge.reactor.strand import Cancelled, Expired, Strand
from edge.reactor.stream import StreamBroken, send_all
from edge.snapshot.snapshot import Site, Snapshot
from edge.tls.stream import TlsStream

_REQUESTS_WITHOUT_REST = 64
"""Pipelined requests served in a row before other connections get their turn."""
_READS_WITHOUT_REST = 32
"""Reads in a row before other connections get their turn: a record may hold a single octet."""
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: close sends RST."""
_LINGER_SECONDS = 2.0


class ClientConnection:
    """Serves one accepted socket on one strand."""

    __slots__ = (
        "_aborted",
        "_admission",
        "_readiness",
        "_secured",
        "_served",
        "_sock",
        "_view",
        "address",
        "client_ip",
        "inbox",
        "services",
        "strand",
    )

    def __init__(
        self, services: Services, strand: Strand, sock: socket.socket, address: str, admission: Admission
    ) -> None:
        self.services = services
        self.strand = strand
        self.address = address
        self.client_ip: Address = ipaddress.ip_address(address.partition("%")[0])
        self.inbox = Inbox()
        self._sock = sock
        self._readiness = Readiness(sock.fileno(), strand)
        self._admission = admission
        self._secured: Secured
        self._view: View | None = None
        self._served = 0
        self._aborted = False

    async def serve(self) -> None:
        """Live from the first octet to the last. Never raises what a client can cause."""
        try:
            handshake = Handshake(self.services, self.strand, self._sock, self._readiness, self.address)
            secured = await handshake.run()
            if secured is None:
                await handshake.let_alert_arrive()
                return
            self._secured = secured
            self._view = self._look(secured.snapshot, secured.site)
            while await self._next_request():
                self._served += 1
            if not self._aborted:
                await self._linger()
        except (StreamBroken, Expired, Cancelled):
            pass  # the client is gone, or has had its time; what there was to tell was told
        finally:
            self._readiness.close()
            with suppress(OSError):
                self._sock.close()
            self.services.doorkeeper.leave(self.address)

    # --- what a generation means to this connection --------------------------------------------

    def view(self, snapshot: Snapshot) -> View | None:
        """Return this connection as the snapshot sees it; None if its host is gone."""
        view = self._view
        if view is None or view.snapshot is not snapshot:
            site = snapshot.site_for_server_name(self._secured.server_name)
            self._view = None if site is None else self._look(snapshot, site)
        elif view.auth.good_until < self.services.clock():
            self._view = self._look(snapshot, view.site)
        return self._view

    def named(self, site: Site) -> str | None:
        """Return the host name this connection was made for; None if a wildcard is all that is known."""
        name = self._secured.server_name or site.host.name
        return None if name.startswith("*") else canonical_host(name)

    @property
    def stream(self) -> TlsStream:
        """The open TLS connection."""
        return self._secured.stream

    @property
    def current_view(self) -> View | None:
        """The view made last."""
        return self._view

    def _look(self, snapshot: Snapshot, site: Site) -> View:
        services = self.services
        return look(snapshot, site, self._secured.verification, services.hints, services.clock())

    # --- requests ------------------------------------------------------------------------------

    async def _next_request(self) -> bool:
        """Serve one request; tell whether another may follow."""
        services = self.services
        snapshot = services.holder.current
        try:
            block = await self._receive_head(snapshot)
        except MessageError as error:
            await self._refuse_unread(error.refusal)
            return False
        except Expired:
            if len(self.inbox):
                await self._refuse_unread(Refusal(Reason.REQUEST_TIMEOUT, "the head took too long"))
            return False
        if block is None:
            return False
        if self._admission is Admission.TOLD:
            await self._refuse_unread(Refusal(Reason.OVERLOADED, "too many connections"))
            return False
        if self._served and not self._served % _REQUESTS_WITHOUT_REST:
            await self.strand.breathe()
        return await Exchange(self, services.holder.current).run(block)

    async def _receive_head(self, snapshot: Snapshot) -> bytes | None:
        """Return the next head; None if the client has no more to ask."""
        limits = snapshot.limits
        now = self.strand.reactor.now()
        began = now
        reads = 0
        while True:
            block = self.inbox.next_head(snapshot.head_limits)
            if block is not None:
                return block
            octets = self.stream.try_read()
            if octets:
                if not len(self.inbox):
                    began = self.strand.reactor.now()
                self.inbox.feed(octets)
                reads += 1
                if reads % _READS_WITHOUT_REST == 0:
                    await self.strand.breathe()
                continue
            if octets is not None or (self.services.draining and not len(self.inbox)):
                return None
            waiting = not len(self.inbox) and self._served
            self.stream.want_read()
            if waiting:
                await self.strand.parked(now + limits.keep_alive_timeout, "keep_alive")
            else:
                await self.strand.parked(began + limits.header_timeout, "header")

    async def _refuse_unread(self, refusal: Refusal) -> None:
        """Answer where no request could be read, log it, and let the connection end."""
        services = self.services
        record = self.new_record()
        view = self._view
        if view is not None:
            record.host, record.client_auth = view.site.identity, view.log_fields
        record.refusal = refusal
        record.status = refusal.reason.status
        answer = refusal_answer(
            refusal,
            None,
            request_id=record.request_id,
            date=services.date.at(services.clock()),
            close=True,
            extra=view.alt_svc if view else (),
        )
        try:
            await self.send(answer)
            record.octets_out = len(answer)
        finally:
            record.log(services.write_event, self.strand.reactor.now())

    def new_record(self) -> RequestRecord:
        """Begin the record of a request."""
        return RequestRecord(
            request_id=self.services.request_ids.next(),
            started=self.strand.reactor.now(),
            client=self.address,
            tls=self._secured.tls,
        )

    async def send(self, octets: bytes) -> None:
        """Write an answer of the edge itself."""
        limits = self.services.holder.current.limits
        await send_all(self.stream, self.strand, octets, limits.body_idle_timeout, "client_write")

    def abort(self) -> None:
        """Close so that the client notices: an answer that broke off must not look complete."""
        with suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._aborted = True

    async def _linger(self) -> None:
        """End politely: say so, then take what is still on its way, for a moment.

        Who uploads a lot gets to its answer this way: a close with octets unread is a reset to the client,
        and many then report the reset instead of the answer they already have.
        """
        self.stream.end()
        deadline = self.strand.reactor.now() + _LINGER_SECONDS
        reads = 0
        while self.strand.reactor.now() < deadline:
            octets = self.stream.try_read()
            if octets == b"":
                return
            if octets is None:
                self.stream.want_read()
                await self.strand.parked(deadline, "linger")
                continue
            reads += 1
            if reads % _READS_WITHOUT_REST == 0:
                await self.strand.breathe()
