"""Lets only so many strands a turn of the loop begin something that takes long.

A handshake costs what fifty requests cost. When a thousand clients come at once, they wait for one
another here, so that the requests of open connections go in between: what they wait is bounded by a few
handshakes, not by the crowd. First come, first served.
"""

from __future__ import annotations

import asyncio
from collections import deque

from edge.reactor.strand import Strand


class Turnstile:
    """A queue in front of something that takes long."""

    __slots__ = ("_loop", "_most", "_passed", "_scheduled", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop, most: int) -> None:
        self._loop = loop
        self._most = most
        self._passed = 0
        """How many went through in this turn."""
        self._waiting: deque[Strand] = deque()
        self._scheduled = False

    async def enter(self, strand: Strand, deadline: float, what: str) -> None:
        """Go through, now or in a later turn. Raises ``Expired(what)``."""
        if self._passed >= self._most or self._waiting:
            self._waiting.append(strand)
            while strand in self._waiting:  # woken up for another reason
                await strand.parked(deadline, what)
        self._passed += 1
        if not self._scheduled:
            self._schedule()

    def _schedule(self) -> None:
        self._scheduled = True
        self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        self._passed = 0
        for _ in range(min(self._most, len(self._waiting))):
            self._waiting.popleft().resume()
        if self._waiting and not self._scheduled:
            self._schedule()
