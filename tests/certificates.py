"""Certificates for tests: good ones in one line, and every kind of bad one.

``Authority("CA A").issue("James Royal").write(directory)`` gives files for curl. Times are counted
from now, because the edge under test reads the real clock. Elliptic curve keys are made anew (they
cost nothing); RSA keys are made once for each use and session.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal, TypedDict, Unpack

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.x509_version1 import as_version1

StringType = _ASN1Type
"""How an attribute of a name is written: UTF8String, BMPString, T61String, PrintableString ..."""

KeyKind = Literal["p192", "p224", "p256", "p384", "rsa1024", "rsa2040", "rsa2048", "rsa4096", "ed25519"]
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH


class Options(TypedDict, total=False):
    """What a certificate may have that a plain client certificate has not."""

    subject: x509.Name
    """The whole subject instead of the common name alone; see ``name``."""
    sans: Sequence[x509.GeneralName]
    eku: Sequence[x509.ObjectIdentifier]
    """Default client authentication; an empty list leaves the extension out."""
    not_before: timedelta
    """From now; default an hour ago."""
    not_after: timedelta
    """From now; default in a day."""
    key: KeyKind
    serial: int
    version1: bool
    """An X.509 v1 certificate: no extensions at all, whatever else is asked for."""
    ca: bool
    path_length: int | None
    key_id: bytes
    """The subject key identifier; default the hash of the key."""
    extensions: Sequence[tuple[x509.ExtensionType, bool]]
    """Further extensions, each with whether it is critical."""


@dataclass(frozen=True, slots=True)
class CredentialFiles:
    """Where a credential was written."""

    certificate: Path
    """The leaf, and the intermediates if they were asked for."""
    key: Path
    combined: Path
    """Certificate and key in one file, as ``curl --cert`` takes it."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate with its key, and the intermediates up to the root (the root left out)."""

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the DER, lower-case hex."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def pem(self, *, with_chain: bool = False) -> bytes:
        """The leaf as PEM, followed by the intermediates if asked."""
        return certificates_pem(self.certificate, *(self.chain if with_chain else ()))

    def key_pem(self) -> bytes:
        """The key as unencrypted PKCS#8 PEM."""
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def write(self, directory: Path, stem: str, *, with_chain: bool = False) -> CredentialFiles:
        """Write ``stem.pem``, ``stem-key.pem`` and ``stem-both.pem``."""
        files = CredentialFiles(*(directory / f"{stem}{end}.pem" for end in ("", "-key", "-both")))
        files.certificate.write_bytes(self.pem(with_chain=with_chain))
        files.key.write_bytes(self.key_pem())
        files.combined.write_bytes(self.pem(with_chain=with_chain) + self.key_pem())
        for path in (files.key, files.combined):
            path.chmod(0o600)
        return files


class Authority:
    """A CA for tests. ``certificate`` is its own; ``bundle`` adds the authorities above it."""

    def __init__(
        self, common_name: str, *, above: Authority | None = None, **options: Unpack[Options]
    ) -> None:
        """Make a root, or an intermediate under ``above``.

        ``options`` say how it differs from a good one (``ca=False``, ``key="rsa1024"``).
        """
        subject = options.get("subject", name(("O", "Test"), ("CN", common_name)))
        key = new_key(options.get("key", "p256"), f"authority {common_name}")
        own = _Signer(subject, key, options.get("key_id", _key_id(key)))
        wanted: Options = {"ca": True, "eku": (), "not_after": timedelta(days=90)}
        wanted.update(options)
        certificate = _certificate(subject, key, above.signer if above else own, wanted)
        parents = (above.certificate, *above.credential.chain, *above.root) if above else ()
        self.signer: _Signer = own
        self.credential: Credential = Credential(certificate, key, parents[:-1])
        """The authority presented as if it were a leaf."""
        self.root: tuple[x509.Certificate, ...] = parents[-1:]
        """The root above this authority; nothing if it is a root itself."""

    @property
    def certificate(self) -> x509.Certificate:
        """The authority's own certificate."""
        return self.credential.certificate

    @property
    def bundle(self) -> bytes:
        """The authority and all above it up to the root, as PEM: what ``ca.pem`` holds."""
        return certificates_pem(self.certificate, *self.credential.chain, *self.root)

    def write(self, path: Path) -> Path:
        """Write the bundle."""
        path.write_bytes(self.bundle)
        return path

    def issue(self, common_name: str = "client", **options: Unpack[Options]) -> Credential:
        """Issue a leaf: a good client certificate, but for what ``options`` say."""
        subject = options.get("subject", name(("CN", common_name)))
        key = new_key(options.get("key", "p256"), "leaf")
        certificate = _certificate(subject, key, self.signer, options)
        chain = (self.certificate, *self.credential.chain) if self.root else ()
        return Credential(certificate, key, chain)

    def issue_server(self, *names: str, **options: Unpack[Options]) -> Credential:
        """Issue a server certificate for the DNS names; the first is the common name too."""
        wanted: Options = {"eku": [SERVER], "sans": [x509.DNSName(dns) for dns in names]}
        wanted.update(options)
        return self.issue(names[0], **wanted)

    def intermediate(self, common_name: str, **options: Unpack[Options]) -> Authority:
        """Make an authority under this one."""
        return Authority(common_name, above=self, **options)

    def impostor(self) -> Authority:
        """Make a root with the same name and key identifier and another key: what everybody can make."""
        return Authority("impostor", subject=self.signer.subject, key_id=self.signer.key_id)

    def cross_signed_by(self, other: Authority) -> x509.Certificate:
        """Make a second certificate for this authority's name and key, issued by ``other``."""
        options: Options = {"ca": True, "eku": (), "key_id": self.signer.key_id}
        return _certificate(self.signer.subject, self.signer.key, other.signer, options)


