"""One client connection, from accept to close: a handshake, then request after request.

    accepted --handshake--> open --request*--> closing --> closed

Two things end a connection without an answer: a failed handshake (an alert says so) and a client
that is gone. Everything that can be answered is answered in ``exchange``.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Awaitable
from contextlib import suppress

from edge.http1.inbox import Inbox
from edge.model.hostname import canonical_host
from edge.model.network import read_peer
from edge.model.refusal import MessageError, Reason, Refusal
from edge.proxy.access_log import NO_AUTH_FIELDS, RequestRecord, TlsFacts, request_fields
from edge.proxy.admission import Admission, worse
from edge.proxy.cuts import CLIENT_WRITE, HEADER, count_cut
from edge.proxy.exchange import Exchange
from edge.proxy.handshake import Handshake, Secured
from edge.proxy.plan import make_plan
from edge.proxy.plans import Plans
from edge.proxy.responses import refusal_answer
from edge.proxy.services import Services
from edge.proxy.short_way import Begun, begin, pass_simply, refuse_at_once
from edge.proxy.telling import tell
from edge.proxy.view import View
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
        "_counted_as",
        "_is_proxied",
        "_left",
        "_readiness",
        "_secured",
        "_served",
        "_sock",
        "_view",
        "address",
        "client_ip",
        "inbox",
        "plans",
        "services",
        "strand",
        "stream",
    )

    def __init__(
        self,
        services: Services,
        strand: Strand,
        sock: socket.socket,
        address: str,
        admission: Admission,
        *,
        is_proxied: bool = False,
    ) -> None:
        """``is_proxied``: a trusted proxy connected, whom the doorkeeper did not count by its address."""
        self.services = services
        self.strand = strand
        self.address = address
        self.client_ip, who = read_peer(address)
        self._is_proxied = is_proxied
        self._counted_as = None if is_proxied else who
        self.inbox = Inbox()
        self.plans = Plans()
        self._sock = sock
        self._readiness = Readiness(sock.fileno(), strand)
        self._admission = admission
        self._secured: Secured
        self.stream: TlsStream
        """The open TLS connection."""
        self._view: View | None = None
        self._served = 0
        self._aborted = False
        self._left = False
        """The client said that it was done, or closed its side."""

    async def serve(self) -> None:
        """Live from the first octet to the last. Never raises what a client can cause."""
        try:
            handshake = Handshake(self.services, self.strand, self._sock, self._readiness, self.address)
            if self._is_proxied and not await self._meet(handshake):
                return
            secured = await handshake.run()
            if secured is None:
                await handshake.let_alert_arrive()
                return
            self._secured = secured
            self.stream = secured.stream
            self._view = self._look(secured.snapshot, secured.site)
            if self._admission is Admission.TOLD:
                await self._turn_down()
            else:
                await self._converse()
            if not self._aborted:
                await self._linger()
        except (StreamBroken, Expired, Cancelled):
            pass  # the client is gone, or has had its time; what there was to tell was told
        finally:
            self._readiness.close()
            with suppress(OSError):
                self._sock.close()
            self.services.doorkeeper.leave(self._counted_as)

    async def _meet(self, handshake: Handshake) -> bool:
        """Learn from a trusted proxy who the client is; tell whether there is room for it."""
        admitted = self.services.counts.admitted
        address = await handshake.introduction()
        if address is None:
            admitted[self._admission].value += 1
            return False
        self.address = address
        self.client_ip, who = read_peer(address)
        admission = worse(self._admission, self.services.doorkeeper.introduce(who))
        admitted[admission].value += 1
        if admission is Admission.TURNED_AWAY:
            return False
        self._counted_as = who
        self._admission = admission
        return True

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

    def look_at_certificate(self, now: float) -> None:
        """See whether the client's certificate ends soon; on a connection that lasts nobody else does."""
        view = self._view
        if view is not None and view.auth.verified is not None:
            self.services.expiring.see(view.site.host.name, view.auth.verified, now)

    @property
    def has_asked(self) -> bool:
        """Whether it has sent a request."""
        return self._served > 0

    @property
    def tls(self) -> TlsFacts:
        """What the handshake settled."""
        return self._secured.tls

    def _look(self, snapshot: Snapshot, site: Site) -> View:
        services, now = self.services, self.services.clock()
        view = services.views.look(snapshot, site, self._secured.verification, services.hints, now)
        certificate = view.auth.verified
        if certificate is not None:
            services.expiring.see(site.host.name, certificate, now)
        return view

    # --- requests ------------------------------------------------------------------------------

    async def _converse(self) -> None:  # noqa: C901 - every call that is saved here is saved for each request
        """Serve request after request, until one of them or the client ends it."""
        services, plans = self.services, self.plans
        holder, clock, known = services.holder, services.clock, plans.by_head
        stream, inbox, strand = self.stream, self.inbox, self.strand
        while True:
            try:
                block = None
                if self._served and inbox.empty and not self.services.draining:
                    # Between two requests there is hardly ever anything to read yet: the poll will tell.
                    stream.want_read()
                    seconds = holder.current.limits.keep_alive_timeout
                    await strand.parked(strand.reactor.now() + seconds, "keep_alive")
                    block = stream.try_read()
                if block is None or known.get(block) is None:
                    # Mostly it is a whole head and nothing else, which passed every check before. It is not.
                    block = await self._receive_head(holder.current, block)
            except (MessageError, Expired) as error:
                await self._end_without_head(error)
                return
            if block is None:
                return
            self._served += 1
            if not self._served % _REQUESTS_WITHOUT_REST:
                await self.strand.breathe()
            snapshot, now = holder.current, clock()
            plan = known.get(block)
            if plan is None or plan.snapshot is not snapshot or not plan.good_since <= now <= plan.good_until:
                plan = make_plan(self, snapshot, block)
                plans.keep(block, plan)
            if plan.reported is not None:
                plan.reported.value += 1
            if self.services.draining:
                begun: Begun | None = begin(self)
            elif plan.prepared is not None:
                begun = refuse_at_once(self, plan, now)
            elif plan.passage is not None and plan.passage.is_simple:
                begun = await pass_simply(self, plan, plan.passage)
            else:
                begun = begin(self)
            if begun is not None and not await Exchange(self, plan, begun).run():
                return

    async def _turn_down(self) -> None:
        """Tell a client that is one too many so, when it has asked."""
        try:
            if await self._receive_head(self.services.holder.current, None) is not None:
                await self._refuse_unread(Refusal(Reason.OVERLOADED, "too many connections"))
        except (MessageError, Expired) as error:
            await self._end_without_head(error)

    async def _receive_head(self, snapshot: Snapshot, octets: bytes | None) -> bytes | None:
        """Return the next head, which begins with ``octets``; None if the client has no more to ask."""
        inbox, stream, limits = self.inbox, self.stream, snapshot.limits
        now = began = self.strand.reactor.now()
        reads = 0
        while True:
            if octets:
                if inbox.empty:
                    began = self.strand.reactor.now()
                inbox.feed(octets)
                reads += 1
                if reads % _READS_WITHOUT_REST == 0:
                    await self.strand.breathe()
            elif octets is not None:
                self._left = True
                return None
            if not inbox.empty:
                block = inbox.next_head(snapshot.head_limits)
                if block is not None:
                    return block
            octets = stream.try_read()
            if octets is None:
                if self.services.draining and inbox.empty:
                    return None
                if self._served and inbox.empty:
                    await self._rest(now + limits.keep_alive_timeout, "keep_alive")
                else:
                    await self._rest(began + limits.header_timeout, HEADER)

    def _rest(self, deadline: float, what: str) -> Awaitable[None]:
        """Wait for octets of the client."""
        self.stream.want_read()
        return self.strand.parked(deadline, what)

    async def _end_without_head(self, error: MessageError | Expired) -> None:
        """Say why no request could be read; who never began one is told nothing."""
        if isinstance(error, MessageError):
            await self._refuse_unread(error.refusal)
            return
        count_cut(self.services.metrics, error.what)
        if not self.inbox.empty:
            await self._refuse_unread(Refusal(Reason.REQUEST_TIMEOUT, "the head took too long"))

    async def _refuse_unread(self, refusal: Refusal) -> None:
        """Answer where no request could be read, log it, and let the connection end."""
        services, view = self.services, self._view
        about = request_fields(
            client=self.address,
            tls=self.tls,
            host=view.site.identity if view is not None else "",
            method="-",
            path="",
            client_auth=view.log_fields if view is not None else NO_AUTH_FIELDS,
            refusal=refusal,
        )
        record = RequestRecord(
            services.request_ids.next(),
            self.strand.reactor.now(),
            services.events.prepare("request", about),
            status=refusal.reason.status,
        )
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
        except Expired as expired:
            count_cut(services.metrics, expired.what)
            raise
        finally:
            host = services.counts.of_host("" if view is None else view.site.host.name)
            tell(services, record, host, refusal)

    async def send(self, octets: bytes) -> None:
        """Write an answer of the edge itself."""
        limits = self.services.holder.current.limits
        await send_all(self.stream, self.strand, octets, limits.body_idle_timeout, CLIENT_WRITE)

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
        if self._left:
            return
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
