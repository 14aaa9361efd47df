"""What the edge costs while something happens: memory and processor time of its workers."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.e2e.bulk import MEBIBYTE
from tests.e2e.edge_process import Edge

_SAMPLE_SECONDS = 0.05


class MemoryWatch:
    """Samples the resident memory of all workers for as long as its block lasts."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)
        self.before = edge.memory()
        self.highest = self.before

    @property
    def growth_mib(self) -> float:
        """How much higher the highest sample was than the memory before."""
        return (self.highest - self.before) / MEBIBYTE

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._take()

    def _sample(self) -> None:
        while not self._stop.wait(_SAMPLE_SECONDS):
            self._take()

    def _take(self) -> None:
        self.highest = max(self.highest, self._edge.memory())


def processor_seconds(edge: Edge) -> float:
    """Processor time that the workers have used so far, in user and kernel mode."""
    return sum(_ticks(pid) for pid in edge.workers()) / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    # proc(5): what follows the command's name, which is in parentheses; utime and stime are fields 14 and 15
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
