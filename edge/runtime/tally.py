"""Adds up what the workers have counted, the dead ones included: a counter never falls.

Of each worker the last good numbers are known. When it ends, what only grows goes into a base; its gauges
end with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from edge.proxy.expiring import MOST_PER_HOST
from edge.telemetry.families import CLIENT_CERTIFICATE_EXPIRY
from edge.telemetry.metrics import Kind
from edge.telemetry.series import Series, UnreadableNumbers

MOST_REFUSALS = 50
_LASTING = frozenset((Kind.COUNTER, Kind.HISTOGRAM))

Refusal = Mapping[str, Any]
"""What is told of one; ``time`` is in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """What one worker left."""

    series: Series
    refusals: list[Refusal]


class Tally:
    """The numbers of all workers there ever were."""

    def __init__(self) -> None:
        self._base = Series()
        self._past_refusals: deque[Refusal] = deque(maxlen=MOST_REFUSALS)
        self._by_worker: dict[int, _Counted] = {}

    def take(self, pid: int, octets: bytes | None) -> None:
        """Know newer numbers of a worker. Those before stay if these are not whole."""
        if octets is None:
            return
        try:
            document = orjson.loads(octets)
            counted = _Counted(Series.read(document["metrics"]), _refusals(document["refusals"]))
        except (UnreadableNumbers, ValueError, KeyError, TypeError):
            return
        self._by_worker[pid] = counted

    def bury(self, pid: int) -> None:
        """Keep of a worker that has ended what outlasts it."""
        counted = self._by_worker.pop(pid, None)
        if counted is not None:
            self._base.add(counted.series, _LASTING)
            self._past_refusals = deque(
                sorted([*self._past_refusals, *counted.refusals], key=_time), maxlen=MOST_REFUSALS
            )

    def total(self) -> Series:
        """Return the sum of all."""
        total = Series()
        total.add(self._base)
        for counted in self._by_worker.values():
            total.add(counted.series)
        total.keep_soonest(CLIENT_CERTIFICATE_EXPIRY, MOST_PER_HOST)
        return total

    def refusals(self) -> list[Refusal]:
        """Return the last refusals of all, the newest first."""
        every = [*self._past_refusals]
        for counted in self._by_worker.values():
            every += counted.refusals
        return sorted(every, key=_time, reverse=True)[:MOST_REFUSALS]


def _refusals(said: object) -> list[Refusal]:
    if not isinstance(said, list) or len(said) > MOST_REFUSALS:
        raise UnreadableNumbers("refusals")
    for each in said:
        if not isinstance(each, dict) or not isinstance(each.get("time"), (int, float)):
            raise UnreadableNumbers("refusals")
    return said


def _time(refusal: Refusal) -> float:
    return float(refusal["time"])
