"""Slow, silent and greedy clients: every limit holds, and who keeps to the rules never notices them."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.behaviours import scripted_origin
from tests.e2e.bulk import MEBIBYTE
from tests.e2e.clients import TlsClient, raw_tls
from tests.e2e.configuration import open_config
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin, Received, Wire
from tests.e2e.resources import MemoryWatch, processor_seconds
from tests.e2e.tls_client import Answer, client_hello

LIMIT_SECONDS = 1.0
LATE_SECONDS = 6.0
"""A limit of a second that was not kept after so long is no matter of a busy machine."""

SHORT_LIMITS = """
handshake_timeout = "1s"
header_timeout = "1s"
keep_alive_timeout = "1s"
body_idle_timeout = "1s"
body_size = 100000
"""


@pytest.fixture(scope="module")
def limited_origin() -> Iterator[Origin]:
    with scripted_origin() as origin:
        yield origin


@pytest.fixture(scope="module")
def strict_edge(
    tmp_path_factory: pytest.TempPathFactory, pki: Path, limited_origin: Origin
) -> Iterator[Edge]:
    config = open_config(pki, limited_origin.url, limits=SHORT_LIMITS)
    with Edge(config, tmp_path_factory.mktemp("limits"), server_ca=pki / "server-ca.pem") as edge:
        yield edge


@pytest.fixture(autouse=True)
def _clean_record(limited_origin: Origin) -> None:
    limited_origin.forget()


def connect(edge: Edge) -> TlsClient:
    return raw_tls(edge, "open.test")


def plain(edge: Edge) -> socket.socket:
    return socket.create_connection(("127.0.0.1", edge.port), timeout=20)


def reason(answer: Answer) -> str:
    return str(json.loads(answer.body)["reason"])


def assert_in_time(began: float) -> None:
    elapsed = time.monotonic() - began
    assert LIMIT_SECONDS * 0.9 < elapsed < LATE_SECONDS, elapsed


def drip(client: TlsClient, octets: bytes, pause: float) -> bool:
    """Send one octet after the other until all are sent or the edge has closed; tell whether all were."""
    for position in range(len(octets)):
        try:
            client.send(octets[position : position + 1])
        except OSError:
            return False
        time.sleep(pause)
    return True


# --- the handshake -----------------------------------------------------------------------------


def test_who_connects_and_says_nothing_is_closed(strict_edge: Edge) -> None:
    began = time.monotonic()
    with plain(strict_edge) as sock:
        assert sock.recv(1) == b""
    assert_in_time(began)
    strict_edge.wait_for_event("handshake_failed", detail="no ClientHello in time")


@pytest.mark.parametrize("octets", [1, 5, 43, -1])
def test_half_a_hello_is_closed(strict_edge: Edge, octets: int) -> None:
    began = time.monotonic()
    before = processor_seconds(strict_edge)
    with plain(strict_edge) as sock:
        sock.sendall(client_hello("open.test")[:octets])
        assert sock.recv(1) == b""
    assert_in_time(began)
    assert processor_seconds(strict_edge) - before < 0.5, "the octets that lie there woke it without end"


def test_a_hello_that_comes_octet_by_octet_is_closed_at_the_same_time(strict_edge: Edge) -> None:
    began = time.monotonic()
    with plain(strict_edge) as sock:
        sock.settimeout(0.02)
        for octet in client_hello("open.test"):
            try:
                sock.sendall(bytes([octet]))
                if sock.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            raise AssertionError("the whole hello was taken")
    assert_in_time(began)


def test_a_handshake_that_stops_in_the_middle_is_closed(strict_edge: Edge) -> None:
    began = time.monotonic()
    with plain(strict_edge) as sock:
        sock.sendall(client_hello("open.test"))
        while sock.recv(65536):
            pass
    assert_in_time(began)
    strict_edge.wait_for_event("handshake_failed", detail="the handshake took too long")


def test_many_silent_connections_disturb_nobody(strict_edge: Edge) -> None:
    silent = [plain(strict_edge) for _ in range(300)]
    try:
        with connect(strict_edge) as client:
            assert client.ask("/echo", host="open.test").status == 200
        assert all(sock.recv(1) == b"" for sock in silent)
    finally:
        for sock in silent:
            sock.close()
    with connect(strict_edge) as client:
        assert client.ask("/echo", host="open.test").status == 200


# --- heads -------------------------------------------------------------------------------------


def test_a_head_that_comes_octet_by_octet_is_a_408_at_the_same_time(strict_edge: Edge) -> None:
    """The limit is for the whole head: an octet now and then does not buy more time."""
    head = b"GET /echo HTTP/1.1\r\nHost: open.test\r\nX-Slow: " + b"x" * 200 + b"\r\n\r\n"
    with connect(strict_edge) as client:
        began = time.monotonic()
        assert not drip(client, head, 0.1) or time.monotonic() - began < 2
        got = client.read_answer()
        assert (got.status, reason(got)) == (408, "request_timeout")
        assert got.values("connection") == ["close"]


@pytest.mark.parametrize("octets", [b"G", b"GET /", b"GET / HTTP/1.1\r\nHost: open.test\r\n"])
def test_half_a_head_is_a_408(strict_edge: Edge, octets: bytes) -> None:
    with connect(strict_edge) as client:
        began = time.monotonic()
        client.send(octets)
        got = client.read_answer()
        assert (got.status, reason(got)) == (408, "request_timeout")
        assert_in_time(began)
        assert client.read() == b""


def test_the_limit_of_a_later_head_begins_with_its_first_octet(strict_edge: Edge) -> None:
    with connect(strict_edge) as client:
        for _ in range(3):
            assert client.ask("/echo", host="open.test").status == 200
            time.sleep(0.7)
        began = time.monotonic()
        client.send(b"GET /ec")
        assert client.read_answer().status == 408
        assert_in_time(began)


def test_who_shakes_hands_and_asks_nothing_is_closed_without_a_word(strict_edge: Edge) -> None:
    with connect(strict_edge) as client:
        began = time.monotonic()
        assert client.read_until_close() == b""
        assert client.closed_cleanly
        assert_in_time(began)


def test_an_idle_connection_is_closed_without_a_word(strict_edge: Edge) -> None:
    with connect(strict_edge) as client:
        assert client.ask("/echo", host="open.test").status == 200
        told = len(strict_edge.log_events("request", status=408))
        began = time.monotonic()
        assert client.read_until_close() == b""
        assert client.closed_cleanly
        assert_in_time(began)
    assert len(strict_edge.log_events("request", status=408)) == told


# --- bodies ------------------------------------------------------------------------------------


def test_a_body_that_stops_is_a_408(strict_edge: Edge, limited_origin: Origin) -> None:
    for framing in (b"Content-Length: 1000", b"Transfer-Encoding: chunked"):
        with connect(strict_edge) as client:
            began = time.monotonic()
            client.send(b"POST /upload HTTP/1.1\r\nHost: open.test\r\n" + framing + b"\r\n\r\n3e8\r\nhalf")
            got = client.read_answer("POST")
            assert (got.status, reason(got)) == (408, "request_timeout")
            assert_in_time(began)
    assert not any(received.complete for received in limited_origin.received("/upload"))


def test_a_body_that_comes_in_time_may_take_longer_than_the_limit_between_two_octets(
    strict_edge: Edge,
) -> None:
    with connect(strict_edge) as client:
        client.send(b"POST /upload HTTP/1.1\r\nHost: open.test\r\nContent-Length: 5\r\n\r\n")
        assert drip(client, b"hello", 0.4)
        assert client.read_answer("POST").body.startswith(b"5 ")


def test_a_slow_origin_is_not_held_against_the_client(strict_edge: Edge) -> None:
    """The origin reads nothing for longer than the client may be silent."""
    body = bytes(90_000)
    with connect(strict_edge) as client:
        client.send(
            b"POST /slow-upload?seconds=2 HTTP/1.1\r\nHost: open.test\r\nContent-Length: %d\r\n\r\n"
            % len(body)
        )
        client.send(body)
        assert client.read_answer("POST").body.startswith(b"90000 ")


def test_a_body_below_the_minimum_rate_is_cut_however_steadily_it_comes(
    pki: Path, tmp_path: Path, limited_origin: Origin
) -> None:
    """Takes more than ten seconds: so long every client has before the rate is asked for."""
    config = open_config(pki, limited_origin.url, limits="body_minimum_rate = 100")
    head = b"POST /upload HTTP/1.1\r\nHost: open.test\r\nContent-Length: 100000\r\n\r\n"
    with (
        Edge(config, tmp_path, server_ca=pki / "server-ca.pem") as edge,
        connect(edge) as slow,
        connect(edge) as fast,
    ):
        for client in (slow, fast):
            client.ask("/echo", host="open.test")  # and nothing of the handshake is left to read
            client.send(head)
        began = time.monotonic()
        slow.sock.settimeout(0.25)
        while time.monotonic() - began < 14:
            slow.send(b"x")  # 4 octets a second
            fast.send(b"x" * 50)  # 200 octets a second
            try:
                if slow.sock.recv(1, socket.MSG_PEEK):
                    break
            except TimeoutError:
                continue
        assert 9 < time.monotonic() - began < 13
        slow.sock.settimeout(20)
        got = slow.read_answer("POST")
        assert (got.status, reason(got)) == (408, "request_timeout")
        fast.send(b"x" * 100_000)
        assert fast.read_answer("POST").status == 200


@pytest.mark.parametrize("size", [100_001, 10**17])
def test_a_body_that_says_it_is_too_large_is_a_413_before_it_comes(
    strict_edge: Edge, limited_origin: Origin, size: int
) -> None:
    with connect(strict_edge) as client:
        client.send(b"POST /upload HTTP/1.1\r\nHost: open.test\r\nContent-Length: %d\r\n\r\n" % size)
        got = client.read_answer("POST")
        assert (got.status, reason(got)) == (413, "body_too_large")
        assert got.values("connection") == ["close"]
    assert limited_origin.received() == []


def test_a_chunked_body_that_becomes_too_large_is_a_413(strict_edge: Edge, limited_origin: Origin) -> None:
    with connect(strict_edge) as client:
        client.send(
            b"POST /upload HTTP/1.1\r\nHost: open.test\r\nTransfer-Encoding: chunked\r\n\r\n186a1\r\n"
            + bytes(100_001)
        )
        got = client.read_answer("POST")
        assert (got.status, reason(got)) == (413, "body_too_large")
    assert not any(received.complete for received in limited_origin.received("/upload"))


def test_a_body_of_just_the_limit_passes(strict_edge: Edge) -> None:
    with connect(strict_edge) as client:
        client.send(
            b"POST /upload HTTP/1.1\r\nHost: open.test\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000)
        )
        assert client.read_answer("POST").body.startswith(b"100000 ")
        client.send(
            b"POST /upload HTTP/1.1\r\nHost: open.test\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"186a0\r\n" + bytes(100_000) + b"\r\n0\r\n\r\n"
        )
        assert client.read_answer("POST").body.startswith(b"100000 ")


# --- clients that do not read ------------------------------------------------------------------


def test_a_client_that_never_reads_is_cut(strict_edge: Edge, limited_origin: Origin) -> None:
    size = 200 * MEBIBYTE
    with MemoryWatch(strict_edge) as memory, connect(strict_edge) as client:
        client.send(b"GET /download?size=%d HTTP/1.1\r\nHost: open.test\r\n\r\n" % size)
        strict_edge.wait_for_event("request", path="/download", aborted="client_write", within=LATE_SECONDS)
        with pytest.raises(ConnectionResetError):
            deque(iter(lambda: client.sock.recv(65536), b""))
    assert memory.growth_mib < 16


def test_a_client_that_reads_slowly_gets_everything(strict_edge: Edge) -> None:
    size = 12 * MEBIBYTE
    got = 0
    with connect(strict_edge) as client:
        client.send(b"GET /download?size=%d HTTP/1.1\r\nHost: open.test\r\nConnection: close\r\n\r\n" % size)
        while data := client.read():
            got += len(data)
            if got % (1 << 19) < len(data):
                time.sleep(0.1)  # 5 MiB a second: several times longer than the limit for one write
    assert got > size


def test_who_says_goodbye_in_tls_and_goes_on_talking_costs_no_time(strict_edge: Edge) -> None:
    with connect(strict_edge) as client:
        client.send(b"GET /sleep?seconds=2 HTTP/1.1\r\nHost: open.test\r\n\r\n")
        time.sleep(0.2)
        client.tls.shutdown()
        client.send_raw(client.tls.bio_read(4096) + b"octets behind the end of TLS")
        before = processor_seconds(strict_edge)
        time.sleep(1)
        assert processor_seconds(strict_edge) - before < 0.3
        assert client.read_answer().body == b"slept", "a half-closed connection is still answered"


def test_a_greedy_client_does_not_starve_the_others(strict_edge: Edge, limited_origin: Origin) -> None:
    stop = threading.Event()

    def pour(received: Received, wire: Wire) -> None:
        wire.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while not stop.is_set():
            wire.send(bytes(65536))

    limited_origin.on("/pour", pour)

    def swallow() -> None:
        with connect(strict_edge) as client:
            client.send(b"GET /pour HTTP/1.1\r\nHost: open.test\r\n\r\n")
            while not stop.is_set():
                client.read()

    greedy = [threading.Thread(target=swallow, daemon=True) for _ in range(2)]
    for thread in greedy:
        thread.start()
    try:
        limited_origin.wait_for("/pour", 2)
        with connect(strict_edge) as client:
            for _ in range(10):
                assert client.ask("/echo", host="open.test").status == 200
    finally:
        stop.set()
    for thread in greedy:
        thread.join(20)
