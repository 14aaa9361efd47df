"""The sum over workers: whatever happens to one of them, no counter falls and nothing is made up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from edge.runtime.counted_memory import find, leave, new_counted_memory
from edge.runtime.tally import MOST_REFUSALS, Tally
from edge.telemetry import families
from edge.telemetry.metrics import Metrics

KEY = ("h", "2xx", "")


def left(counter: float, gauge: float = 0, refusals: Any = ()) -> bytes:
    """What a worker leaves."""
    metrics = Metrics()
    metrics.cell(families.REQUESTS, *KEY).value = counter
    metrics.cell(families.CONNECTIONS_OPEN).value = gauge
    return orjson.dumps({"metrics": orjson.loads(metrics.dump()), "refusals": refusals})


def requests(tally: Tally) -> float:
    return tally.total().numbers(families.REQUESTS).get(KEY, 0)


def gauge(tally: Tally) -> float:
    return tally.total().numbers(families.CONNECTIONS_OPEN).get((), 0)


def test_the_sum_is_that_of_the_last_numbers_of_each() -> None:
    tally = Tally()
    assert requests(tally) == 0
    tally.take(1, left(5, gauge=2))
    tally.take(2, left(7, gauge=1))
    tally.take(1, left(6, gauge=0))
    assert (requests(tally), gauge(tally)) == (13, 1)


def test_a_dead_worker_keeps_its_counts_and_loses_its_gauges() -> None:
    tally = Tally()
    tally.take(1, left(5, gauge=2))
    tally.take(2, left(7, gauge=3))
    tally.bury(1)
    assert (requests(tally), gauge(tally)) == (12, 3)
    tally.bury(1)
    assert requests(tally) == 12, "it is buried once"
    tally.take(1, left(1, gauge=1))  # the system has given its number to another one
    assert (requests(tally), gauge(tally)) == (13, 4)
    tally.bury(1)
    tally.bury(2)
    assert (requests(tally), gauge(tally)) == (13, 0)


def test_a_worker_that_never_told_anything_can_die() -> None:
    tally = Tally()
    tally.bury(1)
    assert requests(tally) == 0


@pytest.mark.parametrize(
    "octets",
    [
        None, b"", b"{", left(9)[:-1], b"[]", b"null", b"{}", b'{"metrics": {}}', b'{"refusals": []}',
        b'{"metrics": [], "refusals": []}',
        b'{"metrics": {"edge_requests_total": [[["h"], 9]]}, "refusals": []}',
        b'{"metrics": {}, "refusals": {}}', b'{"metrics": {}, "refusals": [1]}',
        b'{"metrics": {}, "refusals": [{}]}', b'{"metrics": {}, "refusals": [{"time": "x"}]}',
        left(9, refusals=[{"time": 1}] * (MOST_REFUSALS + 1)),
    ],
)  # fmt: skip
def test_what_is_no_number_leaves_the_last_good_ones(octets: bytes | None) -> None:
    tally = Tally()
    tally.take(1, left(5, gauge=2))
    tally.take(1, octets)
    assert (requests(tally), gauge(tally)) == (5, 2)
    tally.bury(1)
    assert requests(tally) == 5


def test_the_last_refusals_of_all_come_newest_first_and_outlast_their_worker() -> None:
    tally = Tally()
    tally.take(1, left(0, refusals=[{"time": 1.0}, {"time": 5.0}]))
    tally.take(2, left(0, refusals=[{"time": 3.0}]))
    tally.bury(1)
    assert [each["time"] for each in tally.refusals()] == [5.0, 3.0, 1.0]
    for pid in range(10, 20):
        tally.take(pid, left(0, refusals=[{"time": float(pid * 100 + n)} for n in range(30)]))
        tally.bury(pid)
    told = [each["time"] for each in tally.refusals()]
    assert len(told) == MOST_REFUSALS
    assert told == sorted(told, reverse=True)
    assert told[0] == 1929.0


# --- the memory ----------------------------------------------------------------------------------


@pytest.fixture
def memory() -> Iterator[int]:
    descriptor = new_counted_memory()
    yield descriptor
    os.close(descriptor)


def test_what_was_left_is_found_and_only_the_last(memory: int) -> None:
    assert find(memory) is None
    for octets in (b"a long one, for once", b"short", b"x" * 300_000):
        leave(memory, octets)
        assert find(memory) == octets
        assert find(memory) == octets, "to look changes nothing"


@pytest.mark.parametrize("octets_written", [0, 1, 11, 12, 13, 40])
def test_what_was_torn_is_as_if_it_was_never_written(memory: int, octets_written: int) -> None:
    """A worker was killed after so many octets of its writing."""
    leave(memory, b"the numbers before these")
    newer = os.memfd_create("newer")
    leave(newer, b"numbers that are newer by a second")
    os.pwrite(memory, bytes(12), 0)
    os.pwrite(memory, os.pread(newer, 100, 12)[:octets_written], 12)
    os.close(newer)
    assert find(memory) is None


def test_a_length_that_is_a_lie_is_not_believed(memory: int) -> None:
    leave(memory, b"numbers")
    for length in (0, 6, 8, 2**32, 2**63):
        os.pwrite(memory, length.to_bytes(8, "little"), 0)
        assert find(memory) is None


def test_a_change_of_one_bit_is_noticed(memory: int) -> None:
    leave(memory, b"numbers")
    os.pwrite(memory, b"m", 12)
    assert find(memory) is None


def test_memory_that_is_gone_holds_nothing() -> None:
    descriptor = new_counted_memory()
    os.close(descriptor)
    assert find(descriptor) is None
