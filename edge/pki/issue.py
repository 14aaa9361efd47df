"""Issue X.509 certificates: a root, an intermediate, and leaves for clients and servers.

Every certificate carries what RFC 5280 4.2.1 asks of its kind: basic constraints and key usage
(critical), the subject key identifier, and the issuer's key identifier on all but a root. Leaves
have one extended key usage, so that a server's certificate never passes for a client's.

The caller brings the time and the chance; only the keys come from the library's own source.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge.pki.keys import PUBLIC_KEY_TYPES, PrivateKey, PublicKey, signature_hash

BACKDATE = timedelta(hours=1)
"""Room for clocks that run late: a certificate is often used in the second it was made."""

SERIAL_BITS = 159
"""The longest serial that still fits 20 octets as a positive number (RFC 5280 4.1.2.2)."""

RandomBits = Callable[[int], int]
"""Returns a number of that many random bits; ``secrets.randbits``."""


class IssueError(Exception):
    """The certificate asked for would be refused by everybody; the message says why."""


class Profile(Enum):
    """What a leaf may be used for."""

    CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
    SERVER = ExtendedKeyUsageOID.SERVER_AUTH


@dataclass(frozen=True, slots=True)
class Validity:
    """From when until when a certificate is good, in whole seconds, both with a time zone."""

    not_before: datetime
    not_after: datetime

    def __post_init__(self) -> None:
        if self.not_before.tzinfo is None or self.not_after.tzinfo is None:
            raise IssueError("the validity needs times with a time zone")
        if self.not_after <= self.not_before:
            raise IssueError("the validity ends before it begins")


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate that may sign others, with its key. Raises ``IssueError`` if it may not."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        if self.certificate.public_key() != self.key.public_key():
            raise IssueError("the key of the authority does not fit its certificate")
        if not is_authority(self.certificate):
            raise IssueError("the certificate of the authority has no CA:TRUE")


def valid_for(now: datetime, lifetime: timedelta) -> Validity:
    """Return the validity of a certificate made ``now``: an hour back, ``lifetime`` ahead."""
    second = now.replace(microsecond=0)
    return Validity(second - BACKDATE, second + lifetime)


def make_root(subject: x509.Name, key: PrivateKey, validity: Validity, random_bits: RandomBits) -> Authority:
    """Make a self-signed authority."""
    builder = _begin(subject, subject, key.public_key(), validity, random_bits)
    return Authority(_authority_extensions(builder, path_length=None).sign(key, signature_hash(key)), key)


def make_intermediate(
    issuer: Authority, subject: x509.Name, key: PrivateKey, validity: Validity, random_bits: RandomBits
) -> Authority:
    """Make an authority under another one; it may sign leaves only (path length 0)."""
    builder = _begin_under(issuer, subject, key.public_key(), validity, random_bits)
    return Authority(
        _authority_extensions(builder, path_length=0).sign(issuer.key, signature_hash(issuer.key)), key
    )


def issue(
    issuer: Authority,
    subject: x509.Name,
    public_key: PublicKey,
    profile: Profile,
    validity: Validity,
    random_bits: RandomBits,
    names: Sequence[x509.GeneralName] = (),
) -> x509.Certificate:
    """Issue a leaf; ``names`` become its subject alternative names, if there are any.

    Raises ``IssueError`` if it would outlive its issuer.
    """
    builder = (
        _begin_under(issuer, subject, public_key, validity, random_bits)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            _key_usage(authority=False, enciphers=isinstance(public_key, rsa.RSAPublicKey)), critical=True
        )
        .add_extension(x509.ExtendedKeyUsage([profile.value]), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer.key, signature_hash(issuer.key))


def is_authority(certificate: x509.Certificate) -> bool:
    """Tell whether the certificate says CA:TRUE."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _public_key(certificate: x509.Certificate) -> PublicKey:
    key = certificate.public_key()
    if not isinstance(key, PUBLIC_KEY_TYPES):
        raise IssueError("only RSA, ECDSA and Ed25519 keys sign certificates here")
    return key


def certificate_pem(*certificates: x509.Certificate) -> bytes:
    """Return the certificates as PEM, one after the other."""
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)


def authority_key_id(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Return how what ``issuer`` signs names its key: by its own identifier, else as RFC 5280 4.2.1.2 (1)."""
    try:
        key_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(_public_key(issuer))
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id)


def _begin_under(
    issuer: Authority, subject: x509.Name, public_key: PublicKey, validity: Validity, random_bits: RandomBits
) -> x509.CertificateBuilder:
    if validity.not_after > issuer.certificate.not_valid_after_utc:
        raise IssueError("the certificate would outlive its issuer")
    builder = _begin(issuer.certificate.subject, subject, public_key, validity, random_bits)
    return builder.add_extension(authority_key_id(issuer.certificate), critical=False)


def _begin(
    issuer: x509.Name, subject: x509.Name, public_key: PublicKey, validity: Validity, random_bits: RandomBits
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(new_serial(random_bits))
        .not_valid_before(validity.not_before)
        .not_valid_after(validity.not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def new_serial(random_bits: RandomBits) -> int:
    """Return a serial that is never zero and always written with 20 octets: its top bit is set."""
    return 1 << (SERIAL_BITS - 1) | random_bits(SERIAL_BITS - 1)


def _authority_extensions(
    builder: x509.CertificateBuilder, path_length: int | None
) -> x509.CertificateBuilder:
    return builder.add_extension(
        x509.BasicConstraints(ca=True, path_length=path_length), critical=True
    ).add_extension(_key_usage(authority=True), critical=True)


def _key_usage(*, authority: bool, enciphers: bool = False) -> x509.KeyUsage:
    """RFC 5280 4.2.1.3: an authority signs what authorities issue, a leaf signs handshakes.

    An RSA leaf may encipher keys as well: old TLS 1.2 stacks insist on that bit.
    """
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=enciphers,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
