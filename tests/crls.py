"""Certificate revocation lists for tests: good ones in one line, and every kind of bad one.

``crl_of(ca, [credential])`` is a DER list that a CA signed a minute ago; ``pem(...)`` writes any number
of lists as text. Made with the library alone, or with ``tests.crl_octets`` where the library declines:
never with the edge's own code. Times are counted from now, because the edge under test reads the real
clock.
"""

from __future__ import annotations

import base64
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypedDict, Unpack

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding
from cryptography.hazmat.primitives.serialization import Encoding

from tests.certificates import Authority, Credential


@dataclass(frozen=True, slots=True)
class Revoked:
    """An entry that says more than a serial."""

    serial: int
    since: timedelta = timedelta(minutes=-10)
    """From now."""
    reason: x509.ReasonFlags | None = None
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = ()
    """Further extensions of the entry, each with whether it is critical."""


class CrlOptions(TypedDict, total=False):
    """What a list may have that a plain one has not."""

    number: int | None
    """CRLNumber, default 1; None leaves it out."""
    this_update: timedelta
    """From now; default a minute ago."""
    next_update: timedelta
    """From now; default in a day."""
    issuer: x509.Name
    """Another name than that of the authority that signs."""
    digest: hashes.SHA256 | hashes.SHA384 | hashes.SHA512
    rsa_padding: padding.PSS | padding.PKCS1v15
    extensions: Sequence[tuple[x509.ExtensionType, bool]]
    """Further extensions, each with whether it is critical."""


def crl_of(
    authority: Authority,
    revoked: Iterable[int | Credential | Authority | Revoked] = (),
    **options: Unpack[CrlOptions],
) -> bytes:
    """Return the DER of a list that ``authority`` signed: a good one, but for what ``options`` say.

    Revoked are serials, certificates (a leaf's or an intermediate authority's), or ``Revoked``.
    """
    now = moment()
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(options.get("issuer", authority.signer.subject))
        .last_update(now + options.get("this_update", timedelta(minutes=-1)))
        .next_update(now + options.get("next_update", timedelta(days=1)))
    )
    for each in revoked:
        builder = builder.add_revoked_certificate(_entry(each, now))
    number = options.get("number", 1)
    if number is not None:
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    key_id = x509.AuthorityKeyIdentifier(authority.signer.key_id, None, None)
    builder = builder.add_extension(key_id, critical=False)
    for extension, critical in options.get("extensions", ()):
        builder = builder.add_extension(extension, critical)
    key = authority.signer.key
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else options.get("digest", hashes.SHA256())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        crl = builder.sign(key, digest, rsa_padding=options.get("rsa_padding"))
        return crl.public_bytes(Encoding.DER)


def pem(*ders: bytes, label: str = "X509 CRL") -> bytes:
    """Return lists as PEM, one after the other."""
    text = bytearray()
    for der in ders:
        text += f"-----BEGIN {label}-----\n".encode()
        text += base64.encodebytes(der)
        text += f"-----END {label}-----\n".encode()
    return bytes(text)


def write_crl(path: Path, *ders: bytes) -> Path:
    """Put lists in the place of a file as a careful program does it: by renaming a new one over it."""
    unfinished = path.with_name(f".{path.name}.new")
    unfinished.write_bytes(pem(*ders))
    return unfinished.replace(path)


def moment() -> datetime:
    """Return now in whole seconds, as a list can say it."""
    return datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 -- the edge under test reads this clock too


def _entry(said: int | Credential | Authority | Revoked, now: datetime) -> x509.RevokedCertificate:
    match said:
        case Revoked():
            revoked = said
        case Credential() | Authority():
            revoked = Revoked(said.certificate.serial_number)
        case _:
            revoked = Revoked(said)
    builder = (
        x509.RevokedCertificateBuilder().serial_number(revoked.serial).revocation_date(now + revoked.since)
    )
    if revoked.reason is not None:
        builder = builder.add_extension(x509.CRLReason(revoked.reason), critical=False)
    for extension, critical in revoked.extensions:
        builder = builder.add_extension(extension, critical)
    return builder.build()
