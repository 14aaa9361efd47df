"""A worker in a process of its own: it hears of other CRLs from its parent, and ends when that does."""

from __future__ import annotations

import gc
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from edge.config.endpoints import ListenAddress
from edge.runtime.channel import Message, channel, messages, send
from edge.runtime.crl_image import send_image, write_image
from edge.runtime.memory import new_memory
from edge.runtime.sockets import open_listeners
from edge.runtime.worker_process import run_worker
from edge.snapshot.snapshot import Snapshot
from edge.tls.chain_hints import ChainHints
from tests.certificates import Credential
from tests.crls import crl_of, pem
from tests.e2e.tls_client import TlsClient, raw_tls
from tests.unit.runtime.test_worker import snapshot_of, verdict
from tests.unit.snapshot.world import CLIENTS, SERVER, World, application, ca, host

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
"""The edge forks before it has a thread; the process of the tests may have one."""

JAMES = CLIENTS.issue("James Royal")
PATIENCE_SECONDS = 15.0
GOOD, REVOKED = (200, ""), (403, "client_certificate_revoked")


@dataclass(slots=True)
class Process:
    """A worker, and its parent's end of the channel."""

    pid: int
    port: int
    parent: socket.socket
    limit: int
    """How many descriptors it may have."""
    ended: bool = False

    def send(self, snapshot: Snapshot) -> None:
        """Send what is revoked in a snapshot."""
        descriptor = new_memory()
        write_image(descriptor, snapshot.revocation)
        assert send_image(self.parent, descriptor)
        os.close(descriptor)

    def wait_for(self, *wanted: Message) -> None:
        """Wait until it has said this."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        heard: list[Message] = []
        while not set(wanted) <= set(heard):
            assert time.monotonic() < deadline, f"it said {heard}, not {wanted}"
            select.select([self.parent], [], [], PATIENCE_SECONDS)
            heard += messages(self.parent)

    def wait(self) -> int:
        """Wait for its end, and return its exit status."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.ended = True
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        raise TimeoutError("the worker does not end")

    def descriptors(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())


class Maker:
    """Starts workers, and makes what they serve."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        World(folder).prepare()
        self._folder, self._stack = folder, stack

    def snapshot(self, *revoked: Credential, number: int = 1) -> Snapshot:
        a_day, days = timedelta(days=-1), timedelta(days=9)
        der = crl_of(CLIENTS, revoked, number=number, this_update=a_day, next_update=days)
        (self._folder / "a.crl").write_bytes(pem(der))
        return snapshot_of(self._folder, SERVER + host() + ca() + 'crl = ["a.crl"]\n' + application())

    def start(self, snapshot: Snapshot) -> Process:
        """Start a worker that may have a few dozen descriptors."""
        (listeners,) = open_listeners((ListenAddress("127.0.0.1", 0),), 1)
        parent, theirs = channel()
        gc.collect()  # what earlier tests left behind has descriptors, too
        limit = max(int(each.name) for each in Path("/proc/self/fd").iterdir()) + 40
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))  # as its parent does
        pid = os.fork()
        if pid == 0:
            try:
                parent.close()
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
                run_worker(snapshot, ChainHints(), listeners, theirs)
            finally:
                os._exit(7)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        process = Process(pid, int(listeners[0].getsockname()[1]), parent, limit)
        self._stack.callback(self._end, process)
        send(parent, Message("serve"))
        process.wait_for(Message("ready"), Message("serving"))
        for sock in (*listeners, theirs):
            sock.close()
        return process

    def _end(self, process: Process) -> None:
        process.parent.close()
        if not process.ended:
            os.kill(process.pid, signal.SIGKILL)
            os.waitpid(process.pid, 0)


@pytest.fixture
def maker(tmp_path: Path) -> Iterator[Maker]:
    with ExitStack() as stack:
        yield Maker(tmp_path, stack)


def wait_for(client: TlsClient, expected: tuple[int, str]) -> None:
    """Ask until that is the verdict."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    found = verdict(client)
    while found != expected and time.monotonic() < deadline:
        time.sleep(0.01)
        found = verdict(client)
    assert found == expected


def test_what_its_parent_sends_is_in_force(maker: Maker) -> None:
    process = maker.start(maker.snapshot())
    with raw_tls(process, "a.test", JAMES) as client:
        assert verdict(client) == GOOD
        process.send(maker.snapshot(JAMES, number=2))
        wait_for(client, REVOKED)
        process.send(maker.snapshot(number=3))
        wait_for(client, GOOD)


def test_a_flood_of_connections_does_not_keep_a_revocation_from_it(maker: Maker) -> None:
    process = maker.start(maker.snapshot())
    with raw_tls(process, "a.test", JAMES) as client, ExitStack() as flood:
        assert verdict(client) == GOOD
        deadline = time.monotonic() + PATIENCE_SECONDS
        while process.descriptors() < process.limit:
            assert time.monotonic() < deadline
            flood.enter_context(socket.create_connection(("127.0.0.1", process.port)))
            time.sleep(0.002)
        process.send(maker.snapshot(JAMES, number=2))
        wait_for(client, REVOKED)


def test_it_ends_when_its_parent_does(maker: Maker) -> None:
    process = maker.start(maker.snapshot())
    with raw_tls(process, "a.test", JAMES) as client:
        assert verdict(client) == GOOD
    process.parent.close()
    assert process.wait() == 7, "the status of the code behind it"


def test_it_ends_when_its_parent_does_who_left_words_unread(maker: Maker) -> None:
    """That is an error of the socket, which a loop may take for a reason to look away for ever."""
    process = maker.start(maker.snapshot())
    send(process.parent, Message("ping", 1))
    assert select.select([process.parent], [], [], PATIENCE_SECONDS)[0], "there is something to be read"
    time.sleep(0.2)  # it is done with that, and waits
    process.parent.close()
    assert process.wait() == 7


def test_it_ends_when_it_is_told_to(maker: Maker) -> None:
    process = maker.start(maker.snapshot())
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait() == 7
