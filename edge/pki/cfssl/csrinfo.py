"""Tell what is in a certificate request: the JSON of ``cfssl certinfo -csr``, and a table for people.

cfssl prints Go's own structure of a request, field by field, octets in base64. Scripts read its
``Subject``, ``DNSNames`` and their like, so that all of it is here.
"""

from __future__ import annotations

import base64
from typing import TypeVar
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier

from edge.pki.cfssl.certinfo import SIGNATURES, key_kind, signature_name
from edge.pki.cfssl.request import public_key
from edge.pki.cfssl.subject import value_text
from edge.pki.keys import PublicKey

_RSA, _ECDSA, _ED25519 = 1, 3, 4
"""Go's numbers for the kinds of keys."""

_EXTENSION_REQUEST = ObjectIdentifier("1.2.840.113549.1.9.14")
"""RFC 2985 5.4.2: the attribute that carries the extensions asked for."""

_Name = TypeVar("_Name", x509.DNSName, x509.RFC822Name, x509.IPAddress, x509.UniformResourceIdentifier)

_LISTS = (
    ("Country", NameOID.COUNTRY_NAME),
    ("Organization", NameOID.ORGANIZATION_NAME),
    ("OrganizationalUnit", NameOID.ORGANIZATIONAL_UNIT_NAME),
    ("Locality", NameOID.LOCALITY_NAME),
    ("Province", NameOID.STATE_OR_PROVINCE_NAME),
    ("StreetAddress", NameOID.STREET_ADDRESS),
    ("PostalCode", NameOID.POSTAL_CODE),
)


def request_info(csr: x509.CertificateSigningRequest) -> dict[str, object]:
    """Return what cfssl prints, in its order."""
    number, key = _public_key(public_key(csr))
    extensions = [_extension(each) for each in csr.extensions]
    return {
        "Raw": _base64(csr.public_bytes(Encoding.DER)),
        "RawTBSCertificateRequest": _base64(csr.tbs_certrequest_bytes),
        "RawSubjectPublicKeyInfo": _base64(_key_info(csr)),
        "RawSubject": _base64(csr.subject.public_bytes()),
        "Version": 0,
        "Signature": _base64(csr.signature),
        "SignatureAlgorithm": SIGNATURES.get(csr.signature_algorithm_oid, ("", 0))[1],
        "PublicKeyAlgorithm": number,
        "PublicKey": key,
        "Subject": _subject(csr.subject),
        "Attributes": _attributes(csr) if extensions else None,
        "Extensions": extensions or None,
        "ExtraExtensions": None,
        "DNSNames": _names(csr, x509.DNSName) or None,
        "EmailAddresses": _names(csr, x509.RFC822Name) or None,
        "IPAddresses": _names(csr, x509.IPAddress) or None,
        "URIs": [_uri(text) for text in _names(csr, x509.UniformResourceIdentifier)] or None,
    }


def request_rows(csr: x509.CertificateSigningRequest) -> list[tuple[str, str]]:
    """Return the same for people."""
    names = [
        *(f"DNS {name or '(empty)'}" for name in _names(csr, x509.DNSName)),
        *(f"email {name}" for name in _names(csr, x509.RFC822Name)),
        *(f"IP {name}" for name in _names(csr, x509.IPAddress)),
        *(f"URI {name}" for name in _names(csr, x509.UniformResourceIdentifier)),
    ]
    first, *others = names or ["none"]
    return [
        ("Subject", csr.subject.rfc4514_string()),
        ("Names", first),
        *(("", name) for name in others),
        ("Key", key_kind(public_key(csr))),
        ("Signature", signature_name(csr.signature_algorithm_oid)),
    ]


def _public_key(key: PublicKey) -> tuple[int, object]:
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return _RSA, {"N": numbers.n, "E": numbers.e}
    if isinstance(key, ec.EllipticCurvePublicKey):
        point = key.public_numbers()
        return _ECDSA, {"Curve": {}, "X": point.x, "Y": point.y}
    return _ED25519, _base64(key.public_bytes_raw())


def _subject(name: x509.Name) -> dict[str, object]:
    def values(oid: ObjectIdentifier) -> list[str]:
        return [value_text(each.value) for each in name.get_attributes_for_oid(oid)]

    lists = {field: values(oid) or None for field, oid in _LISTS}
    return lists | {
        "SerialNumber": (values(NameOID.SERIAL_NUMBER) or [""])[-1],
        "CommonName": (values(NameOID.COMMON_NAME) or [""])[-1],
        "Names": [{"Type": _numbers(each.oid), "Value": value_text(each.value)} for each in name] or None,
        "ExtraNames": None,
    }


def _extension(extension: x509.Extension[x509.ExtensionType]) -> dict[str, object]:
    return {
        "Id": _numbers(extension.oid),
        "Critical": extension.critical,
        "Value": _base64(extension.value.public_bytes()),
    }


def _attributes(csr: x509.CertificateSigningRequest) -> list[object]:
    # Go reads an attribute as pairs, and so finds nothing behind the mark of a critical extension.
    pairs = [
        {
            "Type": _numbers(each.oid),
            "Value": None if each.critical else _base64(each.value.public_bytes()),
        }
        for each in csr.extensions
    ]
    return [{"Type": _numbers(_EXTENSION_REQUEST), "Value": [pairs]}]


def _names(csr: x509.CertificateSigningRequest, kind: type[_Name]) -> list[str]:
    try:
        found = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in found if isinstance(name, kind)]


def _uri(text: str) -> dict[str, object]:
    try:
        split = urlsplit(text)
        parts = (split.scheme, split.netloc, split.path, split.query, split.fragment)
    except ValueError:
        parts = ("", "", text, "", "")
    scheme, host, path, query, fragment = parts
    opaque = bool(scheme) and not host and not path.startswith("/")
    return {
        "Scheme": scheme,
        "Opaque": path if opaque else "",
        "User": None,
        "Host": host,
        "Path": "" if opaque else path,
        "RawPath": "",
        "OmitHost": False,
        "ForceQuery": False,
        "RawQuery": query,
        "Fragment": fragment,
        "RawFragment": "",
    }


def _numbers(oid: ObjectIdentifier) -> list[int]:
    return [int(number) for number in oid.dotted_string.split(".")]


def _key_info(csr: x509.CertificateSigningRequest) -> bytes:
    return public_key(csr).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
