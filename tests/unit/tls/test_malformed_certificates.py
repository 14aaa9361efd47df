"""Certificates that somebody once broke a parser with: no client gets in by one, and none ends the edge.

They are those of the package ``cryptography-vectors``: malformed names, extensions, keys and numbers.
"""

from __future__ import annotations

import ssl
import warnings
from datetime import UTC, datetime
from pathlib import Path

import cryptography_vectors
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import crypto

from edge.model.client_auth import Verification
from edge.tls.at_time import UnusableCertificate, VerifierAt
from edge.trust.ca_bundle import CaBundleError, combine, read_ca_entry
from edge.trust.certificate import UnreadableCertificate, read_der
from tests.certificates import Authority

FOLDER = Path(cryptography_vectors.__file__).parent / "x509"
AT = datetime(2024, 1, 1, tzinfo=UTC)
ROOT = Authority("Root")


def _certificates() -> dict[str, bytes]:
    """Every file that holds a certificate, as DER, broken or not."""
    found = {}
    for path in sorted((*FOLDER.glob("*.*"), *(FOLDER / "custom").glob("*.*"))):
        octets = path.read_bytes()
        if b"-----BEGIN CERTIFICATE-----" in octets:
            try:
                found[path.name] = crypto.dump_certificate(
                    crypto.FILETYPE_ASN1, crypto.load_certificate(crypto.FILETYPE_PEM, octets)
                )
            except crypto.Error:
                found[path.name] = b""
        elif path.suffix in {".der", ".crt"}:
            found[path.name] = octets
    return found


CERTIFICATES = _certificates()


def verify(leaf: bytes, *intermediates: bytes) -> Verification | None:
    """What the edge finds; None: OpenSSL cannot read it, so it is never presented."""
    verifier = VerifierAt(combine((read_ca_entry("CA", ROOT.bundle),)), AT)
    try:
        return verifier.verify(leaf, intermediates)
    except (UnusableCertificate, crypto.Error):
        return None


def test_there_are_enough_of_them() -> None:
    assert len(CERTIFICATES) > 120


def test_none_of_them_is_verified_as_a_client() -> None:
    for octets in CERTIFICATES.values():
        found = verify(octets)
        assert found is None or found.errors


def test_none_of_them_helps_a_client_as_an_intermediate() -> None:
    stranger = Authority("Stranger").issue().certificate.public_bytes(Encoding.DER)
    for octets in CERTIFICATES.values():
        found = verify(stranger, octets)
        assert found is None or found.errors


def test_what_cannot_be_read_raises_nothing_else_and_warns_nobody() -> None:
    unreadable = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for octets in CERTIFICATES.values():
            try:
                read_der(octets)
            except UnreadableCertificate:
                unreadable += 1
    assert unreadable > 5


def test_as_a_bundle_each_is_taken_or_refused_with_a_reason() -> None:
    taken = 0
    for octets in CERTIFICATES.values():
        try:
            entry = read_ca_entry("CA", ssl.DER_cert_to_PEM_cert(octets).encode("ascii"))
        except CaBundleError:
            continue
        assert entry.certificates
        taken += 1
    assert taken < len(CERTIFICATES) / 2
