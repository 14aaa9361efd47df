"""Starts servers on a core and ends them: each by its own process id, whatever happens."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from comparison.machine import on_core

START_SECONDS = 20.0
STOP_SECONDS = 10.0


class StartError(Exception):
    """A server did not start; the message says which and what it wrote last."""


class Fleet:
    """The processes of one comparison; all of them are gone when its block ends."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []

    def start(
        self, command: Sequence[str], directory: Path, cores: Sequence[int], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start it in a session of its own; ``output.log`` of the directory gets what it writes."""
        with (directory / "output.log").open("ab") as output, on_core(*cores):
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env={**os.environ, **environment},
                start_new_session=True,  # a Ctrl-C is for us; we end it
            )
            self._running.append(process)
        return process

    def stop(self, processes: Sequence[subprocess.Popen[bytes]] | None = None) -> None:
        """End these, or all: asked first, killed with the rest of their session if they do not listen."""
        ending = list(self._running if processes is None else processes)
        for process in ending:
            os.kill(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in ending:
            while not has_ended(process) and time.monotonic() < deadline:
                time.sleep(0.02)
            os.killpg(process.pid, signal.SIGKILL)  # its own group: start_new_session
            process.wait()
        self._running = [process for process in self._running if process not in ending]


@contextmanager
def fleet() -> Iterator[Fleet]:
    """Give a fleet. SIGTERM ends the block as Ctrl-C does; neither interrupts the ending."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGTERM, _terminated)
    made = Fleet()
    try:
        yield made
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)
        made.stop()
        for number, handler in before.items():
            signal.signal(number, handler)


def wait_until_it_listens(process: subprocess.Popen[bytes], port: int, directory: Path) -> None:
    """Return as soon as somebody accepts on the port. Raises ``StartError``."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and not has_ended(process):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(0.05)
    state = "ended" if has_ended(process) else f"does not listen after {START_SECONDS:g} s"
    raise StartError(f"{state}: {last_words(directory)}")


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether it has ended, and leave it unreaped: its process id stays its own until ``Fleet.stop``."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def last_words(directory: Path) -> str:
    """Return the end of what a server wrote, on one line."""
    with suppress(OSError):
        lines = (directory / "output.log").read_text(encoding="utf-8", errors="replace").splitlines()
        return " / ".join(line.strip() for line in lines[-3:])[-300:] or "it wrote nothing"
    return "it wrote nothing"


def _terminated(_number: int, _frame: object) -> None:
    raise SystemExit(143)
