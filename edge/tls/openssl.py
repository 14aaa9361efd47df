"""The few things pyOpenSSL can do but does not offer, in one place, checked when it is imported.

These names are private to pyOpenSSL's binding and may vanish with a release of ``cryptography``.
If one is gone the edge must not start: each of them carries a security property.
"""

from __future__ import annotations

from OpenSSL import SSL, crypto
from OpenSSL._util import ffi as _ffi
from OpenSSL._util import lib as _lib

_NEEDED = (
    "SSL_session_reused",
    "X509_STORE_set_purpose",
    "X509_PURPOSE_SSL_CLIENT",
    "X509_verify_cert_error_string",
)
_missing = [name for name in _NEEDED if not hasattr(_lib, name)]
if _missing:
    raise ImportError(
        f"this release of cryptography does not offer {', '.join(_missing)}, which the edge relies on; "
        "install the release that mtls-edge's own metadata asks for"
    )

OP_NO_RX_CERTIFICATE_COMPRESSION = 1 << 33
"""SSL_OP_NO_RX_CERTIFICATE_COMPRESSION of openssl/ssl.h: never unpack what a stranger compressed."""


def session_reused(connection: SSL.Connection) -> bool:
    """Tell whether the handshake resumed a session: nothing was verified in it."""
    return bool(_lib.SSL_session_reused(connection._ssl))  # noqa: SLF001


def require_client_purpose(store: crypto.X509Store) -> None:
    """Let a store verify for the purpose clientAuth, as a handshake does by itself."""
    if _lib.X509_STORE_set_purpose(store._store, _lib.X509_PURPOSE_SSL_CLIENT) != 1:  # noqa: SLF001
        raise RuntimeError("OpenSSL refused to set the purpose of a certificate store")


def verify_strictly(store: crypto.X509Store) -> None:
    """Let what is verified with a store be held to RFC 5280 to the letter, where OpenSSL is lenient.

    Never add POLICY_CHECK: it calls the verify callback without a certificate, and pyOpenSSL takes a
    reference to it all the same. A client's chain would end the process.
    """
    store.set_flags(crypto.X509StoreFlags.X509_STRICT)


def verify_error_text(code: int) -> str:
    """Return OpenSSL's own words for an X509_V_ERR code."""
    return str(_ffi.string(_lib.X509_verify_cert_error_string(code)).decode("utf-8"))


OPENSSL_VERSION = SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode("ascii")
