"""So many turns a second, no matter how they come, and nothing is remembered of who has not come lately."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.proxy.pace import MOST_REMEMBERED, Pace
from tests.property.http1_streams import unhurried

WHO = "192.0.2.1"


def test_who_comes_too_often_gets_no_turn() -> None:
    pace = Pace(burst_seconds=1.0)
    turns = [pace.turn(WHO, 10, 1000.0) for _ in range(20)]
    assert turns == [0.0] * 10 + [None] * 10


def test_turns_come_back_with_time() -> None:
    pace = Pace(burst_seconds=1.0)
    for _ in range(10):
        pace.turn(WHO, 10, 1000.0)
    assert pace.turn(WHO, 10, 1000.05) is None
    assert pace.turn(WHO, 10, 1000.11) == 0.0
    assert pace.turn(WHO, 10, 1000.12) is None
    assert [pace.turn(WHO, 10, 2000.0) for _ in range(11)] == [0.0] * 10 + [None]


def test_one_crowd_does_not_keep_another_from_its_turns() -> None:
    pace = Pace(burst_seconds=1.0)
    for _ in range(100):
        pace.turn(WHO, 10, 1000.0)
    assert pace.turn("192.0.2.2", 10, 1000.0) == 0.0


def test_who_is_patient_waits_in_line() -> None:
    pace = Pace(burst_seconds=0.5)
    ahead = [pace.turn(WHO, 10, 1000.0, patience=1.0) for _ in range(20)]
    waits = [each for each in ahead if each is not None]
    assert waits == pytest.approx([0.0] * 5 + [number / 10 for number in range(1, 11)])
    assert ahead[15:] == [None] * 5
    assert pace.turn(WHO, 10, 1000.2, patience=1.0) == pytest.approx(0.9)


def test_a_turn_that_is_given_back_can_be_taken_again() -> None:
    pace = Pace(burst_seconds=1.0)
    for _ in range(50):
        assert pace.turn(WHO, 10, 1000.0) == 0.0
        pace.give_back(WHO, 10)
    pace.give_back("a stranger", 10)


def test_less_than_one_a_second_is_still_one() -> None:
    pace = Pace(burst_seconds=1.0)
    assert [pace.turn(WHO, 0.5, now) for now in (1000.0, 1001.9, 1002.1)] == [0.0, None, 0.0]


def test_what_is_remembered_is_bounded() -> None:
    pace = Pace(burst_seconds=1.0)
    for number in range(50_000):
        pace.turn(str(number), 10, 1000.0 + number)
    assert len(pace._used_until) <= 1024
    for number in range(3 * MOST_REMEMBERED):
        pace.turn(str(number), 1, 100_000.0)
    assert len(pace._used_until) <= MOST_REMEMBERED


def test_who_has_used_up_his_turns_is_not_forgotten_for_the_sake_of_others() -> None:
    pace = Pace(burst_seconds=1.0)
    for _ in range(20):
        pace.turn(WHO, 10, 1000.0)
    for number in range(5000):
        pace.turn(str(number), 10, 1000.01)
    assert pace.turn(WHO, 10, 1000.02) is None


@unhurried
@given(st.lists(st.floats(0, 2), min_size=1, max_size=100), st.integers(1, 20), st.floats(0, 3))
def test_in_no_time_are_there_more_turns_than_rate_and_burst(
    pauses: list[float], rate: int, patience: float
) -> None:
    pace, now, turns = Pace(burst_seconds=1.0), 1000.0, list[float]()
    for pause in pauses:
        now += pause
        ahead = pace.turn(WHO, rate, now, patience)
        if ahead is not None:
            assert 0 <= ahead <= patience + 1e-6
            turns.append(now + ahead)
    for first in range(len(turns)):
        for last in range(first, len(turns)):
            assert last - first + 1 <= rate * (turns[last] - turns[first] + 1) + 1e-3
