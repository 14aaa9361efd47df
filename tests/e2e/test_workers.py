"""Workers that die, hang or are sent away: their own connections end, and nothing else does."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h11
import pytest
from OpenSSL import SSL

from tests.certificates import CredentialFiles
from tests.e2e.clients import TlsClient, raw_tls
from tests.e2e.configuration import open_config
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.sessions import resume, session_of
from tests.e2e.tls_client import TlsRefused

HOST = "open.test"


@pytest.fixture
def edge(tmp_path: Path, pki: Path, origin: Origin) -> Iterator[Edge]:
    config = open_config(pki, origin.url, workers=2)
    with Edge(config, tmp_path, server_ca=pki / "server-ca.pem") as running:
        yield running


def connect(edge: Edge) -> TlsClient:
    return raw_tls(edge, HOST)


def ask(client: TlsClient) -> bool:
    """Whether the connection still serves."""
    try:
        return client.ask("/echo", host=HOST).status == 200
    except (h11.RemoteProtocolError, TlsRefused, OSError):
        return False


def wait_for(condition: Callable[[], bool], what: str, within: float = 15.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def test_a_killed_worker_is_replaced_and_only_its_own_connections_end(edge: Edge) -> None:
    victim, other = edge.workers()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(edge)) for _ in range(24)]
        assert all(ask(client) for client in clients)
        os.kill(victim, signal.SIGKILL)
        event = edge.wait_for_event("worker_died", pid=victim)
        assert (event["status"], event["workers_left"]) == (-signal.SIGKILL, 1)
        served = sum(ask(client) for client in clients)
        assert 0 < served < 24
    edge.wait_for_event("worker_started", count=3)
    assert other in edge.workers()
    assert len(edge.workers()) == 2


def test_who_connects_while_a_worker_is_dead_is_served_by_the_next(edge: Edge) -> None:
    victim = edge.workers()[0]
    os.kill(victim, signal.SIGSTOP)
    with contextlib.ExitStack() as stack:
        waiting = [
            stack.enter_context(socket.create_connection(("127.0.0.1", edge.port), timeout=10))
            for _ in range(16)
        ]
        time.sleep(0.3)  # the other worker has accepted its share, the rest is in the queue
        os.kill(victim, signal.SIGKILL)
        edge.wait_for_event("worker_started", count=3)
        for sock in waiting:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert sock.recv(100).startswith(b"HTTP/1.1 400"), "plain HTTP is told so, by whoever accepted"


def test_nobody_who_asks_meanwhile_sees_an_error(edge: Edge) -> None:
    """But for those of the dead worker itself: this client opens a connection for every request."""
    failures: list[str] = []
    done = threading.Event()

    def ask_on() -> None:
        while not done.is_set():
            with (
                contextlib.suppress(ConnectionError, TlsRefused, h11.RemoteProtocolError),
                connect(edge) as client,
            ):
                if client.ask("/echo", host=HOST).status != 200:
                    failures.append("a wrong answer")

    thread = threading.Thread(target=ask_on)
    thread.start()
    for count in range(3):
        os.kill(edge.workers()[0], signal.SIGKILL)
        edge.wait_for_event("worker_died", count=count + 1)
        edge.wait_for_event("worker_started", count=count + 3)
    done.set()
    thread.join(20)
    assert failures == []


def test_sessions_are_resumed_by_the_worker_that_takes_the_place(edge: Edge) -> None:
    session, _ = session_of(edge, HOST, None, SSL.TLS1_3_VERSION)
    for count, victim in enumerate(edge.workers()):
        os.kill(victim, signal.SIGKILL)
        edge.wait_for_event("worker_started", count=count + 3)
    assert all(resume(edge, HOST, session).resumed for _ in range(8))


def test_workers_that_die_at_once_are_put_off_longer_and_longer(edge: Edge) -> None:
    began = time.monotonic()
    for count in range(5):
        victim = edge.workers()[-1]
        os.kill(victim, signal.SIGKILL)
        edge.wait_for_event("worker_died", count=count + 1)
        edge.wait_for_event("worker_started", count=count + 3)
    assert time.monotonic() - began > 0.1 + 0.2
    with connect(edge) as client:
        assert ask(client)


def test_a_worker_that_is_sent_away_is_replaced_at_once_and_ends_politely(edge: Edge, origin: Origin) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(edge)) for _ in range(8)]
        for client in clients:
            client.send(f"GET /sleep?seconds=2 HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        wait_for(lambda: len(origin.received("/sleep")) == 8, "all have asked")
        for pid in edge.workers():
            os.kill(pid, signal.SIGTERM)
        edge.wait_for_event("worker_started", count=4)
        with connect(edge) as another:
            assert ask(another)
        assert {client.read_answer().body for client in clients} == {b"slept"}
    edge.wait_for_event("worker_stopped", count=2)
    assert edge.log_events("worker_died") == []


def test_the_parent_serves_nobody_itself(edge: Edge, client_a: CredentialFiles) -> None:
    """With every worker stopped nothing is answered."""
    for pid in edge.workers():
        os.kill(pid, signal.SIGSTOP)
    try:
        with socket.create_connection(("127.0.0.1", edge.port), timeout=1) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            with pytest.raises(TimeoutError):
                sock.recv(1)
    finally:
        for pid in edge.workers():
            os.kill(pid, signal.SIGCONT)


@pytest.mark.skipif(os.geteuid() != 0, reason="a PID namespace takes root")
def test_as_pid_1_it_ends_by_a_signal_and_reaps_what_others_left(
    tmp_path: Path, pki: Path, origin: Origin
) -> None:
    orphan = "(sleep 0.2 &) ; exec "
    command = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c")
    line = f'{orphan} "$0" -m edge run "$@"'
    config = open_config(pki, origin.url, workers=2)
    edge = Edge(config, tmp_path, server_ca=pki / "server-ca.pem", command=(*command, line, sys.executable))
    with edge:
        with connect(edge) as client:
            assert ask(client)
        (first,) = edge.workers()
        time.sleep(0.5)
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        assert len(children) == 2, "the workers, and no zombie"
        os.kill(first, signal.SIGTERM)
        assert edge.wait() == 0
    assert edge.log_events("stopped")
