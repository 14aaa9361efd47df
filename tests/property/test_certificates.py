"""Whatever octets a stranger shows as a certificate: facts or a refusal, and never another error."""

from __future__ import annotations

import base64
import ipaddress
import warnings
from contextlib import suppress

from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from edge.trust.ca_bundle import CaBundleError, der, read_ca_entry
from edge.trust.certificate import UnreadableCertificate, load_der, read_der, weakness
from tests.certificates import Authority, certificates_pem, name
from tests.property.http1_streams import unhurried

ROOT = Authority("Root")
RICH = ROOT.issue(
    subject=name(("C", "DE"), ("O", "a, CN=b"), ("CN", "c"), ("CN", "d"), ("UID", "e")),
    sans=[
        x509.DNSName("a.test"),
        x509.RFC822Name("a@b.test"),
        x509.UniformResourceIdentifier("spiffe://a/b"),
        x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
        x509.DirectoryName(name(("CN", "f"))),
    ],
)
SAMPLES = [
    der(RICH.certificate),
    der(ROOT.certificate),
    der(ROOT.issue(version1=True, key="rsa2048").certificate),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A certificate with a few octets replaced, each by any other."""
    octets = bytearray(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(1, 4))):
        octets[draw(st.integers(0, len(octets) - 1))] = draw(st.integers(0, 255))
    return bytes(octets)


@unhurried
@given(st.one_of(damaged(), st.binary(max_size=200)))
def test_any_octets_are_facts_or_unreadable(octets: bytes) -> None:
    with warnings.catch_warnings(), suppress(UnreadableCertificate):
        warnings.simplefilter("error")
        facts = read_der(octets)
        assert facts.der
        assert all(text == "" or text.isprintable() for text in facts.common_names)
        assert all(value.isprintable() for _, value in facts.subject_attributes)


@unhurried
@given(damaged(), st.booleans())
def test_the_strength_of_any_certificate_can_be_asked(octets: bytes, anchor: bool) -> None:
    with suppress(UnreadableCertificate):
        weakness(load_der(octets), anchor=anchor)


@unhurried
@given(damaged())
def test_any_ca_file_is_an_entry_or_an_error(octets: bytes) -> None:
    with warnings.catch_warnings(), suppress(CaBundleError):
        warnings.simplefilter("error")
        read_ca_entry("CA", _pem(octets))


def _pem(octets: bytes) -> bytes:
    first, *_, last = certificates_pem(ROOT.certificate).splitlines(keepends=True)
    return first + base64.encodebytes(octets) + last
