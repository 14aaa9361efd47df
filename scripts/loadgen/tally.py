"""What was seen: counts and latencies of one second, or of all. Tallies can be added."""

from __future__ import annotations

from dataclasses import dataclass, field

from loadgen.histogram import Histogram

MAX_KINDS = 50
"""Different errors that are told apart; the rest is counted as ``other``."""


@dataclass(slots=True)
class Tally:
    """Counts of a stretch of time."""

    latencies: Histogram = field(default_factory=Histogram)
    """Of every answer."""
    statuses: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    octets: int = 0
    """Of bodies, sent and received, of exchanges that came to their end."""
    handshakes: int = 0
    resumed: int = 0
    """Handshakes in which the server took a session up again."""
    queued: int = 0
    """Requests that were due while every connection was busy."""
    unanswered: int = 0
    """Requests that were due in time and still had no answer at the end; their wait so far is a latency."""
    closed_while_idle: int = 0
    processor_seconds: float = 0.0
    """What the load generator itself used."""
    wall_seconds: float = 0.0
    """How long it took for that, of all processes together."""

    def answered(self, status: str, nanoseconds: int, octets: int) -> None:
        """Count an answer."""
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.octets += octets
        self.latencies.record(nanoseconds)

    def failed(self, error: str) -> None:
        """Count an error."""
        kind = error if error in self.errors or len(self.errors) < MAX_KINDS else "other"
        self.errors[kind] = self.errors.get(kind, 0) + 1

    @property
    def answers(self) -> int:
        """How many answers came."""
        return sum(self.statuses.values())

    def add(self, other: Tally) -> None:
        """Count everything that another one counted."""
        self.latencies.add(other.latencies)
        for status, count in other.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + count
        for error, count in other.errors.items():
            self.errors[error] = self.errors.get(error, 0) + count
        self.octets += other.octets
        self.handshakes += other.handshakes
        self.resumed += other.resumed
        self.queued += other.queued
        self.unanswered += other.unanswered
        self.closed_while_idle += other.closed_while_idle
        self.processor_seconds += other.processor_seconds
        self.wall_seconds += other.wall_seconds
