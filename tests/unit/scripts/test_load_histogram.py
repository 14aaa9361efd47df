"""The histogram against the exact percentiles of what was recorded."""

from __future__ import annotations

import math
import pickle

from hypothesis import given
from hypothesis import strategies as st
from loadgen.histogram import LARGEST, Histogram, bounds_of

DURATIONS = st.lists(
    st.one_of(
        st.integers(0, 1000),
        st.integers(0, LARGEST),
        st.integers(1, 42).flatmap(lambda bits: st.integers((1 << bits) - 2, (1 << bits) + 2)),
    ),
    min_size=1,
    max_size=300,
)
SHARES = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.5, 0.9, 0.99, 0.999, 1.0]))


def histogram_of(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def exact(values: list[int], share: float) -> int:
    """The nearest rank, by sorting."""
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


@given(DURATIONS, SHARES)
def test_every_percentile_is_within_one_percent_of_the_exact_one(values: list[int], share: float) -> None:
    wanted = exact(values, share)
    assert abs(histogram_of(values).percentile(share) - wanted) <= wanted * 0.01


@given(DURATIONS, DURATIONS, SHARES)
def test_a_sum_of_histograms_is_the_histogram_of_everything(
    left: list[int], right: list[int], share: float
) -> None:
    added = histogram_of(left)
    added.add(pickle.loads(pickle.dumps(histogram_of(right))))
    together = histogram_of(left + right)
    assert added.percentile(share) == together.percentile(share)
    assert added.counts == together.counts
    assert (added.count, added.mean) == (together.count, together.mean)
    assert (added.smallest, added.largest) == (min(left + right), max(left + right))


@given(DURATIONS)
def test_every_value_lies_in_its_bucket_and_the_curve_only_rises(values: list[int]) -> None:
    for value in values:
        [bucket] = histogram_of([value]).counts
        lowest, highest = bounds_of(bucket)
        assert lowest <= value <= highest
    points = list(histogram_of(values).curve())
    assert points == sorted(points)
    assert points[-1][0] == len(values)


def test_buckets_leave_no_gap() -> None:
    for bucket in range(5000):
        assert bounds_of(bucket)[1] + 1 == bounds_of(bucket + 1)[0]


def test_memory_is_bounded() -> None:
    histogram = Histogram()
    for bits in range(60):
        for part in range(2000):
            histogram.record((1 << bits) + (part << bits) // 2000)
    assert len(histogram.counts) <= 4736


def test_what_is_out_of_range_is_counted_at_its_border() -> None:
    histogram = histogram_of([-5, LARGEST * 3])
    assert histogram.count == 2
    assert histogram.percentile(0.0) == 0
    assert histogram.percentile(1.0) == LARGEST


def test_a_value_counted_many_times_is_as_many_values() -> None:
    many = Histogram()
    many.record(1000, 7)
    assert many.counts == histogram_of([1000] * 7).counts
    assert many.mean == 1000


def test_nothing_has_no_percentile_and_no_curve() -> None:
    assert Histogram().percentile(0.99) == 0
    assert Histogram().mean == 0
    assert list(Histogram().curve()) == []
