"""A strand: one coroutine that readiness callbacks drive directly, without a task in between.

Theory of operation. A connection is written as one coroutine, read from top to bottom. Where it has
to wait it *parks*: it yields to whoever drives it, which is this class, called straight from a
readiness callback of the loop. So a request whose bytes are all there runs from read to write
without a task switch, a future or a trip through the loop's queue.

A wake-up carries no information. Whoever parks says first what it is interested in
(``Readiness.want_read`` and friends), and after every wake-up simply tries its non-blocking calls
again. Spurious wake-ups are therefore harmless, and there is no state to fall out of step.

    new --start--> running <==park / resume==> parked --return or error--> done

An exception that leaves the coroutine is a defect, not an outcome: it is handed to the reactor's
``on_defect`` and the strand is done, so that one connection's failure never reaches another's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio

    from edge.reactor.reactor import Reactor


_T = TypeVar("_T")


TICKS_A_SECOND = 10
"""Slots of the wheel of deadlines."""
NEVER = float("inf")
"""A deadline that does not come."""


class Expired(Exception):
    """A deadline passed while the strand was parked; ``what`` names the limit that ran out."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Cancelled(Exception):
    """The worker is ending and this strand may not finish."""


_ONCE = (None,)


class _Park:
    """Yields once to whoever drives the coroutine. Cheaper than a generator: it is awaited at every wait."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        return iter(_ONCE)  # type: ignore[return-value]  # any iterator will do


_PARK = _Park()


class Strand:
    """Drives one coroutine. Not reusable."""

    __slots__ = ("_coroutine", "_ended", "_running", "deadline", "reactor", "tick", "what")

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.deadline = 0.0
        """Loop time at which ``Expired(what)`` is thrown in; 0 while there is none."""
        self.what = ""
        self.tick = 0
        """Owned by ``Deadlines``: where this strand stands in the wheel, 0 if nowhere."""
        self._coroutine: Coroutine[Any, Any, None] | None = None
        self._ended: Callable[[Strand], None] | None = None
        self._running = False

    @property
    def done(self) -> bool:
        """Whether the coroutine has ended, or never began."""
        return self._coroutine is None

    def start(
        self, coroutine: Coroutine[Any, Any, None], ended: Callable[[Strand], None] | None = None
    ) -> None:
        """Run the coroutine until it parks for the first time. ``ended`` is called after its end."""
        self._coroutine = coroutine
        self._ended = ended
        self.resume()

    def resume(self, error: Exception | None = None) -> None:
        """Let the coroutine look again, or raise ``error`` there. Does nothing if it is running or done."""
        coroutine = self._coroutine
        if coroutine is None or self._running:
            return
        self._running = True
        self.deadline = 0.0
        try:
            if error is None:
                coroutine.send(None)
            else:
                coroutine.throw(error)
        except StopIteration:
            self._end()
        except Exception as defect:  # noqa: BLE001 - the wall between connections; see module docstring
            self._end()
            if defect is not error:
                self.reactor.on_defect(defect)
        finally:
            self._running = False

    def throw(self, error: Exception) -> None:
        """Raise ``error`` where the coroutine is parked. Does nothing if it is running or done."""
        self.resume(error)

    def parked(self, deadline: float, what: str) -> Awaitable[None]:
        """Park until something happens, or raise ``Expired(what)`` once the loop's clock passes ``deadline``.

        Say what you are interested in first, and await what this returns at once. The resolution is that of
        the wheel, a tenth of a second.
        """
        self.what = what
        if deadline != NEVER:
            self.deadline = deadline
            if not 0 < self.tick <= deadline * TICKS_A_SECOND:  # else an earlier slot of the wheel serves
                self.reactor.deadlines.watch(self)
        return _PARK

    async def breathe(self) -> None:
        """Let other strands run before going on: fairness for whoever always has something to do."""
        self.reactor.loop.call_soon(self.resume)
        await _PARK

    async def result_of(self, future: asyncio.Future[_T], deadline: float, what: str) -> _T:
        """Wait for a future of the loop (name resolution), bounded like any other wait."""
        future.add_done_callback(lambda _: self.resume())
        try:
            while not future.done():
                await self.parked(deadline, what)
        except BaseException:
            future.cancel()
            raise
        return future.result()

    def _end(self) -> None:
        self._coroutine = None
        self.deadline = 0.0
        if self._ended is not None:
            self._ended(self)
