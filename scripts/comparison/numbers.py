"""Ratios of measurements that were made side by side, and how far they spread. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one server."""

    per_second: float
    """Operations; MiB for a download."""
    cpu_seconds: float | None
    """Of the server, for one operation."""
    busy: float | None
    """Share of one core that the server had: much below 1, something else was the limit."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle and the ends of some figures."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread | None:
    """Return the spread, or None of nothing.

    >>> spread([3.0, 1.0, 2.0])
    Spread(median=2.0, low=1.0, high=3.0)
    """
    return Spread(statistics.median(values), min(values), max(values)) if values else None


def ratios(ours: Sequence[Sample | None], base: Sequence[Sample | None]) -> Spread | None:
    """Return the spread of our figure divided by the base's of the same round.

    Both are lists of rounds; a round that lacks either of the two says nothing. The machine's neighbours
    change from minute to minute: only what ran side by side is divided.
    """
    return spread(
        [
            mine.per_second / theirs.per_second
            for mine, theirs in zip(ours, base, strict=True)
            if mine is not None and theirs is not None and theirs.per_second > 0
        ]
    )


def rates(samples: Sequence[Sample | None]) -> Spread | None:
    """Return the spread of operations per second."""
    return spread([sample.per_second for sample in samples if sample is not None])


def costs(samples: Sequence[Sample | None]) -> Spread | None:
    """Return the spread of CPU seconds per operation."""
    return spread([s.cpu_seconds for s in samples if s is not None and s.cpu_seconds is not None])


def busy(samples: Sequence[Sample | None]) -> Spread | None:
    """Return the spread of the server's share of its core."""
    return spread([s.busy for s in samples if s is not None and s.busy is not None])


def rotated(items: Sequence[T], by: int) -> list[T]:
    """Return the items beginning with another one each round: nobody is always the first."""
    start = by % len(items) if items else 0
    return [*items[start:], *items[:start]]
