"""From an accepted socket to an open TLS connection: hello, host, handshake, record. Or an alert.

The host is chosen from the ClientHello before any key is touched, and OpenSSL must have read the same
name. Every failure is one ``handshake_failed`` event.
"""

from __future__ import annotations

import socket
from contextlib import suppress

from edge.model.client_auth import Verification
from edge.model.network import read_peer
from edge.model.record import record
from edge.proxy.access_log import TlsFacts, certificate_fields
from edge.proxy.cuts import HANDSHAKE, HANDSHAKES_PER_ADDRESS, count_cut
from edge.proxy.services import Services
from edge.reactor.readiness import Readiness
from edge.reactor.strand import Expired, Strand
from edge.reactor.stream import StreamBroken
from edge.snapshot.snapshot import Site, Snapshot
from edge.telemetry.families import CUT, PROXY_HEADERS
from edge.telemetry.logging import MAX_TEXT
from edge.tls.choice import stream_class
from edge.tls.client_hello import (
    NO_APPLICATION_PROTOCOL,
    UNRECOGNIZED_NAME,
    ClientHello,
    ClientHelloError,
)
from edge.tls.context import ALPN_HTTP_1_1
from edge.tls.first_octets import (
    has_ended,
    peek_client_hello,
    refuse_in_clear,
    refuse_with_alert,
    take_proxy_header,
)
from edge.tls.proxy_protocol import ProxyHeaderError, may_be_proxy_header
from edge.tls.stream import TlsStream
from edge.trust.certificate import UnreadableCertificate, read_der

_PLAIN_HTTP_TEXT = b"This port speaks TLS; ask with https:// instead\n"
_PLAIN_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_PLAIN_HTTP_TEXT), _PLAIN_HTTP_TEXT)
)
_PLAIN_HTTP_BEGINNINGS = (b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"PATC", b"CONN", b"PRI ")
_UNASKED_PROXY_HEADER = "a PROXY protocol header where a ClientHello was expected (trusted_proxies)"
_LINGER_SECONDS = 2.0
_LINGER_OCTETS = 1 << 20
"""What is still taken from a client whose handshake was refused."""
_READ_OCTETS = 1 << 14


