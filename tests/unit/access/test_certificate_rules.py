"""Rules about the certificate: one table for each selector."""

from __future__ import annotations

import pytest

from edge.access.certificate_rules import (
    Certificate,
    CertificateFingerprint,
    CertificateIssuer,
    CertificateSan,
    CertificateSerial,
    CertificateSubject,
    CommonName,
)
from edge.access.rules import Rule
from edge.access.san_pattern import parse_san_pattern
from edge.model.client_auth import NO_CERTIFICATE, ClientAuth
from tests.unit.access.builders import ca, facts, failed, leaf, verified

FULL = leaf(
    "device-1",
    subject_attributes=(("cn", "device-1"), ("o", "Access"), ("ou", "Access Admins"), ("ou", "Ops")),
    san_dns=("a.example.com",),
    san_email=("ann@example.com",),
    san_uri=("spiffe://example.com/ns/prod",),
    san_ip=("192.0.2.7",),
)

RULES_THAT_FIT: list[Rule] = [
    Certificate(),
    CommonName("device-1"),
    CertificateSan("dns", parse_san_pattern("dns", "a.example.com")),
    CertificateSan("email", parse_san_pattern("email", "ann@example.com")),
    CertificateSan("uri", parse_san_pattern("uri", "spiffe://example.com/ns/*")),
    CertificateSan("ip", parse_san_pattern("ip", "192.0.2.0/24")),
    CertificateSubject("ou", "Access Admins"),
    CertificateIssuer(name="CA"),
    CertificateIssuer(fingerprint=b"\xca" * 32),
    CertificateFingerprint(b"\x11" * 32),
    CertificateSerial(0x0A1B),
]


@pytest.mark.parametrize("rule", RULES_THAT_FIT, ids=lambda rule: "/".join(map(str, rule.canonical)))
def test_every_rule_needs_the_verified_certificate(rule: Rule) -> None:
    assert rule.about_certificate
    assert rule.matches(facts(verified(FULL)))
    assert not rule.matches(facts(failed(FULL)))
    assert not rule.matches(facts(NO_CERTIFICATE))


@pytest.mark.parametrize("rule", RULES_THAT_FIT, ids=lambda rule: "/".join(map(str, rule.canonical)))
def test_a_flag_without_a_certificate_proves_nothing(rule: Rule) -> None:
    broken = ClientAuth(presented=True, mtls_authenticated=True, verify="SUCCESS", failure=None)
    assert not rule.matches(facts(broken))


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("",),
        ("device-1", "evil"),
        ("evil", "device-1"),
        ("device-1", "device-1"),
        ("device-1", ""),
        ("device-1.evil",),
        ("xdevice-1",),
        ("DEVICE-1",),
        ("device-1 ",),
        (" device-1",),
        ("device-1\0.evil",),
        ("device\u20101",),
        ("ｄevice-1",),
        ("device-1\u202e",),
        ("O=x/CN=device-1",),
        ("*",),
    ],
)
def test_a_common_name_matches_only_if_it_is_the_only_one_and_equal(names: tuple[str, ...]) -> None:
    assert not CommonName("device-1").matches(facts(verified(leaf(common_names=names))))


def test_composed_and_decomposed_letters_are_two_names() -> None:
    assert not CommonName("caf\u00e9").matches(facts(verified(leaf("cafe\u0301"))))
    assert CommonName("caf\u00e9").matches(facts(verified(leaf("caf\u00e9"))))


def test_an_organisation_that_spells_a_common_name_is_no_common_name() -> None:
    certificate = leaf(
        "evil", subject="CN=evil,O=x/CN=device-1", subject_attributes=(("o", "x/CN=device-1"),)
    )
    assert not CommonName("device-1").matches(facts(verified(certificate)))


@pytest.mark.parametrize(
    ("attribute", "value", "expected"),
    [
        ("ou", "Access Admins", True),
        ("ou", "Ops", True),
        ("ou", "ops", False),
        ("ou", "Access", False),
        ("o", "Access Admins", False),
        ("o", "Access", True),
        ("st", "", False),
    ],
)
def test_subject_rules_by_table(attribute: str, value: str, expected: bool) -> None:
    assert CertificateSubject(attribute, value).matches(facts(verified(FULL))) is expected


def test_one_of_several_names_is_enough_for_a_san_rule_of_its_kind() -> None:
    certificate = leaf(san_dns=("x.test", "b.test"), san_uri=("c.test",))
    rule = CertificateSan("dns", parse_san_pattern("dns", "b.test"))
    assert rule.matches(facts(verified(certificate)))
    assert not CertificateSan("dns", parse_san_pattern("dns", "c.test")).matches(facts(verified(certificate)))
    assert not CertificateSan("other", parse_san_pattern("dns", "b.test")).matches(
        facts(verified(certificate))
    )


def test_an_issuer_name_is_the_whole_name_of_the_ca_entry() -> None:
    assert CertificateIssuer(name="Corp CA").matches(facts(verified(name="Corp CA")))
    for other in ("corp ca", "Corp CA 2", "Corp", ""):
        assert not CertificateIssuer(name="Corp CA").matches(facts(verified(name=other)))
    assert not CertificateIssuer().matches(facts(verified(name="")))


def test_an_issuer_fingerprint_is_any_ca_above_the_leaf_but_never_the_leaf() -> None:
    root, intermediate = ca(b"\x01" * 32), ca(b"\x02" * 32)
    auth = verified(leaf(), intermediate, root)
    assert CertificateIssuer(fingerprint=b"\x01" * 32).matches(facts(auth))
    assert CertificateIssuer(fingerprint=b"\x02" * 32).matches(facts(auth))
    assert not CertificateIssuer(fingerprint=b"\x11" * 32).matches(facts(auth))
    assert not CertificateIssuer(fingerprint=b"\x03" * 32).matches(facts(auth))


def test_fingerprint_and_serial_compare_whole_values() -> None:
    assert not CertificateFingerprint(b"\x11" * 31).matches(facts(verified()))
    assert not CertificateFingerprint(b"\x12" * 32).matches(facts(verified()))
    assert not CertificateSerial(0x1B).matches(facts(verified()))
    assert not CertificateSerial(-0x0A1B).matches(facts(verified()))
