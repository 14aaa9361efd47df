"""How much happens in a second, from totals that come about once a second."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Mapping

from edge.telemetry import families
from edge.telemetry.series import Series

_SECONDS = 10.0
"""What a rate is taken over."""
_HISTORY = 60


class Rates:
    """The rates of the last moments."""

    def __init__(self) -> None:
        self._totals: deque[tuple[float, dict[str, float]]] = deque(maxlen=_HISTORY + 1)

    def take(self, moment: float, totals: Mapping[str, float]) -> None:
        """Know newer totals, at so many seconds of a clock that only ever grows."""
        self._totals.append((moment, dict(totals)))

    def now(self) -> dict[str, float]:
        """Return how many there were in a second, over the last ten."""
        if not self._totals:
            return {}
        last, totals = self._totals[-1]
        first, before = next(each for each in self._totals if last - each[0] <= _SECONDS)
        return {name: _rate(totals[name] - before[name], last - first) for name in totals}

    def history(self) -> dict[str, list[float]]:
        """Return the rate of each of the last moments, the oldest first."""
        told = list(self._totals)
        names = told[-1][1] if told else {}
        return {
            name: [
                _rate(after[name] - before[name], until - since)
                for (since, before), (until, after) in itertools.pairwise(told)
            ]
            for name in names
        }


def totals(series: Series) -> dict[str, float]:
    """Return the totals whose rates are shown."""
    requests = series.numbers(families.REQUESTS)
    return {
        "handshakes": sum(series.numbers(families.HANDSHAKES).values()),
        "requests": sum(requests.values()),
        "refusals": sum(number for (_, _, reason), number in requests.items() if reason),
    }


def _rate(number: float, seconds: float) -> float:
    return round(max(number, 0.0) / seconds, 2) if seconds > 0 else 0.0
