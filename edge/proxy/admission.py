"""Whether one more connection is served: limits by address and by worker.

Over the limit a client is told so, which takes a handshake; that courtesy has a limit of its own,
above which connections are closed without a word. Nothing here is ever refused by accident: counts
are given back in the connection's ``finally``.
"""

from __future__ import annotations

from enum import Enum

from edge.proxy.cuts import CONNECTIONS_PER_ADDRESS, CONNECTIONS_PER_WORKER
from edge.telemetry.families import CUT
from edge.telemetry.metrics import Metrics


class Admission(Enum):
    """What becomes of a connection that was accepted."""

    SERVED = "served"
    TOLD = "told"
    """Handshake, one answer 503, close."""
    TURNED_AWAY = "turned_away"


class Doorkeeper:
    """Counts the open connections of one worker, in all and by subscriber (``edge.model.network``).

    Where a trusted proxy connects, nobody knows yet for whom: such a connection is admitted as one of the
    worker's, and ``introduce`` counts it once the proxy has said it.
    """

    __slots__ = ("_by_subscriber", "_cut_by_address", "_cut_by_worker", "_per_address", "_per_worker", "open")

    def __init__(self, per_worker: int, per_address: int, metrics: Metrics | None = None) -> None:
        self._per_worker = per_worker
        self._per_address = per_address
        self._by_subscriber: dict[str, int] = {}
        self.open = 0
        metrics = metrics or Metrics()
        self._cut_by_worker = metrics.cell(CUT, CONNECTIONS_PER_WORKER)
        self._cut_by_address = metrics.cell(CUT, CONNECTIONS_PER_ADDRESS)

    def admit(self, who: str | None) -> Admission:
        """Count a connection in, unless it is turned away. ``who`` is None if a proxy has to say it."""
        by_worker = _judge(self.open, self._per_worker)
        if by_worker is not Admission.SERVED:
            self._cut_by_worker.value += 1
        verdict = by_worker
        if who is not None and by_worker is not Admission.TURNED_AWAY:
            verdict = worse(by_worker, self.introduce(who))
        if verdict is not Admission.TURNED_AWAY:
            self.open += 1
        return verdict

    def introduce(self, who: str) -> Admission:
        """Count somebody in by address alone, unless turned away."""
        count = self._by_subscriber.get(who, 0)
        verdict = _judge(count, self._per_address)
        if verdict is not Admission.SERVED:
            self._cut_by_address.value += 1
        if verdict is not Admission.TURNED_AWAY:
            self._by_subscriber[who] = count + 1
        return verdict

    def leave(self, who: str | None) -> None:
        """Count a connection out that was admitted. ``who`` is None if it was not counted by address."""
        self.open -= 1
        if who is None:
            return
        count = self._by_subscriber[who] - 1
        if count:
            self._by_subscriber[who] = count
        else:
            del self._by_subscriber[who]


def _judge(count: int, limit: int) -> Admission:
    if count < limit:
        return Admission.SERVED
    courtesy = limit // 8 + 8
    return Admission.TOLD if count < limit + courtesy else Admission.TURNED_AWAY


def worse(first: Admission, second: Admission) -> Admission:
    """Return the verdict that both together come to."""
    order = (Admission.SERVED, Admission.TOLD, Admission.TURNED_AWAY)
    return max(first, second, key=order.index)
