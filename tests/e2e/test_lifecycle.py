"""Starting, ending and dying: signals, workers, and what stands in the way of a start."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h11
import pytest

from tests.e2e.behaviours import scripted_origin
from tests.e2e.clients import TlsClient, raw_tls
from tests.e2e.configuration import open_config
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.tls_client import Answer

StartEdge = Callable[..., Edge]


@pytest.fixture(scope="module")
def origin_behind() -> Iterator[Origin]:
    with scripted_origin() as origin:
        yield origin


@pytest.fixture
def start(tmp_path: Path, pki: Path, origin_behind: Origin) -> Iterator[StartEdge]:
    """Start an edge whose end the test decides; whatever is left of it is killed at the end."""
    started: list[Edge] = []
    origin_behind.forget()

    def start_one(*, workers: int = 2, limits: str = "") -> Edge:
        directory = tmp_path / str(len(started))
        directory.mkdir()
        config = open_config(pki, origin_behind.url, workers=workers, limits=limits)
        edge = Edge(config, directory, server_ca=pki / "server-ca.pem")
        edge.start()
        started.append(edge)
        return edge

    yield start_one
    for edge in started:
        if edge.process.poll() is None:
            edge.process.kill()
            edge.process.wait()


def connect(edge: Edge) -> TlsClient:
    return raw_tls(edge, "open.test")


def send(client: TlsClient, path: str) -> None:
    client.send(f"GET {path} HTTP/1.1\r\nHost: open.test\r\n\r\n".encode())


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(pids: list[int], within: float = 15) -> None:
    deadline = time.monotonic() + within
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, f"still there: {[pid for pid in pids if is_alive(pid)]}"
        time.sleep(0.05)


# --- the end -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_a_request_finish_and_ends_with_status_0(
    start: StartEdge, origin_behind: Origin, number: signal.Signals
) -> None:
    edge = start()
    workers = edge.workers()
    with connect(edge) as client:
        send(client, "/sleep?seconds=1.5")
        origin_behind.wait_for("/sleep")
        edge.signal(number)
        edge.wait_for_event("stopping", signal=number.name)
        got = client.read_answer()
        assert (got.status, got.body) == (200, b"slept")
        assert got.values("connection") == ["close"]
        assert client.read() == b""
    assert edge.wait() == 0
    assert edge.log_events("stopped")
    assert edge.stray_lines == []
    wait_until_gone(workers)


def test_a_signal_closes_idle_connections_at_once_and_takes_no_new_ones(
    start: StartEdge, origin_behind: Origin
) -> None:
    edge = start()
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(connect(edge)) for _ in range(6)]
        for client in idle[:4]:
            assert client.ask("/echo", host="open.test").status == 200
        busy = stack.enter_context(connect(edge))
        send(busy, "/sleep?seconds=3")
        origin_behind.wait_for("/sleep")
        edge.signal(signal.SIGTERM)
        for client in idle:
            client.sock.settimeout(2)  # the busy one takes longer
            assert client.read_until_close() == b""
            assert client.closed_cleanly
        with pytest.raises(ConnectionRefusedError):
            connect(edge)
        assert busy.read_answer().status == 200
    assert edge.wait() == 0


def test_a_big_answer_on_its_way_is_finished(start: StartEdge) -> None:
    edge = start()
    size = 20_000_000
    with connect(edge) as client:
        send(client, f"/download?size={size}")
        got = len(client.read())
        edge.signal(signal.SIGTERM)
        edge.wait_for_event("stopping")
        while data := client.read():
            got += len(data)
        assert got > size
        assert client.closed_cleanly
    assert edge.wait() == 0


def test_the_drain_timeout_cuts_what_does_not_finish(start: StartEdge, origin_behind: Origin) -> None:
    edge = start(limits='drain_timeout = "1s"')
    with connect(edge) as client, connect(edge) as downloading, connect(edge) as half_asked:
        send(client, "/sleep?seconds=25")
        send(downloading, "/stall")
        half_asked.send(b"GET / HT")
        origin_behind.wait_for("/sleep")
        origin_behind.wait_for("/stall")
        began = time.monotonic()
        edge.signal(signal.SIGTERM)
        assert edge.wait() == 0
        assert 0.9 < time.monotonic() - began < 8
        with pytest.raises((h11.RemoteProtocolError, OSError)):
            client.read_answer()
    assert "Traceback" not in edge.log
    assert edge.log_events("defect") == []


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(
    start: StartEdge, origin_behind: Origin, second: signal.Signals
) -> None:
    edge = start()
    workers = edge.workers()
    with connect(edge) as client:
        send(client, "/sleep?seconds=25")
        origin_behind.wait_for("/sleep")
        edge.signal(signal.SIGTERM)
        edge.wait_for_event("stopping")
        began = time.monotonic()
        edge.signal(second)
        assert edge.wait() == 1, "something was cut"
        assert time.monotonic() - began < 5
        with pytest.raises((h11.RemoteProtocolError, OSError)):
            client.read_answer()
    assert edge.log_events("request", aborted="the edge is stopping")
    assert edge.stray_lines == []
    wait_until_gone(workers)


def test_a_ctrl_c_that_reaches_every_process_is_the_same(start: StartEdge, origin_behind: Origin) -> None:
    edge = start()
    with connect(edge) as client:
        send(client, "/sleep?seconds=1")
        origin_behind.wait_for("/sleep")
        os.killpg(edge.process.pid, signal.SIGINT)
        assert client.read_answer().status == 200
    assert edge.wait() == 0
    assert edge.stray_lines == []


def test_a_signal_right_after_the_start_is_not_lost(start: StartEdge) -> None:
    """One worker that missed it would keep the main process waiting for ever."""
    for _ in range(4):
        edge = start(workers=6)
        os.killpg(edge.process.pid, signal.SIGINT)
        assert edge.wait() == 0


def test_a_hangup_does_not_end_it(start: StartEdge) -> None:
    edge = start()
    workers = edge.workers()
    with connect(edge) as client:
        assert client.ask("/echo", host="open.test").status == 200
        os.killpg(edge.process.pid, signal.SIGHUP)
        time.sleep(0.5)
        assert client.ask("/echo", host="open.test").status == 200
    with connect(edge) as client:
        assert client.ask("/echo", host="open.test").status == 200
    assert all(is_alive(pid) for pid in workers)
    assert edge.stop() == 0


# --- workers that die --------------------------------------------------------------------------


def test_a_worker_that_dies_is_told_of_and_the_others_serve_on(start: StartEdge) -> None:
    edge = start(workers=3)
    victim = edge.workers()[0]
    os.kill(victim, signal.SIGKILL)
    event = edge.wait_for_event("worker_died")
    assert (event["level"], event["pid"], event["status"]) == ("error", victim, -signal.SIGKILL)
    for _ in range(20):
        with connect(edge) as client:
            assert client.ask("/echo", host="open.test").status == 200
    edge.stop()
    assert "Traceback" not in edge.log


def test_connections_of_the_other_workers_do_not_notice(start: StartEdge) -> None:
    edge = start()
    victim = edge.workers()[0]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(edge)) for _ in range(30)]
        for client in clients:
            assert client.ask("/echo", host="open.test").status == 200
        os.kill(victim, signal.SIGKILL)
        edge.wait_for_event("worker_died")
        served = sum(still_served(client) for client in clients)
        assert 0 < served < 30, "those of the dead worker are gone, those of the other are not"
    edge.stop()


def still_served(client: TlsClient) -> bool:
    try:
        answer: Answer = client.ask("/echo", host="open.test")
    except (h11.RemoteProtocolError, OSError):
        return False
    return answer.status == 200


def test_the_workers_end_when_the_main_process_is_killed(start: StartEdge, origin_behind: Origin) -> None:
    edge = start()
    workers = edge.workers()
    with connect(edge) as client:
        send(client, "/sleep?seconds=1")
        origin_behind.wait_for("/sleep")
        edge.signal(signal.SIGKILL)
        edge.process.wait()
        assert client.read_answer().status == 200, "what was in flight still ends well"
    wait_until_gone(workers)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", edge.port), timeout=5)


# --- what stands in the way of a start ---------------------------------------------------------


def refused_start(edge: Edge) -> str:
    """Start what must not start, and return what it said."""
    try:
        edge.start()
    except AssertionError:
        pass
    else:
        edge.stop()
        raise AssertionError("it started")
    assert edge.process.wait() == 1
    assert "Traceback" not in edge.log
    (line,) = edge.stray_lines[-1:]
    assert line.startswith("error: ")
    return line


def config_on(port: int, pki: Path, origin: Origin) -> str:
    return open_config(pki, origin.url).replace("127.0.0.1:0", f"127.0.0.1:{port}")


def test_a_port_in_use_is_an_error_that_names_it(tmp_path: Path, pki: Path, origin_behind: Origin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        config = config_on(port, pki, origin_behind)
        line = refused_start(Edge(config, tmp_path, server_ca=pki / "server-ca.pem"))
    assert f"127.0.0.1:{port}" in line
    assert "in use" in line


def test_an_edge_that_ended_leaves_its_port_to_the_next(
    tmp_path: Path, pki: Path, origin_behind: Origin, start: StartEdge
) -> None:
    first = start()
    port = first.port
    with connect(first) as client:  # leaves a connection in TIME_WAIT
        assert client.ask("/echo", host="open.test").status == 200
        assert first.stop() == 0
        with (
            Edge(config_on(port, pki, origin_behind), tmp_path, server_ca=pki / "server-ca.pem") as second,
            connect(second) as again,
        ):
            assert again.ask("/echo", host="open.test").status == 200


def test_an_address_that_is_not_of_this_machine_is_an_error(
    tmp_path: Path, pki: Path, origin_behind: Origin
) -> None:
    config = open_config(pki, origin_behind.url).replace("127.0.0.1:0", "192.0.2.1:8443")
    line = refused_start(Edge(config, tmp_path, server_ca=pki / "server-ca.pem"))
    assert "192.0.2.1:8443" in line


@pytest.mark.parametrize("state_dir", ["edge.toml", "edge.toml/state", "/proc/nowhere"])
def test_a_state_dir_that_cannot_be_written_is_an_error(
    tmp_path: Path, pki: Path, origin_behind: Origin, state_dir: str
) -> None:
    config = open_config(pki, origin_behind.url).replace('"state"', f'"{state_dir}"')
    line = refused_start(Edge(config, tmp_path, server_ca=pki / "server-ca.pem"))
    assert state_dir in line
    assert "state_dir" in line


def test_every_worker_serves_from_the_moment_it_says_so(start: StartEdge) -> None:
    edge = start(workers=4)
    assert len(edge.workers()) == 4
    statuses: list[int] = []

    def ask() -> None:
        with connect(edge) as client:
            statuses.append(client.ask("/echo", host="open.test").status)

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert statuses == [200] * 16
    assert edge.stop() == 0
