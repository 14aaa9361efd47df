"""No deadline is missed, none comes early, and a wheel that stood still turns again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.reactor.deadlines import TICK_SECONDS
from edge.reactor.strand import Expired, Strand
from tests.property.http1_streams import unhurried
from tests.unit.strands import ManualLoop, manual_reactor

STEP = 0.05
TOLERANCE = 2 * TICK_SECONDS + STEP
"""A tick to round up, a tick until the wheel turns, and the step of the hand that moves the clock."""


class Waiter:
    """A strand that parks until one deadline after the other, and notes when each was reached."""

    def __init__(self, loop: ManualLoop, strand: Strand) -> None:
        self.expired: list[float] = []
        self.deadline = 0.0
        self._loop = loop
        self.strand = strand

    def begin(self, deadline: float) -> Waiter:
        self.deadline = deadline
        self.strand.start(self._wait())
        return self

    def again(self, deadline: float) -> None:
        """Wake it for another reason, and let it wait for another deadline."""
        self.deadline = deadline
        self.strand.resume()

    async def _wait(self) -> None:
        while not self.expired:
            try:
                await self.strand.parked(self.deadline, "limit")
            except Expired:
                self.expired.append(self._loop.now)


@pytest.fixture
def loop() -> ManualLoop:
    return ManualLoop()


def waiters(loop: ManualLoop, count: int) -> list[Waiter]:
    reactor = manual_reactor(loop)
    return [Waiter(loop, Strand(reactor)) for _ in range(count)]


def in_time(at: float, deadline: float) -> bool:
    return deadline <= at <= deadline + TOLERANCE + 1e-6


@pytest.mark.parametrize("seconds", [0.01, 0.1, 0.15, 1.0, 12.34, 75.0])
def test_a_deadline_is_reached_on_time_and_once(loop: ManualLoop, seconds: float) -> None:
    (waiter,) = waiters(loop, 1)
    deadline = loop.now + seconds
    waiter.begin(deadline)
    loop.advance(seconds + 5)
    (at,) = waiter.expired
    assert in_time(at, deadline)


def test_an_earlier_deadline_after_a_later_one_comes_first(loop: ManualLoop) -> None:
    (waiter,) = waiters(loop, 1)
    early = loop.now + 1
    waiter.begin(loop.now + 50)
    waiter.again(early)
    loop.advance(60)
    (at,) = waiter.expired
    assert in_time(at, early)


def test_a_later_deadline_after_an_earlier_one_counts(loop: ManualLoop) -> None:
    (waiter,) = waiters(loop, 1)
    late = loop.now + 50
    waiter.begin(loop.now + 1)
    waiter.again(late)
    loop.advance(60)
    (at,) = waiter.expired
    assert in_time(at, late)


def test_a_deadline_that_moves_on_all_the_time_is_never_reached(loop: ManualLoop) -> None:
    (waiter,) = waiters(loop, 1)
    waiter.begin(loop.now + 1)
    for _ in range(100):
        loop.advance(0.7)
        waiter.again(loop.now + 1)
    assert waiter.expired == []


def test_a_deadline_in_the_past_is_reached_at_the_next_turn(loop: ManualLoop) -> None:
    (waiter,) = waiters(loop, 1)
    waiter.begin(loop.now - 100)
    loop.advance(TOLERANCE)
    assert len(waiter.expired) == 1


def test_the_wheel_stands_still_while_nobody_waits(loop: ManualLoop) -> None:
    (waiter,) = waiters(loop, 1)
    assert loop.timers == []
    waiter.begin(loop.now + 1)
    loop.advance(5)
    assert waiter.expired
    assert loop.timers == []


@pytest.mark.parametrize("seconds", [-50.0, 0.0, 1.0])
def test_a_deadline_after_the_wheel_stood_still_is_reached(loop: ManualLoop, seconds: float) -> None:
    first, second = waiters(loop, 2)
    first.begin(loop.now + 1)
    loop.advance(5)
    loop.now += 1000  # nobody turned the wheel
    deadline = loop.now + seconds
    second.begin(deadline)
    loop.advance(10)
    (at,) = second.expired
    assert in_time(at, max(deadline, loop.now - 10))


def test_a_loop_that_was_late_throws_all_that_is_due(loop: ManualLoop) -> None:
    several = waiters(loop, 5)
    for number, waiter in enumerate(several):
        waiter.begin(loop.now + 1 + number)
    loop.advance(30, step=30)  # one very long callback
    assert all(len(waiter.expired) == 1 for waiter in several)


def test_a_strand_that_ended_is_left_alone(loop: ManualLoop) -> None:
    (waiter,) = waiters(loop, 1)
    strand = waiter.strand

    async def end_early() -> None:
        await strand.parked(loop.now + 1, "limit")

    strand.start(end_early())
    strand.resume()
    assert strand.done
    loop.advance(5)
    assert loop.timers == []


def test_thousands_of_strands_cost_one_timer_and_none_is_forgotten(loop: ManualLoop) -> None:
    many = waiters(loop, 5000)
    deadlines = [loop.now + 0.5 + number % 97 / 10 for number in range(len(many))]
    for waiter, deadline in zip(many, deadlines, strict=True):
        waiter.begin(deadline)
    assert len(loop.timers) == 1
    loop.advance(15)
    for waiter, deadline in zip(many, deadlines, strict=True):
        (at,) = waiter.expired
        assert in_time(at, deadline)


def test_a_strand_whose_defect_cannot_even_be_told_takes_no_deadline_from_the_others(
    loop: ManualLoop,
) -> None:
    reactor = manual_reactor(loop)
    untold: list[Exception] = []

    def fail(defect: Exception) -> None:
        untold.append(defect)
        raise OSError("the log is gone")

    reactor.on_defect = fail
    deadline = loop.now + 1
    others = [Waiter(loop, Strand(reactor)) for _ in range(4)]
    others[0].begin(deadline)
    for _ in range(2):
        broken = Strand(reactor)
        broken.start(_break_at(broken, deadline))
    for waiter, after in zip(others[1:], (0.0, 0.15, 3.0), strict=True):
        waiter.begin(deadline + after)
    loop.advance(1.3, step=1.3)  # late, so that several slots are due at once
    loop.advance(5)
    assert [len(waiter.expired) for waiter in others] == [1, 1, 1, 1]
    assert [type(defect) for defect in untold] == [ZeroDivisionError] * 2
    assert [type(error) for error in loop.unhandled] == [OSError] * 2
    assert loop.timers == []


async def _break_at(strand: Strand, deadline: float) -> None:
    try:
        await strand.parked(deadline, "limit")
    except Expired:
        raise ZeroDivisionError from None


@unhurried
@given(st.lists(st.tuples(st.floats(0, 5), st.floats(-1, 20)), min_size=1, max_size=30))
def test_the_deadline_set_last_is_the_one_that_counts(steps: list[tuple[float, float]]) -> None:
    """Wait, then another deadline; the first one that passes undisturbed is reached in time."""
    loop = ManualLoop()
    (waiter,) = waiters(loop, 1)
    deadline = loop.now + 3
    began = loop.now
    waiter.begin(deadline)
    for pause, ahead in steps:
        loop.advance(pause, step=STEP)
        if waiter.expired:
            break
        assert loop.now <= max(deadline, began) + TOLERANCE + 1e-6
        deadline, began = loop.now + ahead, loop.now
        waiter.again(deadline)
    loop.advance(25, step=STEP)
    (at,) = waiter.expired
    assert deadline <= at <= max(deadline, began) + TOLERANCE + 1e-6
