"""Who is served, who is told why not, and who is sent away without a word; and nobody is counted twice."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from edge.proxy.admission import Admission, Doorkeeper
from edge.telemetry.families import CUT
from edge.telemetry.metrics import Metrics
from tests.property.http1_streams import unhurried

SERVED, TOLD, TURNED_AWAY = Admission.SERVED, Admission.TOLD, Admission.TURNED_AWAY


def test_over_the_limit_of_an_address_it_is_told_and_then_sent_away() -> None:
    door = Doorkeeper(per_worker=1000, per_address=16)
    verdicts = Counter(door.admit("192.0.2.1") for _ in range(100))
    assert verdicts == {SERVED: 16, TOLD: 16 // 8 + 8, TURNED_AWAY: 100 - 16 - 10}


def test_one_address_over_its_limit_does_not_hurt_another() -> None:
    door = Doorkeeper(per_worker=1000, per_address=1)
    for _ in range(50):
        door.admit("192.0.2.1")
    assert door.admit("192.0.2.2") is SERVED


def test_over_the_limit_of_the_worker_everybody_is_told_and_then_sent_away() -> None:
    door = Doorkeeper(per_worker=16, per_address=1000)
    verdicts = [door.admit(f"192.0.2.{number}") for number in range(40)]
    assert verdicts == [SERVED] * 16 + [TOLD] * 10 + [TURNED_AWAY] * 14


def test_who_leaves_makes_room() -> None:
    door = Doorkeeper(per_worker=10, per_address=1)
    assert door.admit("192.0.2.1") is SERVED
    assert door.admit("192.0.2.1") is TOLD
    door.leave("192.0.2.1")
    door.leave("192.0.2.1")
    assert door.admit("192.0.2.1") is SERVED
    assert door.open == 1


def test_nothing_is_remembered_of_addresses_that_have_left() -> None:
    door = Doorkeeper(per_worker=10, per_address=10)
    for number in range(1000):
        door.admit(f"2001:db8::{number:x}")
        door.leave(f"2001:db8::{number:x}")
    assert door.open == 0
    assert door._by_subscriber == {}


def test_who_comes_by_a_proxy_is_counted_by_address_when_the_proxy_has_said_it() -> None:
    door = Doorkeeper(per_worker=100, per_address=2)
    assert [door.admit(None) for _ in range(12)] == [SERVED] * 12
    verdicts = [door.introduce("192.0.2.1") for _ in range(12)]
    assert verdicts == [SERVED] * 2 + [TOLD] * 8 + [TURNED_AWAY] * 2
    assert door.admit("192.0.2.1") is TURNED_AWAY
    for verdict in verdicts:
        door.leave(None if verdict is TURNED_AWAY else "192.0.2.1")
    assert (door.open, door._by_subscriber) == (0, {})


def test_a_proxy_has_no_more_than_the_worker_has() -> None:
    door = Doorkeeper(per_worker=8, per_address=1)
    assert [door.admit(None) for _ in range(20)] == [SERVED] * 8 + [TOLD] * 9 + [TURNED_AWAY] * 3


def test_every_connection_over_a_limit_is_counted_by_the_limits_name() -> None:
    metrics = Metrics()
    door = Doorkeeper(per_worker=10, per_address=4, metrics=metrics)
    for _ in range(4):
        door.admit("192.0.2.1")
    assert metrics.cell(CUT, "connections_per_address").value == 0
    for _ in range(3):
        door.admit("192.0.2.1")
    assert metrics.cell(CUT, "connections_per_address").value == 3
    for number in range(5):
        door.admit(f"198.51.100.{number}")
    assert metrics.cell(CUT, "connections_per_worker").value == 2


@unhurried
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=300))
def test_the_count_is_that_of_the_connections_inside(steps: list[tuple[str, bool]]) -> None:
    door = Doorkeeper(per_worker=8, per_address=4)
    inside: list[str] = []
    for address, comes in steps:
        if comes:
            if door.admit(address) is not TURNED_AWAY:
                inside.append(address)
        elif address in inside:
            inside.remove(address)
            door.leave(address)
        assert door.open == len(inside)
        assert inside.count(address) <= 4 + 4 // 8 + 8
        assert len(inside) <= 8 + 8 // 8 + 8
