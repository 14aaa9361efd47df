"""A TLS client that does what a polite one would not: to try a server out, not to talk to an origin.

The engine works on memory. This file moves its octets to a socket, and may cut the first flight into
tiny records or segments on the way, name any host, take a session up where it does not belong, and
begin a renegotiation. Every wait has a deadline, and what a server may send has a bound: the server is
not trusted.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

import service_identity
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from OpenSSL import SSL, crypto
from OpenSSL._util import lib as _lib
from service_identity.pyopenssl import verify_hostname, verify_ip_address

from edge.model.hostname import is_ip_literal
from edge.tls.context import ALPN_HTTP_1_1
from edge.tls.errors import reason_of
from edge.tls.openssl import session_reused

MOST_RECEIVED = 2 * 1024 * 1024
"""Octets of TLS that one connection takes from a server; whatever is more is not read."""
_CHUNK = 65536
_HANDSHAKE_RECORD = 22
_SEGMENT_PAUSE_SECONDS = 0.0005
"""Long enough for the other side to read one segment before the next comes, mostly."""


class TlsRefused(Exception):
    """The server ended it, with an alert or without one. ``str`` is OpenSSL's text, or what happened."""


class Version(Enum):
    """A protocol version, and no other."""

    TLS_1_2 = SSL.TLS1_2_VERSION
    TLS_1_3 = SSL.TLS1_3_VERSION


class FirstFlight(Enum):
    """How the ClientHello travels."""

    WHOLE = "in one record"
    TINY_RECORDS = "in TLS records of one octet"
    TINY_SEGMENTS = "in TCP segments of one octet"
    EMPTY_RECORD_FIRST = "behind an empty record"


@dataclass(frozen=True, slots=True)
class ClientIdentity:
    """A certificate, its key, and the intermediates that are sent along."""

    certificate: x509.Certificate
    key: PrivateKeyTypes = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True, slots=True)
class SavedSession:
    """A session, with the context that OpenSSL wants it to be taken up in."""

    session: SSL.Session
    context: SSL.Context

    @property
    def max_early_data(self) -> int:
        """How many octets of early data (RFC 8446 4.2.10) the server offered to take with it."""
        return int(_lib.SSL_SESSION_get_max_early_data(self.session._session))  # noqa: SLF001


@dataclass(frozen=True, slots=True)
class Hello:
    """What a client says in its handshake."""

    server_name: bytes | None
    """None sends no server name at all."""
    identity: ClientIdentity | None = None
    version: Version | None = None
    alpn: Sequence[bytes] = (ALPN_HTTP_1_1,)
    """Empty: no ALPN."""
    first_flight: FirstFlight = FirstFlight.WHOLE
    tickets: bool = True
    session: SavedSession | None = None
    """Taken up with the ALPN, the versions and the certificate of the connection that made it."""


