"""Builds the TLS contexts: one per host, complete before its first handshake, never touched again.

A context of its own gives every host its own server certificate, client CAs, ticket keys and
session-id context. Therefore a session of one host cannot be decrypted, let alone resumed, on
another, and workers forked after this can resume each other's sessions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from OpenSSL import SSL, crypto

from edge.tls import openssl
from edge.tls.material import add_client_ca, add_to_chain, use_certificate, use_private_key

TlsContext = SSL.Context
"""What the rooms above carry around without looking into it."""

ALPN_HTTP_1_1 = b"http/1.1"
VERIFY_DEPTH = 4
"""Intermediates between a leaf and its root. Every certificate of a chain costs a signature check, the
junk of a stranger too: at OpenSSL's default of 100, one handshake can take more than a second."""
MAX_STEPS_A_READ = 256
"""Steps of the TLS state machine within one read. A key update takes a few of them, and OpenSSL goes on
reading inside of one call for as long as they come: nothing else would run meanwhile."""
_SESSION_LIFETIME_SECONDS = 7200
"""A ticket older than this means a full handshake; what it proves is judged anew at every request."""


class ClientCertificateMode(Enum):
    """What a host asks of its clients in the handshake."""

    OFF = "off"
    REQUEST = "request"
    """Anything completes the handshake; what was presented is recorded and HTTP answers."""
    REQUIRE = "require"
    """No certificate, or one that does not verify, fails the handshake."""


class TlsMaterialError(ValueError):
    """OpenSSL does not take this certificate, key or CA."""


@dataclass(slots=True)
class VerifyLog:
    """What OpenSSL told about one connection: in the handshake its verifier, later its state machine."""

    calls: int = 0
    leaf_ok: bool = False
    errors: list[tuple[int, int]] = field(default_factory=list)
    """(depth, X509_V_ERR code), in the order they were found."""
    refused: tuple[str, bytes] | None = None
    """OpenSSL's words and the certificate's DER, where a context that enforces ended the handshake."""
    steps: int = 0
    """Steps of the state machine since the last read began, once the handshake is over."""

    @property
    def verified(self) -> bool:
        """A call said yes to the leaf, and none said no to anything, at any depth."""
        return self.leaf_ok and not self.errors


def server_context(
    certificate_chain: Sequence[x509.Certificate],
    private_key: PrivateKeyTypes,
    client_cas: Sequence[x509.Certificate],
    mode: ClientCertificateMode,
    session_id: bytes,
    *,
    strict: bool = False,
) -> SSL.Context:
    """Make the context of one host. Raises ``TlsMaterialError``.

    ``session_id`` is unique to it. ``strict`` is how its clients' chains are verified.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(
        SSL.OP_NO_RENEGOTIATION  # one client, one certificate, for the whole connection
        | SSL.OP_NO_COMPRESSION
        | SSL.OP_CIPHER_SERVER_PREFERENCE
        | openssl.OP_NO_RX_CERTIFICATE_COMPRESSION
    )
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # halves the memory of an idle connection
    # Resumption is by tickets only: the keys live in the context and are inherited by every worker.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(session_id)
    context.set_timeout(_SESSION_LIFETIME_SECONDS)
    context.set_alpn_select_callback(_select_protocol)
    try:
        use_certificate(context, certificate_chain[0])
        for intermediate in certificate_chain[1:]:
            add_to_chain(context, intermediate)
        use_private_key(context, private_key)
        context.check_privatekey()
        _ask_for_certificate(context, client_cas, mode)
        if strict:
            _verify_strictly(context)
    except (SSL.Error, crypto.Error, TypeError) as error:
        raise TlsMaterialError(_reason(error)) from None
    return context


def _ask_for_certificate(
    context: SSL.Context, client_cas: Sequence[x509.Certificate], mode: ClientCertificateMode
) -> None:
    if mode is ClientCertificateMode.OFF:
        context.set_verify(SSL.VERIFY_NONE)
        return
    if not client_cas:
        raise TypeError("a host that asks for a client certificate needs a CA")
    for certificate in client_cas:
        add_client_ca(context, certificate)
    context.set_verify_depth(VERIFY_DEPTH)
    if mode is ClientCertificateMode.REQUIRE:
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _record_and_enforce)
    else:
        context.set_verify(SSL.VERIFY_PEER, _record)


def _verify_strictly(context: SSL.Context) -> None:
    store = context.get_cert_store()
    if store is None:
        raise TypeError("OpenSSL has no store for the CAs of this host")
    openssl.verify_strictly(store)


def limit_steps(connection: SSL.Connection) -> None:
    """After the handshake: end a connection whose peer only keeps the protocol busy (key updates)."""
    connection.set_info_callback(_count_step)


def _count_step(connection: SSL.Connection, _where: int, _code: int) -> None:
    log: VerifyLog = connection.get_app_data()
    log.steps += 1
    if log.steps > MAX_STEPS_A_READ:
        connection.set_shutdown(SSL.RECEIVED_SHUTDOWN)  # the read in progress returns: the end


def note(log: VerifyLog, error: int, depth: int, ok: int) -> None:
    """Take down one call of the verifier."""
    log.calls += 1
    if error or not ok:
        log.errors.append((depth, error))
    elif depth == 0:
        log.leaf_ok = True


def refuse(log: VerifyLog, error: int, certificate: crypto.X509) -> None:
    """Take down what ends the handshake on a host that requires a certificate."""
    octets = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
    log.refused = (openssl.verify_error_text(error), octets)


def _record(connection: SSL.Connection, _x509: crypto.X509, error: int, depth: int, ok: int) -> bool:
    """Write down what the verifier says and let the handshake go on, so that HTTP can answer.

    From here on OpenSSL's own result says "OK": only the log knows better.
    """
    note(connection.get_app_data(), error, depth, ok)
    return True


def _record_and_enforce(
    connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int
) -> bool:
    log: VerifyLog = connection.get_app_data()
    note(log, error, depth, ok)
    if not ok:
        refuse(log, error, certificate)
    return bool(ok)


def _select_protocol(_connection: SSL.Connection, offered: list[bytes]) -> bytes:
    """Choose http/1.1; a hello that offers ALPN without it never gets this far."""
    if ALPN_HTTP_1_1 not in offered:
        raise TlsMaterialError("ALPN without http/1.1 passed the reading of the ClientHello")
    return ALPN_HTTP_1_1


def _reason(error: Exception) -> str:
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else None
    return "; ".join(str(entry[-1]) for entry in reasons) if reasons else str(error)
