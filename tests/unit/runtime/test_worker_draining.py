"""A worker that is told to end while an answer has arrived already, but was not looked at yet.

The loop sees the signal first and the answer afterwards, or both in one turn: nothing lies between them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog
import uvloop

from edge.config.endpoints import ListenAddress
from edge.runtime.sockets import open_listeners
from edge.runtime.worker import Worker
from edge.tls.chain_hints import ChainHints
from tests.e2e.behaviours import scripted_origin
from tests.e2e.origin import Origin, Received, Wire
from tests.e2e.tls_client import TlsClient, raw_tls
from tests.unit.runtime.test_worker import snapshot_of
from tests.unit.snapshot.world import SERVER, World, host

DATE = b"Date: Mon, 23 Nov 2026 12:00:00 GMT\r\n"
GRACE_SECONDS = 1.1
"""Who is accepted a moment before the end is told of it later; who is older than this is told at once."""
HEAD = b"GET /gate HTTP/1.1\r\nHost: a.test\r\n\r\n"


class Gate:
    """A handler of the origin that answers when it is opened."""

    def __init__(self, size: int) -> None:
        head = b"HTTP/1.1 200 OK\r\n" + DATE + b"Content-Length: %05d\r\n\r\n"
        room = size - len(head % 0)
        self.body = b"".join(b"%07d\n" % number for number in range(room // 8 + 1))[:room]
        self.octets = head % room + self.body
        self.open, self.answered = threading.Event(), threading.Event()

    def __call__(self, received: Received, wire: Wire) -> None:
        assert self.open.wait(20)
        wire.send(self.octets)
        self.answered.set()


class Ending:
    """A worker that can be told to end in the very turn in which an answer arrives."""

    def __init__(self, loop: uvloop.Loop, worker: Worker, port: int) -> None:
        self._loop = loop
        self._worker = worker
        self.port = port

    def stop_when(self, gate: Gate) -> None:
        """Open the gate, let the answer arrive while the loop does nothing else, and stop the worker."""

        def stop() -> None:
            gate.open.set()
            assert gate.answered.wait(10)
            time.sleep(0.05)  # from the one socket to the other
            self._worker.stop()

        self._loop.call_soon_threadsafe(stop)


@pytest.fixture(autouse=True)
def _silent_log() -> Iterator[None]:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with scripted_origin() as running:
        yield running


@contextmanager
def ending(folder: Path, origin: Origin) -> Iterator[tuple[Ending, threading.Thread]]:
    World(folder).prepare()
    passing = host("a.test", 'unmatched = "pass"').replace("http://127.0.0.1:9000", origin.url)
    assert origin.url in passing
    loop = uvloop.new_event_loop()
    listeners = open_listeners((ListenAddress("127.0.0.1", 0),), 1)[0]
    worker = Worker(loop, snapshot_of(folder, SERVER + passing), ChainHints(), listeners)
    worker.start()
    thread = threading.Thread(target=lambda: loop.run_until_complete(worker.finished()))
    thread.start()
    try:
        yield Ending(loop, worker, int(listeners[0].getsockname()[1])), thread
    finally:
        loop.call_soon_threadsafe(worker.stop)
        thread.join(40)
        assert not thread.is_alive()
        loop.close()


def get_ready(client: TlsClient, origin: Origin, gate: Gate) -> None:
    """Ask until the head is known, its answer too, and a connection to the origin rests; then once more."""
    gate.open.set()
    for _ in range(3):
        client.send(HEAD)
        assert client.read_answer().body == gate.body
    time.sleep(GRACE_SECONDS)
    gate.open.clear()
    gate.answered.clear()
    asked = len(origin.received("/gate"))
    client.send(HEAD)
    origin.wait_for("/gate", asked + 1)
    time.sleep(0.05)


@pytest.mark.parametrize("size", [200, 16300, 16384, 30000])
def test_an_answer_that_arrived_before_the_end_says_that_the_connection_ends(
    tmp_path: Path, origin: Origin, size: int
) -> None:
    # 16384 octets are one read of the origin, and with what the edge adds more than one record of TLS.
    gate = Gate(size)
    origin.on("/gate", gate)
    with ending(tmp_path, origin) as (edge, _), raw_tls(edge, "a.test") as client:
        get_ready(client, origin, gate)
        edge.stop_when(gate)
        answer = client.read_answer()
        assert answer.body == gate.body
        assert answer.values("connection") == ["close"]


def test_a_worker_that_ends_closes_the_connection_of_who_just_got_an_answer(
    tmp_path: Path, origin: Origin
) -> None:
    gate = Gate(200)
    origin.on("/gate", gate)
    with ending(tmp_path, origin) as (edge, thread), raw_tls(edge, "a.test") as client:
        get_ready(client, origin, gate)
        edge.stop_when(gate)
        assert client.read_answer().body == gate.body
        client.sock.settimeout(5)
        assert client.read() == b""
        client.close()
        thread.join(5)
        assert not thread.is_alive()
