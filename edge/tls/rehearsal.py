"""One connection from hello to close in memory, to see whether a kind of stream works on this machine.

``direct`` relies on names that are private to other packages. That they exist does not mean that they
still do the same. What is tried here is what the edge's judgement rests on: the verifier's words, the
fingerprint of what was presented, and that every octet arrives.
"""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import closing
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from edge.reactor.readiness import Readiness
from edge.reactor.stream import StreamBroken
from edge.tls.context import ClientCertificateMode, server_context
from edge.tls.stream import Progress, TlsStream

_STEPS = 16
_BODY = os.urandom(1 << 12) * 10
"""More than two records."""


def rehearse(kind: type[TlsStream]) -> bool:
    """Tell whether streams of this class do what they should. Never raises."""
    try:
        believed, stranger = _Credential("believed"), _Credential("stranger")
        return (
            _verifies(kind, believed, believed)
            and not _verifies(kind, believed, stranger)
            and _is_refused(kind, believed, stranger)
        )
    except Exception:  # noqa: BLE001 - whatever it is: this kind of stream is not to be relied on
        return False


class _Credential:
    """A key and a certificate that signs itself, good for a moment."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        # The verifier compares with the real clock, so this is no place for a given time.
        now = datetime.now(UTC)  # noqa: TID251
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )


class _Ends:
    """Both ends of one connection: the server believes ``own``, the client shows ``shown``."""

    def __init__(
        self, kind: type[TlsStream], own: _Credential, shown: _Credential, mode: ClientCertificateMode
    ) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.use_certificate(shown.certificate)
        context.use_privatekey(shown.key)
        server = server_context([own.certificate], own.key, [own.certificate], mode, b"rehearsal")
        self._sockets = socket.socketpair()
        for sock in self._sockets:
            sock.setblocking(False)
        nobody = object.__new__(Readiness)  # without a poll: nothing waits here
        self.server = kind(self._sockets[0], nobody, server)
        self.client = kind(self._sockets[1], nobody, context, as_client=True)

    def shake_hands(self) -> bool:
        """Return whether both ends came to an end of it. Raises ``StreamBroken``."""
        client = server = Progress.WANTS_READ
        for _ in range(_STEPS):
            if client is not Progress.DONE:
                client = self.client._shake_hands()  # noqa: SLF001 - what ``handshake`` does, without a loop
            if server is not Progress.DONE:
                server = self.server._shake_hands()  # noqa: SLF001
        return client is server is Progress.DONE

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()


def _verifies(kind: type[TlsStream], own: _Credential, shown: _Credential) -> bool:
    """Tell whether the certificate counts as verified; raises where anything is not as it should be."""
    with closing(_Ends(kind, own, shown, ClientCertificateMode.REQUEST)) as ends:
        _expect(ends.shake_hands())
        _expect(ends.server.try_read() is None)
        fingerprint = hashlib.sha256(shown.certificate.public_bytes(Encoding.DER)).digest()
        _expect(ends.server.peer_sha256() == fingerprint)
        _expect(_carried(ends.client, ends.server, b"ping") == b"ping")
        _expect(_carried(ends.server, ends.client, memoryview(_BODY)) == _BODY)
        _expect(ends.client.try_write(b"shared") > 0)
        _expect(bytes(ends.server.try_read_shared(4) or b"") == b"shar")
        _expect(bytes(ends.server.try_read_shared(4) or b"") == b"ed")
        _expect(ends.server.try_read_shared(4) is None)
        ends.client.end()
        _expect(ends.server.try_read() == b"")
        log = ends.server.log
        _expect(log.verified or bool(log.errors))
        return log.verified


def _is_refused(kind: type[TlsStream], own: _Credential, shown: _Credential) -> bool:
    with closing(_Ends(kind, own, shown, ClientCertificateMode.REQUIRE)) as ends:
        try:
            ends.shake_hands()
        except StreamBroken:
            return ends.server.log.refused is not None
        return False


def _carried(source: TlsStream, target: TlsStream, octets: bytes | memoryview) -> bytes:
    arrived = b""
    sent = 0
    for _ in range(_STEPS):
        if sent < len(octets):
            sent += source.try_write(octets[sent:])
        arrived += target.try_read() or b""
    return arrived


def _expect(condition: bool) -> None:
    if not condition:
        raise StreamBroken("not as it should be")
