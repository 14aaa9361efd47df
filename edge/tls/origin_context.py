"""TLS towards an origin: whom it must prove to be, and what the edge shows it."""

from __future__ import annotations

from collections.abc import Sequence

import service_identity
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from OpenSSL import SSL, crypto
from service_identity.pyopenssl import verify_hostname, verify_ip_address

from edge.model.hostname import is_ip_literal
from edge.reactor.stream import StreamBroken
from edge.tls import openssl
from edge.tls.context import ALPN_HTTP_1_1, TlsMaterialError
from edge.tls.errors import reason_of
from edge.tls.stream import TlsStream


def origin_context(
    cas: Sequence[x509.Certificate] | None,
    certificate_chain: Sequence[x509.Certificate],
    private_key: PrivateKeyTypes | None,
    *,
    verify: bool,
) -> SSL.Context:
    """Make the context for one host's origins. ``cas`` None means the system's roots.

    Raises ``TlsMaterialError``.
    """
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(
        SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION | openssl.OP_NO_RX_CERTIFICATE_COMPRESSION
    )
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_alpn_protos([ALPN_HTTP_1_1])
    context.set_verify(SSL.VERIFY_PEER if verify else SSL.VERIFY_NONE)
    try:
        if cas is None:
            context.set_default_verify_paths()
        else:
            store = context.get_cert_store()
            for certificate in cas:
                if store is not None:
                    store.add_cert(crypto.X509.from_cryptography(certificate))
        if private_key is not None:
            context.use_certificate(certificate_chain[0])
            for intermediate in certificate_chain[1:]:
                context.add_extra_chain_cert(intermediate)
            context.use_privatekey(private_key)  # type: ignore[arg-type]  # OpenSSL checks the type
            context.check_privatekey()
    except SSL.Error as error:
        raise TlsMaterialError(reason_of(error)) from None
    return context


def check_origin_name(stream: TlsStream, name: str) -> None:
    """Hold the origin's certificate against the name it was called by (RFC 6125, RFC 9525).

    Raises ``StreamBroken``.
    """
    try:
        if is_ip_literal(name):
            verify_ip_address(stream.connection, name)
        else:
            verify_hostname(stream.connection, name)
    except (service_identity.VerificationError, service_identity.CertificateError) as error:
        raise StreamBroken(f"the origin's certificate is not for {name!r}") from error
