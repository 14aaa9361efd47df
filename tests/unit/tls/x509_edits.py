"""Extensions of a certificate taken out, put in, or changed, as octets: what no library would make."""

from __future__ import annotations

import warnings
from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.certificates import Authority, Credential
from tests.unit.tls.odd_certificates import Edit, signed_again
from tests.x509_version1 import _content, _elements, _tagged

_EXTENSIONS_TAG = 0xA3
_CRITICAL = b"\x01\x01\xff"


def oid_der(dotted: str) -> bytes:
    """An object identifier."""
    first, second, *others = map(int, dotted.split("."))
    octets = bytearray()
    for number in (first * 40 + second, *others):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(number & 0x7F | 0x80)
        octets += bytes(reversed(digits))
    return _tagged(0x06, bytes(octets))


def extension(oid: x509.ObjectIdentifier, value: bytes, *, critical: bool = False) -> bytes:
    """An extension; ``value`` is the DER inside of its OCTET STRING."""
    return _tagged(0x30, oid_der(oid.dotted_string) + (_CRITICAL if critical else b"") + _tagged(0x04, value))


def without(*oids: x509.ObjectIdentifier) -> Edit:
    """Leave extensions out."""
    gone = [oid_der(oid.dotted_string) for oid in oids]
    return lambda parts: _with_extensions(
        parts,
        [each for each in _extensions(parts) if not any(_content(each).startswith(oid) for oid in gone)],
    )


def instead(oid: x509.ObjectIdentifier, value: bytes | None, *, critical: bool = False) -> Edit:
    """Put an extension in the place of one of its kind, or at the end; None keeps the value that is there."""
    wanted = oid_der(oid.dotted_string)

    def edit(parts: list[bytes]) -> list[bytes]:
        kept, content = [], value
        for each in _extensions(parts):
            if not _content(each).startswith(wanted):
                kept.append(each)
            elif content is None:
                content = _content(_elements(_content(each))[-1])
        assert content is not None, "there is no such extension"
        return _with_extensions(parts, [*kept, extension(oid, content, critical=critical)])

    return edit


def edited(credential: Credential, issuer: Authority, *edits: Edit) -> Credential:
    """The credential with its certificate edited and signed again by its issuer."""
    certificate = credential.certificate
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a serial number of zero is what a case is about
        for edit in edits:
            certificate = x509.load_der_x509_certificate(signed_again(certificate, issuer, edit))
    return replace(credential, certificate=certificate)


def edited_root(root: Authority, *edits: Edit) -> Authority:
    """The same root with its certificate edited."""
    root.credential = edited(root.credential, root, *edits)
    return root


def edited_intermediate(authority: Authority, above: Authority, *edits: Edit) -> Authority:
    """The same intermediate with its certificate edited."""
    authority.credential = edited(authority.credential, above, *edits)
    return authority


def with_other_signature_algorithm(credential: Credential) -> Credential:
    """Name another algorithm outside of what is signed than inside of it."""
    body, _, signature = _elements(_content(credential.certificate.public_bytes(Encoding.DER)))
    ecdsa_with_sha384 = bytes.fromhex("300a06082a8648ce3d040303")
    octets = _tagged(0x30, body + ecdsa_with_sha384 + signature)
    return replace(credential, certificate=x509.load_der_x509_certificate(octets))


def _extensions(parts: list[bytes]) -> list[bytes]:
    return _elements(_content(_content(parts[-1])))


def _with_extensions(parts: list[bytes], extensions: list[bytes]) -> list[bytes]:
    return [*parts[:-1], _tagged(_EXTENSIONS_TAG, _tagged(0x30, b"".join(extensions)))]
