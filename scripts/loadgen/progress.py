"""One line a second while a measurement runs."""

from __future__ import annotations

from typing import TextIO

from loadgen.plan import Plan
from loadgen.processes import Second


class Progress:
    """Writes to a terminal, where a line replaces the one before, or to a file, where each one stays."""

    def __init__(self, plan: Plan, stream: TextIO) -> None:
        self._plan, self._stream = plan, stream
        self._in_place = stream.isatty()
        self._written = False

    def watch(self, index: int, second: Second) -> None:
        """Tell of a second; of a warm-up only if there is one."""
        if index < 0 and not self._plan.warm_up:
            return
        text = line(self._plan, index, second)
        self._written = True
        self._stream.write(f"\r\x1b[K{text}" if self._in_place else f"{text}\n")
        self._stream.flush()

    def end(self) -> None:
        """Leave the line, so that what follows begins on its own."""
        if self._in_place and self._written:
            self._stream.write("\n")
            self._stream.flush()


def line(plan: Plan, index: int, second: Second) -> str:
    """Return what is said of one second."""
    when = "warm-up" if index < 0 else f"{index + 1}/{plan.seconds:g} s"
    if plan.mode == "idle":
        errors = sum(second.tally.errors.values())
        return f"{index + 1} s  {second.open} of {plan.connections} open  {errors} errors"
    tally, length = second.tally, second.seconds or 1.0
    return (
        f"{when:>9}  {tally.answers / length:9,.0f} answers/s  {tally.octets / length / 1e6:8,.1f} MB/s"
        f"  p99 {tally.latencies.percentile(0.99) / 1e6:8.2f} ms  {sum(tally.errors.values())} errors"
        f"  {second.open} open"
    )
