"""Make certificate revocation lists (RFC 5280 5): complete, numbered, signed by the issuer itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from edge.pki.issue import Authority, IssueError, authority_key_id
from edge.pki.keys import signature_hash


@dataclass(frozen=True, slots=True)
class Revoked:
    """One certificate that was revoked: when, and why if that was said."""

    serial: int
    at: datetime
    reason: x509.ReasonFlags | None = None


def make_crl(
    issuer: Authority,
    revoked: Iterable[Revoked],
    number: int,
    this_update: datetime,
    next_update: datetime,
) -> bytes:
    """Return a CRL as DER, with AuthorityKeyIdentifier and CRLNumber (RFC 5280 5.2.1 and 5.2.3).

    Raises ``IssueError`` if nobody would believe it.
    """
    if not may_sign_crls(issuer.certificate):
        raise IssueError("the key usage of the authority does not include CRL signing")
    if next_update <= this_update:
        raise IssueError("the CRL ends before it begins")
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(this_update.replace(microsecond=0))
        .next_update(next_update.replace(microsecond=0))
        .add_extension(authority_key_id(issuer.certificate), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for each in revoked:
        builder = builder.add_revoked_certificate(_entry(each))
    return builder.sign(issuer.key, signature_hash(issuer.key)).public_bytes(Encoding.DER)


def crl_pem(der: bytes) -> bytes:
    """Return a DER CRL as PEM."""
    return x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)


def may_sign_crls(certificate: x509.Certificate) -> bool:
    """RFC 5280 6.3.3 (f): a key usage that is there must include cRLSign."""
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True


def _entry(revoked: Revoked) -> x509.RevokedCertificate:
    builder = (
        x509.RevokedCertificateBuilder()
        .serial_number(revoked.serial)
        .revocation_date(revoked.at.replace(microsecond=0))
    )
    # RFC 5280 5.3.1: "unspecified" is said by leaving the reason out.
    if revoked.reason not in (None, x509.ReasonFlags.unspecified):
        builder = builder.add_extension(x509.CRLReason(revoked.reason), critical=False)
    return builder.build()
