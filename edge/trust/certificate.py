"""Decodes a certificate into facts, once, and says what is too weak to prove anything.

Names are read attribute by attribute from the DER, never from a DN string: a comma or a slash in an
organisation must not become a common name. Attributes that are no plain text are left out, so that
no rule can match them.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from edge.model.client_auth import CertificateFacts

_ATTRIBUTE_NAMES = {
    NameOID.COUNTRY_NAME: "c",
    NameOID.STATE_OR_PROVINCE_NAME: "st",
    NameOID.LOCALITY_NAME: "l",
    NameOID.STREET_ADDRESS: "street",
    NameOID.POSTAL_CODE: "postalcode",
    NameOID.ORGANIZATION_NAME: "o",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "ou",
    NameOID.COMMON_NAME: "cn",
    NameOID.SERIAL_NUMBER: "serialnumber",
    NameOID.EMAIL_ADDRESS: "emailaddress",
    NameOID.TITLE: "title",
    NameOID.DOMAIN_COMPONENT: "dc",
    NameOID.USER_ID: "uid",
    NameOID.ORGANIZATION_IDENTIFIER: "organizationidentifier",
}
_OPENSSL_NAMES = {
    NameOID.STREET_ADDRESS: "street",
    NameOID.ORGANIZATION_IDENTIFIER: "organizationIdentifier",
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.SURNAME: "SN",
    NameOID.GIVEN_NAME: "GN",
    NameOID.TITLE: "title",
    NameOID.INITIALS: "initials",
    NameOID.GENERATION_QUALIFIER: "generationQualifier",
    NameOID.X500_UNIQUE_IDENTIFIER: "x500UniqueIdentifier",
    NameOID.DN_QUALIFIER: "dnQualifier",
    NameOID.PSEUDONYM: "pseudonym",
    NameOID.EMAIL_ADDRESS: "emailAddress",
    NameOID.JURISDICTION_COUNTRY_NAME: "jurisdictionC",
    NameOID.JURISDICTION_LOCALITY_NAME: "jurisdictionL",
    NameOID.JURISDICTION_STATE_OR_PROVINCE_NAME: "jurisdictionST",
    NameOID.BUSINESS_CATEGORY: "businessCategory",
    NameOID.POSTAL_ADDRESS: "postalAddress",
    NameOID.POSTAL_CODE: "postalCode",
    NameOID.UNSTRUCTURED_NAME: "unstructuredName",
}
"""OpenSSL's short names where RFC 4514 has none: origins compare with what nginx would have sent."""
_TEXT_TYPES = frozenset(
    (x509.name._ASN1Type.UTF8String, x509.name._ASN1Type.PrintableString, x509.name._ASN1Type.IA5String)  # noqa: SLF001 - the library has no public name for the string types
)
"""BMPString, T61String and UniversalString spell the same text in other ways: they never match a rule."""
_MIN_RSA_BITS = 1963
"""The fewest bits that OpenSSL counts as 112 bits of security (FIPS 140-2 IG 7.5); modulus of DSA too."""
_MIN_EC_BITS = 224
"""Also of the subgroup of DSA, where half of the bits count."""
STRONG_HASHES = frozenset(
    (
        "sha224",
        "sha256",
        "sha384",
        "sha512",
        "sha512-224",
        "sha512-256",
        "sha3-224",
        "sha3-256",
        "sha3-384",
        "sha3-512",
    )
)
"""At least 112 bits against collisions, like OpenSSL's security level 2."""


_UNREADABLE_EXTENSION = (
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    UnsupportedAlgorithm,
    ValueError,
)
"""What the library raises for extensions that OpenSSL takes, or refuses later than it does."""


class UnreadableCertificate(ValueError):
    """OpenSSL could parse the certificate but we cannot: nothing is known of it."""


def load_der(der: bytes) -> x509.Certificate:
    """Parse DER octets. Raises ``UnreadableCertificate``."""
    try:
        with warnings.catch_warnings():
            # As below: a serial number of zero, for one, is nothing to tell our log about.
            warnings.simplefilter("ignore")
            return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion) as error:
        raise UnreadableCertificate(str(error)) from None


def read_der(der: bytes) -> CertificateFacts:
    """Decode DER octets. Raises ``UnreadableCertificate``."""
    return read_certificate(load_der(der))


def read_certificate(certificate: x509.Certificate) -> CertificateFacts:
    """Decode a certificate. Raises ``UnreadableCertificate``."""
    with warnings.catch_warnings():
        # The library warns of odd names; who made the certificate would write lines into our log.
        warnings.simplefilter("ignore")
        return _read(certificate)


