"""While somebody attacks, others are served; each attack is cut by its own rule and leaves nothing behind."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.e2e.behaviours import scripted_origin
from tests.e2e.bulk import MEBIBYTE
from tests.e2e.clients import TlsClient, raw_tls
from tests.e2e.configuration import open_config
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.resources import MemoryWatch
from tests.e2e.tls_client import DEADLINE_SECONDS, TlsRefused, client_hello

LATENCY_SECONDS = 3.0
"""For a handshake and a request on a busy machine; without the limits an attack would hold it up for ever."""
GROWTH_MIB = 24
A_CROWD, A_FEW = 60, 15
ATTACKER = "127.0.0.2"
LIMITS = """
handshake_timeout = "2s"
header_timeout = "2s"
keep_alive_timeout = "2s"
body_idle_timeout = "2s"
handshakes_per_address = 0
"""


@pytest.fixture(scope="module")
def attacked_origin() -> Iterator[Origin]:
    with scripted_origin() as origin:
        yield origin


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, pki: Path, attacked_origin: Origin) -> Iterator[Edge]:
    """One worker: whoever takes it takes everything."""
    config = open_config(pki, attacked_origin.url, limits=LIMITS)
    with Edge(config, tmp_path_factory.mktemp("attacked"), server_ca=pki / "server-ca.pem") as edge:
        serve_one(edge)  # what is made once is made
        yield edge


def serve_one(edge: Edge) -> None:
    """Be a client without a fault, who waits only so long."""
    began = time.monotonic()
    with raw_tls(edge, "open.test") as client:
        assert client.ask("/echo", host="open.test").status == 200
    assert time.monotonic() - began < LATENCY_SECONDS


@contextmanager
def nothing_left_behind(edge: Edge) -> Iterator[None]:
    """Demand that descriptors and memory are back after the block."""
    time.sleep(0.2)
    before = edge.descriptors()
    with MemoryWatch(edge) as memory:
        yield
    assert memory.growth_mib < GROWTH_MIB
    deadline = time.monotonic() + 15
    while edge.descriptors() > before + 1:  # an idle connection to the origin may stay
        assert time.monotonic() < deadline, f"{edge.descriptors() - before} descriptors are left"
        time.sleep(0.2)
    serve_one(edge)


def plain(edge: Edge, source: str = ATTACKER) -> socket.socket:
    address = ("127.0.0.1", edge.port)
    return socket.create_connection(address, DEADLINE_SECONDS, source_address=(source, 0))


def crowd_of(stack: ExitStack, edge: Edge, octets: bytes, size: int = A_CROWD) -> list[TlsClient]:
    """Clients that shook hands and sent so much of a request."""
    clients = [stack.enter_context(raw_tls(edge, "open.test")) for _ in range(size)]
    for client in clients:
        client.send(octets)
    return clients


def meanwhile(edge: Edge, seconds: float, do: Callable[[], None] = lambda: None) -> None:
    """Have somebody served again and again for so long; ``do`` what the attacker does in between."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        do()
        serve_one(edge)
        time.sleep(0.1)


# --- slow and silent ---------------------------------------------------------------------------


def test_connections_that_say_nothing(attacked: Edge) -> None:
    told = len(attacked.log_events("handshake_failed", client=ATTACKER))
    with nothing_left_behind(attacked), ExitStack() as stack:
        silent = [stack.enter_context(plain(attacked)) for _ in range(400)]
        meanwhile(attacked, 1.0)
        assert all(sock.recv(1) == b"" for sock in silent)
    events = attacked.log_events("handshake_failed", client=ATTACKER)[told:]
    assert {event["detail"] for event in events} == {"no ClientHello in time"}
    suppressed = attacked.wait_for_event("handshake_failed_suppressed", client=ATTACKER)
    assert len(events) + suppressed["count"] >= 300, "what is not told is counted"
    assert len(events) <= 100, "a line for each of them"


