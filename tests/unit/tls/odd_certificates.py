"""Certificates that no library makes: cut open, changed and signed again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from tests.certificates import Authority, Credential
from tests.x509_version1 import _content, _elements, _tagged

_EXTENSIONS_TAG = 0xA3
_ECDSA_WITH_SHA1 = bytes.fromhex("300906072a8648ce3d0401")
"""RFC 3279 2.2.3: the AlgorithmIdentifier."""
Edit = Callable[[list[bytes]], list[bytes]]


def signed_again(certificate: x509.Certificate, authority: Authority, edit: Edit) -> bytes:
    """Return the DER of the certificate with the elements of its body edited, signed by the authority."""
    key = authority.signer.key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    body = _tagged(0x30, b"".join(edit(_elements(_content(certificate.tbs_certificate_bytes)))))
    _, algorithm, _ = _elements(_content(certificate.public_bytes(serialization.Encoding.DER)))
    signature = _tagged(0x03, b"\0" + key.sign(body, ec.ECDSA(hashes.SHA256())))
    return _tagged(0x30, body + algorithm + signature)


def signed_with_sha1(credential: Credential, authority: Authority) -> Credential:
    """Return the credential with a signature of the authority that is too weak to prove anything."""
    key = authority.signer.key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    parts = _elements(_content(credential.certificate.tbs_certificate_bytes))
    body = _tagged(0x30, b"".join([*parts[:2], _ECDSA_WITH_SHA1, *parts[3:]]))
    digest = hashlib.sha1(body, usedforsecurity=False).digest()
    signature = _tagged(0x03, b"\0" + key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA1()))))
    certificate = x509.load_der_x509_certificate(_tagged(0x30, body + _ECDSA_WITH_SHA1 + signature))
    return replace(credential, certificate=certificate)


def with_version(number: int) -> Edit:
    """Claim another version: 0 is v1, 2 is v3."""
    return lambda parts: [_tagged(0xA0, bytes((2, 1, number))), *parts[1:]]


def with_serial(octets: bytes) -> Edit:
    """Give another serial number, as the octets of an INTEGER."""
    return lambda parts: [parts[0], _tagged(0x02, octets), *parts[2:]]


def with_subject(name: bytes) -> Edit:
    """Give another subject, as the DER of a Name."""
    return lambda parts: [*parts[:5], name, *parts[6:]]


def with_issuer(name: bytes) -> Edit:
    """Give another issuer, as the DER of a Name."""
    return lambda parts: [*parts[:3], name, *parts[4:]]


def with_duplicate_extension(parts: list[bytes]) -> list[bytes]:
    """Let the first extension come twice."""
    extensions = _elements(_content(_content(parts[-1])))
    return [*parts[:-1], _tagged(_EXTENSIONS_TAG, _tagged(0x30, b"".join([*extensions, extensions[0]])))]


def with_extension(octets: bytes) -> Edit:
    """Add an extension, as DER."""

    def edit(parts: list[bytes]) -> list[bytes]:
        extensions = _elements(_content(_content(parts[-1])))
        return [*parts[:-1], _tagged(_EXTENSIONS_TAG, _tagged(0x30, b"".join([*extensions, octets])))]

    return edit
