"""The connections at rest to one origin: a stack, so that the warmest is used first."""

from __future__ import annotations

from edge.origin.connection import OriginConnection
from edge.reactor.strand import Strand

_MAX_RESTING = 256
"""Connections at rest for one origin in one worker; more are closed."""


class Shelf:
    """What one worker knows of one origin."""

    __slots__ = ("_rest_seconds", "avoid_until", "resting")

    def __init__(self, rest_seconds: float) -> None:
        self._rest_seconds = rest_seconds
        self.resting: list[OriginConnection] = []
        self.avoid_until = 0.0

    def take(self, strand: Strand, now: float) -> OriginConnection | None:
        """Return a connection that rests here and still lives; None if there is none."""
        resting = self.resting
        while resting:
            connection = resting.pop()
            readiness = connection.readiness
            # ``unwanted`` alone is not enough. Octets that arrived while the loop was busy are not known to
            # it yet, and a second answer among them would be taken for the next client's.
            if (
                not readiness.unwanted
                and now - connection.rested_at <= self._rest_seconds
                and connection.stream.is_silent()
            ):
                readiness.lend(strand)
                return connection
            connection.close()
        return None

    def put(self, connection: OriginConnection, now: float) -> None:
        """Let a connection rest here."""
        connection.rested_at = now
        connection.served += 1
        connection.readiness.rest()
        resting = self.resting
        resting.append(connection)
        if len(resting) > _MAX_RESTING:
            resting.pop(0).close()

    def sweep(self, now: float) -> None:
        """Close what has rested too long or died."""
        kept = []
        for connection in self.resting:
            if connection.readiness.unwanted or now - connection.rested_at > self._rest_seconds:
                connection.close()
            else:
                kept.append(connection)
        self.resting[:] = kept

    def close(self) -> None:
        """Close everything that rests."""
        for connection in self.resting:
            connection.close()
        self.resting.clear()
