from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509

from edge.pki.cfssl.messages import CfsslError, Code
from edge.pki.cfssl.signing_config import DEFAULT_PROFILE
from edge.pki.issue import Authority
from edge.pki.keys import new_key
from tests.unit.pki.cfssl.workshop import (
    BEGIN,
    NOW,
    Recorder,
    days,
    extension_names,
    mint,
    names,
    profile,
    request,
    requested,
    root,
    signer,
)


def constraints(certificate: x509.Certificate) -> x509.BasicConstraints:
    return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value


def test_a_root_looks_as_cfssl_makes_it() -> None:
    made = mint().new_root(request(CN="Root"))
    assert extension_names(made.certificate) == ["keyUsage!", "basicConstraints!", "subjectKeyIdentifier"]
    assert constraints(made.certificate) == x509.BasicConstraints(ca=True, path_length=None)
    usage = made.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)
    made.certificate.verify_directly_issued_by(made.certificate)
    Authority(made.certificate, made.key)


def test_a_root_lasts_five_years_from_five_minutes_ago() -> None:
    made = mint().new_root(request(CN="Root")).certificate
    assert made.not_valid_before_utc == BEGIN
    assert made.not_valid_after_utc == BEGIN + timedelta(hours=43800)


def test_the_ca_section_is_obeyed() -> None:
    ca = {"pathlen": 1, "expiry": "10h", "backdate": "1h"}
    made = mint().new_root(request(CN="Root", ca=ca, crl_url="http://c/")).certificate
    assert constraints(made).path_length == 1
    assert made.not_valid_before_utc == BEGIN - timedelta(minutes=55)
    assert made.not_valid_after_utc - made.not_valid_before_utc == timedelta(hours=10)
    assert "cRLDistributionPoints" in extension_names(made)


def test_of_its_hosts_a_root_keeps_the_addresses() -> None:
    made = mint().new_root(request(CN="Root", hosts=["a.example", "a@b", "urn:x", "::1"]))
    assert names(made.certificate) == ["IPAddress ::1"]
    assert len(names(made.csr)) == 4


@pytest.mark.parametrize(
    "fields", [{}, {"names": []}, {"names": [{}]}, {"names": [{"O": " "}]}, {"names": [{"O": "x"}, {}]}]
)
def test_a_root_without_a_subject_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(CfsslError, match="missing subject information") as caught:
        mint().new_root(request(**fields))
    assert caught.value.code == Code.INVALID_REQUEST
    with pytest.raises(CfsslError, match="missing subject information"):
        mint().root_with_key(request(**fields), new_key())


def test_a_root_is_made_with_the_key_it_has() -> None:
    key, log = new_key(), Recorder()
    made = mint(log).root_with_key(request(CN="Root"), key)
    assert made.certificate.public_key() == key.public_key()
    assert log.infos[0] == "encoded CSR"


def test_a_renewed_root_is_the_same_for_as_long_again() -> None:
    old = root(CN="Root", names=[{"O": "A"}, {"O": "B"}], hosts=["::1"], ca={"pathlen": 1, "expiry": "100h"})
    new = mint(now=NOW + days(400)).renewed_root(old)
    assert new.subject.public_bytes() == old.certificate.subject.public_bytes()
    assert new.public_key() == old.certificate.public_key()
    assert new.serial_number != old.certificate.serial_number
    assert new.not_valid_before_utc == BEGIN + days(400)
    assert new.not_valid_after_utc - new.not_valid_before_utc == timedelta(hours=100)
    assert constraints(new).path_length == 1
    assert names(new) == ["IPAddress ::1"]


def test_what_the_old_root_signed_is_signed_by_the_renewed_one() -> None:
    old = root()
    leaf = signer(old).sign(requested(request(CN="x")).csr, profile())
    leaf.verify_directly_issued_by(mint(now=NOW + days(1)).renewed_root(old))


def test_an_intermediate_is_not_renewed_into_a_root() -> None:
    asked = requested(request(CN="Intermediate"))
    certificate = signer().sign(asked.csr, profile(usages=["cert sign"], ca_constraint={"is_ca": True}))
    with pytest.raises(CfsslError, match="not self-signed"):
        mint().renewed_root(Authority(certificate, asked.key))


def test_a_self_signed_certificate_has_its_names_and_no_issuer_identifier() -> None:
    made = mint().self_signed_leaf(request(CN="x", hosts=["h.example"]), DEFAULT_PROFILE)
    assert names(made.certificate) == ["DNSName h.example"]
    assert "authorityKeyIdentifier" not in extension_names(made.certificate)
    assert not constraints(made.certificate).ca
    assert made.certificate.not_valid_before_utc == NOW - timedelta(minutes=5)
    assert made.certificate.not_valid_after_utc == NOW + timedelta(days=365)
    made.certificate.verify_directly_issued_by(made.certificate)


def test_no_key_is_in_a_repr() -> None:
    made = mint().new_root(request(CN="Root"))
    assert "PrivateKey" not in repr(made)
