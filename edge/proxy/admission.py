"""Whether one more connection is served: limits by address and by worker.

Over the limit a client is told so, which takes a handshake; that courtesy has a limit of its own,
above which connections are closed without a word. Nothing here is ever refused by accident: counts
are given back in the connection's ``finally``.
"""

from __future__ import annotations

from enum import Enum


class Admission(Enum):
    """What becomes of a connection that was accepted."""

    SERVED = "served"
    TOLD = "told"
    """Handshake, one answer 503, close."""
    TURNED_AWAY = "turned_away"


class Doorkeeper:
    """Counts the open connections of one worker, in all and by address."""

    __slots__ = ("_by_address", "_per_address", "_per_worker", "open")

    def __init__(self, per_worker: int, per_address: int) -> None:
        self._per_worker = per_worker
        self._per_address = per_address
        self._by_address: dict[str, int] = {}
        self.open = 0

    def admit(self, address: str) -> Admission:
        """Count a connection in, unless it is turned away."""
        count = self._by_address.get(address, 0)
        verdict = _worse(
            _judge(self.open, self._per_worker),
            _judge(count, self._per_address),
        )
        if verdict is not Admission.TURNED_AWAY:
            self._by_address[address] = count + 1
            self.open += 1
        return verdict

    def leave(self, address: str) -> None:
        """Count a connection out that was not turned away."""
        self.open -= 1
        count = self._by_address[address] - 1
        if count:
            self._by_address[address] = count
        else:
            del self._by_address[address]


def _judge(count: int, limit: int) -> Admission:
    if count < limit:
        return Admission.SERVED
    courtesy = limit // 8 + 8
    return Admission.TOLD if count < limit + courtesy else Admission.TURNED_AWAY


def _worse(first: Admission, second: Admission) -> Admission:
    order = (Admission.SERVED, Admission.TOLD, Admission.TURNED_AWAY)
    return max(first, second, key=order.index)
