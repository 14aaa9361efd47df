"""Counts what happens in one process. To count is an addition; the rest is done before or later.

A worker's numbers are handed to its parent as octets (``Metrics.dump``), which adds up all workers.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from enum import Enum

import orjson

MOST_SERIES = 20_000
"""Of one family. Who adds more is counted under ``OTHER``: label values must not grow without bound."""
OTHER = "(other)"


class Kind(Enum):
    """What a number means, and so how those of several workers come together."""

    COUNTER = "counter"
    """Only ever grows; the sum."""
    GAUGE = "gauge"
    """Goes up and down; the sum over those who live."""
    TIME = "time"
    """Seconds since the epoch of something that all of them see; the latest."""
    HISTOGRAM = "histogram"
    """How many were how large; the sum."""


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """One metric: its name, what it means, and the names of its labels."""

    name: str
    kind: Kind
    description: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    """Of a histogram: the largest value that belongs into each bucket but the last."""


class Cell:
    """One number. Whoever counts often keeps the cell and adds to ``value``."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value: float = 0


class Histogram:
    """How many values were how large."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value


class Metrics:
    """All numbers of one process, by family and label values."""

    __slots__ = ("_cells", "_histograms")

    def __init__(self) -> None:
        self._cells: dict[Family, dict[tuple[str, ...], Cell]] = {}
        self._histograms: dict[Family, Histogram] = {}

    def cell(self, family: Family, *values: str) -> Cell:
        """Return the number of these label values, which begins at 0."""
        series = self._cells.setdefault(family, {})
        found = series.get(values)
        if found is None:
            if len(series) >= MOST_SERIES:
                values = (OTHER,) * len(values)
            found = series.setdefault(values, Cell())
        return found

    def forget(self, family: Family, *values: str) -> None:
        """Drop a number that means nothing any more. Never a counter's."""
        self._cells.get(family, {}).pop(values, None)

    def histogram(self, family: Family) -> Histogram:
        """Return a family's histogram. It has no labels."""
        found = self._histograms.get(family)
        if found is None:
            found = self._histograms[family] = Histogram(family.bounds)
        return found

    def dump(self) -> bytes:
        """Return everything as JSON: by family's name, ``[[label values], number]`` or ``[counts, sum]``."""
        document: dict[str, object] = {
            family.name: [[list(values), cell.value] for values, cell in series.items()]
            for family, series in self._cells.items()
        }
        for family, histogram in self._histograms.items():
            document[family.name] = [histogram.counts, histogram.total]
        return orjson.dumps(document)
