"""What all strands of one worker share: the loop, the wheel, and where defects go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from edge.reactor.deadlines import Deadlines
from edge.reactor.poller import Poller
from edge.reactor.turnstile import Turnstile

_HANDSHAKES_A_TURN = 4


class Reactor:
    """The loop of one worker with its deadlines. ``on_defect`` gets exceptions nobody expected."""

    __slots__ = ("deadlines", "loop", "now", "on_defect", "poller", "turnstile")

    def __init__(self, loop: asyncio.AbstractEventLoop, on_defect: Callable[[Exception], None]) -> None:
        self.loop = loop
        self.now: Callable[[], float] = time.monotonic
        """Monotonic seconds, for deadlines and durations. uvloop's own time moves in milliseconds only."""
        self.deadlines = Deadlines(loop, self.now)
        self.poller = Poller(loop)
        self.turnstile = Turnstile(loop, _HANDSHAKES_A_TURN)
        """In front of handshakes."""
        self.on_defect = on_defect
