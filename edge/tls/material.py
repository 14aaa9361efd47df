"""Certificates and keys in OpenSSL's own form: converted once, however many contexts they go into.

pyOpenSSL converts at each use, by writing DER and letting OpenSSL parse it. That takes as long as
making a context, and one context needs it for its certificate, its key and each of its CAs: at ten
thousand hosts it was most of the start. What is called here is what pyOpenSSL calls after converting.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from OpenSSL import SSL, crypto
from OpenSSL._util import exception_from_error_queue as _raise_from_error_queue
from OpenSSL._util import lib as _lib

_KEPT = 256
"""Hosts that share a certificate, a key or a CA are most often listed one after the other."""


@lru_cache(_KEPT)
def openssl_certificate(certificate: x509.Certificate) -> crypto.X509:
    """Return the certificate as OpenSSL has it. Whoever gets it must not change it."""
    return crypto.X509.from_cryptography(certificate)


@lru_cache(_KEPT)
def _openssl_key(key: PrivateKeyTypes) -> crypto.PKey:
    return crypto.PKey.from_cryptography_key(key)  # type: ignore[arg-type]  # it raises TypeError for others


def forget_material() -> None:
    """Let go of what was converted; contexts and stores keep what they have."""
    openssl_certificate.cache_clear()
    _openssl_key.cache_clear()


def use_certificate(context: SSL.Context, certificate: x509.Certificate) -> None:
    """Show this certificate to peers. Raises ``SSL.Error``."""
    _judge(_lib.SSL_CTX_use_certificate(context._context, openssl_certificate(certificate)._x509))  # noqa: SLF001


def add_to_chain(context: SSL.Context, intermediate: x509.Certificate) -> None:
    """Send this intermediate after the certificate. Raises ``SSL.Error``."""
    converted = openssl_certificate(intermediate)._x509  # noqa: SLF001
    _lib.X509_up_ref(converted)  # the context takes over one reference
    if _lib.SSL_CTX_add_extra_chain_cert(context._context, converted) != 1:  # noqa: SLF001
        _lib.X509_free(converted)
        _raise_from_error_queue(SSL.Error)


def use_private_key(context: SSL.Context, key: PrivateKeyTypes) -> None:
    """Sign with this key. Raises ``SSL.Error``, or ``TypeError`` for a kind that OpenSSL does not take."""
    _judge(_lib.SSL_CTX_use_PrivateKey(context._context, _openssl_key(key)._pkey))  # noqa: SLF001


def add_client_ca(context: SSL.Context, ca: x509.Certificate) -> None:
    """Trust this CA, and tell clients its name. Raises ``SSL.Error`` or ``crypto.Error``."""
    store = context.get_cert_store()
    if store is None:  # pragma: no cover - only if OpenSSL ran out of memory
        raise TypeError("the context has no certificate store")
    converted = openssl_certificate(ca)
    store.add_cert(converted)
    _judge(_lib.SSL_CTX_add_client_CA(context._context, converted._x509))  # noqa: SLF001


def _judge(result: int) -> None:
    if result != 1:
        _raise_from_error_queue(SSL.Error)