class RawClient:
    """One connection over a connected socket, which it owns. ``deadline`` is on the monotonic clock."""

    def __init__(
        self,
        sock: socket.socket,
        hello: Hello,
        deadline: float,
        trust: Sequence[x509.Certificate] | None = None,
    ) -> None:
        """``trust`` None: the server's certificate is not judged."""
        self.deadline = deadline
        self._sock = sock
        self._first_flight: FirstFlight | None = hello.first_flight
        self._context = hello.session.context if hello.session else _context(hello, trust)
        self._tls = SSL.Connection(self._context, None)
        self._tls.set_connect_state()
        if hello.session is not None:
            self._tls.set_session(hello.session.session)
        if hello.server_name is not None:
            self._tls.set_tlsext_host_name(hello.server_name)
        self._received = 0

    def shake_hands(self) -> None:
        """Raise ``TlsRefused`` or ``TimeoutError``.

        With TLS 1.3 the refusal of a client's certificate comes only at the next read.
        """
        while True:
            try:
                self._tls.do_handshake()
            except SSL.WantReadError:
                self._write()
                if not self._feed():
                    raise TlsRefused("the connection was closed in the handshake") from None
            except SSL.Error as error:
                raise TlsRefused(reason_of(error)) from None
            else:
                self._write()
                return

    def send(self, octets: bytes) -> None:
        """Send octets inside TLS. Raises ``TlsRefused`` or ``TimeoutError``."""
        try:
            while octets:
                octets = octets[self._tls.send(octets[:16384]) :]
                self._write()
        except SSL.Error as error:
            raise TlsRefused(reason_of(error)) from None

    def read(self) -> bytes:
        """Read some octets; empty when the server closed. Raises ``TlsRefused`` or ``TimeoutError``."""
        while True:
            try:
                return self._tls.recv(_CHUNK)
            except SSL.WantReadError:
                self._write()
                if not self._feed():
                    return b""
            except (SSL.ZeroReturnError, SSL.SysCallError):
                return b""
            except SSL.Error as error:
                raise TlsRefused(reason_of(error)) from None

    def renegotiate(self) -> bool:
        """Ask for another handshake below TLS 1.3; tell whether the server did it.

        Raises ``TlsRefused`` or ``TimeoutError``.
        """
        done_before = self._tls.total_renegotiations()
        try:
            self._tls.renegotiate()
        except SSL.Error as error:
            raise TlsRefused(reason_of(error)) from None
        self.shake_hands()
        return self._tls.total_renegotiations() > done_before and not self._tls.renegotiate_pending()

    def check_name(self, name: str) -> None:
        """Hold the server's certificate against a canonical host (RFC 9525). Raises ``TlsRefused``."""
        try:
            (verify_ip_address if is_ip_literal(name) else verify_hostname)(self._tls, name)
        except (service_identity.VerificationError, service_identity.CertificateError):
            raise TlsRefused(f"the server's certificate is not for {name}") from None

    @property
    def resumed(self) -> bool:
        """Whether the server took the session up."""
        return session_reused(self._tls)

    @property
    def protocol(self) -> bytes:
        """What ALPN agreed on, or nothing."""
        return self._tls.get_alpn_proto_negotiated()

    @property
    def session(self) -> SavedSession | None:
        """The session as it stands; with TLS 1.3 it comes with the first octets the server sends."""
        session = self._tls.get_session()
        return None if session is None else SavedSession(session, self._context)

    def close(self) -> None:
        """Say goodbye and close. Libraries forget the session of a connection that ended without it."""
        with contextlib.suppress(SSL.Error, TimeoutError):
            self._tls.shutdown()
            self._write()
        self._tls.set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)
        self._sock.close()

    def _write(self) -> None:
        try:
            octets = self._tls.bio_read(1 << 20)
        except SSL.WantReadError:
            return
        first, self._first_flight = self._first_flight, None
        pause = 0.0
        pieces = [octets]
        if first is FirstFlight.TINY_RECORDS:
            pieces = [_in_records_of_one_octet(octets)]
        elif first is FirstFlight.EMPTY_RECORD_FIRST:
            pieces = [b"\x16\x03\x01\x00\x00" + octets]
        elif first is FirstFlight.TINY_SEGMENTS:
            pieces, pause = [octets[at : at + 1] for at in range(len(octets))], _SEGMENT_PAUSE_SECONDS
        for piece in pieces:
            self._send_all(piece)
            if pause:
                time.sleep(pause)

    def _send_all(self, octets: bytes) -> None:
        self._sock.settimeout(self._time_left())
        try:
            self._sock.sendall(octets)
        except TimeoutError:
            raise
        except OSError:
            pass  # refused in the middle of our flight: what the server said before is still to be read

    def _feed(self) -> bool:
        """Move what came to the engine; False at the end."""
        if self._received > MOST_RECEIVED:
            raise TlsRefused(f"the server sent more than {MOST_RECEIVED} octets")
        self._sock.settimeout(self._time_left())
        try:
            octets = self._sock.recv(_CHUNK)
        except TimeoutError:
            raise
        except OSError:
            return False
        self._received += len(octets)
        if octets:
            self._tls.bio_write(octets)
        return bool(octets)

    def _time_left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline passed")
        return left


def _context(hello: Hello, trust: Sequence[x509.Certificate] | None) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    # Whether a server lets weak things through is seen only by a client that offers them.
    context.set_cipher_list(b"DEFAULT:@SECLEVEL=0")
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)  # else the library spends a TLS 1.3 session at once
    context.set_verify(SSL.VERIFY_NONE if trust is None else SSL.VERIFY_PEER)
    if not hello.tickets:
        context.set_options(SSL.OP_NO_TICKET)
    if hello.version is not None:
        context.set_min_proto_version(hello.version.value)
        context.set_max_proto_version(hello.version.value)
    if hello.alpn:
        context.set_alpn_protos(list(hello.alpn))
    store = context.get_cert_store()
    for certificate in trust or ():
        if store is not None:
            store.add_cert(crypto.X509.from_cryptography(certificate))
    if hello.identity is not None:
        context.use_certificate(hello.identity.certificate)
        context.use_privatekey(hello.identity.key)  # type: ignore[arg-type]  # OpenSSL checks the type
        for intermediate in hello.identity.chain:
            context.add_extra_chain_cert(intermediate)
    return context


def _in_records_of_one_octet(octets: bytes) -> bytes:
    cut = b""
    while octets:
        kind, version, length = octets[0], octets[1:3], int.from_bytes(octets[3:5])
        content, octets = octets[5 : 5 + length], octets[5 + length :]
        step = 1 if kind == _HANDSHAKE_RECORD else max(length, 1)
        for start in range(0, length, step):
            piece = content[start : start + step]
            cut += bytes([kind]) + version + len(piece).to_bytes(2) + piece
    return cut