def _read(certificate: x509.Certificate) -> CertificateFacts:
    try:
        subject = certificate.subject
        attributes = tuple(
            (_ATTRIBUTE_NAMES[attribute.oid], str(attribute.value))
            for attribute in subject
            if attribute.oid in _ATTRIBUTE_NAMES and _is_plain_text(attribute)
        )
        return CertificateFacts(
            der=certificate.public_bytes(Encoding.DER),
            sha256=certificate.fingerprint(SHA256()),
            serial=certificate.serial_number,
            subject=_as_text(subject),
            issuer=_as_text(certificate.issuer),
            subject_name=subject.public_bytes(),
            issuer_name=certificate.issuer.public_bytes(),
            not_before=certificate.not_valid_before_utc.timestamp(),
            not_after=certificate.not_valid_after_utc.timestamp(),
            common_names=_common_names(subject),
            subject_attributes=attributes,
            subject_key_id=_subject_key_id(certificate),
            **_subject_alternative_names(certificate),
        )
    except (ValueError, TypeError) as error:  # TypeError: a name in a BIT STRING
        raise UnreadableCertificate(str(error)) from None


def ca_identity(ca: x509.Certificate) -> bytes:
    """Return what CRLs and chains call a CA by: a digest of its name and its key.

    The name alone is not enough, since another key may use it; the key alone neither, since serial
    numbers belong to names. Certificates of the same CA that were renewed or cross-signed are one.
    """
    try:
        key = ca.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        key = ca.fingerprint(SHA256())  # no CRL of such a key can be checked: it is nobody else
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        name = canonical_name(ca.subject)
    return hashlib.sha256(name + key).digest()


def canonical_name(name: x509.Name) -> bytes:
    """Return octets that are equal for names that OpenSSL takes for equal, in whatever way they are encoded.

    RFC 5280 7.1: case and the amount of white space do not count.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = [
            sorted((attribute.oid.dotted_string, _canonical_value(attribute.value)) for attribute in part)
            for part in name.rdns
        ]
    return repr(parts).encode("unicode_escape")


def _canonical_value(value: str | bytes) -> bytes:
    """Make alike what OpenSSL makes alike: white space and letters of ASCII, and nothing beyond it."""
    if isinstance(value, bytes):
        return value.hex().encode()
    return b" ".join(value.encode("utf-8", "surrogatepass").split()).lower()


def weakness(certificate: x509.Certificate, *, anchor: bool) -> str | None:
    """Say why this certificate proves too little, in OpenSSL's words, or None.

    OpenSSL applies its security level 2 while it shakes hands, but not when a certificate is verified
    again outside of a handshake. The signature of a trust anchor on itself proves nothing and is not
    looked at, as OpenSSL does not either.
    """
    weak_key = "EE certificate key too weak"
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return weak_key  # a key whose strength nobody can tell
    match key:
        case rsa.RSAPublicKey():
            if key.key_size < _MIN_RSA_BITS:
                return weak_key
        case dsa.DSAPublicKey():
            subgroup_bits = key.parameters().parameter_numbers().q.bit_length()
            if key.key_size < _MIN_RSA_BITS or subgroup_bits < _MIN_EC_BITS:
                return weak_key
        case ec.EllipticCurvePublicKey():
            if key.curve.key_size < _MIN_EC_BITS:
                return weak_key
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            return None if anchor else _weak_signature(certificate)
        case _:
            return None if type(key).__name__.startswith(("MLDSA", "SLHDSA")) else weak_key
    return None if anchor else _weak_signature(certificate)


def _weak_signature(certificate: x509.Certificate) -> str | None:
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "CA signature digest algorithm too weak"
    if algorithm is None or algorithm.name in STRONG_HASHES:  # None: Ed25519 and its like hash within
        return None
    return "CA signature digest algorithm too weak"


def _is_plain_text(attribute: x509.NameAttribute[str | bytes]) -> bool:
    return (
        isinstance(attribute.value, str)
        and attribute._type in _TEXT_TYPES  # noqa: SLF001 - the library has no public name for it
        and attribute.value.isprintable()
    )


def _as_text(name: x509.Name) -> str:
    """Write a name as ``openssl -nameopt RFC2253`` does: from its end, within a multi-valued part as well."""
    return ",".join(
        "+".join(attribute.rfc4514_string(_OPENSSL_NAMES) for attribute in reversed(list(part)))
        for part in reversed(name.rdns)
    )


def _common_names(subject: x509.Name) -> tuple[str, ...]:
    """Every CN; one that is no plain text stays in the count as an empty string, so that it cannot hide."""
    return tuple(
        attribute.value if _is_plain_text(attribute) and isinstance(attribute.value, str) else ""
        for attribute in subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    )


def _subject_alternative_names(certificate: x509.Certificate) -> dict[str, tuple[str, ...]]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, *_UNREADABLE_EXTENSION):
        # An extension we cannot read gives no names: rules about names then do not match.
        return {}
    return {
        "san_dns": _printable(names.get_values_for_type(x509.DNSName)),
        "san_email": _printable(names.get_values_for_type(x509.RFC822Name)),
        "san_uri": _printable(names.get_values_for_type(x509.UniformResourceIdentifier)),
        "san_ip": tuple(str(address) for address in names.get_values_for_type(x509.IPAddress)),
    }


def _printable(names: Iterable[str]) -> tuple[str, ...]:
    """Leave out what is empty or has a NUL or the like in it, which another reader takes for an end."""
    return tuple(name for name in names if name and name.isprintable())


def _subject_key_id(certificate: x509.Certificate) -> bytes:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except (x509.ExtensionNotFound, *_UNREADABLE_EXTENSION):
        return b""
