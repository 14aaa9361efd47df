"""Starts ``python -m edge`` without the second and a half that its imports take: forked, not executed.

A process that has imported the edge, and does nothing else, forks for each one that is asked for. What
is forked gets its own command line, environment, directory and standard error, and runs ``edge.__main__``
as the interpreter would have. The standard edge of the suite is executed, as its users do it.

    test --(arguments, environment, directory; stdin, stdout, stderr)--> server --fork--> edge
    test <--------------(its process id; later its exit status)--------- server
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_SOURCE = Path(__file__).parents[2]
_MESSAGE_OCTETS = 1 << 20


class ForkedProcess:
    """One that was forked; as much of ``subprocess.Popen`` as an edge's tests need."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = threading.Event()

    def poll(self) -> int | None:
        """Return its exit status, negative for a signal; None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises ``subprocess.TimeoutExpired``."""
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it is known to have ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def ended(self, status: int) -> None:
        """Take note of its end."""
        self.returncode = status
        self._ended.set()


class ForkServer:
    """The server, started when it is first needed; it ends with us."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._answered = threading.Condition()
        self._pids: list[int] = []
        self._forked: dict[int, ForkedProcess] = {}

    def start(
        self, arguments: Sequence[str], environ: Mapping[str, str], directory: Path, standard_error: int
    ) -> ForkedProcess:
        """Run ``python -m edge`` with these arguments in a session of its own."""
        asked = {"arguments": [*arguments], "environ": {**environ}, "directory": str(directory)}
        with self._lock, Path(os.devnull).open("rb") as nothing:
            if self._socket is None:
                self._socket = self._serve()
            descriptors = [nothing.fileno(), 1, standard_error]
            socket.send_fds(self._socket, [json.dumps(asked).encode()], descriptors)
            with self._answered:
                assert self._answered.wait_for(lambda: self._pids, 30), "the fork server is gone"
                return self._forked[self._pids.pop()]

    def _serve(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=_SOURCE,
                start_new_session=True,
            )
        threading.Thread(target=self._hear, args=(ours,), name="fork-server", daemon=True).start()
        return ours

    def _hear(self, server: socket.socket) -> None:
        while octets := server.recv(_MESSAGE_OCTETS):
            pid, status = json.loads(octets)
            with self._answered:
                if status is None:
                    self._forked[pid] = ForkedProcess(pid)
                    self._pids.append(pid)
                    self._answered.notify_all()
                else:
                    self._forked.pop(pid).ended(status)


FORK_SERVER = ForkServer()
"""Of this process of the test run."""


# --- the server --------------------------------------------------------------------------------


def _import_everything() -> None:
    package = importlib.import_module("edge")
    for module in pkgutil.walk_packages(package.__path__, "edge."):
        # The administration's libraries are for the process that it executes itself.
        if not module.name.startswith(("edge.__main__", "edge.admin")):
            importlib.import_module(module.name)


def _serve_forks(tests: socket.socket) -> None:
    _import_everything()
    wake, woken = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    while True:
        readable, _, _ = select.select([tests, woken], [], [])
        if woken in readable:
            woken.recv(4096)
            _report(tests)
        if tests in readable:
            octets, descriptors, _, _ = socket.recv_fds(tests, _MESSAGE_OCTETS, 3)
            if not octets:
                return
            pid = os.fork()
            if pid == 0:
                for each in (tests, wake, woken):
                    each.close()
                _become_edge(json.loads(octets), descriptors)
            for each_descriptor in descriptors:
                os.close(each_descriptor)
            tests.send(json.dumps([pid, None]).encode())


def _report(tests: socket.socket) -> None:
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            tests.send(json.dumps([pid, os.waitstatus_to_exitcode(status)]).encode())


def _become_edge(asked: Mapping[str, object], descriptors: Sequence[int]) -> None:
    """Never returns."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    environ, arguments = asked["environ"], asked["arguments"]
    assert isinstance(environ, dict)
    assert isinstance(arguments, list)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(str(asked["directory"]))
    sys.argv = ["edge", *arguments]
    status = 1
    try:
        runpy.run_module("edge", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001 - what the interpreter would do
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    _serve_forks(socket.socket(fileno=int(sys.argv[1])))
