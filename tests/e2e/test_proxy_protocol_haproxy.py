"""The real HAProxy in front of the edge, with both versions of the PROXY protocol."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.proxied import proxied_config
from tests.e2e.tls_client import DEADLINE_SECONDS, TlsClient

HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
CLIENT = "127.0.0.9"
START_SECONDS = 10.0

pytestmark = pytest.mark.skipif(
    HAPROXY is None,
    reason="HAProxy IS NOT INSTALLED: this run proves nothing about working together with it; "
    "install it with `apt-get install haproxy`",
)

CONFIGURATION = """
global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen edge
    bind 127.0.0.1:{port}
    server edge 127.0.0.1:{edge_port} {option} source 127.0.0.3 check check-send-proxy inter 500
"""


@contextmanager
def haproxy(edge: Edge, option: str, directory: Path) -> Iterator[int]:
    """Run it until the block ends; yields its port."""
    assert HAPROXY is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    path = directory / "haproxy.cfg"
    path.write_text(CONFIGURATION.format(port=port, edge_port=edge.port, option=option))
    process = subprocess.Popen([HAPROXY, "-f", str(path), "-db"], stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def wait_for(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), source_address=(CLIENT, 0)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "HAProxy does not listen"
            time.sleep(0.05)
        else:
            return


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c"])
def test_haproxys_word_is_taken_for_who_the_client_is(
    tmp_path: Path, pki: Path, session_origin: Origin, option: str
) -> None:
    session_origin.forget()
    config = proxied_config(pki, session_origin.url, trusted="127.0.0.3")
    with (
        Edge(config, tmp_path, server_ca=pki / "server-ca.pem") as edge,
        haproxy(edge, option, tmp_path) as port,
    ):
        client = TlsClient(port, "open.test", None)
        client.sock.close()
        address = ("127.0.0.1", port)
        client.sock = socket.create_connection(address, DEADLINE_SECONDS, source_address=(CLIENT, 0))
        with client:
            client.handshake()
            assert client.ask("/echo", host="open.test").status == 200
        edge.wait_for_event("request", client=CLIENT, status=200)
        (received,) = session_origin.received("/echo")
        assert received.value("x-forwarded-for") == CLIENT
        time.sleep(1.2)
        failed = edge.log_events("handshake_failed")
        assert [event for event in failed if event["client"] == "127.0.0.3"] == [], (
            "its checks are no failures"
        )
