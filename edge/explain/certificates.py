"""The certificate of the question: one from a file, or one that is made up for a policy test."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cryptography import x509

from edge.model.client_auth import CertificateFacts, ChainLink, Verification
from edge.snapshot.snapshot import Host
from edge.tls.at_time import UnusableCertificate, VerifierAt
from edge.trust.ca_bundle import CaBundle, der
from edge.trust.certificate import read_certificate

_ALWAYS = (float("-inf"), float("inf"))
_MOST_CERTIFICATES = 16


class CertificateUnreadable(ValueError):
    """There is no certificate in it that a client could present."""


@dataclass(frozen=True, slots=True)
class Presented:
    """What a client sends: its leaf and perhaps intermediates, in DER. The key is not needed."""

    leaf: bytes = field(repr=False)
    intermediates: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class MadeUp:
    """A certificate that nobody has: of the host's first CA, valid for ever, in no CRL."""

    common_name: str


@dataclass(frozen=True, slots=True)
class Unseen:
    """A certificate that a log speaks of and nobody has shown: what it proves cannot be told."""

    subject: str
    sha256: str


Certificate = Presented | MadeUp | Unseen


def read_presented(octets: bytes) -> Presented:
    """Read PEM, the leaf first, or one certificate in DER. Raises ``CertificateUnreadable``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd names and numbers are judged, not complained of
        try:
            if b"-----BEGIN" in octets:
                found = x509.load_pem_x509_certificates(octets)
            else:
                found = [x509.load_der_x509_certificate(octets)]
        except (ValueError, x509.InvalidVersion) as error:
            raise CertificateUnreadable(f"there is no certificate in it that can be read: {error}") from None
    if len(found) > _MOST_CERTIFICATES:
        raise CertificateUnreadable(f"it holds more than {_MOST_CERTIFICATES} certificates")
    leaf, *intermediates = map(der, found)
    return Presented(leaf, tuple(intermediates))


def verification_of(certificate: Certificate | None, host: Host, at: float) -> Verification | None:
    """Return what a handshake with this host would record at that moment.

    None if no certificate is presented, or none is asked for. Raises ``CertificateUnreadable``.
    """
    if certificate is None or isinstance(certificate, Unseen) or host.verifier is None:
        return None
    bundle = host.verifier.bundle
    if isinstance(certificate, MadeUp):
        return _made_up(certificate.common_name, bundle)
    try:
        verifier = VerifierAt(bundle, datetime.fromtimestamp(at, UTC))
        return verifier.verify(certificate.leaf, certificate.intermediates)
    except UnusableCertificate as error:
        raise CertificateUnreadable(str(error)) from None


def _made_up(common_name: str, bundle: CaBundle) -> Verification:
    above = _path(bundle)
    leaf = CertificateFacts(
        der=b"",
        sha256=bytes(32),
        serial=0,
        subject=f"CN={common_name}",
        issuer=above[0].subject,
        subject_name=b"",
        issuer_name=above[0].subject_name,
        not_before=_ALWAYS[0],
        not_after=_ALWAYS[1],
        common_names=(common_name,),
        subject_attributes=(("cn", common_name),),
    )
    identities = [bundle.identities[ca.sha256] for ca in above]
    chain = (leaf, *(replace(ca, not_before=_ALWAYS[0], not_after=_ALWAYS[1]) for ca in above))
    links = tuple(
        ChainLink(issuer, facts.serial)
        for issuer, facts in zip((*identities, identities[-1]), chain, strict=True)
    )
    return Verification(leaf, chain, (), bundle.digest, links)


def _path(bundle: CaBundle) -> tuple[CertificateFacts, ...]:
    """Return the CAs from the one that issues clients up to its root, under the first of the entries."""
    cas = [read_certificate(certificate) for certificate in bundle.certificates]
    first = bundle.names[cas[0].sha256]
    mine = [ca for ca in cas if bundle.names[ca.sha256] == first]
    above = {ca.issuer_name for ca in mine if ca.issuer_name != ca.subject_name}
    issuing = next((ca for ca in mine if ca.subject_name not in above), mine[0])
    by_name: Mapping[bytes, CertificateFacts] = {ca.subject_name: ca for ca in reversed(cas)}
    path = [issuing]
    while (parent := by_name.get(path[-1].issuer_name)) is not None and parent not in path:
        path.append(parent)
    return tuple(path)
