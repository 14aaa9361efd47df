"""Numbers of other processes: brought together by their kind, and not believed if they are none."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from edge.telemetry import families, metrics
from edge.telemetry.metrics import OTHER, Kind, Metrics
from edge.telemetry.series import Series, UnreadableNumbers

REQUESTS = families.REQUESTS
CERTIFICATE = families.CLIENT_CERTIFICATE_EXPIRY
HISTOGRAM = families.REQUEST_DURATION
BUCKETS = len(HISTOGRAM.bounds) + 1


def counted(**values: float) -> Series:
    numbers = Metrics()
    numbers.cell(families.CONNECTIONS_OPEN).value = values.get("gauge", 0)
    numbers.cell(CERTIFICATE, "h", "1").value = values.get("time", 0)
    numbers.cell(REQUESTS, "h", "2xx", "").value = values.get("counter", 0)
    numbers.histogram(HISTOGRAM).observe(values.get("seconds", 0.1))
    return Series.read(orjson.loads(numbers.dump()))


def test_counters_and_gauges_add_up_and_of_times_the_latest_counts() -> None:
    total = Series()
    total.add(counted(counter=3, gauge=5, time=100, seconds=0.1))
    total.add(counted(counter=4, gauge=6, time=90, seconds=2))
    assert total.numbers(REQUESTS) == {("h", "2xx", ""): 7}
    assert total.numbers(families.CONNECTIONS_OPEN) == {(): 11}
    assert total.numbers(CERTIFICATE) == {("h", "1"): 100}
    counts, seconds = total.histogram(HISTOGRAM)
    assert (sum(counts), seconds) == (2, 2.1)


def test_of_times_that_all_give_only_the_soonest_of_each_host_are_kept() -> None:
    numbers = Metrics()
    for host, serial, moment in (("h", "a", 30), ("h", "b", 10), ("h", "c", 20), ("i", "d", 99)):
        numbers.cell(CERTIFICATE, host, serial).value = moment
    series = Series.read(orjson.loads(numbers.dump()))
    series.keep_soonest(CERTIFICATE, 2)
    assert series.numbers(CERTIFICATE) == {("h", "b"): 10, ("h", "c"): 20, ("i", "d"): 99}
    series.keep_soonest(families.SERVER_CERTIFICATE_EXPIRY, 2)


def test_only_the_kinds_that_are_wanted_are_taken() -> None:
    total = Series()
    total.add(counted(counter=3, gauge=5, time=100), {Kind.COUNTER})
    assert total.numbers(REQUESTS) == {("h", "2xx", ""): 3}
    assert total.numbers(families.CONNECTIONS_OPEN) == total.numbers(CERTIFICATE) == {}
    assert sum(total.histogram(HISTOGRAM)[0]) == 0


def test_adding_changes_nothing_in_what_is_added() -> None:
    one, other = counted(counter=1), counted(counter=2)
    total = Series()
    total.add(one)
    total.add(other)
    assert one.numbers(REQUESTS) == {("h", "2xx", ""): 1}
    assert sum(one.histogram(HISTOGRAM)[0]) == 1


def test_what_is_written_is_read_again() -> None:
    series = counted(counter=3, gauge=5, time=100)
    document = orjson.loads(orjson.dumps(series.document()))
    assert Series.read(document).document() == series.document()


def test_series_beyond_the_bound_are_added_to_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MOST_SERIES", 2)
    total = Series()
    for number in range(5):
        numbers = Metrics()
        numbers.cell(REQUESTS, f"h{number}", "2xx", "").value = 1
        total.add(Series.read(orjson.loads(numbers.dump())))
    told = total.numbers(REQUESTS)
    assert told[OTHER, OTHER, OTHER] == 3
    assert len(told) == 3


def test_an_unknown_metric_of_another_version_is_left_out() -> None:
    assert Series.read({"edge_of_tomorrow_total": [[["x"], 1]], "x": None}).document() == {}


@pytest.mark.parametrize("document", [None, [], "x", 1])
def test_what_is_no_table_is_refused(document: object) -> None:
    with pytest.raises(UnreadableNumbers):
        Series.read(document)


@pytest.mark.parametrize(
    "said",
    [
        None, 1, "x", {}, [1], [[]], [[[], 1]], [[["h"], 1]], [[["h", "2xx", "", ""], 1]],
        [[["h", "2xx", 1], 1]],
        [["h2x", 1]], [[["h", "2xx", ""]]], [[["h", "2xx", ""], "1"]], [[["h", "2xx", ""], None]],
        [[["h", "2xx", ""], True]], [[["h", "2xx", ""], float("nan")]], [[["h", "2xx", ""], float("inf")]],
        [[["h", "2xx", ""], 1, 2]],
    ],
)  # fmt: skip
def test_cells_of_another_form_are_refused(said: Any) -> None:
    with pytest.raises(UnreadableNumbers):
        Series.read({REQUESTS.name: said})


@pytest.mark.parametrize(
    "said",
    [
        None, [], [[], 1.0], [[0] * (BUCKETS - 1), 1.0], [[0] * (BUCKETS + 1), 1.0], [[0] * BUCKETS],
        [[-1] * BUCKETS, 1.0], [[0.5] * BUCKETS, 1.0], [[True] * BUCKETS, 1.0], [[0] * BUCKETS, "1"],
        [[0] * BUCKETS, float("nan")], [[0] * BUCKETS, 1.0, 2], [["0"] * BUCKETS, 1.0],
    ],
)  # fmt: skip
def test_histograms_of_another_form_are_refused(said: Any) -> None:
    with pytest.raises(UnreadableNumbers):
        Series.read({HISTOGRAM.name: said})
