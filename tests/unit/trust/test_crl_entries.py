"""Entries are taken apart exactly, and what is not understood is an error: a skipped one lets somebody in."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from edge.trust.crl_entries import CrlEntryError, certificate_list, read_entries
from edge.trust.serial_index import NO_REASON, key_of
from tests.certificates import Authority, name
from tests.crl_octets import (
    CERTIFICATE_ISSUER,
    INVALIDITY_DATE,
    REASON_CODE,
    by_hand,
    element,
    entry,
    extension,
    generalized_time,
    integer,
    reason,
)

CA = Authority("CA")
SINCE = element(0x17, b"250102030405Z")
SINCE_SECONDS = int(datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp())
PRIVATE = "1.3.6.1.4.1.55555.7"


def read(*entries: bytes) -> list[tuple[bytes, int, int]]:
    octets = b"".join(entries)
    return read_entries(octets, 0, len(octets))


def refused(*entries: bytes) -> str:
    with pytest.raises(CrlEntryError) as caught:
        read(*entries)
    return str(caught.value)


# --- no ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (element(0x31, integer(5), SINCE), "no SEQUENCE"),
        (b"\x02\x01\x05", "no SEQUENCE"),
        (element(0x30, element(0x04, b"\x05"), SINCE), "no serial number"),
        (element(0x30, integer(5)), "no serial number"),
        (element(0x30, element(0x02, b"\x01" * 200), SINCE), "no serial number"),
        (element(0x30, integer(5), b"\x17\x0d2501"), "cut off"),
        (element(0x30, integer(5), SINCE)[:-1], "cut off"),
        (element(0x30, integer(5), element(0x17, b"259902030405Z")), "no date"),
        (element(0x30, integer(5), element(0x17, b"junk")), "no date"),
        (element(0x30, integer(5), element(0x17)), "no date"),
        (element(0x30, integer(5), generalized_time("00000102030405Z")), "no date"),
        (element(0x30, integer(5), element(0x04, b"20250102030405Z")), "no date"),
        (element(0x30, integer(5), SINCE, b"\x31\x00"), "extensions of an entry"),
        (element(0x30, integer(5), SINCE, b"\x30\x00", b"\x30\x00"), "extensions of an entry"),
        (entry(5, extension(REASON_CODE, element(0x02, b"\x01")), since=SINCE), "reason of an entry"),
        (entry(5, extension(REASON_CODE, element(0x0A, b"\x00\x01")), since=SINCE), "reason of an entry"),
        (entry(5, extension(REASON_CODE, b""), since=SINCE), "reason of an entry"),
        (b"\x30", "cut off"),
        (b"\x30\x02\x02\x01", "no serial number"),
        (b"\x30\x02\x02", "cut off"),
        (b"\x30\x82\x01", "cut off"),
        (b"\x30\x80\x02\x01\x05", "a length"),
    ],
)
def test_what_is_not_as_it_should_be_is_an_error_and_never_skipped(octets: bytes, why: str) -> None:
    message = refused(octets)
    assert why in message
    refused(entry(7), octets)


def test_an_entry_of_another_issuer_is_refused_critical_or_not() -> None:
    issuer = element(0x30, element(0xA4, name(("CN", "Another CA")).public_bytes()))
    for critical in (True, False):
        message = refused(entry(7), entry(5, extension(CERTIFICATE_ISSUER, issuer, critical=critical)))
        assert message == "an entry is of another issuer: this is an indirect CRL"


def test_an_unknown_critical_extension_is_refused_by_its_name() -> None:
    message = refused(entry(5, extension(PRIVATE, b"\x05\x00", critical=True)))
    assert message == f"an entry has the unknown critical extension {PRIVATE}"


@pytest.mark.parametrize("oid", ["2.999.1", "1.2.3", "0.9.2342.19200300.100.1.1", "2.5.29.54"])
def test_object_identifiers_are_written_as_people_write_them(oid: str) -> None:
    assert refused(entry(5, extension(oid, b"\x05\x00", critical=True))).endswith(f" {oid}")


def test_a_reason_that_is_given_twice_has_two_meanings() -> None:
    assert "twice" in refused(entry(5, reason(1), reason(8)))
    assert "twice" in refused(entry(5, reason(8), reason(1)))


# --- yes ---------------------------------------------------------------------------------------


def test_an_entry_is_its_serial_its_date_and_no_reason() -> None:
    assert read(entry(5, since=SINCE)) == [(key_of(5), SINCE_SECONDS, NO_REASON)]


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 127])
def test_every_reason_but_one_revokes_also_those_nobody_knows(code: int) -> None:
    assert read(entry(5, reason(code), since=SINCE)) == [(key_of(5), SINCE_SECONDS, code)]


def test_an_entry_that_was_removed_from_the_list_revokes_nobody() -> None:
    found = read(entry(4, since=SINCE), entry(5, reason(8), since=SINCE), entry(6, since=SINCE))
    assert [key for key, _, _ in found] == [key_of(4), key_of(6)]


def test_who_is_listed_as_removed_and_as_revoked_is_revoked() -> None:
    assert [key for key, _, _ in read(entry(5, reason(8)), entry(5, reason(1)))] == [key_of(5)]


def test_extensions_that_say_nothing_about_revocation_are_passed_over() -> None:
    date = extension(INVALIDITY_DATE, generalized_time("20200101000000Z"), critical=True)
    private = extension(PRIVATE, b"\x05\x00")
    for extensions in ([date, private, reason(4)], [reason(4), private, date], [private, reason(4)]):
        assert [code for _, _, code in read(entry(5, *extensions))] == [4]


def test_entries_with_the_same_extensions_do_not_get_each_others_reason() -> None:
    codes = [1, 4, 1, 0, 8, 4, 1]
    found = read(*(entry(number, reason(code)) for number, code in enumerate(codes)))
    assert [(key, code) for key, _, code in found] == [
        (key_of(number), code) for number, code in enumerate(codes) if code != 8
    ]


def test_an_entry_of_more_than_127_octets_is_read() -> None:
    long = extension(PRIVATE, element(0x04, bytes(300)))
    found = read(entry(4), entry(5, long, reason(1), since=SINCE), entry(6))
    assert [key for key, _, _ in found] == [key_of(4), key_of(5), key_of(6)]
    assert found[1] == (key_of(5), SINCE_SECONDS, 1)


@pytest.mark.parametrize(
    ("date", "moment"),
    [
        (element(0x17, b"491231235959Z"), datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (element(0x17, b"500101000000Z"), datetime(1950, 1, 1, tzinfo=UTC)),
        (element(0x17, b"700101000000Z"), datetime(1970, 1, 1, tzinfo=UTC)),
        (element(0x17, b"240229120000Z"), datetime(2024, 2, 29, 12, tzinfo=UTC)),
        (generalized_time("20500101000000Z"), datetime(2050, 1, 1, tzinfo=UTC)),
        (generalized_time("99991231235959Z"), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_dates_are_read_as_rfc_5280_says(date: bytes, moment: datetime) -> None:
    assert read(entry(5, since=date))[0][1] == int(moment.timestamp())


def test_two_moments_of_one_day_are_told_apart() -> None:
    dates = (element(0x17, b"250102030405Z"), element(0x17, b"250102030406Z"))
    assert [since for _, since, _ in read(*(entry(5, since=date) for date in dates))] == [
        SINCE_SECONDS,
        SINCE_SECONDS + 1,
    ]


@pytest.mark.parametrize(
    "octets",
    [
        b"\0",
        b"\x7f",
        b"\0\x80",
        b"\xff",
        b"\x80",
        b"\0" + b"\xff" * 20,
        b"\x80" + bytes(19),
        b"\x80" + bytes(20),
        b"\x80" + bytes(21),
        b"\x80" + bytes(20) + b"\x01",
        b"\x7f" + b"\xff" * 21,
    ],
)
def test_a_serial_is_found_by_its_number(octets: bytes) -> None:
    ((key, _, _),) = read(entry(octets))
    assert key == key_of(int.from_bytes(octets, "big", signed=True))


# --- where the entries are ---------------------------------------------------------------------


@pytest.mark.parametrize("next_update", [None, b"", generalized_time("20600101000000Z")])
@pytest.mark.parametrize("version", [integer(1), b""])
@pytest.mark.parametrize("entries", [[], [entry(5)], [entry(number) for number in range(300)]])
def test_the_entries_of_a_list_are_found_with_and_without_what_is_optional(
    next_update: bytes | None, version: bytes, entries: list[bytes]
) -> None:
    extensions = [extension("2.5.29.20", integer(1))] if version else None
    if next_update is None:
        der = by_hand(CA, entries, version=version, extensions=extensions)
    else:
        der = by_hand(CA, entries, version=version, extensions=extensions, next_update=next_update)
    signed, begin, end = certificate_list(der)
    assert der[begin:end] == b"".join(entries)
    assert signed in der
    assert signed.startswith(b"\x30")
    assert [key for key, _, _ in read_entries(der, begin, end)] == [
        key_of(5 if len(entries) == 1 else number) for number in range(len(entries))
    ]


def test_a_list_of_nobody_may_be_written_as_an_empty_list() -> None:
    der = by_hand(CA, entries_of_nobody=True)
    _, begin, end = certificate_list(der)
    assert begin == end
    assert read_entries(der, begin, end) == []


@pytest.mark.parametrize(
    "octets",
    [b"", b"\x30", b"\x30\x02\x30\x00", b"\x30\x03\x30\x01", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff"],
)
def test_octets_that_are_no_list_are_an_error(octets: bytes) -> None:
    with pytest.raises(CrlEntryError):
        certificate_list(octets)
