"""Idle connections: each gets one answer and is held open until the end, or until the server closes it."""

from __future__ import annotations

import time
from collections import deque

from loadgen.answer import Answer
from loadgen.client import Client
from loadgen.run import Run

OPENING_SECONDS = 60.0
"""How long the opening of all connections may last."""
_AT_ONCE = 32
"""Handshakes under way at the same moment: a burst would overrun the server's backlog."""


class Idle(Run):
    """Connections that do nothing. It ends when it is told to."""

    def opening(self) -> None:
        """Open the first connections; each one that is open lets the next one come."""
        self._to_open: deque[Client] = deque(self.everybody)
        self.end = self.begin + OPENING_SECONDS + self.plan.seconds
        for _ in range(_AT_ONCE):
            self._open_next()

    def over(self, now: float) -> bool:
        """Tell whether it is time to end."""
        self.settled = self.settled or now >= self.begin + OPENING_SECONDS or not self._opening()
        return super().over(now)

    def answered(self, client: Client, answer: Answer) -> None:
        """Count the answer; let the connection be, and open the next one."""
        self.count(answer, time.perf_counter() - client.since)
        if answer.closes:
            client.close()
            self.tally.closed_while_idle += 1
        self._open_next()

    def failed(self, _: Client, error: str) -> None:
        """Count the error; the connection stays closed."""
        self.tally.failed(error)
        self._open_next()

    def lost(self, _: Client) -> None:
        """Count that the server closed an idle connection; it stays closed."""
        self.tally.closed_while_idle += 1

    def _opening(self) -> bool:
        return bool(self._to_open) or any(client.busy for client in self.everybody)

    def _open_next(self) -> None:
        if self._to_open and not self.settled:
            self.open(self._to_open.popleft())