@dataclass(frozen=True, slots=True)
class _Signer:
    subject: x509.Name
    key: PrivateKey = field(repr=False)
    key_id: bytes


def self_signed(common_name: str = "client", **options: Unpack[Options]) -> Credential:
    """Make a leaf that nobody but itself vouches for."""
    subject = options.get("subject", name(("CN", common_name)))
    key = new_key(options.get("key", "p256"), "self-signed")
    return Credential(_certificate(subject, key, _Signer(subject, key, _key_id(key)), options), key)


def name(*attributes: tuple[str, str] | tuple[str, str, StringType]) -> x509.Name:
    """Make a name, in the order given; anything goes: several CNs, control characters, odd types.

    ``name(("O", "Access"), ("CN", "a"), ("CN", "b", StringType.BMPString))``
    """
    return x509.Name([_attribute(*attribute) for attribute in attributes])


def multi_valued_name(*attributes: tuple[str, str]) -> x509.Name:
    """Make a name whose attributes all stand in one relative distinguished name."""
    return x509.Name([x509.RelativeDistinguishedName(_attribute(*attribute) for attribute in attributes)])


def certificates_pem(*certificates: x509.Certificate) -> bytes:
    """The certificates as PEM, one after the other."""
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)


def new_key(kind: KeyKind, use: str = "") -> PrivateKey:
    """Make a key; an RSA key is the same for each ``use``, so that it is made once."""
    match kind:
        case "p192" | "p224" | "p256" | "p384":
            return ec.generate_private_key(_CURVES[kind])
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "rsa1024" | "rsa2040" | "rsa2048" | "rsa4096":
            return _rsa_key(int(kind.removeprefix("rsa")), use)


_CURVES = {"p192": ec.SECP192R1(), "p224": ec.SECP224R1(), "p256": ec.SECP256R1(), "p384": ec.SECP384R1()}


@cache
def _rsa_key(bits: int, use: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


_OIDS = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
    "SERIALNUMBER": NameOID.SERIAL_NUMBER,
    "E": NameOID.EMAIL_ADDRESS,
    "DC": NameOID.DOMAIN_COMPONENT,
    "UID": NameOID.USER_ID,
}


def _attribute(kind: str, value: str, string_type: StringType | None = None) -> x509.NameAttribute[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about lengths: tests want names that are too long
        return x509.NameAttribute(_OIDS[kind], value, _type=string_type, _validate=False)


def _key_id(key: PrivateKey) -> bytes:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest


def _certificate(subject: x509.Name, key: PrivateKey, issuer: _Signer, options: Options) -> x509.Certificate:
    now = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 -- the edge under test reads this clock too
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(options.get("serial", x509.random_serial_number()))
        .not_valid_before(now + options.get("not_before", timedelta(hours=-1)))
        .not_valid_after(now + options.get("not_after", timedelta(days=1)))
    )
    for extension, critical in _extensions(options.get("key_id", _key_id(key)), issuer.key_id, options):
        builder = builder.add_extension(extension, critical)
    digest = None if isinstance(issuer.key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    certificate = builder.sign(issuer.key, digest)
    return as_version1(certificate, issuer.key) if options.get("version1") else certificate


def _extensions(
    key_id: bytes, issuer_key_id: bytes, options: Options
) -> Sequence[tuple[x509.ExtensionType, bool]]:
    ca = options.get("ca", False)
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=ca, path_length=options.get("path_length") if ca else None), True),
        (x509.SubjectKeyIdentifier(key_id), False),
        (x509.AuthorityKeyIdentifier(issuer_key_id, None, None), False),
        (_key_usage(ca=ca), True),
    ]
    if purposes := options.get("eku", [CLIENT]):
        extensions.append((x509.ExtendedKeyUsage(purposes), False))
    if names := options.get("sans"):
        extensions.append((x509.SubjectAlternativeName(names), False))
    return [*extensions, *options.get("extensions", ())]


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
