"""The rules about the client's certificate. Each of them needs a *verified* certificate.

``ClientAuth.verified`` is the only predicate: a certificate that merely was presented proves nothing,
whatever name it carries. Values are compared whole, code point by code point, with case: a name that
only looks alike, or that a DN parser would read alike, is another name. Nothing here is a regular
expression, and nothing reads a DN as text. Two comparisons ignore ASCII case, because their names do
by definition: DNS names, and the domain of an e-mail address (see ``san_pattern``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from edge.access.rules import Canonical, RequestFacts
from edge.access.san_pattern import SanPattern
from edge.model.client_auth import CertificateFacts


@dataclass(frozen=True, slots=True)
class Certificate:
    """Cloudflare's *Valid Certificate*: any certificate that verifies under this host's CAs."""

    about_certificate: ClassVar[bool] = True
    canonical: ClassVar[Canonical] = ("certificate",)

    def matches(self, facts: RequestFacts) -> bool:
        """Whether there is a verified certificate."""
        return facts.auth.verified is not None


@dataclass(frozen=True, slots=True)
class CommonName:
    """The certificate has exactly one common name, and it is this one.

    With two, some readers take the first and some the last (CVE-2021-44533): neither counts.
    """

    about_certificate: ClassVar[bool] = True

    common_name: str

    @property
    def canonical(self) -> Canonical:
        """Selector and name."""
        return ("common_name", self.common_name)

    def matches(self, facts: RequestFacts) -> bool:
        """Compare the one common name."""
        certificate = facts.auth.verified
        return certificate is not None and certificate.common_names == (self.common_name,)


@dataclass(frozen=True, slots=True)
class CertificateSan:
    """One of the certificate's subject alternative names of a kind fits a pattern."""

    about_certificate: ClassVar[bool] = True

    kind: str
    """``dns``, ``email``, ``uri`` or ``ip``."""
    pattern: SanPattern

    @property
    def canonical(self) -> Canonical:
        """Selector, kind and pattern."""
        return ("certificate_san", self.kind, self.pattern.text)

    def matches(self, facts: RequestFacts) -> bool:
        """Try every name of the kind."""
        certificate = facts.auth.verified
        if certificate is None:
            return False
        return any(self.pattern.accepts(name) for name in _names(certificate, self.kind))


@dataclass(frozen=True, slots=True)
class CertificateSubject:
    """One of the subject's attributes of a type has this value, e.g. ``ou`` is ``Access Admins``.

    Several values of one type (two OUs) are normal: one of them has to be equal. The common name is
    not looked at here; that is what ``CommonName`` is for.
    """

    about_certificate: ClassVar[bool] = True

    attribute: str
    value: str

    @property
    def canonical(self) -> Canonical:
        """Selector, attribute and value."""
        return ("certificate_subject", self.attribute, self.value)

    def matches(self, facts: RequestFacts) -> bool:
        """Look for the attribute with exactly this value."""
        certificate = facts.auth.verified
        return certificate is not None and (self.attribute, self.value) in certificate.subject_attributes


@dataclass(frozen=True, slots=True)
class CertificateIssuer:
    """Which of the host's CAs vouches for the certificate.

    By ``name``: the ``mtls_certificates`` entry the chain ends in. By ``fingerprint``: any CA
    certificate of the chain above the leaf. Exactly one of the two is set.
    """

    about_certificate: ClassVar[bool] = True

    name: str = ""
    fingerprint: bytes = b""
    """SHA-256 of the CA certificate's DER."""

    @property
    def canonical(self) -> Canonical:
        """Selector, and how the CA is named."""
        if self.fingerprint:
            return ("certificate_issuer", "fingerprint", self.fingerprint.hex())
        return ("certificate_issuer", "name", self.name)

    def matches(self, facts: RequestFacts) -> bool:
        """Compare with the verified chain; a leaf is never its own issuer here."""
        auth = facts.auth
        if auth.verified is None:
            return False
        if self.fingerprint:
            return any(ca.sha256 == self.fingerprint for ca in auth.chain[1:])
        return self.name != "" and auth.issuing_ca == self.name


@dataclass(frozen=True, slots=True)
class CertificateFingerprint:
    """Exactly this certificate, by the SHA-256 of its DER."""

    about_certificate: ClassVar[bool] = True

    sha256: bytes

    @property
    def canonical(self) -> Canonical:
        """Selector and fingerprint in lower-case hex."""
        return ("certificate_fingerprint", self.sha256.hex())

    def matches(self, facts: RequestFacts) -> bool:
        """Compare the leaf's fingerprint."""
        certificate = facts.auth.verified
        return certificate is not None and certificate.sha256 == self.sha256


@dataclass(frozen=True, slots=True)
class CertificateSerial:
    """A serial number. Two CAs may give the same one: require ``certificate_issuer`` as well."""

    about_certificate: ClassVar[bool] = True

    serial: int

    @property
    def canonical(self) -> Canonical:
        """Selector and serial in lower-case hex."""
        return ("certificate_serial", f"{self.serial:x}")

    def matches(self, facts: RequestFacts) -> bool:
        """Compare the leaf's serial as a number, so that padding plays no part."""
        certificate = facts.auth.verified
        return certificate is not None and certificate.serial == self.serial


def _names(certificate: CertificateFacts, kind: str) -> tuple[str, ...]:
    match kind:
        case "dns":
            return certificate.san_dns
        case "email":
            return certificate.san_email
        case "uri":
            return certificate.san_uri
        case "ip":
            return certificate.san_ip
        case _:
            return ()
