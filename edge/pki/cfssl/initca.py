"""Make root authorities, make them again with the key they have, and self-signed certificates for tests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from edge.pki.cfssl.csr_json import CaSection, CsrJson
from edge.pki.cfssl.hosts import general_names
from edge.pki.cfssl.messages import CfsslError, Code, Log
from edge.pki.cfssl.request import make_csr, make_request
from edge.pki.cfssl.signing_config import BACKDATE, CA_PROFILE, Profile
from edge.pki.cfssl.template import Template, between, self_signed, validity
from edge.pki.issue import Authority, RandomBits
from edge.pki.keys import PrivateKey

SELF_SIGNED_EXPIRY = timedelta(hours=2190)
"""A quarter of a year: what a self-signed certificate gets when no profile says otherwise."""


@dataclass(frozen=True, slots=True)
class Made:
    """A certificate with the request and the key it was made of."""

    certificate: x509.Certificate
    csr: x509.CertificateSigningRequest
    key: PrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mint:
    """Where certificates come from that no authority signs: the moment, the serial numbers, the log."""

    now: datetime
    random_bits: RandomBits
    log: Log

    def new_root(self, request: CsrJson) -> Made:
        """Make a root with a new key. Raises ``CfsslError``."""
        _need_subject(request)
        requested = make_request(request, self.log)
        return Made(self._root(request, requested.csr, requested.key), requested.csr, requested.key)

    def root_with_key(self, request: CsrJson, key: PrivateKey) -> Made:
        """Make a root with the key it has. Raises ``CfsslError``."""
        _need_subject(request)
        csr = make_csr(request, key, self.log)
        return Made(self._root(request, csr, key), csr, key)

    def renewed_root(self, authority: Authority) -> x509.Certificate:
        """Return the same root again, good from now on for as long as it was before.

        Raises ``CfsslError`` for an intermediate: made of its own key alone it would be a root,
        and its issuer could no longer take it back.
        """
        old = authority.certificate
        try:
            old.verify_directly_issued_by(old)
        except (ValueError, TypeError, InvalidSignature):
            raise CfsslError(
                "the certificate is not self-signed: let its issuer sign a new one", Code.INVALID_REQUEST
            ) from None
        constraints = old.extensions.get_extension_for_class(x509.BasicConstraints).value
        span = old.not_valid_after_utc - old.not_valid_before_utc
        profile = replace(CA_PROFILE, expiry=span, path_length=constraints.path_length)
        addresses = tuple(name for name in _alternative_names(old) if isinstance(name, x509.IPAddress))
        template = Template(
            old.subject, authority.key.public_key(), profile, validity(profile, self.now), addresses
        )
        return self._finish(template, authority.key)

    def self_signed_leaf(self, request: CsrJson, profile: Profile) -> Made:
        """Make a certificate with a new key that vouches for itself. Raises ``CfsslError``."""
        requested = make_request(request, self.log)
        begin = self.now.replace(microsecond=0)
        template = Template(
            requested.csr.subject,
            requested.key.public_key(),
            profile,
            between(begin - BACKDATE, begin + (profile.expiry or SELF_SIGNED_EXPIRY)),
            general_names(request.hosts),
        )
        return Made(self._finish(template, requested.key), requested.csr, requested.key)

    def _root(
        self, request: CsrJson, csr: x509.CertificateSigningRequest, key: PrivateKey
    ) -> x509.Certificate:
        ca = request.ca or CaSection()
        profile = replace(
            CA_PROFILE,
            expiry=ca.expiry or CA_PROFILE.expiry,
            backdate=ca.backdate or BACKDATE,
            path_length=ca.path_length,
            crl_url=request.crl_url,
        )
        addresses = tuple(name for name in general_names(request.hosts) if isinstance(name, x509.IPAddress))
        template = Template(csr.subject, key.public_key(), profile, validity(profile, self.now), addresses)
        return self._finish(template, key)

    def _finish(self, template: Template, key: PrivateKey) -> x509.Certificate:
        certificate = self_signed(key, template, self.random_bits)
        self.log.info(f"signed certificate with serial number {certificate.serial_number}")
        return certificate


def _need_subject(request: CsrJson) -> None:
    names = request.subject.names
    if not request.subject.common_name and (not names or any(name.is_empty for name in names)):
        raise CfsslError("missing subject information: give the authority a CN", Code.INVALID_REQUEST)


def _alternative_names(certificate: x509.Certificate) -> tuple[x509.GeneralName, ...]:
    try:
        return tuple(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return ()
