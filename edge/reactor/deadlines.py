"""A coarse timer wheel for the deadlines of many strands.

Every request sets several deadlines and nearly none of them is reached, so setting one has to be
cheap: a strand stands in at most one live slot, and a slot that comes up too early simply moves the
strand on. Nothing is ever cancelled. Resolution is a tenth of a second: limits are seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from edge.reactor.strand import TICKS_A_SECOND, Expired, Strand

TICK_SECONDS = 1 / TICKS_A_SECOND


class Deadlines:
    """Throws ``Expired`` into strands whose deadline has passed."""

    __slots__ = ("_loop", "_now", "_slots", "_timer", "_turned")

    def __init__(self, loop: asyncio.AbstractEventLoop, now: Callable[[], float]) -> None:
        self._loop = loop
        self._now = now
        self._slots: dict[int, list[Strand]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._turned = int(now() / TICK_SECONDS)

    def watch(self, strand: Strand) -> None:
        """Take note of ``strand.deadline``; an earlier live slot already serves."""
        tick = int(strand.deadline / TICK_SECONDS) + 1
        if 0 < strand.tick <= tick:
            return
        if self._timer is None:
            # The wheel stood still while it was empty: a slot in its past would never come up.
            self._turned = int(self._now() / TICK_SECONDS)
            self._timer = self._loop.call_later(TICK_SECONDS, self._turn)
        tick = max(tick, self._turned + 1)
        strand.tick = tick
        slot = self._slots.get(tick)
        if slot is None:
            self._slots[tick] = [strand]
        else:
            slot.append(strand)

    def _turn(self) -> None:
        now = self._now()
        current = int(now / TICK_SECONDS)
        due = [tick for tick in range(self._turned + 1, current + 1) if tick in self._slots]
        self._turned = current
        for tick in due:
            for strand in self._slots.pop(tick):
                try:
                    self._serve(strand, tick, now)
                except Exception as error:  # noqa: BLE001 - a wheel that stands still never cuts anybody again
                    # Only a defect handler that fails itself. The others in the slot have their deadline too.
                    self._loop.call_exception_handler({"message": "a deadline failed", "exception": error})
        self._timer = self._loop.call_later(TICK_SECONDS, self._turn) if self._slots else None

    def _serve(self, strand: Strand, tick: int, now: float) -> None:
        if strand.tick != tick:
            return  # an earlier slot was taken since; this entry is stale
        strand.tick = 0
        if strand.done or not strand.deadline:
            return
        if strand.deadline <= now:
            strand.throw(Expired(strand.what))
        else:
            self.watch(strand)
