"""A worker in a thread of its own, with a real loop, real TLS, and snapshots made by the test."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import structlog
import uvloop
from joserfc.jwk import RSAKey

from edge.access.token import KeyRing, SigningKey
from edge.config.endpoints import ListenAddress
from edge.config.load import load
from edge.runtime.sockets import open_listeners
from edge.runtime.tally import Tally
from edge.runtime.worker import Worker
from edge.snapshot.build import build
from edge.snapshot.snapshot import Snapshot
from edge.telemetry import families
from edge.tls.chain_hints import ChainHints
from tests.certificates import Authority
from tests.e2e.tls_client import TlsClient, raw_tls
from tests.unit.access.builders import key_ring
from tests.unit.snapshot.world import CLIENTS, NOW, SERVER, World, application, ca, host

OTHER_CLIENTS = Authority("Other clients")


@dataclass(frozen=True, slots=True)
class Running:
    """A worker that serves; ``publish`` puts another generation in force."""

    worker: Worker
    """Lives in another thread; a test reads its numbers, which only grow."""
    port: int
    publish: Callable[[Snapshot], None]


@contextmanager
def running(snapshot: Snapshot) -> Iterator[Running]:
    """Run a worker until the block ends, and demand that it ends by itself then."""
    loop = uvloop.new_event_loop()
    listeners = open_listeners((ListenAddress("127.0.0.1", 0),), 1)[0]
    port = int(listeners[0].getsockname()[1])
    worker = Worker(loop, snapshot, ChainHints(), listeners)
    worker.start()
    thread = threading.Thread(target=lambda: loop.run_until_complete(worker.finished()))
    thread.start()

    def publish(newer: Snapshot) -> None:
        done = threading.Event()
        loop.call_soon_threadsafe(worker.publish, newer)
        loop.call_soon_threadsafe(done.set)
        assert done.wait(10)

    try:
        yield Running(worker, port, publish)
    finally:
        loop.call_soon_threadsafe(worker.stop)
        thread.join(20)
        assert not thread.is_alive()
        loop.close()


def snapshot_of(folder: Path, text: str, ring: KeyRing | None = None, *, generation: int = 0) -> Snapshot:
    path = folder / "edge.toml"
    path.write_text(text)
    built = build(load(path, {}), lambda: ring or key_ring(), NOW, generation=generation)
    return built.snapshot


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    World(tmp_path).prepare()
    OTHER_CLIENTS.write(tmp_path / "other-ca.pem")
    return tmp_path


@pytest.fixture(autouse=True)
def _silent_log() -> Iterator[None]:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


def verdict(client: TlsClient) -> tuple[int, str]:
    answer = client.ask("/cdn-cgi/access/get-identity", host="a.test")
    return answer.status, json.loads(answer.body).get("reason", "")


def test_a_removed_ca_is_felt_on_the_next_request_of_an_open_connection(folder: Path) -> None:
    before = snapshot_of(folder, SERVER + host() + ca() + application())
    after = snapshot_of(
        folder, SERVER + host() + ca(certificate="other-ca.pem") + application(), generation=1
    )
    with running(before) as edge, raw_tls(edge, "a.test", CLIENTS.issue("James Royal")) as client:
        assert verdict(client) == (200, "")
        edge.publish(after)
        assert verdict(client) == (403, "client_certificate_invalid")
        edge.publish(before)
        assert verdict(client) == (200, "")


def test_an_added_ca_authenticates_a_connection_that_was_open_before(folder: Path) -> None:
    before = snapshot_of(folder, SERVER + host() + ca(certificate="other-ca.pem") + application())
    after = snapshot_of(folder, SERVER + host() + ca() + application(), generation=1)
    with running(before) as edge, raw_tls(edge, "a.test", CLIENTS.issue("James Royal")) as client:
        assert verdict(client) == (403, "client_certificate_invalid")
        edge.publish(after)
        assert verdict(client) == (200, "")


def test_a_removed_host_is_misdirected_on_an_open_connection(folder: Path) -> None:
    before = snapshot_of(folder, SERVER + host() + ca() + application())
    after = snapshot_of(folder, SERVER + host("b.test") + ca("b.test") + application("b.test"), generation=1)
    with running(before) as edge, raw_tls(edge, "a.test", CLIENTS.issue("James Royal")) as client:
        assert verdict(client) == (200, "")
        edge.publish(after)
        assert verdict(client) == (421, "misdirected_request")


def test_a_defect_is_answered_with_500_and_lets_nothing_pass(folder: Path) -> None:
    # A key that does not fit its algorithm never gets through the key store: signing with it fails.
    ring = key_ring()
    broken = SigningKey("0" * 64, "ES256", RSAKey.import_key(ring.current.key.as_pem(private=True)))
    snapshot = snapshot_of(folder, SERVER + host() + ca() + application())
    snapshot = replace(snapshot, key_ring=KeyRing(ring.current))
    object.__setattr__(snapshot.key_ring, "current", broken)
    with running(snapshot) as edge:
        for _ in range(2):
            with raw_tls(edge, "a.test", CLIENTS.issue("James Royal")) as client:
                answer = client.ask("/", host="a.test")
                assert answer.status == 500
                assert json.loads(answer.body)["reason"] == "internal_error"
                assert "Traceback" not in answer.body.decode()


def test_what_a_worker_has_counted_is_what_its_parent_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    World(tmp_path).prepare()
    loop = uvloop.new_event_loop()
    worker = Worker(loop, snapshot_of(tmp_path, SERVER + host() + ca() + application()), ChainHints(), [])
    monkeypatch.setattr("edge.runtime.worker.lines_lost", lambda: 7)
    worker._services.doorkeeper.admit("192.0.2.1")
    tally = Tally()
    tally.take(1, worker.numbers())
    total = tally.total()
    assert total.numbers(families.LOG_LINES_LOST) == {(): 7}
    assert total.numbers(families.CONNECTIONS_OPEN) == {(): 1}
    loop.close()
