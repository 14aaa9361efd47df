"""The edge under a service manager: when it is ready, reloads, ends, and whether it may be vouched for."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.configuration import open_config
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin


class Manager:
    """Whoever listens at ``$NOTIFY_SOCKET``."""

    def __init__(self, address: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(address)
        self.heard: list[str] = []

    def listen(self, seconds: float = 0.0) -> list[str]:
        """What was said so far, and within this time."""
        end = time.monotonic() + seconds
        while True:
            self.sock.settimeout(max(0.01, end - time.monotonic()))
            try:
                self.heard.append(self.sock.recv(4096).decode())
            except TimeoutError:
                if time.monotonic() >= end:
                    return self.heard

    def wait_for(self, wanted: str, seconds: float = 15.0) -> None:
        """Wait until that was said, once more than when this was called last."""
        end = time.monotonic() + seconds
        while wanted not in self.heard:
            assert time.monotonic() < end, f"no {wanted}: {self.heard}"
            self.listen(0.05)
        self.heard.remove(wanted)


@pytest.fixture(params=["file", "abstract"])
def manager(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Manager]:
    abstract = request.param == "abstract"
    name = f"edge-test-{os.getpid()}-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    manager = Manager("\0" + name if abstract else name)
    monkeypatch.setenv("NOTIFY_SOCKET", "@" + name if abstract else name)
    yield manager
    manager.sock.close()


@pytest.fixture
def edge(tmp_path: Path, pki: Path, origin: Origin) -> Edge:
    return Edge(open_config(pki, origin.url, workers=2), tmp_path, server_ca=pki / "server-ca.pem")


def test_it_is_told_of_ready_reload_and_end(manager: Manager, edge: Edge) -> None:
    edge.start()
    manager.wait_for("READY=1")
    assert manager.heard == [], "nothing before"
    before = time.monotonic_ns() // 1000
    edge.signal(signal.SIGHUP)
    edge.wait_for_event("reload_unchanged")
    manager.wait_for("READY=1")
    (reloading,) = manager.heard
    first, _, second = reloading.partition("\n")
    assert first == "RELOADING=1"
    assert before <= int(second.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
    edge.signal(signal.SIGTERM)
    manager.wait_for("STOPPING=1")
    assert edge.wait() == 0


def test_a_worker_that_hangs_is_not_vouched_for(
    manager: Manager, edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    with edge:
        for _ in range(3):
            manager.wait_for("WATCHDOG=1", 2)
        victim = edge.workers()[0]
        os.kill(victim, signal.SIGSTOP)
        manager.listen(1.6)
        manager.heard.clear()
        assert "WATCHDOG=1" not in manager.listen(2.5)
        os.kill(victim, signal.SIGCONT)
        manager.wait_for("WATCHDOG=1", 3)


def test_without_a_watchdog_nothing_is_said_of_it(manager: Manager, edge: Edge) -> None:
    with edge:
        assert "WATCHDOG=1" not in manager.listen(1.0)