class _Failed(Exception):
    """The handshake ends here; ``certificate`` holds what is known of the one that was refused."""

    def __init__(
        self,
        detail: str,
        certificate: dict[str, str] | None = None,
        *,
        in_time: bool = True,
        is_absence: bool = False,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.certificate = certificate or {}
        self.in_time = in_time
        self.is_absence = is_absence
        """The client left before its ClientHello."""


@record
class Secured:
    """An open TLS connection, and what its handshake settled."""

    stream: TlsStream
    tls: TlsFacts
    snapshot: Snapshot
    site: Site
    server_name: str | None
    verification: Verification | None


class Handshake:
    """Opens one accepted socket."""

    __slots__ = (
        "_address",
        "_deadline",
        "_host",
        "_lets_arrive",
        "_may_be_check",
        "_readiness",
        "_server_name",
        "_services",
        "_sock",
        "_strand",
    )

    def __init__(
        self, services: Services, strand: Strand, sock: socket.socket, readiness: Readiness, address: str
    ) -> None:
        self._services = services
        self._strand = strand
        self._sock = sock
        self._readiness = readiness
        self._address = address
        self._server_name: str | None = None
        self._host = ""
        """The host's name in the configuration, once it is found."""
        seconds = services.holder.current.limits.handshake_timeout
        self._deadline = strand.reactor.now() + seconds
        self._may_be_check = False
        """A trusted proxy connected for itself: to see whether anybody is there, mostly."""
        self._lets_arrive = True
        """Whether a refused client is worth the wait for it to read why."""

    async def introduction(self) -> str | None:
        """Return for whom a trusted proxy speaks; None if it does not say so first, as it must."""
        metrics = self._services.metrics
        try:
            header = await take_proxy_header(self._sock, self._readiness, self._strand, self._deadline)
        except (ProxyHeaderError, StreamBroken) as error:
            failure = _Failed(f"trusted proxy: {error}")
        except Expired:
            failure = _Failed("trusted proxy: no PROXY protocol header in time", in_time=False)
        else:
            metrics.cell(PROXY_HEADERS, "own" if header.client is None else "carried").value += 1
            proxy = self._address
            if header.client is not None:
                self._address = str(header.client)
            self._may_be_check = self._address == proxy
            return self._address
        metrics.cell(PROXY_HEADERS, "refused").value += 1
        self._tell(failure)
        return None

    async def run(self) -> Secured | None:
        """Shake hands on the context of the host that the hello names; None if it failed and was logged."""
        counts, began = self._services.counts, self._strand.reactor.now()
        try:
            secured = await self._shake_hands()
        except _Failed as failure:
            if not (self._may_be_check and failure.is_absence):
                self._tell(failure)
            return None
        counts.of_host(self._host).handshake(secured.tls)
        counts.handshake_duration.observe(self._strand.reactor.now() - began)
        return secured

    def _tell(self, failure: _Failed) -> None:
        services = self._services
        if not failure.in_time:
            count_cut(services.metrics, HANDSHAKE)
        services.counts.of_host(self._host).failed_handshake()
        _, who = read_peer(self._address)
        name = (self._server_name or "")[:MAX_TEXT]
        about = {"client": self._address, "detail": failure.detail[:MAX_TEXT], **failure.certificate}
        services.failures.tell(services.reactor, services.log, who, {"server_name": name, **about})
        refusal = {"host": name, "reason": "handshake_failed", **about}
        services.refusals.note(self._strand.reactor.now(), services.clock(), refusal)

    async def _shake_hands(self) -> Secured:
        limits, deadline = self._services.holder.current.limits, self._deadline
        hello = await self._hello(deadline)
        if limits.handshakes_per_address:
            self._choose(hello, self._services.holder.current)  # what leads nowhere takes nobody's turn
            await self._take_turn(limits.handshakes_per_address)
        try:
            await self._strand.reactor.turnstile.enter(self._strand, deadline, "handshake")
        except Expired:
            raise _Failed("too many handshakes were before it", in_time=False) from None
        snapshot = self._services.holder.current
        site = self._choose(hello, snapshot)
        stream = stream_class()(
            self._sock, self._readiness, site.host.context, record_octets=limits.tls_record_size
        )
        try:
            await stream.handshake(self._strand, deadline)
        except StreamBroken as error:
            raise _broken(stream, str(error)) from None
        except Expired:
            raise _Failed("the handshake took too long", in_time=False) from None
        secured = self._settle(stream, site, snapshot)
        if secured.tls.resumed and limits.handshakes_per_address:
            # Which it would be could not be told before, and it costs no private key.
            self._services.handshakes.give_back(read_peer(self._address)[1], limits.handshakes_per_address)
        return secured

    async def _take_turn(self, a_second: int) -> None:
        """Let no address have more handshakes than that: wait, before any key is touched, or give up."""
        services, reactor = self._services, self._strand.reactor
        now = reactor.now()
        ahead = services.handshakes.turn(read_peer(self._address)[1], a_second, now, self._deadline - now)
        if ahead is None:
            # Nor is there any answer: to wait for it to be read would hold one more descriptor.
            self._lets_arrive = False
            services.metrics.cell(CUT, HANDSHAKES_PER_ADDRESS).value += 1
            raise _Failed("too many handshakes from this address")
        if not ahead:
            return
        with suppress(Expired):
            while reactor.now() < now + ahead:
                await self._strand.parked(now + ahead, "turn")
        if has_ended(self._sock):
            raise _Failed("the client left while it waited for its turn")

    async def let_alert_arrive(self) -> None:
        """Take what a refused client still sends: octets left unread turn our alert into a reset."""
        if not self._lets_arrive:
            return
        deadline = self._strand.reactor.now() + _LINGER_SECONDS
        taken = 0
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            while taken < _LINGER_OCTETS:
                try:
                    octets = self._sock.recv(_READ_OCTETS)
                except BlockingIOError:
                    self._readiness.want_read()
                    await self._strand.parked(deadline, "linger")
                    continue
                if not octets:
                    return
                taken += len(octets)

    async def _hello(self, deadline: float) -> ClientHello:
        try:
            return await peek_client_hello(self._sock, self._readiness, self._strand, deadline)
        except ClientHelloError as error:
            if self._looks_like_http():
                refuse_in_clear(self._sock, _PLAIN_HTTP)
                raise _Failed("plain HTTP on a TLS port") from None
            is_proxy_header = self._looks_like_proxy_header()
            refuse_with_alert(self._sock, error.alert)
            raise _Failed(_UNASKED_PROXY_HEADER if is_proxy_header else str(error)) from None
        except StreamBroken as error:
            raise _Failed(str(error), is_absence=True) from None
        except Expired:
            raise _Failed("no ClientHello in time", in_time=False) from None

    def _choose(self, hello: ClientHello, snapshot: Snapshot) -> Site:
        """Find the host, before any key is touched."""
        self._server_name = hello.server_name
        site = snapshot.site_for_server_name(hello.server_name)
        if site is None:
            refuse_with_alert(self._sock, UNRECOGNIZED_NAME)
            raise _Failed("no host of that name" if hello.server_name else "no server name")
        self._host = site.host.name
        if hello.alpn is not None and ALPN_HTTP_1_1 not in hello.alpn:
            refuse_with_alert(self._sock, NO_APPLICATION_PROTOCOL)
            raise _Failed("the client offers no http/1.1 in ALPN")
        return site

    def _settle(self, stream: TlsStream, site: Site, snapshot: Snapshot) -> Secured:
        """Take down what the handshake proved."""
        tls = TlsFacts(stream.version, stream.cipher, stream.resumed, self._server_name)
        own = stream.server_name
        # A TLS 1.2 session keeps no server name of its own; its ticket opens only with this host's keys.
        resumed_without_name = own is None and tls.resumed and tls.version != "TLSv1.3"
        if own != self._server_name and not resumed_without_name:
            # OpenSSL read another name than the one the context was chosen by: two readings, no answer.
            raise _Failed("the server name changed during the handshake")
        verifier = site.host.verifier
        verification = None
        if verifier is not None:
            verification = verifier.conclude(
                stream,
                self._services.memory,
                self._services.hints,
                self._services.clock(),
            )
        return Secured(stream, tls, snapshot, site, self._server_name, verification)

    def _looks_like_proxy_header(self) -> bool:
        try:
            return may_be_proxy_header(self._sock.recv(_READ_OCTETS, socket.MSG_PEEK))
        except OSError:
            return False

    def _looks_like_http(self) -> bool:
        try:
            return self._sock.recv(4, socket.MSG_PEEK) in _PLAIN_HTTP_BEGINNINGS
        except OSError:
            return False


def _broken(stream: TlsStream, reason: str) -> _Failed:
    """Tell why OpenSSL ended it; on a host that requires a certificate the verifier knows more."""
    refused = stream.log.refused
    if refused is None:
        return _Failed(reason)
    text, certificate = refused
    try:
        fields = certificate_fields(read_der(certificate))
    except UnreadableCertificate:
        fields = {}
    return _Failed(f"certificate verify failed: {text}", fields)
