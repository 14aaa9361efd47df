"""One client connection, from accept to close: hello, host, handshake, then request after request.

    accepted --hello--> host chosen --handshake--> open --request*--> closing --> closed

Two things end a connection without an answer: a failed handshake (an alert says so) and a client
that is gone. Everything that can be answered is answered in ``exchange``.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass

from edge.access.path_table import HostTable
from edge.access.rules import Address
from edge.http1.http3_hints import ALT_SVC_CLEAR
from edge.http1.inbox import Inbox
from edge.model.client_auth import NO_CERTIFICATE, ClientAuth, Verification
from edge.model.hostname import canonical_host
from edge.model.refusal import MessageError, Reason, Refusal
from edge.proxy.access_log import RequestRecord, TlsFacts, certificate_fields
from edge.proxy.admission import Admission
from edge.proxy.exchange import Exchange
from edge.proxy.identity_headers import Header, identity_headers
from edge.proxy.responses import refusal_answer
from edge.proxy.services import Services
from edge.reactor.readiness import Readiness
from edge.reactor.strand import NEVER, Cancelled, Expired, Strand
from edge.reactor.stream import StreamBroken, send_all
from edge.snapshot.snapshot import Site, Snapshot
from edge.telemetry.logging import MAX_TEXT
from edge.tls.client_hello import (
    NO_APPLICATION_PROTOCOL,
    UNRECOGNIZED_NAME,
    ClientHello,
    ClientHelloError,
)
from edge.tls.context import ALPN_HTTP_1_1
from edge.tls.stream import TlsStream, peek_client_hello, refuse_in_clear, refuse_with_alert
from edge.trust.authenticate import authenticate, valid_until
from edge.trust.certificate import UnreadableCertificate, read_der

_PLAIN_HTTP_TEXT = b"This port speaks TLS; ask with https:// instead\n"
_PLAIN_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_PLAIN_HTTP_TEXT), _PLAIN_HTTP_TEXT)
)
_PLAIN_HTTP_BEGINNINGS = (b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"PATC", b"CONN", b"PRI ")
_REQUESTS_WITHOUT_REST = 64
"""Pipelined requests served in a row before other connections get their turn."""
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: close sends RST."""
_LINGER_SECONDS = 2.0
_REFUSED_READ_OCTETS = 1 << 14
_LINGER_OCTETS = 1 << 20
"""What is still taken from a client whose handshake was refused."""
_READS_WITHOUT_REST = 32
"""Reads in a row before other connections get their turn: a record may hold a single octet."""


@dataclass(slots=True)
class View:
    """What one generation of the configuration means to one connection."""

    snapshot: Snapshot
    site: Site
    table: HostTable
    verification: Verification | None
    auth: ClientAuth
    auth_until: float
    """Seconds since the epoch until which ``auth`` needs no second look."""
    identity: tuple[Header, ...]


