"""TLS on a non-blocking socket: OpenSSL reads and writes the descriptor itself (socket BIO).

States of a stream; there is no way back:

    new --handshake--> open --close_notify or end--> ended
     |                   |
     +------ error ------+--> broken        (the connection object may not be used again)
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum

from OpenSSL import SSL, crypto

from edge.reactor.readiness import Readiness
from edge.reactor.strand import Strand
from edge.reactor.stream import StreamBroken, unacknowledged
from edge.tls import openssl
from edge.tls.context import VerifyLog, limit_steps
from edge.tls.errors import reason_of

READ_OCTETS = 16384
"""The most that a record holds, and SSL_read gives one record at most: after a read nothing is left that was
decrypted already, so whatever comes next makes the descriptor readable."""


class Progress(Enum):
    """How far a step of the handshake came."""

    DONE = 1
    WANTS_READ = 2
    WANTS_WRITE = 3


class TlsStream:
    """One TLS connection; implements ``edge.reactor.stream.Stream``.

    This class speaks to OpenSSL by pyOpenSSL's public methods alone. ``direct`` has a faster one of the same
    behaviour, and ``choice`` says which of the two is used.
    """

    __slots__ = (
        "_as_client",
        "_connection",
        "_record_octets",
        "log",
        "readiness",
        "sock",
        "want_read",
        "want_write",
    )

    def __init__(
        self,
        sock: socket.socket,
        readiness: Readiness,
        context: SSL.Context,
        *,
        server_name: str | None = None,
        as_client: bool = False,
        record_octets: int = 16384,
    ) -> None:
        self.sock = sock
        self.readiness = readiness
        self.want_read: Callable[[], None] = readiness.want_read
        """See ``Stream``."""
        self.want_write: Callable[[], None] = readiness.want_write
        """See ``Stream``."""
        self.log = VerifyLog()
        self._as_client = as_client
        self._record_octets = record_octets
        self._connection = SSL.Connection(context, sock)
        self._connection.set_app_data(self.log)
        if as_client:
            self._connection.set_connect_state()
            if server_name is not None:
                self._connection.set_tlsext_host_name(server_name.encode("ascii"))
        else:
            self._connection.set_accept_state()

    @property
    def connection(self) -> SSL.Connection:
        """The connection object, for the other modules of this room."""
        return self._connection

    async def handshake(self, strand: Strand, deadline: float, what: str = "handshake") -> None:
        """Shake hands. Raises ``StreamBroken`` with OpenSSL's reason and ``Expired(what)``."""
        while True:
            progress = self._shake_hands()
            if progress is Progress.DONE:
                return
            if progress is Progress.WANTS_READ:
                self.readiness.want_read()
            else:
                self.readiness.want_write()
            await strand.parked(deadline, what)

    def _shake_hands(self) -> Progress:
        """Go on with the handshake as far as octets are there. Raises ``StreamBroken``."""
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return Progress.WANTS_READ
        except SSL.WantWriteError:
            return Progress.WANTS_WRITE
        except SSL.Error as error:
            raise StreamBroken(reason_of(error)) from None
        limit_steps(self._connection)
        return Progress.DONE

    def try_read(self) -> bytes | None:
        """See ``Stream``.

        From a client a missing close_notify is an end too: its framing tells whether that came too early.
        """
        self.log.steps = 0
        try:
            return self._connection.recv(READ_OCTETS)
        except SSL.Error as error:
            return self._nothing_read(error)

    def try_read_shared(self, most: int) -> bytes | memoryview | None:
        """See ``Stream``. What is left of a record for want of room does not make the descriptor readable."""
        self.log.steps = 0
        try:
            return self._connection.recv(min(most, READ_OCTETS))
        except SSL.Error as error:
            return self._nothing_read(error)

    def _nothing_read(self, error: SSL.Error) -> bytes | None:
        """Say what it means that a read brought no octets. Raises ``StreamBroken``."""
        if isinstance(error, SSL.WantReadError):
            return None
        if isinstance(error, SSL.WantWriteError):  # answering a key update while the socket is full
            self.readiness.want_write()
            return None
        if isinstance(error, SSL.ZeroReturnError):
            return b""
        if isinstance(error, SSL.SysCallError) and not self._as_client:
            return b""
        # RFC 9112 9.8: an answer that ends with its connection must not be cut on the way.
        raise StreamBroken(reason_of(error)) from None

    def try_write(self, octets: bytes | memoryview) -> int:
        """See ``Stream``. One record a call at most."""
        total = 0
        record = self._record_octets
        try:
            while total < len(octets):
                total += self._connection.send(octets[total : total + record])
        except (SSL.WantWriteError, SSL.WantReadError):
            return total
        except SSL.Error as error:
            raise StreamBroken(reason_of(error)) from None
        return total

    def is_silent(self) -> bool:
        """See ``Stream``. A session ticket is no answer, so what has arrived must be read."""
        try:
            return self.try_read() is None
        except StreamBroken:
            return False

    def end(self) -> None:
        """Say close_notify, once, if the socket takes it at once; then no more is written."""
        with suppress(SSL.Error):
            self._connection.shutdown()
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def unacknowledged(self) -> int:
        """Return how many octets, as they are on the wire, the peer has not taken yet."""
        return unacknowledged(self.sock)

    def peer_has_left(self) -> bool:
        """Tell whether the other side closed its socket; half-closing TLS alone does not count.

        Only for after the end of TLS: what comes behind it is thrown away, or it would wake us for ever.
        """
        try:
            return self.sock.recv(READ_OCTETS) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        """See ``Stream``."""
        self.readiness.close()
        self.sock.close()

    @property
    def server_name(self) -> str | None:
        """The name OpenSSL itself read from the hello; None on a resumed TLS 1.2 session without one."""
        name = self._connection.get_servername()
        return None if name is None else name.decode("ascii", "backslashreplace")

    @property
    def version(self) -> str:
        """The protocol version, e.g. ``TLSv1.3``."""
        return self._connection.get_protocol_version_name()

    @property
    def cipher(self) -> str:
        """The cipher suite's OpenSSL name."""
        return self._connection.get_cipher_name() or ""

    @property
    def resumed(self) -> bool:
        """Whether a session was resumed."""
        return openssl.session_reused(self._connection)

    def peer_sha256(self) -> bytes | None:
        """Return the fingerprint of the certificate that was presented; None if there was none."""
        certificate = self.peer_der()
        return None if certificate is None else hashlib.sha256(certificate).digest()

    def peer_der(self) -> bytes | None:
        """Return the certificate that was presented; None if there was none."""
        certificate = self._connection.get_peer_certificate()
        return None if certificate is None else crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)

    def verified_path(self) -> Sequence[crypto.X509]:
        """Return the path that OpenSSL found in this handshake, leaf first; none if it resumed a session."""
        return self._connection.get_verified_chain() or ()
