from __future__ import annotations

import pytest
from comparison.contest import make_sample
from comparison.numbers import Sample, Spread, busy, costs, rates, ratios, rotated, spread
from hypothesis import given
from hypothesis import strategies as st


def sample(per_second: float, cpu: float | None = None) -> Sample:
    return Sample(per_second, cpu, None if cpu is None else 0.5)


def test_nothing_has_no_spread() -> None:
    assert spread([]) is None
    assert rates([None, None]) is None
    assert costs([sample(1.0)]) is None
    assert busy([None]) is None


def test_the_spread_is_middle_smallest_and_largest() -> None:
    assert spread([5.0, 1.0, 2.0]) == Spread(2.0, 1.0, 5.0)
    assert spread([4.0, 1.0]) == Spread(2.5, 1.0, 4.0)


def test_only_figures_of_one_round_are_divided() -> None:
    """The machine became four times as slow in the second round; nobody's ratio changed by it."""
    ours, base = [sample(200.0), sample(50.0)], [sample(100.0), sample(25.0)]
    assert ratios(ours, base) == Spread(2.0, 2.0, 2.0)


def test_a_round_that_lacks_one_of_the_two_says_nothing() -> None:
    ours = [sample(200.0), None, sample(30.0), sample(9.0)]
    base = [sample(100.0), sample(1.0), None, sample(3.0)]
    assert ratios(ours, base) == Spread(2.5, 2.0, 3.0)
    assert ratios([None], [sample(1.0)]) is None


def test_a_base_that_did_nothing_is_no_divisor() -> None:
    assert ratios([sample(1.0)], [sample(0.0)]) is None


def test_lists_of_different_rounds_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        ratios([sample(1.0)], [])


@given(st.lists(st.floats(0.001, 1e9), min_size=1))
def test_the_median_lies_between_the_ends(values: list[float]) -> None:
    found = spread(values)
    assert found is not None
    assert found.low <= found.median <= found.high
    assert ratios([sample(v) for v in values], [sample(v) for v in values]) == Spread(1.0, 1.0, 1.0)


def test_costs_and_shares_come_from_the_servers_cpu_time() -> None:
    made = make_sample(per_second=100.0, answers=200.0, used=1.0, seconds=2.0)
    assert made == Sample(100.0, 0.005, 0.5)
    assert costs([made, None]) == Spread(0.005, 0.005, 0.005)
    assert busy([made]) == Spread(0.5, 0.5, 0.5)


def test_no_share_is_more_than_the_whole_core() -> None:
    assert make_sample(1.0, 1.0, used=1.2, seconds=1.0).busy == 1.0


def test_a_kernel_without_cpu_times_leaves_them_out() -> None:
    assert make_sample(7.0, 7.0, None, 1.0) == Sample(7.0, None, None)


@given(st.lists(st.integers(), max_size=5), st.integers(0, 20))
def test_rotation_keeps_everybody(items: list[int], by: int) -> None:
    assert sorted(rotated(items, by)) == sorted(items)


def test_everybody_is_first_once() -> None:
    assert [rotated("abc", number)[0] for number in range(4)] == ["a", "b", "c", "a"]