class ClientConnection:
    """Serves one accepted socket on one strand."""

    __slots__ = (
        "_aborted",
        "_admission",
        "_readiness",
        "_served",
        "_server_name",
        "_sock",
        "_verification",
        "_view",
        "address",
        "client_ip",
        "inbox",
        "services",
        "strand",
        "stream",
        "tls",
    )

    def __init__(
        self, services: Services, strand: Strand, sock: socket.socket, address: str, admission: Admission
    ) -> None:
        self.services = services
        self.strand = strand
        self.address = address
        self.client_ip: Address = ipaddress.ip_address(address.partition("%")[0])
        self.inbox = Inbox()
        self.stream: TlsStream
        self.tls: TlsFacts
        self._sock = sock
        self._readiness = Readiness(sock.fileno(), strand)
        self._admission = admission
        self._server_name: str | None = None
        self._verification: Verification | None = None
        self._view: View | None = None
        self._served = 0
        self._aborted = False

    async def serve(self) -> None:
        """Live from the first octet to the last. Never raises what a client can cause."""
        try:
            if await self._open():
                while await self._next_request():
                    self._served += 1
                if not self._aborted:
                    await self._linger()
            else:
                await self._let_alert_arrive()
        except (StreamBroken, Expired, Cancelled):
            pass  # the client is gone, or has had its time; what there was to tell was told
        finally:
            self._readiness.close()
            with suppress(OSError):
                self._sock.close()
            self.services.doorkeeper.leave(self.address)

    # --- the handshake -------------------------------------------------------------------------

    async def _open(self) -> bool:
        """Shake hands on the context of the host that the hello names."""
        limits = self.services.holder.current.limits
        deadline = self.strand.reactor.now() + limits.handshake_timeout
        try:
            hello = await peek_client_hello(self._sock, self._readiness, self.strand, deadline)
        except ClientHelloError as error:
            if self._looks_like_http():
                refuse_in_clear(self._sock, _PLAIN_HTTP)
                return self._handshake_failed("plain HTTP on a TLS port")
            refuse_with_alert(self._sock, error.alert)
            return self._handshake_failed(str(error))
        except StreamBroken as error:
            return self._handshake_failed(str(error))
        except Expired:
            return self._handshake_failed("no ClientHello in time")
        snapshot = self.services.holder.current
        site = self._choose(hello, snapshot)
        if site is None:
            return False
        self.stream = TlsStream(
            self._sock, self._readiness, site.host.context, record_octets=limits.tls_record_size
        )
        try:
            await self.stream.handshake(self.strand, deadline)
        except StreamBroken as error:
            return self._handshake_broke(str(error))
        except Expired:
            return self._handshake_failed("the handshake took too long")
        return self._settle(site, snapshot)

    def _choose(self, hello: ClientHello, snapshot: Snapshot) -> Site | None:
        """Find the host, before any key is touched."""
        self._server_name = hello.server_name
        site = snapshot.site_for_server_name(hello.server_name)
        if site is None:
            refuse_with_alert(self._sock, UNRECOGNIZED_NAME)
            self._handshake_failed("no host of that name" if hello.server_name else "no server name")
            return None
        if hello.alpn is not None and ALPN_HTTP_1_1 not in hello.alpn:
            refuse_with_alert(self._sock, NO_APPLICATION_PROTOCOL)
            self._handshake_failed("the client offers no http/1.1 in ALPN")
            return None
        return site

    def _settle(self, site: Site, snapshot: Snapshot) -> bool:
        """Take down what the handshake proved."""
        stream = self.stream
        self.tls = TlsFacts(stream.version, stream.cipher, stream.resumed, self._server_name)
        own = stream.server_name
        if own != self._server_name and not (own is None and self._resumed_before_tls13()):
            # OpenSSL read another name than the one the context was chosen by: two readings, no answer.
            return self._handshake_failed("the server name changed during the handshake")
        verifier = site.host.verifier
        if verifier is not None:
            self._verification = verifier.conclude(
                stream.connection,
                stream.log,
                self.services.memory,
                self.services.hints,
                self.services.clock(),
            )
        self._view = self._make_view(snapshot, site)
        return True

    def _resumed_before_tls13(self) -> bool:
        """A TLS 1.2 session keeps no server name of its own; its ticket opens only with this host's keys."""
        return self.tls.resumed and self.tls.version != "TLSv1.3"

    def _looks_like_http(self) -> bool:
        try:
            return self._sock.recv(4, socket.MSG_PEEK) in _PLAIN_HTTP_BEGINNINGS
        except OSError:
            return False

    def _handshake_broke(self, reason: str) -> bool:
        """Tell why OpenSSL ended it; on a host that requires a certificate the verifier knows more."""
        refused = self.stream.log.refused
        if refused is None:
            return self._handshake_failed(reason)
        text, certificate = refused
        try:
            fields = certificate_fields(read_der(certificate))
        except UnreadableCertificate:
            fields = {}
        return self._handshake_failed(f"certificate verify failed: {text}", **fields)

    def _handshake_failed(self, detail: str, **certificate: str) -> bool:
        self.services.log.info(
            "handshake_failed",
            client=self.address,
            server_name=(self._server_name or "")[:MAX_TEXT],
            detail=detail[:MAX_TEXT],
            **certificate,
        )
        return False

    async def _let_alert_arrive(self) -> None:
        """Take what a refused client still sends: octets left unread turn our alert into a reset."""
        deadline = self.strand.reactor.now() + _LINGER_SECONDS
        taken = 0
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            while taken < _LINGER_OCTETS:
                try:
                    octets = self._sock.recv(_REFUSED_READ_OCTETS)
                except BlockingIOError:
                    self._readiness.want_read()
                    await self.strand.parked(deadline, "linger")
                    continue
                if not octets:
                    return
                taken += len(octets)

    # --- what a generation means to this connection --------------------------------------------

    def view(self, snapshot: Snapshot) -> View | None:
        """Return this connection as the snapshot sees it; None if its host is gone."""
        view = self._view
        if view is not None and view.snapshot is snapshot:
            if view.auth_until < self.services.clock():
                self._judge_again(view)
            return view
        site = snapshot.site_for_server_name(self._server_name)
        self._view = None if site is None else self._make_view(snapshot, site)
        return self._view

    def named(self, site: Site) -> str | None:
        """Return the host name this connection was made for; None if a wildcard is all that is known."""
        name = self._server_name or site.host.name
        return None if name.startswith("*") else canonical_host(name)

    @property
    def current_view(self) -> View | None:
        """The view made last."""
        return self._view

    def _make_view(self, snapshot: Snapshot, site: Site) -> View:
        verifier = site.host.verifier
        verification = self._verification
        if verifier is not None and verification and verification.bundle != verifier.bundle.digest:
            verification = verifier.reconsider(verification, self.services.hints)
        view = View(
            snapshot=snapshot,
            site=site,
            table=snapshot.policies_for(site.identity),
            verification=verification,
            auth=NO_CERTIFICATE,
            auth_until=0.0,
            identity=(),
        )
        self._judge_again(view)
        return view

    def _judge_again(self, view: View) -> None:
        verifier = view.site.host.verifier
        bundle = None if verifier is None else verifier.bundle
        view.auth = authenticate(view.verification, bundle, self.services.clock())
        view.auth_until = NEVER
        if view.auth.mtls_authenticated and view.verification is not None:
            view.auth_until = valid_until(view.verification)
        view.identity = identity_headers(view.auth, view.site.host.forward_client_certificate)

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
        record.auth = view.auth if view else None
        record.host = view.site.identity if view else ""
        record.refusal = refusal
        record.status = refusal.reason.status
        answer = refusal_answer(
            refusal,
            None,
            request_id=record.request_id,
            date=services.date.at(services.clock()),
            close=True,
            extra=(ALT_SVC_CLEAR,) if view and view.site.host.asks_for_certificate else (),
        )
        try:
            await self.send(answer)
            record.octets_out = len(answer)
        finally:
            record.log(services.log, self.strand.reactor.now())

    def new_record(self) -> RequestRecord:
        """Begin the record of a request."""
        return RequestRecord(
            request_id=self.services.request_ids.next(),
            started=self.strand.reactor.now(),
            client=self.address,
            tls=self.tls,
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
