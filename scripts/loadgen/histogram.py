"""A log-linear histogram of durations: bounded memory, a bounded relative error, histograms can be added.

The scheme of HdrHistogram. Whole nanoseconds below 256 have a bucket each. Above, every power of two is
cut into 128 buckets of one width, so that a bucket is never wider than 1/128 of what lies in it. The middle
of a bucket stands for its members: it is wrong by less than 0.4 %.
"""

from __future__ import annotations

from collections.abc import Iterator

LARGEST = (1 << 43) - 1
"""Nanoseconds, about two hours and a half. What is longer is counted as this long."""

_FINE = 128
"""Buckets for each power of two; the first 256 values have two such runs."""
_FINE_BITS = 8
"""Bits that a value keeps: 128 to 255, below which nothing is lost."""


def bounds_of(bucket: int) -> tuple[int, int]:
    """Return the smallest and the largest value that fall into a bucket."""
    shift = max(bucket // _FINE - 1, 0)
    lowest = (bucket - shift * _FINE) << shift
    return lowest, lowest + (1 << shift) - 1


class Histogram:
    """Counts of durations in nanoseconds. At most 4 736 counters, made when first needed."""

    __slots__ = ("count", "counts", "largest", "smallest", "total")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.count = 0
        self.total = 0
        """The sum of all values, for the mean."""
        self.smallest = LARGEST
        self.largest = 0

    def record(self, nanoseconds: int, times: int = 1) -> None:
        """Count a duration; below zero is zero, above ``LARGEST`` is ``LARGEST``."""
        value = nanoseconds if 0 <= nanoseconds <= LARGEST else LARGEST if nanoseconds > 0 else 0
        shift = value.bit_length() - _FINE_BITS
        bucket = value if shift <= 0 else shift * _FINE + (value >> shift)
        self.counts[bucket] = self.counts.get(bucket, 0) + times
        self.count += times
        self.total += value * times
        if value > self.largest:  # noqa: PLR1730 -- a call would cost as much as all the rest
            self.largest = value
        if value < self.smallest:  # noqa: PLR1730
            self.smallest = value

    def add(self, other: Histogram) -> None:
        """Count everything that another one counted."""
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count
        self.count += other.count
        self.total += other.total
        self.smallest = min(self.smallest, other.smallest)
        self.largest = max(self.largest, other.largest)

    @property
    def mean(self) -> float:
        """The mean, exact; 0 if there is nothing."""
        return self.total / self.count if self.count else 0.0

    def percentile(self, share: float) -> float:
        """Return the value that this share (0 to 1) of all values does not exceed; 0 if there is nothing.

        It is the nearest rank: the smallest value with at least ``share * count`` values at or below it.
        The smallest and the largest value are exact.
        """
        rank = max(share * self.count, 1)
        if rank > self.count - 1:
            return float(self.largest)
        return next((value for reached, value in self.curve() if reached >= rank), 0.0)

    def curve(self) -> Iterator[tuple[int, float]]:
        """Yield, from the fastest to the slowest, how many values are at or below a value, and the value."""
        reached = 0
        for bucket in sorted(self.counts):
            reached += self.counts[bucket]
            lowest, highest = bounds_of(bucket)
            yield reached, min(max((lowest + highest) / 2, self.smallest), self.largest)
