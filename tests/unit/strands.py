"""Strands for tests: on a real uvloop, or on a clock that a test moves by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

import uvloop

from edge.reactor.deadlines import Deadlines
from edge.reactor.reactor import Reactor
from edge.reactor.strand import Strand

_T = TypeVar("_T")
_PATIENCE_SECONDS = 20.0


class Stage:
    """A reactor on a real loop. ``defects`` collects what no strand may let out."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self.defects: list[Exception] = []
        self.reactor = Reactor(self.loop, self.defects.append)

    def strand(self) -> Strand:
        """A new strand of this reactor."""
        return Strand(self.reactor)

    def play(self, main: Callable[[Strand], Coroutine[Any, Any, _T]]) -> _T:
        """Run ``main`` on a strand of its own until it ends; return its value or raise its error."""
        outcome: asyncio.Future[_T] = self.loop.create_future()
        strand = self.strand()

        async def whole() -> None:
            try:
                outcome.set_result(await main(strand))
            except Exception as error:  # noqa: BLE001 - carried over to the test
                outcome.set_exception(error)

        self.loop.call_soon(strand.start, whole())
        return self.loop.run_until_complete(asyncio.wait_for(outcome, _PATIENCE_SECONDS))

    def let_pass(self, seconds: float) -> None:
        """Let the loop run for a while."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def close(self) -> None:
        """End the loop."""
        self.reactor.poller.close()
        self.loop.close()


class ManualLoop:
    """The part of a loop that the reactor uses, driven by hand. ``now`` is what its clock shows."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.soon: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self.timers: list[tuple[float, Callable[[], object]]] = []
        self.unhandled: list[object] = []
        """Exceptions that were handed to the loop."""

    def add_reader(self, fd: int, callback: Callable[[], object]) -> None:
        """Nothing becomes readable on this loop."""

    def call_later(self, seconds: float, callback: Callable[[], object]) -> object:
        """See ``asyncio``."""
        self.timers.append((self.now + seconds, callback))
        return callback

    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        """See ``asyncio``."""
        self.soon.append((callback, args))

    def call_exception_handler(self, context: dict[str, object]) -> None:
        """See ``asyncio``."""
        self.unhandled.append(context["exception"])

    def turn(self) -> None:
        """Run what was to be run soon; what that puts off waits for the next turn."""
        due, self.soon = self.soon, []
        for callback, args in due:
            callback(*args)

    def advance(self, seconds: float, step: float = 0.05) -> None:
        """Move the clock and run the timers that come due on the way."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(self.now + step, end)
            due = [timer for timer in self.timers if timer[0] <= self.now]
            self.timers = [timer for timer in self.timers if timer[0] > self.now]
            for _, callback in due:
                callback()


def manual_reactor(loop: ManualLoop, defects: list[Exception] | None = None) -> Reactor:
    """A reactor on such a loop."""
    reactor = Reactor(
        cast("asyncio.AbstractEventLoop", loop), (defects if defects is not None else []).append
    )
    reactor.now = lambda: loop.now
    reactor.deadlines = Deadlines(reactor.loop, reactor.now)
    return reactor
