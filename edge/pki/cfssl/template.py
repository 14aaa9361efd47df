"""Write a certificate octet for octet as cfssl lays one out: which extensions, in which order.

A leaf: key usage (critical), extended key usage, basic constraints (critical), the key identifiers,
where to ask for OCSP and for the issuer, the alternative names, where the CRL is. A root has no
authority key identifier.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from edge.pki.cfssl.messages import CfsslError, Code
from edge.pki.cfssl.signing_config import Profile
from edge.pki.issue import Authority, IssueError, RandomBits, Validity, authority_key_id, new_serial
from edge.pki.keys import PrivateKey, PublicKey, signature_hash

_Extensions = Iterator[tuple[x509.ExtensionType, bool]]


@dataclass(frozen=True, slots=True)
class Template:
    """What a certificate is to say, whoever signs it."""

    subject: x509.Name
    public_key: PublicKey
    profile: Profile
    validity: Validity
    names: tuple[x509.GeneralName, ...] = ()
    copied: tuple[x509.Extension[x509.ExtensionType], ...] = ()


def validity(profile: Profile, now: datetime) -> Validity:
    """Return from when until when the profile makes a certificate good.

    It begins at the nearest full minute, less the backdate, and the expiry counts from there.
    Raises ``CfsslError`` if there is no time between.
    """
    rounded = datetime.fromtimestamp((int(now.timestamp()) + 30) // 60 * 60, UTC)
    try:
        not_before = profile.not_before or _whole(rounded - profile.backdate)
        not_after = profile.not_after or _whole(not_before + profile.expiry)
    except OverflowError:
        raise CfsslError("the validity ends after the year 9999", Code.INVALID_POLICY) from None
    return between(not_before, not_after)


def between(not_before: datetime, not_after: datetime) -> Validity:
    """Return the validity. Raises ``CfsslError`` if it ends before it begins."""
    try:
        return Validity(not_before, not_after)
    except IssueError as error:
        raise CfsslError(str(error), Code.INVALID_POLICY) from None


def signed_by(issuer: Authority, template: Template, random_bits: RandomBits) -> x509.Certificate:
    """Return the certificate, signed by an authority. Raises ``CfsslError``."""
    key_id = authority_key_id(issuer.certificate)
    return _sign(template, issuer.certificate.subject, key_id, issuer.key, random_bits)


def self_signed(key: PrivateKey, template: Template, random_bits: RandomBits) -> x509.Certificate:
    """Return the certificate, signed by its own key. Raises ``CfsslError``."""
    return _sign(template, template.subject, None, key, random_bits)


def _sign(
    template: Template,
    issuer: x509.Name,
    key_id: x509.AuthorityKeyIdentifier | None,
    key: PrivateKey,
    random_bits: RandomBits,
) -> x509.Certificate:
    try:
        builder = (
            x509.CertificateBuilder()
            .issuer_name(issuer)
            .subject_name(template.subject)
            .public_key(template.public_key)
            .serial_number(new_serial(random_bits))
            .not_valid_before(template.validity.not_before)
            .not_valid_after(template.validity.not_after)
        )
        for extension, critical in _extensions(template, key_id):
            builder = builder.add_extension(extension, critical)
        return builder.sign(key, signature_hash(key))
    except ValueError as error:
        raise CfsslError(f"the certificate cannot be made: {error}", Code.CERTIFICATE_UNKNOWN) from None


def _extensions(template: Template, key_id: x509.AuthorityKeyIdentifier | None) -> _Extensions:
    profile = template.profile
    usages = profile.usages()
    if usages.key_usage is not None:
        yield usages.key_usage, True
    if usages.extended is not None:
        yield usages.extended, False
    yield x509.BasicConstraints(profile.is_ca, profile.path_length if profile.is_ca else None), True
    yield x509.SubjectKeyIdentifier.from_public_key(template.public_key), False
    if key_id is not None:
        yield key_id, False
    access = _access(profile)
    if access:
        yield x509.AuthorityInformationAccess(access), False
    if template.names:
        # RFC 5280 4.1.2.6: with an empty subject, the alternative names are all there is.
        yield x509.SubjectAlternativeName(template.names), not template.subject.rdns
    if profile.crl_url:
        yield _distribution_point(profile.crl_url), False
    if profile.ocsp_no_check:
        yield x509.OCSPNoCheck(), False
    for copied in template.copied:
        yield copied.value, copied.critical


def _access(profile: Profile) -> list[x509.AccessDescription]:
    ocsp = [(AuthorityInformationAccessOID.OCSP, profile.ocsp_url)] if profile.ocsp_url else []
    issuers = [(AuthorityInformationAccessOID.CA_ISSUERS, url) for url in profile.issuer_urls or ()]
    return [
        x509.AccessDescription(method, x509.UniformResourceIdentifier(url)) for method, url in ocsp + issuers
    ]


def _distribution_point(url: str) -> x509.CRLDistributionPoints:
    name = x509.UniformResourceIdentifier(url)
    return x509.CRLDistributionPoints([x509.DistributionPoint([name], None, None, None)])


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
