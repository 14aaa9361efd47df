from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509

from edge.pki.cfssl.gencrl import DEFAULT_LIFETIME, gencrl, read_lifetime, read_serials
from edge.pki.cfssl.messages import CfsslError
from edge.pki.issue import Authority
from tests.unit.pki.cfssl.workshop import NOW, Recorder, mint, profile, request, requested, root, signer


@pytest.mark.parametrize(
    ("text", "serials"),
    [
        ("", ()),
        ("\n\r\n \n", ()),
        ("17", (17,)),
        (" 17\t\r\n", (17,)),
        ("0x11\n0X12", (17, 18)),
        ("7A867384D453\n", (0x7A867384D453,)),
        ("12ab", (0x12AB,)),
        ("7a:86:73", (0x7A8673,)),
        ("5\n0x5\n05", (5,)),
    ],
)
def test_serials_are_read_as_people_write_them(text: str, serials: tuple[int, ...]) -> None:
    assert read_serials(text, Recorder()) == serials


@pytest.mark.parametrize(
    "line", ["x", "0x", "12 34", "12,34", "-1", "+1", "1.0", "0", "0x0", "# 17", "١٧", "1_7", "f" * 41]
)
def test_junk_stops_everything_with_its_line(line: str) -> None:
    with pytest.raises(CfsslError, match=r"^line 3: "):
        read_serials(f"17\n\n{line}\n18", Recorder())


def test_a_serial_that_no_crl_can_hold_is_refused() -> None:
    with pytest.raises(CfsslError, match=r"^line 1: .* is longer than"):
        read_serials("f" * 40, Recorder())
    assert read_serials("7" + "f" * 39, Recorder()) == (2**159 - 1,)


def test_digits_alone_are_decimal_and_told() -> None:
    log = Recorder()
    assert read_serials("9\n10\n0x10\n1a", log) == (9, 10, 16, 26)
    assert log.warnings == ["line 2: 10 is read as decimal; write 0x before it if it is hex"]


@pytest.mark.parametrize(
    ("text", "lifetime"),
    [("3600", timedelta(hours=1)), (" 60\n", timedelta(minutes=1)), ("0", DEFAULT_LIFETIME)],
)
def test_a_lifetime_is_seconds(text: str, lifetime: timedelta) -> None:
    assert read_lifetime(text) == lifetime


@pytest.mark.parametrize("text", ["", "-1", "1h", "0x10", "2147483648", "9" * 5000, "1.5", "１"])
def test_a_lifetime_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(CfsslError, match=r"^TIME is a number of seconds"):
        read_lifetime(text)


def test_the_crl_is_numbered_dated_and_signed() -> None:
    authority = root()
    crl = x509.load_der_x509_crl(gencrl(authority, (17, 2**159 - 1), NOW, timedelta(hours=1)))
    assert crl.is_signature_valid(authority.certificate.public_key())  # type: ignore[arg-type]
    assert crl.issuer == authority.certificate.subject
    assert [each.serial_number for each in crl] == [17, 2**159 - 1]
    assert crl.last_update_utc == NOW
    assert crl.next_update_utc == NOW + timedelta(hours=1)
    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == int(NOW.timestamp())
    assert [each.oid._name for each in crl.extensions] == ["authorityKeyIdentifier", "cRLNumber"]


def test_the_numbers_of_crls_grow() -> None:
    first, second = (
        x509.load_der_x509_crl(gencrl(root(), (), NOW + timedelta(seconds=later), DEFAULT_LIFETIME))
        for later in (0, 1)
    )
    number = [c.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for c in (first, second)]
    assert number[0] < number[1]


def test_an_empty_list_makes_an_empty_crl() -> None:
    assert len(x509.load_der_x509_crl(gencrl(root(), (), NOW, DEFAULT_LIFETIME))) == 0


def test_an_authority_that_may_not_sign_crls_is_refused() -> None:
    asked = requested(request(CN="x"))
    certificate = signer().sign(asked.csr, profile(usages=["cert sign"], ca_constraint={"is_ca": True}))
    with pytest.raises(CfsslError, match="CRL signing"):
        gencrl(Authority(certificate, asked.key), (17,), NOW, DEFAULT_LIFETIME)


def test_a_leaf_is_no_authority() -> None:
    made = mint().self_signed_leaf(request(CN="x"), profile())
    with pytest.raises(Exception, match="CA:TRUE"):
        Authority(made.certificate, made.key)
