"""Connections at rest, one stack an origin and worker: the warmest is used first.

A resting connection stays armed for reading. Whatever arrives then (its end, or octets nobody asked
for) makes it unusable, and costs nothing to notice; before it is used it is looked at once more. A
connection goes back only after an answer that was complete to the octet.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from edge.model.refusal import Reason
from edge.origin.connection import OriginConnection, OriginError, connect
from edge.origin.endpoint import Endpoint
from edge.origin.shelf import Shelf
from edge.reactor.strand import Strand
from edge.reactor.stream import StreamBroken

_AVOID_SECONDS = 10.0
"""How long an origin that could not be reached is tried last."""

TakeRested = Callable[[Strand, float], OriginConnection | None]
"""Returns a connection that is open already, given who needs it and the loop's time; None if none is."""


class OriginPool:
    """Hands out connections to the origins of a host, in turn."""

    __slots__ = ("_connect_seconds", "_rest_seconds", "_shelves", "_turns")

    def __init__(self, connect_seconds: float, rest_seconds: float) -> None:
        self._connect_seconds = connect_seconds
        self._rest_seconds = rest_seconds
        self._shelves: dict[Endpoint, Shelf] = {}
        self._turns: dict[tuple[Endpoint, ...], int] = {}
        """Of each list of origins by itself: one for all would let the hosts' rhythms choose the origin."""

    async def acquire(
        self, endpoints: tuple[Endpoint, ...], strand: Strand, *, fresh: bool = False
    ) -> OriginConnection:
        """Return a connection to one of the origins. Raises ``OriginError``.

        ``fresh``: only a new connection will do. An origin that cannot be connected to has been sent
        nothing, so the next one is tried.
        """
        failure: OriginError | None = None
        now = strand.reactor.now()
        for endpoint in self._in_turn(endpoints, now):
            shelf = self._shelf(endpoint)
            if not fresh:
                resting = shelf.take(strand, now)
                if resting is not None:
                    return resting
            try:
                connection = await connect(endpoint, strand, self._connect_seconds)
            except StreamBroken as error:
                failure = OriginError(Reason.ORIGIN_UNREACHABLE, f"{endpoint}: {error}", str(endpoint))
            except OriginError as error:
                if error.reason is Reason.OVERLOADED:
                    raise  # our own want of descriptors says nothing about the origin
                failure = error
            else:
                shelf.avoid_until = 0.0
                connection.shelf = shelf
                return connection
            shelf.avoid_until = strand.reactor.now() + _AVOID_SECONDS
        raise failure or OriginError(Reason.ORIGIN_UNREACHABLE, "no origin is configured")

    def rested(self, endpoints: tuple[Endpoint, ...]) -> TakeRested:
        """Return what gives a connection that is open already to the origin of these whose turn it is."""
        if len(endpoints) == 1:
            return self._shelf(endpoints[0]).take
        return partial(self._take_in_turn, endpoints)

    def _take_in_turn(
        self, endpoints: tuple[Endpoint, ...], strand: Strand, now: float
    ) -> OriginConnection | None:
        turn = self._turns.get(endpoints, -1)
        connection = self._shelf(self._in_turn(endpoints, now)[0]).take(strand, now)
        if connection is None:
            self._turns[endpoints] = turn  # it is still this one's turn
        return connection

    def release(self, connection: OriginConnection, now: float) -> None:
        """Let a connection rest. Its answer was read to the end, and nothing followed."""
        shelf = connection.shelf or self._shelf(connection.endpoint)
        shelf.put(connection, now)

    def sweep(self, now: float) -> None:
        """Close what has rested too long or died; the worker calls this every few seconds."""
        for shelf in self._shelves.values():
            shelf.sweep(now)

    def close(self) -> None:
        """Close every resting connection."""
        for shelf in self._shelves.values():
            shelf.close()

    def _shelf(self, endpoint: Endpoint) -> Shelf:
        shelf = self._shelves.get(endpoint)
        if shelf is None:
            shelf = self._shelves[endpoint] = Shelf(self._rest_seconds)
        return shelf

    def _in_turn(self, endpoints: tuple[Endpoint, ...], now: float) -> tuple[Endpoint, ...]:
        if len(endpoints) < 2:
            return endpoints
        first = (self._turns.get(endpoints, -1) + 1) % len(endpoints)
        self._turns[endpoints] = first
        turn = endpoints[first:] + endpoints[:first]
        return tuple(sorted(turn, key=lambda endpoint: self._shelf(endpoint).avoid_until > now))
