from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from edge.pki.cfssl.messages import CfsslError, Code
from edge.pki.cfssl.sign import Overrides
from edge.pki.cfssl.signing_config import DEFAULT_PROFILE, Profile
from edge.pki.issue import Authority
from tests.unit.pki.cfssl.workshop import (
    BEGIN,
    NOW,
    Recorder,
    days,
    extension_names,
    foreign_request,
    names,
    profile,
    request,
    requested,
    root,
    signer,
)

ROOT = root()
LEAF = requested(request(CN="James Royal", hosts=["a.example", "10.0.0.1"])).csr


def sign(
    csr: x509.CertificateSigningRequest = LEAF, overrides: Overrides | None = None, **fields: Any
) -> x509.Certificate:
    return signer(ROOT).sign(csr, profile(**fields), overrides)


def refused(csr: x509.CertificateSigningRequest = LEAF, **fields: Any) -> CfsslError:
    with pytest.raises(CfsslError) as caught:
        sign(csr, **fields)
    return caught.value


def authority(path_length: int) -> Authority:
    ca: dict[str, object] = {"pathlen": path_length, "pathlenzero": path_length == 0}
    return root(CN="Short", ca=ca)


def test_a_leaf_looks_as_cfssl_makes_it() -> None:
    made = sign(usages=["signing", "key encipherment", "client auth"])
    assert extension_names(made) == [
        "keyUsage!",
        "extendedKeyUsage",
        "basicConstraints!",
        "subjectKeyIdentifier",
        "authorityKeyIdentifier",
        "subjectAltName",
    ]
    made.verify_directly_issued_by(ROOT.certificate)
    assert made.subject == LEAF.subject
    assert made.public_key() == LEAF.public_key()
    assert names(made) == ["DNSName a.example", "IPAddress 10.0.0.1"]
    constraints = made.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert constraints == x509.BasicConstraints(ca=False, path_length=None)


def test_the_key_identifiers_chain() -> None:
    made = sign()
    own = made.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    above = ROOT.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    named = made.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert own == x509.SubjectKeyIdentifier.from_public_key(LEAF.public_key())
    assert named.key_identifier == above.digest


def test_a_serial_has_twenty_octets_and_is_positive() -> None:
    serials = {sign().serial_number for _ in range(5)}
    assert len(serials) == 5
    assert all(serial.bit_length() == 159 for serial in serials)


def test_the_validity_begins_at_the_rounded_minute_less_the_backdate() -> None:
    made = sign(expiry="10h")
    assert made.not_valid_before_utc == BEGIN
    assert made.not_valid_after_utc == BEGIN + timedelta(hours=10)
    backdated = sign(expiry="10h", backdate="1h")
    assert backdated.not_valid_before_utc == BEGIN - timedelta(minutes=55)
    assert backdated.not_valid_after_utc - backdated.not_valid_before_utc == timedelta(hours=10)


@pytest.mark.parametrize(("second", "minute"), [(0, 0), (29, 0), (30, 1), (59, 1)])
def test_half_a_minute_is_rounded_up(second: int, minute: int) -> None:
    now = NOW.replace(minute=10, second=second, microsecond=999_999 if second == 29 else 0)
    made = signer(ROOT, now=now).sign(LEAF, profile())
    assert made.not_valid_before_utc == now.replace(minute=5 + minute, second=0, microsecond=0)


def test_fixed_times_win() -> None:
    made = sign(not_before="2026-01-01T00:00:00Z", not_after="2026-12-01T00:00:00Z")
    assert f"{made.not_valid_before_utc:%F} {made.not_valid_after_utc:%F}" == "2026-01-01 2026-12-01"


def test_a_validity_that_is_none_is_refused() -> None:
    assert refused(not_after="2026-01-01T00:00:00Z").code == Code.INVALID_POLICY
    assert "9999" in refused(not_before="9999-12-31T00:00:00Z").message


def test_places_to_ask_are_in_the_certificate() -> None:
    made = sign(
        ocsp_url="http://o/",
        issuer_urls=["http://i/1", "http://i/2"],
        crl_url="http://c/",
        ocsp_no_check=True,
    )
    access = made.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert [(each.access_method, each.access_location.value) for each in access] == [
        (AuthorityInformationAccessOID.OCSP, "http://o/"),
        (AuthorityInformationAccessOID.CA_ISSUERS, "http://i/1"),
        (AuthorityInformationAccessOID.CA_ISSUERS, "http://i/2"),
    ]
    points = made.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert points[0].full_name == [x509.UniformResourceIdentifier("http://c/")]
    assert extension_names(made)[-1] == "OCSPNoCheck"


