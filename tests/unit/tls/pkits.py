"""The Public Key Interoperability Test Suite of NIST, judged as clients of a host.

https://csrc.nist.gov/projects/pki-testing, version 1.0.1, as the package ``cryptography-vectors`` has it.
The name of each end entity says what is expected of it, and the names of the issuers which certificates
belong to its path.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType

import cryptography_vectors
from cryptography import x509
from OpenSSL import crypto

from edge.tls.at_time import VerifierAt
from edge.trust.authenticate import authenticate
from edge.trust.ca_bundle import CaBundle, CaBundleError, CaEntry, combine, read_ca_entry
from edge.trust.certificate import canonical_name
from edge.trust.crl import Crl, CrlError, read_crl
from edge.trust.revocation import NO_REVOCATION, EntryRevocation, Revocation
from tests.certificates import certificates_pem

FOLDER = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data"
AT = datetime(2024, 1, 1, tzinfo=UTC)
"""A day on which the suite is valid."""
_ENTRY = "PKITS"
_ANCHOR = "TrustAnchorRootCertificate"


def end_entities() -> list[str]:
    """The name of every end entity, which is the name of its case."""
    return sorted(path.stem for path in (FOLDER / "certs").glob("*EE.crt"))


def is_meant_to_pass(case: str) -> bool:
    """The cases about policies without a word are valid for whoever asks for no policy."""
    return not case.startswith("Invalid")


def verdict_on_chain(case: str, *, strict: bool) -> str:
    """Judge with the anchor alone as the bundle, no CRLs, and the whole path from the client."""
    bundle = combine((CaEntry(_ENTRY, (_certificate(_ANCHOR),), strict),))
    return _verdict(case, bundle, NO_REVOCATION)


def verdict_with_crls(case: str) -> str:
    """Judge with all CAs of the path and all their CRLs in the operator's hands."""
    try:
        cas = [_certificate(_ANCHOR), *(_certificate(stem) for stem in _path_of(case))]
        bundle = combine((read_ca_entry(_ENTRY, certificates_pem(*cas)),))
        revocation = {_ENTRY: _revocation(cas)}
    except CaBundleError as error:
        return f"bundle: {error}"
    except CrlError as error:
        return f"CRL: {error}"
    except ValueError as error:  # a certificate that cannot be read is in no bundle
        return f"bundle: {error}"
    return _verdict(case, bundle, revocation)


def _verdict(case: str, bundle: CaBundle, revocation: Revocation) -> str:
    verification = VerifierAt(bundle, AT).verify(_octets(case), [_octets(stem) for stem in _path_of(case)])
    return authenticate(verification, bundle, revocation, AT.timestamp()).verify


def _revocation(cas: Sequence[x509.Certificate]) -> EntryRevocation:
    """Read the CRLs that name one of these CAs; one that is refused is an error at the edge's start."""
    newest: dict[bytes, Crl] = {}
    for octets in _crls_of({canonical_name(ca.subject) for ca in cas}):
        crl = read_crl(octets, cas, AT, "CRL")
        known = newest.get(crl.issuer)
        if known is None or known.is_older_than(crl):
            newest[crl.issuer] = crl
    return EntryRevocation(MappingProxyType(newest), stale_allowed=False)


def _crls_of(issuers: set[bytes]) -> list[bytes]:
    return [octets for issuer, octets in _crls() if issuer in issuers]


@cache
def _crls() -> list[tuple[bytes, bytes]]:
    """Every CRL with the name of its issuer."""
    found = []
    for path in sorted((FOLDER / "crls").glob("*.crl")):
        octets = path.read_bytes()
        found.append((canonical_name(x509.load_der_x509_crl(octets).issuer), octets))
    return found


def _path_of(case: str) -> list[str]:
    """The CAs that the issuers' names lead to, the anchor left out."""
    by_subject = _cas_by_subject()
    stems: list[str] = []
    awaited = [_names(_octets(case))[1]]
    seen = set()
    while awaited:
        issuer = awaited.pop()
        if issuer not in seen:
            seen.add(issuer)
            for stem in by_subject.get(issuer, ()):
                stems.append(stem)
                awaited.append(_names(_octets(stem))[1])
    return stems


@cache
def _cas_by_subject() -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for path in sorted((FOLDER / "certs").glob("*.crt")):
        if path.stem != _ANCHOR and not path.stem.endswith("EE"):
            found.setdefault(_names(path.read_bytes())[0], []).append(path.stem)
    return found


def _names(octets: bytes) -> tuple[int, int]:
    """Subject and issuer, as OpenSSL compares them: one certificate is nothing that others can read."""
    certificate = crypto.load_certificate(crypto.FILETYPE_ASN1, octets)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return certificate.get_subject().hash(), certificate.get_issuer().hash()


@cache
def _octets(stem: str) -> bytes:
    return (FOLDER / "certs" / f"{stem}.crt").read_bytes()


@cache
def _certificate(stem: str) -> x509.Certificate:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a negative serial number is one of the cases
        return x509.load_der_x509_certificate(_octets(stem))
