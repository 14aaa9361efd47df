"""Real TLS between two connection objects, in memory: no socket, no clock, no thread."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from OpenSSL import SSL

from edge.tls.context import ClientCertificateMode, VerifyLog, server_context
from edge.tls.stream import TlsStream
from edge.trust.ca_bundle import CaBundle, combine, read_ca_entry
from tests.certificates import Authority, Credential

SESSION_ID = b"a host of its own".ljust(32)


@dataclass(frozen=True, slots=True)
class Pair:
    """The two ends after the handshake, and what the server's verifier told."""

    server: SSL.Connection
    client: SSL.Connection
    log: VerifyLog

    @property
    def stream(self) -> TlsStream:
        """The server's end as a stream, to be asked what the handshake proved."""
        return _Finished(self.server, self.log)

    @property
    def session(self) -> SSL.Session:
        """The session the server offers for the next time."""
        # OpenSSL spoils the session of a connection that is freed before it was shut down.
        self.client.set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)
        session = self.client.get_session()
        assert session is not None
        return session


class _Finished(TlsStream):
    """A stream over a connection that has shaken hands elsewhere."""

    def __init__(self, connection: SSL.Connection, log: VerifyLog) -> None:
        self._connection = connection
        self.log = log


def bundle_of(*authorities: Authority) -> CaBundle:
    """The client CAs of a host."""
    return combine(
        tuple(read_ca_entry(f"CA {n}", authority.bundle) for n, authority in enumerate(authorities))
    )


def host_context(
    server: Credential,
    bundle: CaBundle | None,
    mode: ClientCertificateMode = ClientCertificateMode.REQUEST,
    session_id: bytes = SESSION_ID,
) -> SSL.Context:
    """The context of a host; without a bundle it asks for no certificate."""
    if bundle is None:
        mode = ClientCertificateMode.OFF
    cas = bundle.certificates if bundle else ()
    return server_context([server.certificate, *server.chain], server.key, cas, mode, session_id)


def client_context(credential: Credential | None = None, *, version: int = 0) -> SSL.Context:
    """A client that believes every server, and shows weak certificates too. ``version`` is the highest."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    if version:
        context.set_max_proto_version(version)
    if credential is not None:
        context.use_certificate(credential.certificate)
        context.use_privatekey(credential.key)
        for intermediate in credential.chain:
            context.add_extra_chain_cert(intermediate)
    return context


def shake_hands(
    server_side: SSL.Context,
    client_side: SSL.Context,
    *,
    name: str | None = "a.test",
    alpn: tuple[bytes, ...] = (),
    session: SSL.Session | None = None,
) -> Pair:
    """Shake hands, and let the server say one octet, so that its tickets arrive. Raises ``SSL.Error``."""
    pair = Pair(SSL.Connection(server_side, None), SSL.Connection(client_side, None), VerifyLog())
    pair.server.set_app_data(pair.log)
    pair.server.set_accept_state()
    pair.client.set_connect_state()
    if name is not None:
        pair.client.set_tlsext_host_name(name.encode("ascii"))
    if alpn:
        pair.client.set_alpn_protos(list(alpn))
    if session is not None:
        pair.client.set_session(session)
    for _ in range(4):
        for end in (pair.client, pair.server):
            with suppress(SSL.WantReadError):
                end.do_handshake()
            _carry(pair)
    pair.server.send(b"!")
    _carry(pair)
    assert pair.client.recv(1) == b"!"
    return pair


def _carry(pair: Pair) -> None:
    for source, sink in ((pair.client, pair.server), (pair.server, pair.client)):
        with suppress(SSL.WantReadError):
            while octets := source.bio_read(65536):
                sink.bio_write(octets)