def test_a_url_that_no_certificate_can_hold_is_refused() -> None:
    assert refused(crl_url="http://münchen/").code == Code.CERTIFICATE_UNKNOWN


def test_overrides_stand_in_place_of_the_request() -> None:
    overrides = Overrides(("b.example", "x@y"), request(CN="Other").subject, "http://c/")
    made = sign(LEAF, overrides)
    assert names(made) == ["DNSName b.example", "RFC822Name x@y"]
    assert made.subject.rfc4514_string() == "CN=Other"
    assert "cRLDistributionPoints" in extension_names(made)


def test_the_signature_is_as_strong_as_the_authoritys_key() -> None:
    made = signer(root(key={"algo": "ecdsa", "size": 384})).sign(LEAF, profile())
    assert isinstance(made.signature_hash_algorithm, hashes.SHA384)
    made = signer(root(key={"algo": "ed25519"})).sign(LEAF, profile())
    assert made.signature_hash_algorithm is None


def test_an_empty_subject_makes_the_names_critical() -> None:
    made = sign(requested(request(hosts=["a"])).csr)
    assert "subjectAltName!" in extension_names(made)


def test_the_subject_of_somebody_elses_request_is_kept_octet_for_octet() -> None:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "first"),
            x509.NameAttribute(NameOID.DOMAIN_COMPONENT, "example"),
            x509.NameAttribute(NameOID.EMAIL_ADDRESS, "a@b"),
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
        ]
    )
    made = sign(foreign_request(subject=subject))
    assert made.subject.public_bytes() == subject.public_bytes()


def test_a_subject_with_a_control_character_is_refused() -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "admin\x00.evil")])
    assert refused(foreign_request(subject=subject)).code == Code.INVALID_REQUEST


# --- what a request asks for and does not get ------------------------------------------------------


def test_a_request_for_an_authority_is_refused_when_the_profile_makes_none() -> None:
    asked = foreign_request((x509.BasicConstraints(ca=True, path_length=None), True))
    assert refused(asked).code == Code.INVALID_REQUEST


def test_a_request_that_says_it_is_no_authority_is_fine() -> None:
    sign(foreign_request((x509.BasicConstraints(ca=False, path_length=None), True)))


def test_extensions_of_a_request_have_no_effect() -> None:
    asked = foreign_request(
        (x509.ExtendedKeyUsage([x509.ObjectIdentifier("2.5.29.37.0")]), False),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"), True),
    )
    assert extension_names(sign(asked)) == extension_names(sign(foreign_request()))


def test_copied_extensions_never_say_what_the_certificate_is_good_for() -> None:
    asked = foreign_request(
        (x509.ExtendedKeyUsage([x509.ObjectIdentifier("2.5.29.37.0")]), False),
        (x509.BasicConstraints(ca=False, path_length=None), False),
        (x509.OCSPNoCheck(), False),
        (
            x509.NameConstraints(permitted_subtrees=[x509.DNSName("x")], excluded_subtrees=None),
            True,
        ),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"), True),
    )
    made = sign(asked, copy_extensions=True)
    assert extension_names(made) == [*extension_names(sign(foreign_request())), "Unknown OID!"]
    assert made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value == x509.ExtendedKeyUsage(
        [x509.ObjectIdentifier("1.3.6.1.5.5.7.3.2")]
    )


def test_names_that_cfssl_does_not_know_are_left_out_and_told() -> None:
    log = Recorder()
    other = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x01x")
    asked = foreign_request((x509.SubjectAlternativeName([other, x509.DNSName("a")]), True))
    made = signer(ROOT, log).sign(asked, profile())
    assert names(made) == ["DNSName a"]
    assert log.warnings == [
        "1 of the alternative names asked for are neither DNS, mail, IP nor URI: left out"
    ]


