"""What the measured server uses: memory and processor time of a process and its descendants, from /proc."""

from __future__ import annotations

import os
import re
from pathlib import Path

from loadgen.plan import Unusable

MAX_PROCESSES = 1000
_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)
_TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """Return a process and its descendants that run now, at most ``MAX_PROCESSES``. Raises ``Unusable``."""
    if not Path(f"/proc/{pid}").is_dir():
        raise Unusable(f"--server-pid {pid}: there is no such process")
    found = [pid]
    for one in found:
        if len(found) < MAX_PROCESSES:
            found += _children(one)
    return found[:MAX_PROCESSES]


def memory(pid: int) -> int:
    """Return the octets that the tree has in memory: what processes share is counted once (Pss).

    Raises ``Unusable``.
    """
    return 1024 * sum(_pss(one) for one in tree(pid))


def processor_seconds(pid: int) -> float:
    """Return the processor time that the tree has used since it began. Raises ``Unusable``."""
    return sum(_processor(one) for one in tree(pid))


def _children(pid: int) -> list[int]:
    try:
        return [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text(encoding="ascii").split()
        ]
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return []


def _pss(pid: int) -> int:
    try:
        found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii"))
    except (FileNotFoundError, ProcessLookupError):
        return 0
    except PermissionError:
        raise Unusable(
            f"cannot read /proc/{pid}/smaps_rollup: run as the server's user, or as root"
        ) from None
    return int(found[1]) if found else 0


def _processor(pid: int) -> float:
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    fields = line.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
