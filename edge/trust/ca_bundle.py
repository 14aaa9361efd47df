"""The client CAs of one host: which certificates its clients may chain to, and under which name.

One bundle is made of every ``mtls_certificates`` entry associated with the host. It is independent
of the server certificate and never falls back to anything: an empty bundle is an error, not "the
system's roots" (Caddy CVE-2026-27586).
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from edge.trust.certificate import ca_identity

EXPIRY_WARNING = timedelta(days=30)
_UNREADABLE = (
    ValueError,
    TypeError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises for a certificate; TypeError is its answer to a name in a BIT STRING."""


class CaBundleError(ValueError):
    """The PEM is no usable chain of CA certificates; ``hint`` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class CaEntry:
    """The certificates of one ``mtls_certificates`` entry: a root with any intermediates."""

    name: str
    certificates: tuple[x509.Certificate, ...]
    strict: bool = False
    """``strict = true``: hold the chains of the host to RFC 5280 to the letter."""


@dataclass(frozen=True, slots=True)
class CaBundle:
    """All entries of one host. ``digest`` changes whenever what it trusts, or how it calls it, changes."""

    certificates: tuple[x509.Certificate, ...]
    digest: bytes
    names: Mapping[bytes, str]
    """SHA-256 of each certificate -> the entry it came from; read-only."""
    identities: Mapping[bytes, bytes] = field(repr=False)
    """SHA-256 of each certificate -> its ``ca_identity``; read-only."""
    entries: Mapping[bytes, tuple[str, ...]] = field(repr=False)
    """``ca_identity`` -> the entries it is in: a renewed root may be beside the old one; read-only."""
    strict: bool = False
    """Any of the entries is strict: a chain has one verification, whichever of the CAs it ends at."""


def read_ca_entry(name: str, pem: bytes, *, strict: bool = False) -> CaEntry:
    """Read one entry's PEM. Raises ``CaBundleError``."""
    certificates = _load(pem)
    for certificate in certificates:
        if not _is_ca(certificate):
            raise CaBundleError(
                f"{_subject(certificate)!r} is no CA certificate (basicConstraints CA:TRUE)",
                "put only the root and its intermediates here, never a server's or a client's certificate",
            )
    if not any(_is_self_issued(certificate) for certificate in certificates):
        raise CaBundleError(
            "there is no self-signed root in it, so no client's chain could ever end",
            "put the whole chain into this one file: the intermediates and their root",
        )
    unique = {certificate.fingerprint(SHA256()): certificate for certificate in certificates}
    return CaEntry(name, tuple(unique.values()), strict)


def combine(entries: tuple[CaEntry, ...]) -> CaBundle:
    """Make the bundle of one host. Raises ``CaBundleError``."""
    if not entries:
        raise CaBundleError("there is no CA in this bundle")
    certificates: dict[bytes, x509.Certificate] = {}
    names: dict[bytes, str] = {}
    for entry in entries:
        for certificate in entry.certificates:
            fingerprint = certificate.fingerprint(SHA256())
            if fingerprint in names:
                # certificate_issuer rules name an entry: the same CA under two names has two meanings.
                raise CaBundleError(
                    f"{_subject(certificate)!r} is in both {names[fingerprint]!r} and "
                    f"{entry.name!r}, which share a host",
                    "associate the host with one of them only",
                )
            names[fingerprint] = entry.name
            certificates[fingerprint] = certificate
    digest = hashlib.sha256()
    for fingerprint in sorted(certificates):
        digest.update(fingerprint + names[fingerprint].encode() + b"\0")
    strict = any(entry.strict for entry in entries)
    if strict:  # what was verified by laxer rules must not be recalled
        digest.update(b"strict")
    identities = {fingerprint: ca_identity(each) for fingerprint, each in certificates.items()}
    holders: dict[bytes, tuple[str, ...]] = {}
    for fingerprint, identity in identities.items():
        holders[identity] = tuple(dict.fromkeys((*holders.get(identity, ()), names[fingerprint])))
    return CaBundle(
        certificates=tuple(certificates.values()),
        digest=digest.digest(),
        names=MappingProxyType(names),
        identities=MappingProxyType(identities),
        entries=MappingProxyType(holders),
        strict=strict,
    )


def validity_warnings(certificates: tuple[x509.Certificate, ...], now: datetime) -> list[str]:
    """Say which certificates have expired, are not valid yet, or end within 30 days."""
    told = []
    for certificate in certificates:
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if end < now:
            problem = f"expired on {end:%Y-%m-%d}; renew it"
        elif end < now + EXPIRY_WARNING:
            problem = f"expires on {end:%Y-%m-%d}; renew it soon"
        elif begin > now:
            problem = f"is not valid before {begin:%Y-%m-%d}"
        else:
            continue
        told.append(f"the certificate of {_subject(certificate)!r} {problem}")
    return told


def _load(pem: bytes) -> list[x509.Certificate]:
    if b"PRIVATE KEY-----" in pem:
        raise CaBundleError(
            "it holds a private key",
            "remove the key: only certificates belong here, and a key must stay secret",
        )
    if b"-----BEGIN TRUSTED CERTIFICATE-----" in pem:
        # OpenSSL's own format carries trust settings that change what the bundle means.
        raise CaBundleError(
            "it holds a BEGIN TRUSTED CERTIFICATE block", "write it again with `openssl x509 -in … -out …`"
        )
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise CaBundleError(
            "there is no certificate in it", "a PEM file begins with -----BEGIN CERTIFICATE-----"
        )
    if pem.count(b"-----BEGIN ") != pem.count(b"-----END "):
        raise CaBundleError("it is cut off: a BEGIN line has no END line", "copy the file again")
    try:
        with _quietly():
            certificates = x509.load_pem_x509_certificates(pem)
            for certificate in certificates:  # what the library parses only when it is asked for
                _ = (certificate.subject, certificate.issuer, certificate.extensions)
    except _UNREADABLE as error:
        raise CaBundleError(f"a certificate in it cannot be read: {error}", "copy the file again") from None
    if len(certificates) != pem.count(b"-----BEGIN "):
        raise CaBundleError("it holds something other than certificates", "keep only the CERTIFICATE blocks")
    return certificates


def _subject(certificate: x509.Certificate) -> str:
    with _quietly():
        return certificate.subject.rfc4514_string()


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the library's warnings of odd names and numbers to itself: what is usable is used."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _is_self_issued(certificate: x509.Certificate) -> bool:
    with _quietly():
        return certificate.subject == certificate.issuer


def der(certificate: x509.Certificate) -> bytes:
    """Return the certificate's DER octets."""
    return certificate.public_bytes(Encoding.DER)
