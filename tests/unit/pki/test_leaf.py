"""Leaves: what the profiles add, how long they may live, and what a renewal says again."""

from __future__ import annotations

import secrets
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge.pki import issue
from edge.pki.errors import PkiError
from edge.pki.issue import Profile
from edge.pki.keys import new_key
from edge.pki.leaf import KeyType, describe, key_type_of, lifetime_of, say_again, validity
from edge.pki.names import read_alternative_name, read_subject, text_of
from tests.unit.pki.directories import DAY, NOW

ROOT = issue.make_root(read_subject("root"), new_key(), issue.valid_for(NOW, 100 * DAY), secrets.randbits)


def test_a_server_that_no_client_could_check_is_refused() -> None:
    with pytest.raises(PkiError, match="--san"):
        describe("My server", Profile.SERVER)


def test_the_common_name_of_a_server_is_an_alternative_name_as_well_and_only_once() -> None:
    names = [read_alternative_name(text) for text in ("b.test", "a.test", "b.test")]
    leaf = describe("A.test", Profile.SERVER, names)
    assert [text_of(name) for name in leaf.names] == ["dns:a.test", "dns:b.test"]


def test_a_server_may_be_called_anything_if_it_has_other_names() -> None:
    leaf = describe("My server", Profile.SERVER, [read_alternative_name("a.test")])
    assert [text_of(name) for name in leaf.names] == ["dns:a.test"]


def test_a_client_gets_no_names_unasked() -> None:
    assert describe("a.test", Profile.CLIENT).names == ()


def test_a_leaf_that_would_outlive_its_issuer_is_refused_with_the_date() -> None:
    with pytest.raises(PkiError, match=r"ends on 2027-04-25; choose at most --days 100"):
        validity(101 * DAY, ROOT.certificate, NOW, may_shorten=False)


def test_a_leaf_of_the_usual_lifetime_is_shortened_with_a_note() -> None:
    found, note = validity(365 * DAY, ROOT.certificate, NOW, may_shorten=True)
    assert found.not_after == ROOT.certificate.not_valid_after_utc
    assert "2027-04-25" in note


@pytest.mark.parametrize("may_shorten", [True, False])
def test_nothing_is_issued_under_an_expired_authority(may_shorten: bool) -> None:
    with pytest.raises(PkiError, match="expired on 2027-04-25"):
        validity(DAY, ROOT.certificate, NOW + 100 * DAY, may_shorten=may_shorten)


def test_under_an_authority_with_hours_left_no_number_of_days_is_advised() -> None:
    with pytest.raises(PkiError, match="within a day"):
        validity(DAY, ROOT.certificate, NOW + 99.5 * DAY, may_shorten=False)


def test_a_lifetime_within_the_issuers_is_taken_as_it_is() -> None:
    found, note = validity(100 * DAY, ROOT.certificate, NOW, may_shorten=False)
    assert (found, note) == (issue.valid_for(NOW, 100 * DAY), "")


@pytest.mark.parametrize("profile", list(Profile))
def test_what_is_said_again_is_what_was_said(profile: Profile) -> None:
    names = [read_alternative_name(text) for text in ("a.test", "::1", "a@b.test", "spiffe://x/y")]
    leaf = describe("a.test", profile, names, "OU=Ops,O=Widgetcorp")
    valid = issue.valid_for(NOW, 7 * DAY)
    certificate = leaf.sign(ROOT, new_key().public_key(), valid, secrets.randbits)
    assert say_again(certificate) == leaf
    assert leaf.common_name == "a.test"
    assert lifetime_of(certificate) == timedelta(days=7)


def test_a_certificate_without_a_known_profile_is_not_said_again() -> None:
    with pytest.raises(PkiError, match="profile"):
        say_again(ROOT.certificate)
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
    builder = x509.CertificateBuilder().subject_name(read_subject("x")).issuer_name(read_subject("x"))
    builder = builder.not_valid_before(NOW).not_valid_after(NOW + DAY).serial_number(1)
    builder = builder.add_extension(both, critical=False)
    key = ed25519.Ed25519PrivateKey.generate()
    with pytest.raises(PkiError, match="profile"):
        say_again(builder.public_key(key.public_key()).sign(key, None))


@pytest.mark.parametrize("kind", list(KeyType))
def test_a_successor_has_a_key_of_the_same_type(kind: KeyType) -> None:
    key = kind.make()
    assert key_type_of(key.public_key()) is kind
    match kind:
        case KeyType.RSA2048 | KeyType.RSA4096:
            assert isinstance(key, rsa.RSAPrivateKey)
            assert key.key_size == int(kind.value[3:])
        case KeyType.ED25519:
            assert isinstance(key, ed25519.Ed25519PrivateKey)
        case _:
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            assert key.curve.key_size == int(kind.value[1:])
