"""Certificate revocation lists that no library makes: written octet by octet, and signed.

``by_hand(ca, [entry(5)])`` is a good list; every part of it can be replaced by any other octets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TypedDict, Unpack

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from tests.certificates import Authority, PrivateKey
from tests.crls import moment

AUTHORITY_KEY_ID = "2.5.29.35"
CERTIFICATE_ISSUER = "2.5.29.29"
CRL_NUMBER = "2.5.29.20"
INVALIDITY_DATE = "2.5.29.24"
REASON_CODE = "2.5.29.21"

Digest = hashes.MD5 | hashes.SHA1 | hashes.SHA256
_RSA_ALGORITHMS = {"md5": "1.2.840.113549.1.1.4", "sha1": "1.2.840.113549.1.1.5"}
_RSA_ALGORITHMS["sha256"] = "1.2.840.113549.1.1.11"
_EC_ALGORITHMS = {"sha1": "1.2.840.10045.4.1", "sha256": "1.2.840.10045.4.3.2"}
_ED25519 = "1.3.101.112"


class Parts(TypedDict, total=False):
    """What stands in a list in the place of the usual."""

    version: bytes
    """Default v2; empty for v1."""
    algorithm: bytes
    """The AlgorithmIdentifier; it is the key that decides how the list is signed."""
    issuer: bytes
    this_update: bytes
    next_update: bytes
    """Empty: there is none."""
    entries_of_nobody: bool
    """An empty list of entries, where no list belongs."""
    extensions: Sequence[bytes] | None
    """Default a CRLNumber; None leaves the whole field out."""
    digest: Digest


def by_hand(authority: Authority, entries: Iterable[bytes] = (), **parts: Unpack[Parts]) -> bytes:
    """Return the DER of a list that ``authority`` signed."""
    key = authority.signer.key
    digest = parts.get("digest", hashes.SHA256())
    algorithm = parts.get("algorithm", _algorithm(key, digest))
    listed = b"".join(entries)
    extensions = parts.get("extensions", [extension(CRL_NUMBER, integer(1))])
    signed = element(
        0x30,
        parts.get("version", integer(1)),
        algorithm,
        parts.get("issuer", authority.signer.subject.public_bytes()),
        parts.get("this_update", utc_time(timedelta(minutes=-1))),
        parts.get("next_update", utc_time(timedelta(days=1))),
        element(0x30, listed) if listed or parts.get("entries_of_nobody") else b"",
        b"" if extensions is None else element(0xA0, element(0x30, *extensions)),
    )
    return element(0x30, signed, algorithm, element(0x03, b"\0", _sign(key, signed, digest)))


def entry(serial: int | bytes, *extensions: bytes, since: bytes = b"") -> bytes:
    """Return one entry; the serial may be the content octets of its INTEGER."""
    return element(
        0x30,
        integer(serial) if isinstance(serial, int) else element(0x02, serial),
        since or utc_time(timedelta(minutes=-10)),
        element(0x30, *extensions) if extensions else b"",
    )


def reason(code: int) -> bytes:
    """Return the extension of an entry that gives its reason."""
    return extension(REASON_CODE, element(0x0A, bytes((code,))))


def extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    """Return an extension; ``value`` is the DER in its OCTET STRING."""
    return element(
        0x30, object_identifier(oid), element(0x01, b"\xff") if critical else b"", element(0x04, value)
    )


def utc_time(from_now: timedelta) -> bytes:
    """Return a moment with two digits of its year."""
    return element(0x17, (moment() + from_now).strftime("%y%m%d%H%M%SZ").encode())


def generalized_time(text: str) -> bytes:
    """Return a moment with four digits of its year, as it is written."""
    return element(0x18, text.encode())


def integer(value: int) -> bytes:
    """Return an INTEGER in as few octets as it needs (X.690 8.3)."""
    magnitude = value if value >= 0 else ~value
    return element(0x02, value.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True))


def object_identifier(dotted: str) -> bytes:
    """Return an OBJECT IDENTIFIER (X.690 8.19)."""
    first, second, *others = (int(arc) for arc in dotted.split("."))
    octets = bytearray()
    for arc in (40 * first + second, *others):
        groups = [arc >> shift & 0x7F for shift in range(0, max(arc.bit_length(), 1), 7)]
        octets += bytes(group | 0x80 for group in reversed(groups[1:])) + bytes(groups[:1])
    return element(0x06, bytes(octets))


def element(tag: int, *contents: bytes) -> bytes:
    """Return an element of DER."""
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def _algorithm(key: PrivateKey, digest: Digest) -> bytes:
    match key:
        case rsa.RSAPrivateKey():
            return element(0x30, object_identifier(_RSA_ALGORITHMS[digest.name]), element(0x05))
        case ec.EllipticCurvePrivateKey():
            return element(0x30, object_identifier(_EC_ALGORITHMS[digest.name]))
        case ed25519.Ed25519PrivateKey():
            return element(0x30, object_identifier(_ED25519))


def _sign(key: PrivateKey, octets: bytes, digest: Digest) -> bytes:
    # Hashed beforehand: the library signs no message with a digest that is too weak.
    hasher = hashes.Hash(digest)
    hasher.update(octets)
    prehashed = Prehashed(digest)
    match key:
        case rsa.RSAPrivateKey():
            return key.sign(hasher.finalize(), padding.PKCS1v15(), prehashed)
        case ec.EllipticCurvePrivateKey():
            return key.sign(hasher.finalize(), ec.ECDSA(prehashed))
        case ed25519.Ed25519PrivateKey():
            return key.sign(octets)
