"""More connections than there is room for: who is told so, who is not, and that it passes."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.behaviours import scripted_origin
from tests.e2e.clients import TlsClient, raw_tls
from tests.e2e.configuration import open_config
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.resources import processor_seconds
from tests.e2e.tls_client import Answer, TlsRefused


@pytest.fixture(scope="module")
def limited_origin() -> Iterator[Origin]:
    with scripted_origin() as origin:
        yield origin


def connect(edge: Edge) -> TlsClient:
    return raw_tls(edge, "open.test")


def plain(edge: Edge) -> socket.socket:
    return socket.create_connection(("127.0.0.1", edge.port), timeout=20)


def reason(answer: Answer) -> str:
    return str(json.loads(answer.body)["reason"])


@pytest.mark.parametrize("limit", ["connections_per_address", "connections_per_worker"])
def test_one_connection_too_many_is_told_so_and_far_too_many_are_not(
    pki: Path, tmp_path: Path, limited_origin: Origin, limit: str
) -> None:
    config = open_config(pki, limited_origin.url, limits=f"{limit} = 3")
    with Edge(config, tmp_path, server_ca=pki / "server-ca.pem") as edge:
        served = [connect(edge) for _ in range(3)]
        assert [client.ask("/echo", host="open.test").status for client in served] == [200] * 3
        with connect(edge) as one_more:
            got = one_more.ask("/never", host="open.test")
            assert (got.status, reason(got)) == (503, "overloaded")
            assert int(got.values("retry-after")[0]) > 0
            assert one_more.read() == b""
        silent = [plain(edge) for _ in range(50)]
        with pytest.raises((TlsRefused, OSError)):
            connect(edge)
        assert served[0].ask("/echo", host="open.test").status == 200, "who is served stays served"
        for sock in silent:
            sock.close()
        for client in served:
            client.close()
        assert_served_again(edge)
    assert limited_origin.received("/never") == []


def assert_served_again(edge: Edge) -> None:
    """Counts are given back when connections end, which takes a moment."""
    deadline = time.monotonic() + 10
    while True:
        try:
            with connect(edge) as client:
                if client.ask("/echo", host="open.test").status == 200:
                    return
        except (TlsRefused, OSError):
            pass
        assert time.monotonic() < deadline, "the places of closed connections were not given back"
        time.sleep(0.1)


def test_an_edge_without_descriptors_recovers(pki: Path, tmp_path: Path, limited_origin: Origin) -> None:
    config = open_config(pki, limited_origin.url, limits='handshake_timeout = "60s"')
    command = ("prlimit", "--nofile=64:64", sys.executable, "-m", "edge", "run")
    with (
        Edge(config, tmp_path, server_ca=pki / "server-ca.pem", command=command) as edge,
        connect(edge) as early,
    ):
        crowd = [plain(edge) for _ in range(120)]
        edge.wait_for_event("accept_paused")
        got = early.ask("/echo", host="open.test")
        assert (got.status, reason(got)) == (503, "overloaded"), "no descriptor for the origin"
        before = processor_seconds(edge)
        time.sleep(1)
        assert processor_seconds(edge) - before < 0.4, "it tried without end"
        for sock in crowd:
            sock.close()
        assert_served_again(edge)
        assert early.ask("/echo", host="open.test").status == 200
