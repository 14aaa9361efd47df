"""A moment, a log and an authority for the tests of the toolkit; nothing in them depends on the day."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from edge.pki.cfssl.csr_json import CsrJson, read_csr_json
from edge.pki.cfssl.initca import Made, Mint
from edge.pki.cfssl.request import Requested, make_csr
from edge.pki.cfssl.sign import Signer
from edge.pki.cfssl.signing_config import Profile, read_signing_config
from edge.pki.issue import Authority
from edge.pki.keys import PrivateKey, new_key

NOW = datetime(2026, 11, 23, 12, 24, 51, tzinfo=UTC)
"""Rounded to the minute 12:25, so that what is made begins at 12:20."""

BEGIN = datetime(2026, 11, 23, 12, 20, tzinfo=UTC)

random_bits = random.Random(1).getrandbits


@dataclass
class Recorder:
    """A log that remembers."""

    infos: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def info(self, text: str) -> None:
        self.infos.append(text)

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def request(**fields: Any) -> CsrJson:
    """The request of a CSR JSON with these fields."""
    read, warnings = read_csr_json(json.dumps(fields).encode())
    assert warnings == ()
    return read


def requested(fields: CsrJson, key: PrivateKey | None = None) -> Requested:
    key = key or new_key()
    return Requested(key, make_csr(fields, key, Recorder()))


def profile(**fields: Any) -> Profile:
    """The profile ``x`` of a configuration, with usages and an expiry unless told otherwise."""
    fields = {"usages": ["signing", "client auth"], "expiry": "8760h"} | fields
    config, warnings = read_signing_config(json.dumps({"signing": {"profiles": {"x": fields}}}).encode())
    assert warnings == ()
    return config.choose("x")


def mint(log: Recorder | None = None, now: datetime = NOW) -> Mint:
    return Mint(now, random_bits, log or Recorder())


def root(**fields: Any) -> Authority:
    """A root made by the toolkit itself."""
    made: Made = mint().new_root(request(**({"CN": "Root"} | fields)))
    return Authority(made.certificate, made.key)


def signer(authority: Authority | None = None, log: Recorder | None = None, now: datetime = NOW) -> Signer:
    return Signer(authority or root(), now, random_bits, log or Recorder())


def pem(certificate: x509.Certificate | x509.CertificateSigningRequest) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def extension_names(certificate: x509.Certificate) -> list[str]:
    """The extensions in their order, critical ones marked."""
    return [f"{each.oid._name}{'!' if each.critical else ''}" for each in certificate.extensions]


def names(found: x509.Certificate | x509.CertificateSigningRequest) -> list[str]:
    """The alternative names, each with its kind."""
    try:
        sans = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [f"{type(name).__name__} {name.value}" for name in sans]


def foreign_request(
    *extensions: tuple[x509.ExtensionType, bool], subject: x509.Name | None = None
) -> x509.CertificateSigningRequest:
    """A request that some other software made."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject or x509.Name([]))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, SHA256())


def days(number: int) -> timedelta:
    return timedelta(days=number)
