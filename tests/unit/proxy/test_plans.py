"""What a connection remembers of its requests is bounded, and begins with the second of a kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.proxy.connection import ClientConnection
from edge.proxy.plan import Plan, make_plan
from edge.proxy.plans import Plans
from tests.unit.proxy.clients import Desk, configuration

MOST_HEADS, MOST_OCTETS, MOST_OCTETS_OF_A_HEAD = 16, 16384, 4096


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[ClientConnection]:
    desk = Desk(tmp_path)
    desk.publish(configuration())
    yield desk.connect()
    desk.close()


@pytest.fixture
def plan(connection: ClientConnection) -> Plan:
    return make_plan(connection, connection.services.holder.current, head(0))


def head(number: int, size: int = 100) -> bytes:
    """A head of so many octets; no other number has it."""
    start = b"GET /%06d HTTP/1.1\r\nHost: a.test\r\nX: " % number
    return start + b"x" * (size - len(start) - 4) + b"\r\n\r\n"


def kept(plans: Plans) -> dict[bytes, Plan]:
    return {block: plan for block, plan in plans.by_head.items() if plan is not None}


def octets(plans: Plans) -> int:
    return sum(map(len, plans.by_head))


def twice(plans: Plans, block: bytes, plan: Plan) -> None:
    plans.keep(block, plan)
    plans.keep(block, plan)


def test_a_head_that_came_once_leaves_no_plan_behind(plan: Plan) -> None:
    plans = Plans()
    plans.keep(head(1), plan)
    assert kept(plans) == {}


def test_a_head_that_comes_again_is_remembered(plan: Plan) -> None:
    plans = Plans()
    twice(plans, head(1), plan)
    assert kept(plans) == {head(1): plan}


def test_a_head_that_is_longer_than_another_is_another(plan: Plan) -> None:
    plans = Plans()
    twice(plans, head(1), plan)
    for other in (head(1)[:-1], head(1) + b"\r\n", head(1).replace(b"Host", b"host"), head(2)):
        assert plans.by_head.get(other) is None


def test_the_plan_that_was_made_last_is_the_one_that_counts(connection: ClientConnection, plan: Plan) -> None:
    plans = Plans()
    twice(plans, head(1), plan)
    newer = make_plan(connection, connection.services.holder.current, head(1))
    plans.keep(head(1), newer)
    assert plans.by_head[head(1)] is newer


def test_nothing_is_kept_of_a_large_head(plan: Plan) -> None:
    plans = Plans()
    for _ in range(3):
        plans.keep(head(1, MOST_OCTETS_OF_A_HEAD + 1), plan)
    assert plans.by_head == {}
    twice(plans, head(1, MOST_OCTETS_OF_A_HEAD), plan)
    assert len(kept(plans)) == 1


@pytest.mark.parametrize("size", [60, 100, 1000, 1024, 1025, 4000, MOST_OCTETS_OF_A_HEAD])
@pytest.mark.parametrize("times", [1, 2])
def test_so_many_heads_and_so_many_octets_are_kept_and_no_more(plan: Plan, size: int, times: int) -> None:
    plans = Plans()
    for number in range(200):
        for _ in range(times):
            plans.keep(head(number, size), plan)
        assert len(plans.by_head) <= MOST_HEADS
        assert octets(plans) <= MOST_OCTETS
    assert head(199, size) in plans.by_head
    assert len(kept(plans)) == (len(plans.by_head) if times == 2 else 0)


def test_heads_of_all_sizes_together_are_bounded(plan: Plan) -> None:
    plans = Plans()
    for number in range(500):
        plans.keep(head(number, 60 + number * 37 % 4200), plan)
        assert len(plans.by_head) <= MOST_HEADS
        assert octets(plans) <= MOST_OCTETS


def test_who_has_many_heads_may_still_repeat_one(plan: Plan) -> None:
    plans = Plans()
    for number in range(1000):
        plans.keep(head(number), plan)
        twice(plans, head(5000), plan)
    assert plans.by_head[head(5000)] is plan


def test_two_connections_remember_for_themselves(connection: ClientConnection, plan: Plan) -> None:
    here, there = Plans(), Plans()
    twice(here, head(1), plan)
    assert there.by_head == {}
