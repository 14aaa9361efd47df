"""What is told of certificates that end soon: once a day, by threshold, and never without bound."""

from __future__ import annotations

import json

import pytest
import structlog
from structlog.testing import LogCapture

from edge.model.client_auth import CertificateFacts
from edge.proxy import expiring
from edge.proxy.expiring import DAY_SECONDS, MOST_PER_HOST, ExpiringCertificates
from edge.telemetry import families
from edge.telemetry.logging import logger
from edge.telemetry.metrics import Family, Metrics
from tests.unit.access.builders import NOW, leaf

HOUR = 3600.0


class Book:
    """A book with a clock that stands, and what it has told."""

    def __init__(self) -> None:
        self.now = NOW
        self.metrics = Metrics()
        self.capture = LogCapture()
        structlog.configure(processors=[self.capture])
        self.book = ExpiringCertificates(self.metrics, logger())
        structlog.reset_defaults()

    def see(self, certificate: CertificateFacts, host: str = "a.test") -> None:
        self.book.see(host, certificate, self.now)

    @property
    def told(self) -> list[int]:
        """The thresholds, in the order they were told."""
        events = self.capture.entries
        return [event["within_days"] for event in events if event["event"] == "client_certificate_expiring"]

    def numbers(self, family: Family) -> dict[tuple[str, ...], float]:
        series = json.loads(self.metrics.dump()).get(family.name, [])
        return {tuple(values): number for values, number in series}


@pytest.fixture
def book() -> Book:
    return Book()


def ending(days: float, number: int = 1) -> CertificateFacts:
    return leaf(
        f"device-{number}",
        not_after=NOW + days * DAY_SECONDS,
        serial=number,
        sha256=number.to_bytes(32, "big"),
    )


@pytest.mark.parametrize(
    ("days", "thresholds"),
    [
        (400, []),
        (30.001, []),
        (30, [30]),
        (14.001, [30]),
        (14, [14]),
        (7.5, [14]),
        (7, [7]),
        (1.001, [7]),
        (1, [1]),
        (0, [1]),
        (-0.001, []),
    ],
)
def test_the_smallest_threshold_that_is_reached_is_told(
    book: Book, days: float, thresholds: list[int]
) -> None:
    book.see(ending(days))
    assert book.told == thresholds
    counted = {("a.test", str(each)): 1 for each in thresholds}
    assert book.numbers(families.CLIENT_CERTIFICATES_EXPIRING) == counted


def test_an_event_says_whose_and_when(book: Book) -> None:
    book.see(ending(6.5))
    (event,) = book.capture.entries
    assert event["log_level"] == "warning"
    assert (event["host"], event["certificate_subject"]) == ("a.test", "CN=device-1")
    assert (event["certificate_serial"], event["days_left"]) == ("01", 6)
    assert len(event["certificate_sha256"]) == 64
    assert event["not_after"].endswith("+00:00")


def test_a_certificate_is_told_once_a_day_however_often_it_comes(book: Book) -> None:
    for _ in range(6):
        book.see(ending(6.9))
        book.now += 4.9 * HOUR
    assert book.told == [7, 7]


def test_a_threshold_that_is_crossed_is_told_at_once(book: Book) -> None:
    certificate = ending(7.1)
    book.see(certificate)
    book.now += 0.2 * DAY_SECONDS
    book.see(certificate)
    assert book.told == [14, 7]


def test_each_certificate_and_each_host_speaks_for_itself(book: Book) -> None:
    for host in ("a.test", "b.test"):
        for number in (1, 2):
            book.see(ending(3, number), host)
    assert book.told == [7] * 4


def test_a_clock_that_was_set_back_silences_nobody(book: Book) -> None:
    certificate = ending(20)
    book.see(certificate)
    book.now -= 3 * DAY_SECONDS
    book.see(certificate)
    assert book.told == [30, 30]


def test_the_log_is_bounded_and_says_so_once_a_day(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiring, "_MOST_TOLD", 3)
    for number in range(10):
        book.see(ending(3, number))
    assert book.told == [7] * 3
    assert [event["event"] for event in book.capture.entries[3:]] == ["client_certificates_expiring_not_told"]
    book.see(ending(3, 0))
    assert book.told == [7] * 3
    book.now += DAY_SECONDS
    book.see(ending(3, 9))
    assert book.told == [7] * 4


def test_what_was_told_a_day_ago_is_forgotten(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiring, "_MOST_TOLD", 1)
    book.see(ending(3, 1))
    book.now += DAY_SECONDS - 1
    book.book.forget_the_past(book.now)
    book.see(ending(3, 2))
    assert book.told == [7]
    book.now += 1
    book.book.forget_the_past(book.now)
    book.see(ending(3, 2))
    assert book.told == [7, 7]


# --- the numbers ---------------------------------------------------------------------------------


def test_the_soonest_of_each_host_have_numbers(book: Book) -> None:
    count = MOST_PER_HOST + 30
    days = [100 + (number * 37) % count for number in range(count)]
    for number, ends in enumerate(days):
        book.see(ending(ends, number))
        book.see(ending(ends, number), "b.test")
    numbers = book.numbers(families.CLIENT_CERTIFICATE_EXPIRY)
    for host in ("a.test", "b.test"):
        kept = sorted(number for (name, _), number in numbers.items() if name == host)
        assert kept == [NOW + (100 + day) * DAY_SECONDS for day in range(MOST_PER_HOST)]
    assert book.told == []


def test_a_certificate_that_comes_again_keeps_its_number(book: Book) -> None:
    for _ in range(3):
        book.see(ending(100))
    assert book.numbers(families.CLIENT_CERTIFICATE_EXPIRY) == {("a.test", "01"): NOW + 100 * DAY_SECONDS}


def test_of_two_with_one_serial_number_the_sooner_counts(book: Book) -> None:
    for days in (100, 50, 70):
        book.see(leaf(not_after=NOW + days * DAY_SECONDS, serial=1, sha256=bytes([days] * 32)))
    assert book.numbers(families.CLIENT_CERTIFICATE_EXPIRY) == {("a.test", "01"): NOW + 50 * DAY_SECONDS}


def test_what_has_ended_makes_room(book: Book) -> None:
    for number in range(MOST_PER_HOST):
        book.see(ending(1 + number, number))
    book.see(ending(1000, 999))
    book.now += 10.5 * DAY_SECONDS
    book.book.forget_the_past(book.now)
    assert len(book.numbers(families.CLIENT_CERTIFICATE_EXPIRY)) == MOST_PER_HOST - 10
    book.see(ending(1000, 999))
    book.see(ending(5, 998))
    numbers = book.numbers(families.CLIENT_CERTIFICATE_EXPIRY)
    assert numbers[("a.test", "03E7")] == NOW + 1000 * DAY_SECONDS
    assert ("a.test", "03E6") not in numbers


def test_all_hosts_together_are_bounded(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiring, "_MOST_NUMBERS", 3)
    for number in range(10):
        book.see(ending(100, number), f"{number}.test")
    assert len(book.numbers(families.CLIENT_CERTIFICATE_EXPIRY)) == 3
    book.now += 101 * DAY_SECONDS
    book.book.forget_the_past(book.now)
    assert book.numbers(families.CLIENT_CERTIFICATE_EXPIRY) == {}
    book.see(ending(200, 11))
    assert len(book.numbers(families.CLIENT_CERTIFICATE_EXPIRY)) == 1
