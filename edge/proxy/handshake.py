"""From an accepted socket to an open TLS connection: hello, host, handshake, record. Or an alert.

The host is chosen from the ClientHello before any key is touched, and OpenSSL must have read the same
name. Every failure is one ``handshake_failed`` event.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass

from edge.model.client_auth import Verification
from edge.proxy.access_log import TlsFacts, certificate_fields
from edge.proxy.services import Services
from edge.reactor.readiness import Readiness
from edge.reactor.strand import Expired, Strand
from edge.reactor.stream import StreamBroken
from edge.snapshot.snapshot import Site, Snapshot
from edge.telemetry.logging import MAX_TEXT
from edge.tls.choice import stream_class
from edge.tls.client_hello import (
    NO_APPLICATION_PROTOCOL,
    UNRECOGNIZED_NAME,
    ClientHello,
    ClientHelloError,
)
from edge.tls.context import ALPN_HTTP_1_1
from edge.tls.stream import TlsStream, peek_client_hello, refuse_in_clear, refuse_with_alert
from edge.trust.certificate import UnreadableCertificate, read_der

_PLAIN_HTTP_TEXT = b"This port speaks TLS; ask with https:// instead\n"
_PLAIN_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_PLAIN_HTTP_TEXT), _PLAIN_HTTP_TEXT)
)
_PLAIN_HTTP_BEGINNINGS = (b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"PATC", b"CONN", b"PRI ")
_LINGER_SECONDS = 2.0
_LINGER_OCTETS = 1 << 20
"""What is still taken from a client whose handshake was refused."""
_READ_OCTETS = 1 << 14


class _Failed(Exception):
    """The handshake ends here; ``certificate`` holds what is known of the one that was refused."""

    def __init__(self, detail: str, certificate: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.certificate = certificate or {}


@dataclass(frozen=True, slots=True)
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

    __slots__ = ("_address", "_host", "_readiness", "_server_name", "_services", "_sock", "_strand")

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

    async def run(self) -> Secured | None:
        """Shake hands on the context of the host that the hello names; None if it failed and was logged."""
        counts, began = self._services.counts, self._strand.reactor.now()
        try:
            secured = await self._shake_hands()
        except _Failed as failure:
            self._tell(failure)
            counts.of_host(self._host).failed_handshake()
            return None
        counts.of_host(self._host).handshake(secured.tls)
        counts.handshake_duration.observe(self._strand.reactor.now() - began)
        return secured

    def _tell(self, failure: _Failed) -> None:
        services, name = self._services, (self._server_name or "")[:MAX_TEXT]
        about = {"client": self._address, "detail": failure.detail[:MAX_TEXT], **failure.certificate}
        services.log.info("handshake_failed", server_name=name, **about)
        moment = self._strand.reactor.now()
        services.refusals.note(
            moment, services.clock(), {"host": name, "reason": "handshake_failed", **about}
        )

    async def _shake_hands(self) -> Secured:
        limits = self._services.holder.current.limits
        deadline = self._strand.reactor.now() + limits.handshake_timeout
        hello = await self._hello(deadline)
        try:
            await self._strand.reactor.turnstile.enter(self._strand, deadline, "handshake")
        except Expired:
            raise _Failed("too many handshakes were before it") from None
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
            raise _Failed("the handshake took too long") from None
        return self._settle(stream, site, snapshot)

    async def let_alert_arrive(self) -> None:
        """Take what a refused client still sends: octets left unread turn our alert into a reset."""
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
            refuse_with_alert(self._sock, error.alert)
            raise _Failed(str(error)) from None
        except StreamBroken as error:
            raise _Failed(str(error)) from None
        except Expired:
            raise _Failed("no ClientHello in time") from None

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
