"""Sign certificate requests with an authority's key, as a profile says.

What the request asks for beyond its key, its subject and its names has no effect, unless the
profile has ``copy_extensions``; and even then the extensions that say what the certificate is good
for stay the authority's own. Whether it is an authority is for the profile alone to say.

The subject of a request is kept as it stands, with every attribute in its place. cfssl takes it
apart and puts it together again, which loses what it does not know, such as domain components.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from edge.pki.cfssl.csr_json import SubjectJson
from edge.pki.cfssl.hosts import general_names, in_order
from edge.pki.cfssl.messages import CfsslError, Code, Log
from edge.pki.cfssl.request import public_key
from edge.pki.cfssl.signing_config import Profile
from edge.pki.cfssl.subject import override_name, refuse_unprintable
from edge.pki.cfssl.template import Template, signed_by, validity
from edge.pki.issue import Authority, RandomBits

_OF_THE_AUTHORITY = frozenset(
    {
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.ISSUER_ALTERNATIVE_NAME,
        ExtensionOID.OCSP_NO_CHECK,
    }
)
"""Never copied from a request: whoever asks would choose what the certificate is good for."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What whoever signs puts in place of what the request says. Empty: the request stands."""

    hosts: tuple[str, ...] = ()
    subject: SubjectJson | None = None
    crl_url: str = ""


@dataclass(frozen=True, slots=True)
class Signer:
    """An authority at work: its key, the moment, and its source of serial numbers."""

    authority: Authority
    now: datetime
    random_bits: RandomBits
    log: Log

    def sign(
        self, csr: x509.CertificateSigningRequest, profile: Profile, overrides: Overrides | None = None
    ) -> x509.Certificate:
        """Sign a request that ``read_csr`` accepted. Raises ``CfsslError``."""
        overrides = overrides or Overrides()
        profile = replace(profile, crl_url=overrides.crl_url or profile.crl_url)
        self._check_authority(csr, profile)
        subject = csr.subject
        if overrides.subject is not None:
            subject = override_name(overrides.subject, csr.subject)
        names = general_names(overrides.hosts) if overrides.hosts else self._requested_names(csr)
        _check_names(profile, subject, names)
        if profile.is_ca:
            # As in cfssl: an authority has no hosts, except for the addresses somebody may have given it.
            names = tuple(name for name in names if isinstance(name, x509.IPAddress))
        template = Template(
            subject, public_key(csr), profile, validity(profile, self.now), names, _copied(csr, profile)
        )
        certificate = signed_by(self.authority, template, self.random_bits)
        self._warn(certificate)
        self.log.info(f"signed certificate with serial number {certificate.serial_number}")
        return certificate

    def _check_authority(self, csr: x509.CertificateSigningRequest, profile: Profile) -> None:
        wanted = _constraints(csr)
        if wanted is not None and wanted.ca and not profile.is_ca:
            raise CfsslError(
                "Policy violation request: the request is for an authority, "
                "and the profile has no ca_constraint with is_ca",
                Code.INVALID_REQUEST,
            )
        above = _constraints(self.authority.certificate)
        room = above.path_length if above is not None else None
        if not profile.is_ca or room is None:
            return
        if room == 0 or (profile.path_length is not None and profile.path_length >= room):
            # RFC 5280 6.1.4 (l): nobody would believe what stands below.
            raise CfsslError(
                f"Policy violation request: the authority's path length is {room}, "
                "too short for the authority that is to stand below it",
                Code.INVALID_REQUEST,
            )

    def _requested_names(self, csr: x509.CertificateSigningRequest) -> tuple[x509.GeneralName, ...]:
        try:
            requested = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return ()
        names = in_order(requested)
        left_out = len(tuple(requested)) - len(names)
        if left_out:
            self.log.warning(
                f"{left_out} of the alternative names asked for are neither DNS, mail, IP nor URI: left out"
            )
        return names

    def _warn(self, certificate: x509.Certificate) -> None:
        end = self.authority.certificate.not_valid_after_utc
        if end <= self.now:
            self.log.warning(f"the authority expired at {end:%Y-%m-%dT%H:%M:%SZ}: nobody believes its word")
        elif certificate.not_valid_after_utc > end:
            self.log.warning(
                f"the certificate outlives its authority, and is good until {end:%Y-%m-%dT%H:%M:%SZ} only"
            )


def _constraints(
    found: x509.CertificateSigningRequest | x509.Certificate,
) -> x509.BasicConstraints | None:
    try:
        return found.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return None


def _check_names(profile: Profile, subject: x509.Name, names: tuple[x509.GeneralName, ...]) -> None:
    for attribute in subject:
        refuse_unprintable(attribute.value)
    hosts = [name.value for name in names if not isinstance(name, x509.IPAddress)]
    for host in hosts:
        refuse_unprintable(host, "the host")
    if profile.name_whitelist is None:
        return
    common_names = [each.value for each in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    for value in (*common_names, *hosts):
        if not isinstance(value, str) or profile.name_whitelist.search(value) is None:
            raise CfsslError(
                f"the name {str(value)[:64]!a} does not match the name_whitelist", Code.UNMATCHED_WHITELIST
            )


def _copied(
    csr: x509.CertificateSigningRequest, profile: Profile
) -> tuple[x509.Extension[x509.ExtensionType], ...]:
    if not profile.copy_extensions:
        return ()
    return tuple(each for each in csr.extensions if each.oid not in _OF_THE_AUTHORITY)
