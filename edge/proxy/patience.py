"""How long the edge waits for a client that sends or takes a body: not for ever, and not ever slower.

Two limits at once. ``body_idle_timeout``: how long nothing may move. ``body_minimum_rate``: time for
which the edge waited for this client (never for the origin) is spent, and octets earn it back. It begins
with ten seconds. No more is saved up than the idle time and ten seconds: else what was taken at once in
the beginning would buy hours in which a client may move an octet now and then, and hold memory of two
kernels. Who moves nothing at all runs out of the idle time first.
"""

from __future__ import annotations

from edge.config.schema import Limits

GRACE_SECONDS = 10.0


class Patience:
    """What is left of it for one body in one direction."""

    __slots__ = ("_idle", "_left", "_most", "_rate")

    def __init__(self, limits: Limits) -> None:
        self._idle: float = limits.body_idle_timeout
        self._rate = limits.body_minimum_rate
        self._most = self._idle + GRACE_SECONDS
        self._left = GRACE_SECONDS

    def moved(self, octets: int) -> None:
        """Take note of octets that the client sent, or that its socket took."""
        if self._rate:
            self._left = min(self._left + octets / self._rate, self._most)

    def waited(self, seconds: float) -> None:
        """Count time that passed while the client was waited for."""
        self._left -= seconds

    @property
    def is_rate(self) -> bool:
        """Whether it is the rate that runs out first, if nothing moves from now on."""
        return self._rate > 0 and self._left < self._idle

    @property
    def seconds(self) -> float:
        """For how long nothing may move from now on."""
        return max(self._left, 0.0) if self.is_rate else self._idle
