"""What is said of a measurement: the document, the table, the warnings, the drawing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from loadgen.histogram import Histogram
from loadgen.plan import Plan
from loadgen.plot import draw, latency_points, nice_ceiling
from loadgen.processes import Outcome, Second
from loadgen.progress import line
from loadgen.report import as_document, as_table
from loadgen.tally import MAX_KINDS, Tally

PLAN = Plan(
    mode="keepalive",
    host="a.test",
    address=("127.0.0.1", 1),
    head=b"",
    body=0,
    answer_body=None,
    head_only=False,
    cacert="ca.pem",
    tls="1.3",
    identities=(),
    connections=2,
    processes=1,
    pinned=False,
    seconds=2.0,
    warm_up=0.0,
    rate=0.0,
    timeout=1.0,
)
OLD_KEYS = {
    "mode",
    "connections",
    "seconds",
    "answers",
    "per_second",
    "p50_us",
    "p99_us",
    "statuses",
    "errors",
}


def tally_of(*milliseconds: int) -> Tally:
    tally = Tally(processor_seconds=0.5, wall_seconds=1.0)
    for number in milliseconds:
        tally.answered("200", number * 1_000_000, 500_000)
    return tally


def outcome_of(*tallies: Tally) -> Outcome:
    outcome = Outcome(seconds=float(len(tallies)))
    for number, tally in enumerate(tallies):
        outcome.seconds_told[number] = Second(tally, open=2, told=1, seconds=1.0)
        outcome.total.add(tally)
    return outcome


def test_the_document_has_the_keys_of_old_and_the_series() -> None:
    document = as_document(PLAN, outcome_of(tally_of(1, 2, 3), tally_of(4)))
    assert document.keys() >= OLD_KEYS
    assert (document["answers"], document["per_second"], document["mb_per_second"]) == (4, 2.0, 1.0)
    assert document["max_us"] == 4000
    assert [second["per_second"] for second in document["series"]] == [3.0, 1.0]
    assert document["generator_busy"] == 0.5
    assert json.loads(json.dumps(document)) == document


def test_late_answers_and_the_warm_up_are_no_seconds_of_the_series() -> None:
    outcome = outcome_of(tally_of(1), tally_of(1))
    outcome.seconds_told[-1] = outcome.seconds_told[2] = Second(tally_of(9), seconds=1.0)
    assert [second["second"] for second in as_document(PLAN, outcome)["series"]] == [0, 1]


def test_nothing_is_a_document_too() -> None:
    document = as_document(PLAN, Outcome())
    assert (document["answers"], document["per_second"], document["max_us"]) == (0, 0.0, 0)
    assert "errors" in as_table(document)


def test_the_table_warns_of_what_changes_the_meaning() -> None:
    outcome = outcome_of(tally_of(1))
    outcome.interrupted = True
    outcome.total.handshakes, outcome.total.resumed = 10, 7
    outcome.total.processor_seconds = outcome.total.wall_seconds
    table = as_table(as_document(replace(PLAN, mode="resumed"), outcome))
    assert "3 of 10 handshakes were full ones" in table
    assert "interrupted" in table
    assert "--processes" in table
    outcome.total.unanswered = 5
    assert "5 requests had no answer" in as_table(as_document(replace(PLAN, mode="rate", rate=9), outcome))


def test_memory_is_shared_out_to_idle_connections() -> None:
    outcome = Outcome(opened=4, held=2.0, memory_before=1000, memory_after=9000)
    document = as_document(replace(PLAN, mode="idle"), outcome)
    assert document["octets_per_connection"] == 2000
    outcome.opened = 0
    assert as_document(replace(PLAN, mode="idle"), outcome)["octets_per_connection"] is None


def test_kinds_of_errors_are_bounded_and_none_is_lost() -> None:
    tally = Tally()
    for number in range(1000):
        tally.failed(f"error {number}")
    assert len(tally.errors) <= MAX_KINDS + 1
    assert sum(tally.errors.values()) == 1000


def test_a_line_of_progress_says_which_second() -> None:
    second = Second(tally_of(5), open=2, told=1, seconds=1.0)
    assert line(PLAN, 0, second).split()[:2] == ["1/2", "s"]
    assert "warm-up" in line(PLAN, -1, second)
    assert "2 of 2 open" in line(replace(PLAN, mode="idle"), 0, second)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, (1, 0.5)), (1, (1, 0.5)), (100, (100, 50)), (17, (20, 5)), (0.003, (0.003, 0.001))],
)
def test_an_axis_ends_at_a_round_number(value: float, expected: tuple[float, float]) -> None:
    assert nice_ceiling(value) == pytest.approx(expected)


def test_the_drawing_is_well_formed_and_escapes_its_title() -> None:
    histogram = Histogram()
    for number in range(1, 5000):
        histogram.record(number * 12_345)
    drawing = draw("<a & b>", "answers/s", [(0.0, 5.0), (1.0, 7.0)], histogram)
    root = ElementTree.fromstring(drawing)
    assert root.findtext("{http://www.w3.org/2000/svg}title") == "<a & b>"
    assert "prefers-color-scheme: dark" in drawing
    places = [float(n) for pair in re.findall(r'points="([^"]+)"', drawing) for n in re.split("[ ,]", pair)]
    assert all(0 <= place <= 760 for place in places)
    assert "99.9 %" in drawing


def test_the_curve_of_latencies_ends_with_the_largest() -> None:
    histogram = Histogram()
    histogram.record(1_000_000, 99)
    histogram.record(50_000_000)
    points = latency_points(histogram)
    assert points[0] == pytest.approx((2.0, 1.0), rel=0.01)
    assert points[-1][1] == 50.0


@pytest.mark.parametrize("points", [[], [(0.0, 0.0)]])
def test_nothing_can_be_drawn_too(points: list[tuple[float, float]]) -> None:
    ElementTree.fromstring(draw("nothing", "answers/s", points, Histogram()))
