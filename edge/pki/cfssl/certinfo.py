"""Tell what is in a certificate: in cfssl's JSON for programs, as a table for people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier, SignatureAlgorithmOID

from edge.model.client_auth import serial_hex
from edge.pki.cfssl.messages import CfsslError, Code
from edge.pki.cfssl.subject import value_text
from edge.pki.cfssl.usages import extended_word

EXPIRES_SOON = timedelta(days=30)

SIGNATURES = {
    SignatureAlgorithmOID.RSA_WITH_MD5: ("MD5WithRSA", 2),
    SignatureAlgorithmOID.RSA_WITH_SHA1: ("SHA1WithRSA", 3),
    SignatureAlgorithmOID.RSA_WITH_SHA256: ("SHA256WithRSA", 4),
    SignatureAlgorithmOID.RSA_WITH_SHA384: ("SHA384WithRSA", 5),
    SignatureAlgorithmOID.RSA_WITH_SHA512: ("SHA512WithRSA", 6),
    SignatureAlgorithmOID.ECDSA_WITH_SHA1: ("ECDSAWithSHA1", 9),
    SignatureAlgorithmOID.ECDSA_WITH_SHA256: ("ECDSAWithSHA256", 10),
    SignatureAlgorithmOID.ECDSA_WITH_SHA384: ("ECDSAWithSHA384", 11),
    SignatureAlgorithmOID.ECDSA_WITH_SHA512: ("ECDSAWithSHA512", 12),
    SignatureAlgorithmOID.ED25519: ("Ed25519", 16),
}
"""What cfssl calls a signature algorithm, and Go's number for it."""

_NAME_FIELDS = (
    ("common_name", NameOID.COMMON_NAME),
    ("serial_number", NameOID.SERIAL_NUMBER),
    ("country", NameOID.COUNTRY_NAME),
    ("organization", NameOID.ORGANIZATION_NAME),
    ("organizational_unit", NameOID.ORGANIZATIONAL_UNIT_NAME),
    ("locality", NameOID.LOCALITY_NAME),
    ("province", NameOID.STATE_OR_PROVINCE_NAME),
    ("street_address", NameOID.STREET_ADDRESS),
    ("postal_code", NameOID.POSTAL_CODE),
)
_KINDS = {x509.DNSName: "DNS", x509.RFC822Name: "email", x509.IPAddress: "IP"}


def read_certificate(pem: bytes) -> x509.Certificate:
    """Read the one certificate in a PEM file. Raises ``CfsslError``."""
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise CfsslError(
            "Failed to decode certificate: there is no PEM certificate in it", Code.CERTIFICATE_DECODE
        ) from None
    if len(certificates) != 1:
        raise CfsslError("the PEM file should contain only one object", Code.CERTIFICATE_PARSE)
    try:
        for part in ("subject", "issuer", "extensions", "not_valid_before_utc", "not_valid_after_utc"):
            getattr(certificates[0], part)  # read late, and only now found to be broken
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise CfsslError(f"Failed to parse certificate: {error}", Code.CERTIFICATE_PARSE) from None
    return certificates[0]


def certificate_info(certificate: x509.Certificate) -> dict[str, object]:
    """Return what ``cfssl certinfo`` prints, in its order. ``sans`` are the DNS names and addresses only."""
    names = _alternative_names(certificate)
    sans = [name.value for name in names if isinstance(name, x509.DNSName)]
    sans += [str(name.value) for name in names if isinstance(name, x509.IPAddress)]
    info: dict[str, object] = {
        "subject": _name(certificate.subject),
        "issuer": _name(certificate.issuer),
        "serial_number": str(certificate.serial_number),
    }
    if sans:
        info["sans"] = sans
    return info | {
        "not_before": _time(certificate.not_valid_before_utc),
        "not_after": _time(certificate.not_valid_after_utc),
        "sigalg": signature_name(certificate.signature_algorithm_oid),
        "authority_key_id": _hex(_authority_key_id(certificate)),
        "subject_key_id": _hex(_subject_key_id(certificate)),
        "pem": certificate.public_bytes(Encoding.PEM).decode(),
    }


