"""Connections at rest, one stack an origin and worker: the warmest is used first.

A resting connection stays armed for reading. Whatever arrives then (its end, or octets nobody asked
for) makes it unusable, and costs nothing to notice; before it is used it is looked at once more. A
connection goes back only after an answer that was complete to the octet.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.model.refusal import Reason
from edge.origin.connection import OriginConnection, OriginError, connect
from edge.origin.endpoint import Endpoint
from edge.reactor.strand import Strand
from edge.reactor.stream import StreamBroken

_MAX_RESTING = 256
"""Connections at rest for one origin in one worker; more are closed."""
_AVOID_SECONDS = 10.0
"""How long an origin that could not be reached is tried last."""


@dataclass(slots=True)
class _State:
    """What one worker knows of one origin."""

    resting: list[OriginConnection] = field(default_factory=list)
    avoid_until: float = 0.0


class OriginPool:
    """Hands out connections to the origins of a host, in turn."""

    __slots__ = ("_connect_seconds", "_rest_seconds", "_states", "_turns")

    def __init__(self, connect_seconds: float, rest_seconds: float) -> None:
        self._connect_seconds = connect_seconds
        self._rest_seconds = rest_seconds
        self._states: dict[Endpoint, _State] = {}
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
        for endpoint in self._in_turn(endpoints, strand.reactor.now()):
            state = self._state(endpoint)
            if not fresh:
                resting = self._wake(state, strand)
                if resting is not None:
                    return resting
            try:
                connection = await connect(endpoint, strand, self._connect_seconds)
            except StreamBroken as error:
                failure = OriginError(Reason.ORIGIN_UNREACHABLE, f"{endpoint}: {error}")
            except OriginError as error:
                if error.reason is Reason.OVERLOADED:
                    raise  # our own want of descriptors says nothing about the origin
                failure = error
            else:
                state.avoid_until = 0.0
                return connection
            state.avoid_until = strand.reactor.now() + _AVOID_SECONDS
        raise failure or OriginError(Reason.ORIGIN_UNREACHABLE, "no origin is configured")

    def release(self, connection: OriginConnection, now: float) -> None:
        """Let a connection rest. Its answer was read to the end, and nothing followed."""
        connection.served += 1
        connection.rested_at = now
        resting = self._state(connection.endpoint).resting
        connection.stream.want_read()
        connection.readiness.move_to(None)
        resting.append(connection)
        if len(resting) > _MAX_RESTING:
            resting.pop(0).close()

    def sweep(self, now: float) -> None:
        """Close what has rested too long or died; the worker calls this every few seconds."""
        for state in self._states.values():
            kept = []
            for connection in state.resting:
                if connection.readiness.unwanted or now - connection.rested_at > self._rest_seconds:
                    connection.close()
                else:
                    kept.append(connection)
            state.resting = kept

    def close(self) -> None:
        """Close every resting connection."""
        for state in self._states.values():
            for connection in state.resting:
                connection.close()
            state.resting = []

    def _state(self, endpoint: Endpoint) -> _State:
        state = self._states.get(endpoint)
        if state is None:
            state = self._states[endpoint] = _State()
        return state

    def _in_turn(self, endpoints: tuple[Endpoint, ...], now: float) -> tuple[Endpoint, ...]:
        if len(endpoints) < 2:
            return endpoints
        first = (self._turns.get(endpoints, -1) + 1) % len(endpoints)
        self._turns[endpoints] = first
        turn = endpoints[first:] + endpoints[:first]
        return tuple(sorted(turn, key=lambda endpoint: self._state(endpoint).avoid_until > now))

    def _wake(self, state: _State, strand: Strand) -> OriginConnection | None:
        while state.resting:
            connection = state.resting.pop()
            rested = strand.reactor.now() - connection.rested_at
            if not connection.readiness.unwanted and rested <= self._rest_seconds:
                connection.readiness.move_to(strand)
                if _is_silent(connection):
                    return connection
            connection.close()
        return None


def _is_silent(connection: OriginConnection) -> bool:
    """Nothing has arrived since the last answer: neither an end nor a second answer.

    ``unwanted`` alone is not enough. Octets that arrived while the loop was busy are not known to it yet,
    and a second answer among them would be taken for the answer to the next client's request.
    """
    try:
        return connection.stream.try_read() is None
    except StreamBroken:
        return False
