"""Make the keys and certificate requests (PKCS #10) that a CSR JSON asks for, and read requests."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from edge.pki.cfssl.csr_json import CaSection, CsrJson, KeySpec
from edge.pki.cfssl.hosts import general_names
from edge.pki.cfssl.messages import CfsslError, Code, Log
from edge.pki.cfssl.subject import build_name, oddities
from edge.pki.keys import (
    PUBLIC_KEY_TYPES,
    KeyMaterialError,
    PrivateKey,
    PublicKey,
    key_pem,
    new_key,
    read_key,
    signature_hash,
)


@dataclass(frozen=True, slots=True)
class Requested:
    """A new key and the request made with it."""

    key: PrivateKey = field(repr=False)
    csr: x509.CertificateSigningRequest


def make_request(request: CsrJson, log: Log) -> Requested:
    """Make the key that is asked for, and the request. Raises ``CfsslError``."""
    log.info("generate received request")
    log.info("received CSR")
    log.info(f"generating key: {request.key}")
    key = _make_key(request.key)
    return Requested(key, make_csr(request, key, log))


def make_csr(request: CsrJson, key: PrivateKey, log: Log) -> x509.CertificateSigningRequest:
    """Make a request with a key that is there already. Raises ``CfsslError``."""
    name = build_name(request.subject)
    for oddity in oddities(name):
        log.warning(oddity)
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    try:
        for extension, critical in _extensions(request):
            builder = builder.add_extension(extension, critical)
        csr = builder.sign(key, signature_hash(key))
    except ValueError as error:
        raise CfsslError(f"the request cannot be made: {error}", Code.CSR_GENERATION) from None
    log.info("encoded CSR")
    return csr


def read_csr(pem: bytes) -> x509.CertificateSigningRequest:
    """Read a request, and check that whoever made it has the key. Raises ``CfsslError``."""
    try:
        csr = x509.load_pem_x509_csr(pem)
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise CfsslError("there is no PEM certificate request in it", Code.CSR_DECODE) from None
    try:
        if not csr.is_signature_valid:
            raise CfsslError("the signature of the certificate request is wrong", Code.CSR_BAD_REQUEST)
        public_key(csr)
        _ = csr.subject, list(csr.extensions)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension) as error:
        raise CfsslError(f"the certificate request cannot be read: {error}", Code.CSR_PARSE) from None
    except x509.UnsupportedGeneralNameType as error:
        raise CfsslError(f"the certificate request names a host so: {error}", Code.CSR_PARSE) from None
    return csr


def public_key(csr: x509.CertificateSigningRequest) -> PublicKey:
    """Return the key that is to be certified. Raises ``CfsslError`` for a kind that is not certified."""
    key = csr.public_key()
    if not isinstance(key, PUBLIC_KEY_TYPES):
        raise CfsslError("only RSA, ECDSA and Ed25519 keys are certified here", Code.CSR_PARSE)
    return key


def read_authority_key(pem: bytes, password: bytes | None) -> PrivateKey:
    """Read the key of an authority; a password that it does not need does no harm. Raises ``CfsslError``."""
    try:
        return read_key(pem)
    except KeyMaterialError as plain:
        if password is None:
            encrypted = "encrypted" in str(plain)
            code = Code.KEY_ENCRYPTED if encrypted else Code.KEY_DECODE
            hint = " in CFSSL_CA_PK_PASSWORD" if encrypted else ""
            raise CfsslError(f"{plain}{hint}", code) from None
    try:
        return read_key(pem, password)
    except KeyMaterialError as error:
        raise CfsslError(str(error), Code.KEY_DECODE) from None


def key_output(key: PrivateKey) -> bytes:
    """Return the key as PEM in cfssl's wrappings: PKCS #1 for RSA, SEC 1 for ECDSA.

    Ed25519 keys have no such old form; cfssl's own label for them is read by nobody else, so they
    are written as PKCS #8, which cfssl reads too.
    """
    if isinstance(key, Ed25519PrivateKey):
        return key_pem(key)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def csr_output(csr: x509.CertificateSigningRequest) -> bytes:
    """Return the request as PEM."""
    return csr.public_bytes(Encoding.PEM)


def _make_key(spec: KeySpec) -> PrivateKey:
    try:
        return new_key(spec.algorithm, spec.size)
    except KeyMaterialError as error:
        raise CfsslError(f"key: {error}", Code.KEY_GENERATION) from None


def _extensions(request: CsrJson) -> list[tuple[x509.ExtensionType, bool]]:
    extensions: list[tuple[x509.ExtensionType, bool]] = []
    if request.hosts:
        extensions.append((x509.SubjectAlternativeName(general_names(request.hosts)), False))
    if request.ca is not None:
        extensions.append((_constraints(request.ca), True))
    extensions.extend(
        (x509.UnrecognizedExtension(each.oid, each.value), each.critical) for each in request.extensions
    )
    return extensions


def _constraints(ca: CaSection) -> x509.BasicConstraints:
    return x509.BasicConstraints(ca=True, path_length=ca.path_length)
