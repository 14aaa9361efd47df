"""What an origin is told about a verified client, in the words of the systems origins already know.

Built once per certificate and host, not per request. Nothing here is written unless the flag is true.
"""

from __future__ import annotations

import base64
import hashlib
import urllib.parse
from collections.abc import Callable, Collection

from edge.model.client_auth import CertificateFacts, ClientAuth

Header = tuple[bytes, bytes]

_MAX_VALUE_OCTETS = 16384
"""Cloudflare's own limits are of this size; a header that no origin accepts would take the site down."""


def identity_headers(auth: ClientAuth, forms: Collection[str]) -> tuple[Header, ...]:
    """Return ``Mtls-Authenticated`` and, for a verified certificate, the headers of each chosen form."""
    leaf = auth.verified
    if leaf is None:
        return ((b"Mtls-Authenticated", b"false"),)
    headers = [(b"Mtls-Authenticated", b"true")]
    for form in forms:
        headers += _FORMS[form](leaf, auth)
    return tuple(header for header in headers if len(header[1]) <= _MAX_VALUE_OCTETS)


def _cloudflare(leaf: CertificateFacts, _auth: ClientAuth) -> list[Header]:
    return [
        (b"Cf-Client-Cert-Der-Base64", base64.b64encode(leaf.der)),
        (b"Cf-Client-Cert-Sha256", leaf.sha256.hex().encode()),
    ]


def _rfc9440(leaf: CertificateFacts, auth: ClientAuth) -> list[Header]:
    """RFC 9440 2.2 and 2.3: byte sequences of RFC 8941; the chain without leaf and trust anchor."""
    headers = [(b"Client-Cert", _byte_sequence(leaf.der))]
    intermediates = auth.chain[1:-1]
    if intermediates:
        chain = b", ".join(_byte_sequence(certificate.der) for certificate in intermediates)
        headers.append((b"Client-Cert-Chain", chain))
    return headers


def _xfcc(leaf: CertificateFacts, _auth: ClientAuth) -> list[Header]:
    """Envoy's x-forwarded-client-cert; one element, because a client's own is never kept."""
    parts = [
        b"Hash=" + leaf.sha256.hex().encode(),
        b'Cert="' + urllib.parse.quote(_pem(leaf.der), safe="").encode() + b'"',
        b'Subject="' + _quoted(dn_octets(leaf.subject)) + b'"',
    ]
    parts += [b'URI="' + _quoted(dn_octets(uri)) + b'"' for uri in leaf.san_uri]
    parts += [b'DNS="' + _quoted(dn_octets(name)) + b'"' for name in leaf.san_dns]
    return [(b"X-Forwarded-Client-Cert", b";".join(parts))]


def _nginx(leaf: CertificateFacts, _auth: ClientAuth) -> list[Header]:
    """The values of nginx's ssl_client_* variables; its fingerprint is SHA-1."""
    return [
        (b"X-SSL-Client-Verify", b"SUCCESS"),
        (b"X-SSL-Client-S-DN", dn_octets(leaf.subject)),
        (b"X-SSL-Client-I-DN", dn_octets(leaf.issuer)),
        (b"X-SSL-Client-Serial", leaf.serial_hex.encode()),
        (
            b"X-SSL-Client-Fingerprint",
            hashlib.sha1(leaf.der, usedforsecurity=False).hexdigest().encode(),
        ),
    ]


_FORMS: dict[str, Callable[[CertificateFacts, ClientAuth], list[Header]]] = {
    "cloudflare": _cloudflare,
    "rfc9440": _rfc9440,
    "xfcc": _xfcc,
    "nginx": _nginx,
}


def dn_octets(text: str) -> bytes:
    r"""Return a distinguished name as printable ASCII: other octets of its UTF-8 become ``\XX``.

    RFC 4514 2.4 and OpenSSL's RFC2253 form do the same. A line end inside a name must not end a header.
    """
    return b"".join(
        bytes((octet,)) if 0x20 <= octet < 0x7F else b"\\%02X" % octet
        for octet in text.encode("utf-8", "backslashreplace")
    )


def _pem(der: bytes) -> str:
    """RFC 7468 2: lines of exactly 64 characters, which strict readers insist on."""
    text = base64.b64encode(der).decode("ascii")
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def _quoted(text: bytes) -> bytes:
    return text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def _byte_sequence(octets: bytes) -> bytes:
    return b":" + base64.b64encode(octets) + b":"
