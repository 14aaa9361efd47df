"""The edge as its users run it: a process, a configuration file, signals, and lines on standard error."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import edge
from tests.e2e.forkserver import FORK_SERVER, ForkedProcess

START_SECONDS = 15.0
STOP_SECONDS = 40.0
"""More than the default ``drain_timeout``."""

Event = dict[str, Any]
"""One line of the log, decoded."""

EXECUTED = (sys.executable, "-m", "edge", "run")
"""The command as users give it."""

_SOURCE = Path(edge.__file__).parent.parent


class Edge:
    """``edge run`` with that configuration, from ``with`` until the end of its block.

    The end is SIGTERM and must give exit status 0 and a log without a traceback.
    """

    def __init__(
        self,
        config_text: str,
        directory: Path,
        *,
        server_ca: Path,
        command: Sequence[str] | None = None,
    ) -> None:
        """``directory`` becomes the place of ``edge.toml``; ``server_ca`` is what clients trust.

        ``command`` is executed; None forks the same (``tests.e2e.forkserver``), which takes less time.
        """
        self._command = command
        self.server_ca = server_ca
        self.config_path = directory / "edge.toml"
        self.config_path.write_text(config_text, encoding="utf-8")
        self._changed = threading.Condition()
        self._lines: list[str] = []
        self._events: list[Event] = []
        self._process: subprocess.Popen[bytes] | ForkedProcess | None = None
        self._ended = False
        self.started = 0.0
        """Seconds since the epoch: just before it began to read its files."""

    @property
    def process(self) -> subprocess.Popen[bytes] | ForkedProcess:
        """The main process."""
        assert self._process is not None, "the edge was not started"
        return self._process

    @property
    def port(self) -> int:
        """The port of the first address it listens on."""
        return int(self.addresses[0].rpartition(":")[2])

    @property
    def addresses(self) -> list[str]:
        """Every address it said it listens on."""
        return [event["address"] for event in self.log_events("listening")]

    @property
    def log(self) -> str:
        """Everything it wrote on standard error so far."""
        with self._changed:
            return "".join(self._lines)

    @property
    def stray_lines(self) -> list[str]:
        """Lines of the log that are no JSON object: one too many is a way to forge the log."""
        with self._changed:
            return [line for line in self._lines if _decode(line) is None]

    def log_events(self, name: str | None = None, **wanted: object) -> list[Event]:
        """Events so far of that name whose fields have these values."""
        with self._changed:
            return self._matching(name, wanted)

    def wait_for_event(
        self, name: str, *, count: int = 1, within: float = START_SECONDS, **wanted: object
    ) -> Event:
        """Wait for the ``count``-th such event and return it. Fails with the log's text."""
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._matching(name, wanted)) >= count or self._ended, timeout=within
            )
            found = self._matching(name, wanted)
        if len(found) < count:
            raise AssertionError(f"no event {name!r} with {wanted} within {within} s; log:\n{self.log}")
        return found[count - 1]

    def signal(self, number: signal.Signals) -> None:
        """Send the main process a signal."""
        self.process.send_signal(number)

    def workers(self) -> list[int]:
        """Process ids of the main process's children."""
        children: list[int] = []
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            children += [int(pid) for pid in (task / "children").read_text().split()]
        return children

    def memory(self) -> int:
        """Resident octets of all workers together."""
        return sum(_resident(pid) for pid in self.workers())

    def descriptors(self) -> int:
        """Open file descriptors of all workers together."""
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.workers())

    def stop(self) -> int:
        """End it as an operator does and return the exit status; nothing if it has ended."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """Wait until it ends by itself and return the exit status."""
        try:
            status = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
            raise AssertionError(f"the edge did not end within {STOP_SECONDS} s; log:\n{self.log}") from None
        with self._changed:
            self._changed.wait_for(lambda: self._ended, timeout=START_SECONDS)
        return status

    def start(self) -> None:
        """Start it and wait until it serves. Fails with the log's text."""
        paths = [str(_SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.started = time.time()  # noqa: TID251 - to be held against the times of files
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        ours, theirs = os.pipe()
        # In a session of its own: a Ctrl-C at the tests must not reach it first.
        configuration = ("-c", str(self.config_path))
        if self._command is None:
            directory = self.config_path.parent
            self._process = FORK_SERVER.start(("run", *configuration), environ, directory, theirs)
        else:
            self._process = subprocess.Popen(
                [*self._command, *configuration],
                stdin=subprocess.DEVNULL,
                stderr=theirs,
                cwd=self.config_path.parent,
                env=environ,
                start_new_session=True,
            )
        os.close(theirs)
        threading.Thread(
            target=self._read, args=(os.fdopen(ours, "rb"),), name="edge-log", daemon=True
        ).start()
        try:
            self.wait_for_event("listening")
        except AssertionError:
            self._kill()
            raise

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        status = self.stop()
        if error is None:  # a test that failed says more than how the process ended
            assert status == 0, f"exit status {status}; log:\n{self.log}"
            assert "Traceback" not in self.log, self.log

    def _matching(self, name: str | None, wanted: dict[str, object]) -> list[Event]:
        return [
            event
            for event in self._events
            if name in {None, event.get("event")}
            and all(event.get(key) == value for key, value in wanted.items())
        ]

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                text = line.decode("utf-8", "backslashreplace")
                event = _decode(text)
                with self._changed:
                    self._lines.append(text)
                    if event is not None:
                        self._events.append(event)
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _kill(self) -> None:
        """End it and its workers, by their ids, when it does not end as it should."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may be ending by itself
            for pid in [*self.workers(), self.process.pid] if self.process.poll() is None else []:
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


def _decode(line: str) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
