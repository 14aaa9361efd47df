"""What a worker cuts is counted under the limit that cut it, and under no other."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from edge.telemetry.families import CUT, PROXY_HEADERS
from edge.telemetry.metrics import Family
from tests.e2e.tls_client import TlsClient, TlsRefused, raw_tls
from tests.unit.runtime.test_worker import Running, running, snapshot_of
from tests.unit.snapshot.world import SERVER, World, application, ca, host
from tests.unit.tls.proxy_headers import LOCAL, binary, line

PATIENCE_SECONDS = 10.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    World(tmp_path).prepare()
    return tmp_path


@pytest.fixture(autouse=True)
def _silent_log() -> Iterator[None]:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


def text(*limits: str, server: str = "") -> str:
    lines = "\n".join(("[server.limits]", *limits))
    return SERVER + server + "\n" + lines + "\n" + host() + ca() + application()


def counted(edge: Running, family: Family = CUT) -> dict[str, float]:
    """Return the numbers that are not 0, by their label."""
    series = edge.worker._services.metrics._cells.get(family, {})
    return {values[0]: cell.value for values, cell in series.items() if cell.value}


def assert_counted(edge: Running, expected: dict[str, float], family: Family = CUT) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while counted(edge, family) != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    assert counted(edge, family) == expected


def plain(edge: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", edge.port), PATIENCE_SECONDS)


def test_a_client_that_does_not_shake_hands_in_time(folder: Path) -> None:
    with running(snapshot_of(folder, text('handshake_timeout = "200ms"'))) as edge, plain(edge) as sock:
        assert sock.recv(1) == b""
        assert_counted(edge, {"handshake_timeout": 1})


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\n"])
def test_a_head_that_does_not_come_in_time(folder: Path, sent: bytes) -> None:
    limits = text('header_timeout = "200ms"', 'keep_alive_timeout = "200ms"')
    with running(snapshot_of(folder, limits)) as edge, raw_tls(edge, "a.test") as client:
        if sent:
            client.send(sent)
        client.read_until_close()
        assert_counted(edge, {"header_timeout": 1})


def test_a_connection_that_is_idle_between_requests_is_no_cut(folder: Path) -> None:
    limits = text('header_timeout = "200ms"', 'keep_alive_timeout = "200ms"')
    with running(snapshot_of(folder, limits)) as edge, raw_tls(edge, "a.test") as client:
        assert client.ask("/", host="a.test").status == 403
        assert client.read_until_close() == b""
        assert_counted(edge, {})


def test_one_connection_too_many(folder: Path) -> None:
    limits = text("connections_per_address = 1")
    with running(snapshot_of(folder, limits)) as edge, raw_tls(edge, "a.test"):
        with raw_tls(edge, "a.test") as one_more:
            assert one_more.ask("/", host="a.test").status == 503
        assert_counted(edge, {"connections_per_address": 1})


def test_a_handshake_too_many(folder: Path) -> None:
    limits = text("handshakes_per_address = 1", 'handshake_timeout = "500ms"')
    with running(snapshot_of(folder, limits)) as edge, raw_tls(edge, "a.test"):
        with pytest.raises((TlsRefused, OSError)):
            raw_tls(edge, "a.test")
        assert_counted(edge, {"handshakes_per_address": 1})


def test_who_is_not_done_when_the_worker_ends(folder: Path) -> None:
    limits = text('drain_timeout = "200ms"', 'handshake_timeout = "60s"')
    with running(snapshot_of(folder, limits)) as edge, plain(edge), plain(edge):
        raw_tls(edge, "a.test").close()  # and the two before it were accepted
        edge.worker._loop.call_soon_threadsafe(edge.worker.stop)
        assert_counted(edge, {"drain_timeout": 2})


def test_what_proxies_say_is_counted(folder: Path) -> None:
    trusting = text(server='trusted_proxies = ["127.0.0.1"]')
    with running(snapshot_of(folder, trusting)) as edge:
        for header in (line(), binary(), b"PROXY UNKNOWN\r\n", binary(b"", family=0, command=LOCAL)):
            with TlsClient(edge.port, "a.test", None) as client:
                client.send_raw(header)
                client.handshake()
        with plain(edge) as sock:
            sock.sendall(b"nonsense")
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
        assert_counted(edge, {"carried": 2, "own": 2, "refused": 1}, PROXY_HEADERS)
        assert_counted(edge, {})