def test_slow_heads(attacked: Edge) -> None:
    told = len(attacked.log_events("request", status=408, detail="the head took too long"))
    with nothing_left_behind(attacked), ExitStack() as stack:
        slow = crowd_of(stack, attacked, b"GET /never HTTP/1.1\r\nHost: open.test\r\n")

        def drip() -> None:
            for client in slow:
                with contextlib.suppress(OSError):
                    client.send(b"X")

        meanwhile(attacked, 2.5, drip)
    attacked.wait_for_event("request", count=told + A_CROWD, status=408, detail="the head took too long")


def test_slow_bodies(attacked: Edge) -> None:
    told = len(attacked.log_events("request", status=408, detail="client_body ran out"))
    with nothing_left_behind(attacked), ExitStack() as stack:
        crowd_of(
            stack, attacked, b"POST /upload HTTP/1.1\r\nHost: open.test\r\nContent-Length: 9999\r\n\r\nx"
        )
        meanwhile(attacked, 2.5)
    attacked.wait_for_event("request", count=told + A_CROWD, status=408, detail="client_body ran out")


def test_clients_that_read_nothing(attacked: Edge) -> None:
    request = b"GET /download?size=%d HTTP/1.1\r\nHost: open.test\r\n\r\n" % (64 * MEBIBYTE)
    told = len(attacked.log_events("request", aborted="client_write"))
    with nothing_left_behind(attacked), ExitStack() as stack:
        crowd_of(stack, attacked, request, A_FEW)  # each has megabytes of answer in the kernel's buffers
        meanwhile(attacked, 2.5)
        attacked.wait_for_event("request", count=told + A_FEW, aborted="client_write")


def test_clients_that_ask_and_ask_and_read_nothing(attacked: Edge) -> None:
    """Refusals of the edge itself, pipelined: each is short, all of them together fill every buffer."""
    request = b"GET /never HTTP/1.1\r\nHost: other.test\r\n\r\n"
    with nothing_left_behind(attacked), ExitStack() as stack:
        clients = [stack.enter_context(raw_tls(attacked, "open.test")) for _ in range(5)]

        def pour() -> None:
            for client in clients:
                client.sock.settimeout(0.01)
                with contextlib.suppress(OSError):
                    for _ in range(50):
                        client.send(request * 50)

        meanwhile(attacked, 4.0, pour)


def test_a_client_that_reads_too_slowly_is_cut_by_the_minimum_rate(
    tmp_path: Path, pki: Path, attacked_origin: Origin
) -> None:
    """Takes more than ten seconds: so long every client has before the rate is asked for."""
    limits = 'body_minimum_rate = 400000\nbody_idle_timeout = "5s"'
    config = open_config(pki, attacked_origin.url, limits=limits)
    request = b"GET /download?size=%d HTTP/1.1\r\nHost: open.test\r\n\r\n" % (200 * MEBIBYTE)
    with Edge(config, tmp_path, server_ca=pki / "server-ca.pem") as edge, ExitStack() as stack:
        slow, fast = (stack.enter_context(raw_tls(edge, "open.test")) for _ in range(2))
        for client in (slow, fast):
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            client.send(request)
        began, got = time.monotonic(), 0
        while not edge.log_events("request", aborted="client_write_rate"):
            assert time.monotonic() - began < 25, "nobody was cut"
            with contextlib.suppress(OSError):
                slow.sock.recv(2000)  # 20 kB a second
            got += sum(len(fast.read()) for _ in range(10))  # about 1 MB a second
            time.sleep(0.1)
        assert time.monotonic() - began > 9.5
        with pytest.raises(ConnectionResetError):
            deque(iter(lambda: slow.sock.recv(1 << 20), b""))
        assert fast.read(), "who is fast enough is left alone"
        assert len(edge.log_events("request", path="/download")) == 1


# --- handshakes --------------------------------------------------------------------------------


FLOODED = """
handshake_timeout = "2s"
handshakes_per_address = 20
"""


@pytest.fixture(scope="module")
def flooded(tmp_path_factory: pytest.TempPathFactory, pki: Path, attacked_origin: Origin) -> Iterator[Edge]:
    config = open_config(pki, attacked_origin.url, limits=FLOODED)
    with Edge(config, tmp_path_factory.mktemp("flooded"), server_ca=pki / "server-ca.pem") as edge:
        yield edge


