"""Turn a certificate into an X.509 v1 one, which the library cannot make: DER, cut and signed again."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

_VERSION_TAG, _EXTENSIONS_TAG = 0xA0, 0xA3


def as_version1(
    certificate: x509.Certificate,
    signer: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey,
) -> x509.Certificate:
    """Return the certificate without its version and its extensions, signed by ``signer``."""
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise NotImplementedError("a v1 certificate is signed with an elliptic curve key")
    parts = _elements(_content(certificate.tbs_certificate_bytes))
    body = _tagged(0x30, b"".join(p for p in parts if p[0] not in {_VERSION_TAG, _EXTENSIONS_TAG}))
    _, algorithm, _ = _elements(_content(certificate.public_bytes(serialization.Encoding.DER)))
    signature = _tagged(0x03, b"\x00" + signer.sign(body, ec.ECDSA(hashes.SHA256())))
    return x509.load_der_x509_certificate(_tagged(0x30, body + algorithm + signature))


def _elements(content: bytes) -> list[bytes]:
    elements = []
    while content:
        start, size = _header(content)
        elements.append(content[: start + size])
        content = content[start + size :]
    return elements


def _content(element: bytes) -> bytes:
    return element[_header(element)[0] :]


def _header(element: bytes) -> tuple[int, int]:
    """Return where the content of the first element starts, and its size."""
    if element[1] < 0x80:
        return 2, element[1]
    start = 2 + (element[1] & 0x7F)
    return start, int.from_bytes(element[2:start])


def _tagged(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(octets)]) + octets + content
