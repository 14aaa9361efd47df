"""The real admin process under a clock that the test moves: it is fed, dies, hangs, and ends."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import orjson
import pytest

from edge.config.endpoints import ListenAddress
from edge.runtime import admin_process
from edge.runtime.admin_process import AdminProcess, open_admin_listeners
from edge.runtime.sockets import ListenError
from tests.unit.admin.asking import STATUS, some_metrics

DOCUMENT = orjson.dumps({"numbers": orjson.loads(some_metrics().dump()), "status": STATUS})


class Stage:
    """A process that is looked after."""

    def __init__(self) -> None:
        self.now = 1000.0
        listeners = open_admin_listeners(ListenAddress("127.0.0.1", 0))
        self.port = int(listeners[0].getsockname()[1])
        self.process = AdminProcess(listeners, "127.0.0.1", lambda: self.now, os.environ)

    @property
    def pid(self) -> int:
        assert self.process._pid is not None
        return self.process._pid

    def reap(self) -> int:
        """Wait for the process's end and have it taken note of; return the status."""
        pid, status = os.waitpid(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        assert self.process.reap(pid, code, ending=False)
        return code

    def ask(self, path: str = "/healthz") -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def feed(self) -> None:
        """Hand a document over and wait until it was taken."""
        self.process.hand(DOCUMENT)
        deadline = time.monotonic() + 20
        while not self.process.takes:
            assert time.monotonic() < deadline, "it does not take it"
            time.sleep(0.01)
            self.process.look_after()


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    stage.process.look_after()
    yield stage
    with suppress(AssertionError, ProcessLookupError):
        os.kill(stage.pid, signal.SIGCONT)
    stage.now = time.monotonic()
    stage.process._timer = time.monotonic
    stage.process.end(10)


def test_it_shows_what_it_was_handed(stage: Stage) -> None:
    assert stage.ask() == 503, "nothing was told yet"
    stage.feed()
    assert [stage.ask(path) for path in ("/healthz", "/readyz", "/metrics", "/status")] == [200] * 4


def test_one_that_was_not_taken_keeps_the_next_one_back(stage: Stage) -> None:
    stage.feed()
    os.kill(stage.pid, signal.SIGSTOP)
    stage.process.hand(DOCUMENT)
    for _ in range(3):
        stage.now += 5
        stage.process.look_after()
        assert not stage.process.takes


def test_one_that_hangs_is_killed_and_another_one_started(stage: Stage) -> None:
    stage.feed()
    first = stage.pid
    os.kill(first, signal.SIGSTOP)
    stage.process.hand(DOCUMENT)
    stage.now += 31
    stage.process.look_after()
    assert stage.reap() == -signal.SIGKILL
    stage.now += 0.6
    stage.process.look_after()
    assert stage.pid != first
    stage.feed()
    assert stage.ask() == 200


def test_one_that_dies_again_and_again_is_started_less_and_less_often(stage: Stage) -> None:
    delays = []
    for _ in range(8):
        os.kill(stage.pid, signal.SIGKILL)
        stage.reap()
        died = stage.now
        while stage.process._pid is None:
            stage.now += 0.5
            stage.process.look_after()
        delays.append(stage.now - died)
    assert delays == [1, 2, 4, 8, 16, 30, 30, 30]
    stage.now += 11
    os.kill(stage.pid, signal.SIGKILL)
    stage.reap()
    stage.now += 0.5
    stage.process.look_after()
    assert stage.process._pid is not None, "one that lived for long did not die of its start"


def test_it_ends_when_it_is_left_alone_and_nobody_follows(stage: Stage) -> None:
    stage.feed()
    stage.process.leave()
    assert stage.reap() == 0
    stage.now += 100
    stage.process.look_after()
    assert stage.process._pid is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", stage.port), timeout=5)


def test_somebody_elses_child_is_not_taken_for_it(stage: Stage) -> None:
    assert not stage.process.reap(stage.pid + 1, 0, ending=False)
    assert stage.process._pid is not None


def test_a_library_that_is_missing_is_an_error_of_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_process, "_LIBRARIES", ("uvicorn", "no_such_library"))
    with pytest.raises(ListenError, match="no_such_library is not installed; install mtls-edge"):
        open_admin_listeners(ListenAddress("127.0.0.1", 0))