def certificate_rows(certificate: x509.Certificate, now: datetime) -> list[tuple[str, str]]:
    """Return the same for people, and what cfssl leaves out: all the names, the usages, the fingerprint."""
    serial = certificate.serial_number
    left = certificate.not_valid_after_utc - now
    ends = "expired" if left < timedelta() else f"{left.days} days left"
    return [
        ("Subject", certificate.subject.rfc4514_string()),
        ("Issuer", certificate.issuer.rfc4514_string()),
        ("Serial number", str(serial)),
        ("", f"0x{serial_hex(serial)}"),
        ("Valid from", _time(certificate.not_valid_before_utc)),
        ("Valid until", f"{_time(certificate.not_valid_after_utc)} ({ends})"),
        *_several("Names", map(_shown_name, _alternative_names(certificate))),
        *_several("Usages", _usages(certificate)),
        ("CA", _authority(certificate)),
        ("Key", _key(certificate)),
        ("Signature", signature_name(certificate.signature_algorithm_oid)),
        ("Subject key id", _hex(_subject_key_id(certificate)) or "none"),
        ("Authority key id", _hex(_authority_key_id(certificate)) or "none"),
        ("SHA-256", certificate.fingerprint(hashes.SHA256()).hex()),
    ]


def expiry_warning(certificate: x509.Certificate, now: datetime) -> str:
    """Return a warning about a certificate that has ended or soon will; empty if there is time."""
    end = certificate.not_valid_after_utc
    if end < now:
        return f"the certificate expired at {_time(end)}"
    if end < now + EXPIRES_SOON:
        return f"the certificate expires in {(end - now).days} days, at {_time(end)}"
    return ""


def signature_name(oid: ObjectIdentifier) -> str:
    """Return cfssl's name for a signature algorithm."""
    return SIGNATURES.get(oid, ("Unknown Signature", 0))[0]


def _name(name: x509.Name) -> dict[str, object]:
    info: dict[str, object] = {}
    for field, oid in _NAME_FIELDS:
        values = [value_text(each.value) for each in name.get_attributes_for_oid(oid)]
        # Of common names and serial numbers Go keeps the last one, of everything else all.
        joined = values[-1:] if field in ("common_name", "serial_number") else [",".join(values)]
        if joined and joined[0]:
            info[field] = joined[0]
    if name.rdns:
        info["names"] = [value_text(each.value) for each in name]
    return info


def _alternative_names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def _authority_key_id(certificate: x509.Certificate) -> bytes:
    try:
        found = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except x509.ExtensionNotFound:
        return b""
    return found.key_identifier or b""


def _subject_key_id(certificate: x509.Certificate) -> bytes:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return b""


def _usages(certificate: x509.Certificate) -> list[str]:
    words = []
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.KeyUsage):
            words += [bit.replace("_", " ") for bit in _BITS if getattr(extension.value, bit)]
        if isinstance(extension.value, x509.ExtendedKeyUsage):
            words += [extended_word(oid) for oid in extension.value]
    return words


_BITS = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)


def _authority(certificate: x509.Certificate) -> str:
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return "not said"
    if not found.ca:
        return "no"
    return "yes" if found.path_length is None else f"yes, path length {found.path_length}"


def _key(certificate: x509.Certificate) -> str:
    try:
        return key_kind(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return certificate.public_key_algorithm_oid.dotted_string


def key_kind(key: CertificatePublicKeyTypes) -> str:
    """Return what people call that kind of key."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA {key.curve.name}"
    return type(key).__name__.strip("_").removesuffix("PublicKey")


def _several(title: str, values: Iterable[str]) -> list[tuple[str, str]]:
    rows = [("", value) for value in values] or [("", "none")]
    return [(title, rows[0][1]), *rows[1:]]


def _shown_name(name: x509.GeneralName) -> str:
    kind = _KINDS.get(type(name)) or ("URI" if isinstance(name, x509.UniformResourceIdentifier) else "other")
    return f"{kind} {name.value}".rstrip() if name.value != "" else f"{kind} (empty)"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _hex(octets: bytes) -> str:
    return octets.hex(":").upper()
