"""Numbers of many processes, read from what ``Metrics.dump`` wrote, and brought together.

Who wrote them may have died while it did, or be no worker of ours any more: what does not have the
form of a known metric is not believed.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator

from edge.telemetry import metrics
from edge.telemetry.catalogue import BY_NAME
from edge.telemetry.metrics import OTHER, Family, Kind

Labels = tuple[str, ...]


class UnreadableNumbers(ValueError):
    """The octets are not what a worker writes."""


class Series:
    """Numbers by family and label values; histograms by family."""

    __slots__ = ("_histograms", "_numbers")

    def __init__(self) -> None:
        self._numbers: dict[Family, dict[Labels, float]] = {}
        self._histograms: dict[Family, tuple[list[int], float]] = {}

    @classmethod
    def read(cls, document: object) -> Series:
        """Return what was dumped; unknown families are left out. Raises ``UnreadableNumbers``."""
        series = cls()
        if not isinstance(document, dict):
            raise UnreadableNumbers("no table of numbers")
        for name, said in document.items():
            family = BY_NAME.get(name)
            if family is None:
                continue
            if family.kind is Kind.HISTOGRAM:
                series._histograms[family] = _histogram(family, said)
            else:
                series._numbers[family] = dict(_cells(family, said))
        return series

    def add(self, other: Series, kinds: Container[Kind] = frozenset(Kind)) -> None:
        """Take in the numbers of another process; only those of these kinds."""
        for family, numbers in other._numbers.items():
            if family.kind not in kinds:
                continue
            mine = self._numbers.setdefault(family, {})
            for said, number in numbers.items():
                labels = said
                if labels not in mine and len(mine) >= metrics.MOST_SERIES:
                    labels = (OTHER,) * len(labels)
                before = mine.get(labels, 0.0)
                mine[labels] = max(before, number) if family.kind is Kind.TIME else before + number
        if Kind.HISTOGRAM in kinds:
            for family, (counts, total) in other._histograms.items():
                before_counts, before_total = self._histograms.get(family, ([0] * len(counts), 0.0))
                together = [left + right for left, right in zip(before_counts, counts, strict=True)]
                self._histograms[family] = (together, before_total + total)

    def keep_soonest(self, family: Family, most: int) -> None:
        """Of times that every process gave for itself, keep so many of each first label: the soonest."""
        by_first: dict[str, list[tuple[float, Labels]]] = {}
        for labels, moment in self._numbers.get(family, {}).items():
            by_first.setdefault(labels[0], []).append((moment, labels))
        for moments in by_first.values():
            for _, labels in sorted(moments)[most:]:
                del self._numbers[family][labels]

    def numbers(self, family: Family) -> dict[Labels, float]:
        """Return the numbers of a family by label values."""
        return self._numbers.get(family, {})

    def histogram(self, family: Family) -> tuple[list[int], float]:
        """Return how many values fell into each bucket, and their sum."""
        return self._histograms.get(family, ([0] * (len(family.bounds) + 1), 0.0))

    def document(self) -> dict[str, object]:
        """Return everything in the form that ``read`` takes."""
        told: dict[str, object] = {
            family.name: [[labels, number] for labels, number in numbers.items()]
            for family, numbers in self._numbers.items()
        }
        told |= {family.name: [counts, total] for family, (counts, total) in self._histograms.items()}
        return told


def _cells(family: Family, said: object) -> Iterator[tuple[Labels, float]]:
    if not isinstance(said, list) or len(said) > metrics.MOST_SERIES + 1:
        raise UnreadableNumbers(family.name)
    for row in said:
        match row:
            case [list(labels), int() | float() as number] if (
                len(labels) == len(family.labels)
                and all(isinstance(label, str) for label in labels)
                and _is_number(number)
            ):
                yield tuple(labels), number
            case _:
                raise UnreadableNumbers(family.name)


def _histogram(family: Family, said: object) -> tuple[list[int], float]:
    match said:
        case [list(counts), int() | float() as total] if (
            len(counts) == len(family.bounds) + 1
            and all(type(count) is int and count >= 0 for count in counts)
            and _is_number(total)
        ):
            return list(counts), total
        case _:
            raise UnreadableNumbers(family.name)


def _is_number(number: float) -> bool:
    return math.isfinite(number) and type(number) is not bool