def shake_hands(edge: Edge, source: str) -> TlsClient:
    client = TlsClient(edge.port, "open.test", None)
    client.sock.close()
    client.sock = plain(edge, source)
    try:
        client.handshake()
    except BaseException:
        client.close()
        raise
    return client


class Flood:
    """Threads that shake hands from one address, each as fast as it can."""

    def __init__(self, edge: Edge, threads: int) -> None:
        self._edge = edge
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        self.done = self.refused = 0

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                shake_hands(self._edge, ATTACKER).close()
                self.done += 1
            except (TlsRefused, OSError):
                self.refused += 1

    def __enter__(self) -> Flood:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(DEADLINE_SECONDS)


def test_a_flood_of_handshakes_gets_its_share_and_no_more(flooded: Edge) -> None:
    began = time.monotonic()
    with nothing_left_behind(flooded), Flood(flooded, threads=60) as flood:
        meanwhile(flooded, 3.0)
    seconds = time.monotonic() - began
    assert 20 < flood.done <= 20 * (seconds + 2.5), "the address may have 20 a second, and 20 in advance"
    assert flood.refused > 0
    flooded.wait_for_event(
        "handshake_failed", client=ATTACKER, detail="too many handshakes from this address"
    )


def test_who_comes_a_little_too_fast_waits_and_is_served(flooded: Edge) -> None:
    began = time.monotonic()
    clients = [shake_hands(flooded, "127.0.0.3") for _ in range(30)]
    assert 0.3 < time.monotonic() - began < 5, "20 at once and 10 more within half a second"
    for client in clients:
        client.close()
    assert flooded.log_events("handshake_failed", client="127.0.0.3") == []


def test_who_leaves_while_he_waits_costs_no_handshake(flooded: Edge) -> None:
    hello = client_hello("open.test")
    for _ in range(50):
        with plain(flooded, "127.0.0.4") as sock:
            sock.sendall(hello)
            sock.shutdown(socket.SHUT_WR)
            time.sleep(0.001)
    flooded.wait_for_event(
        "handshake_failed", client="127.0.0.4", detail="the client left while it waited for its turn"
    )
    serve_one(flooded)


def test_handshakes_that_resume_a_session_are_not_counted(
    tmp_path: Path, pki: Path, attacked_origin: Origin
) -> None:
    one_a_second = FLOODED.replace("= 20", "= 1")
    config = open_config(pki, attacked_origin.url, limits=one_a_second)
    with Edge(config, tmp_path, server_ca=pki / "server-ca.pem") as edge:
        with raw_tls(edge, "open.test") as client:
            client.ask("/echo", host="open.test")
            session = client.session
        for _ in range(60):  # full ones would be refused as soon as their turn lies 2 seconds ahead
            with raw_tls(edge, "open.test", session=session) as client:
                assert client.ask("/echo", host="open.test").status == 200
                assert client.resumed
                session = client.session or session


def test_a_flood_of_nonsense_does_not_flood_the_log(
    tmp_path: Path, pki: Path, attacked_origin: Origin
) -> None:
    # An edge of its own: a summary names only who had the most of those it counts.
    config = open_config(pki, attacked_origin.url, limits=FLOODED)
    with Edge(config, tmp_path, server_ca=pki / "server-ca.pem") as edge:
        for _ in range(400):
            with plain(edge, "127.0.0.5") as sock:
                sock.sendall(b"nonsense")
        suppressed = edge.wait_for_event("handshake_failed_suppressed", client="127.0.0.5")
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            lines = len(edge.log_events("handshake_failed"))
            summaries = edge.log_events("handshake_failed_suppressed")
            if lines + sum(event["client_count"] for event in summaries) == 400:
                break
            assert time.monotonic() < deadline, (lines, summaries)
            time.sleep(0.2)
    assert lines <= 50 + 10 * 10
    assert suppressed["client_count"] <= suppressed["count"]