# --- the whitelist ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "allowed"),
    [
        ({"CN": "a.example", "hosts": ["b.example"]}, True),
        ({"CN": "a.example", "hosts": ["b.example", "10.0.0.1"]}, True),
        ({"hosts": ["b.example"]}, True),
        ({"CN": "evil", "hosts": ["b.example"]}, False),
        ({"CN": "a.example", "hosts": ["evil"]}, False),
        ({"CN": "a.example", "hosts": ["x@evil"]}, False),
        ({"CN": "a.example", "hosts": ["urn:evil"]}, False),
        ({"CN": "a.example", "hosts": [""]}, False),
    ],
)
def test_every_name_must_match_the_whitelist(fields: dict[str, object], *, allowed: bool) -> None:
    csr = requested(request(**fields)).csr
    if allowed:
        sign(csr, name_whitelist=r"\.example$")
    else:
        assert refused(csr, name_whitelist=r"\.example$").code == Code.UNMATCHED_WHITELIST


def test_overrides_must_match_the_whitelist_too() -> None:
    with pytest.raises(CfsslError, match="name_whitelist"):
        sign(LEAF, Overrides(("evil",)), name_whitelist=r"^(James Royal|.*\.example)$")


def test_a_line_feed_does_not_slip_past_the_end_of_the_whitelist() -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.example\n")])
    assert refused(foreign_request(subject=subject), name_whitelist=r"\.example$").code in (
        Code.INVALID_REQUEST,
        Code.UNMATCHED_WHITELIST,
    )


@pytest.mark.parametrize("host", ["a.example\n", "a\0.example", "\x1b[31m.example"])
def test_a_host_with_a_control_character_is_refused_whatever_the_whitelist_says(host: str) -> None:
    for name in (x509.DNSName(host), x509.UniformResourceIdentifier(host), x509.RFC822Name(host)):
        csr = foreign_request((x509.SubjectAlternativeName([name]), False))
        for fields in ({}, {"name_whitelist": r"\.example$"}):
            assert refused(csr, **fields).code == Code.INVALID_REQUEST


# --- authorities below -----------------------------------------------------------------------------

CA_FIELDS: dict[str, Any] = {"usages": ["cert sign", "crl sign"], "ca_constraint": {"is_ca": True}}


def test_a_profile_can_make_an_authority_of_any_request() -> None:
    made = sign(**CA_FIELDS)
    constraints = made.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=None)
    assert names(made) == ["IPAddress 10.0.0.1"]


def test_a_path_length_is_the_profiles() -> None:
    made = sign(**CA_FIELDS | {"ca_constraint": {"is_ca": True, "max_path_len": 3}})
    assert made.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 3


def test_a_path_length_means_nothing_on_a_leaf() -> None:
    made = sign(ca_constraint={"max_path_len": 3})
    assert made.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length is None


@pytest.mark.parametrize(
    ("above", "below", "allowed"),
    [
        (0, None, False),
        (0, 0, False),
        (1, 0, True),
        (1, None, True),
        (1, 1, False),
        (2, 1, True),
        (2, 5, False),
    ],
)
def test_an_authority_must_fit_below_its_issuer(above: int, below: int | None, *, allowed: bool) -> None:
    wanted = replace(profile(**CA_FIELDS), path_length=below)
    issuer = signer(authority(above))
    if allowed:
        issuer.sign(LEAF, wanted)
    else:
        with pytest.raises(CfsslError, match="path length"):
            issuer.sign(LEAF, wanted)


def test_a_leaf_fits_below_everybody() -> None:
    signer(authority(0)).sign(LEAF, profile())


# --- what is worth a warning -----------------------------------------------------------------------


def log_of(issuer: Authority, chosen: Profile, now: Any = NOW) -> Recorder:
    log = Recorder()
    signer(issuer, log, now).sign(LEAF, chosen)
    return log


def test_the_log_says_the_serial_in_decimal() -> None:
    log = Recorder()
    made = signer(ROOT, log).sign(LEAF, profile())
    assert log.infos == [f"signed certificate with serial number {made.serial_number}"]
    assert log.warnings == []


def test_a_certificate_that_outlives_its_authority_is_told() -> None:
    short = root(ca={"expiry": "1h"})
    (warning,) = log_of(short, DEFAULT_PROFILE).warnings
    assert warning.startswith(
        "the certificate outlives its authority, and is good until 2026-11-23T13:20:00Z"
    )


def test_an_authority_that_expired_is_told() -> None:
    (warning,) = log_of(root(ca={"expiry": "1h"}), DEFAULT_PROFILE, NOW + days(1)).warnings
    assert warning.startswith("the authority expired at 2026-11-23T13:20:00Z")
