"""The command line, run again and again in forks of one warm process, and killed on the way.

Python needs longer to start than a command to do its work, so that a kill at random would nearly always
come too early. Here the start is over before the fork. A command is killed after some time, from outside
and wherever it is, SQLite and the kernel included; or before the n-th line of this project's code that
puts things on disk, which reaches every step between two calls.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Any

SOURCE = Path(__file__).parents[2]
_TRACED = tuple(f"{SOURCE / 'edge' / room}/" for room in ("pki", "state"))


@dataclass(frozen=True)
class Ended:
    """How a command ended, after how many seconds and lines of ours; ``status`` is -9 if it was killed."""

    status: int
    seconds: float
    lines: int


class Commands:
    """The warm process."""

    def __init__(self, requests: IO[bytes], answers: IO[bytes]) -> None:
        self._requests = requests
        self._answers = answers

    def run(self, *arguments: str | Path, seconds: float | None = None, line: int | None = None) -> Ended:
        """Run ``edge`` with these arguments, and kill it after a time or before a line."""
        request = {"arguments": [str(each) for each in arguments], "seconds": seconds, "line": line}
        self._requests.write(json.dumps(request).encode() + b"\n")
        self._requests.flush()
        return Ended(**json.loads(self._answers.readline()))


@contextmanager
def commands(log: Path) -> Iterator[Commands]:
    """Start the warm process. What the commands print goes to ``log``."""
    command = [sys.executable, "-m", "tests.e2e.killed_commands"]
    with (
        log.open("wb") as said,
        subprocess.Popen(
            command, cwd=SOURCE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said
        ) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        yield Commands(process.stdin, process.stdout)
        process.stdin.close()
        assert process.wait(30) == 0


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    from edge.cli.main import main  # noqa: PLC0415 - for the warm process alone

    for request in requests:
        ended = _fork(lambda arguments: main(arguments, prog_name="edge"), **json.loads(request))
        answers.write(json.dumps(asdict(ended)).encode() + b"\n")
        answers.flush()


def _fork(
    command: Callable[[list[str]], object], arguments: list[str], seconds: float | None, line: int | None
) -> Ended:
    counted, count = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os.dup2(2, 1)  # standard output is for answers
        _work(command, arguments, line, count)
    os.close(count)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    lines = os.read(counted, 20)
    os.close(counted)
    return Ended(os.waitstatus_to_exitcode(status), time.monotonic() - started, int(lines or b"0"))


def _work(command: Callable[[list[str]], object], arguments: list[str], last: int | None, count: int) -> None:
    """Run the command in this fork, which ends here."""
    lines = 0

    def on_line(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        if event == "line":
            lines += 1
            if lines == last:
                os.kill(os.getpid(), signal.SIGKILL)
        return on_line

    def on_call(frame: FrameType, event: str, argument: Any) -> Any:
        return on_line if frame.f_code.co_filename.startswith(_TRACED) else None

    status = 1
    try:
        if last is not None:
            sys.settrace(on_call)
        command(arguments)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0
    finally:
        sys.settrace(None)
        os.write(count, str(lines).encode())
        os._exit(status)


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
