"""Origins that cut their answers or authenticate connections, and a log that nobody takes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h11
import pytest

import edge as product
from tests.certificates import Authority
from tests.e2e.behaviours import OK, answer, scripted_origin
from tests.e2e.clients import TlsClient, raw_tls
from tests.e2e.configuration import host_table, open_config, server_table
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Hangup, Origin, Received, Wire
from tests.e2e.tls_client import Answer, TlsRefused

SECONDS = 20


@pytest.fixture(scope="module")
def bound_origin() -> Iterator[Origin]:
    with scripted_origin() as origin:
        yield origin


@pytest.fixture(scope="module")
def pooling_edge(tmp_path_factory: pytest.TempPathFactory, pki: Path, bound_origin: Origin) -> Iterator[Edge]:
    """One worker, so that there is one pool."""
    config = open_config(pki, bound_origin.url)
    with Edge(config, tmp_path_factory.mktemp("bound"), server_ca=pki / "server-ca.pem") as edge:
        yield edge


def connect(edge: Edge) -> TlsClient:
    return raw_tls(edge, "open.test")


# --- authentication of a connection instead of a request ---------------------------------------


def connection_of(got: Answer) -> int:
    return int(json.loads(got.body)["connection"])


def ask_with(client: TlsClient, path: str, *lines: str) -> Answer:
    client.send("\r\n".join((f"GET {path} HTTP/1.1", "Host: open.test", *lines, "", "")).encode())
    return client.read_answer()


@pytest.mark.parametrize("value", ["NTLM TlRMTVNTUAAB", "ntlm x", "Negotiate YII", "NEGOTIATE YII", "NTLM"])
def test_an_origin_connection_that_one_client_authenticated_serves_nobody_else(
    pooling_edge: Edge, value: str
) -> None:
    with connect(pooling_edge) as client, connect(pooling_edge) as other:
        bound = connection_of(ask_with(client, "/echo", f"Authorization: {value}"))
        later = [connection_of(ask_with(each, "/echo")) for each in (other, client, other)]
    assert bound not in later


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate", "negotiate oRQw"])
def test_an_origin_connection_that_offers_to_be_authenticated_serves_nobody_else(
    pooling_edge: Edge, bound_origin: Origin, scheme: str
) -> None:
    def challenge(received: Received, wire: Wire) -> None:
        answer(wire, b"who?", ("WWW-Authenticate", scheme), status="401 Unauthorized")

    bound_origin.on("/challenge", challenge)
    bound_origin.forget()
    with connect(pooling_edge) as client, connect(pooling_edge) as other:
        assert ask_with(client, "/challenge").status == 401
        later = connection_of(ask_with(other, "/echo"))
    assert later != bound_origin.received("/challenge")[0].connection


@pytest.mark.parametrize("value", ["Basic dTpw", "Bearer NTLM", "NTLMish x", "Digest negotiate"])
def test_an_origin_connection_of_authenticated_requests_is_used_again(pooling_edge: Edge, value: str) -> None:
    with connect(pooling_edge) as client, connect(pooling_edge) as other:
        used = connection_of(ask_with(client, "/echo", f"Authorization: {value}"))
        assert connection_of(ask_with(other, "/echo")) == used


# --- answers that are cut on the way -----------------------------------------------------------


Cut = Callable[[ssl.SSLSocket], None]


def by_reset(sock: ssl.SSLSocket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def without_close_notify(sock: ssl.SSLSocket) -> None:
    sock.shutdown(socket.SHUT_RDWR)  # of TCP


def with_close_notify(sock: ssl.SSLSocket) -> None:
    with contextlib.suppress(OSError):
        sock.unwrap()


class CuttingOrigin:
    """Over TLS: half a document without a length, and, once the client has it, an end of some kind."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.cut: Cut = with_close_notify
        self.half_arrived = threading.Event()
        self.origin = Origin(self._serve, tls=context)

    def _serve(self, received: Received, wire: Wire) -> None:
        assert isinstance(wire.sock, ssl.SSLSocket)
        wire.send(OK + b"\r\nfirst half")
        self.half_arrived.wait(SECONDS)
        self.cut(wire.sock)
        raise Hangup


@pytest.fixture(scope="module")
def cutting_origin(pki: Path, server_root: Authority) -> Iterator[CuttingOrigin]:
    files = server_root.issue_server("origin.test").write(pki, "cutting-origin")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    cutting = CuttingOrigin(context)
    with cutting.origin:
        yield cutting


@pytest.fixture(scope="module")
def cut_edge(
    tmp_path_factory: pytest.TempPathFactory, pki: Path, cutting_origin: CuttingOrigin
) -> Iterator[Edge]:
    origin_tls = f"""
[hosts.origin_tls]
server_name = "origin.test"
ca = "{pki / "server-ca.pem"}"
"""
    host = host_table(pki, "open.test", cutting_origin.origin.url, 'unmatched = "pass"')
    config = server_table(workers=1) + host + origin_tls
    with Edge(config, tmp_path_factory.mktemp("cut"), server_ca=pki / "server-ca.pem") as edge:
        yield edge


def read_with_cut(edge: Edge, cutting: CuttingOrigin, cut: Cut, version: str) -> tuple[bytes, bool]:
    """Return the octets of the answer, and whether it ended as TLS ends."""
    cutting.cut = cut
    cutting.half_arrived.clear()
    with connect(edge) as client:
        client.send(f"GET / HTTP/{version}\r\nHost: open.test\r\nConnection: close\r\n\r\n".encode())
        octets = b""
        while b"first half" not in octets:
            octets += client.read()
        cutting.half_arrived.set()
        with contextlib.suppress(TlsRefused):
            octets += client.read_until_close()
        return octets, client.closed_cleanly


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("cut", [by_reset, without_close_notify])
def test_an_answer_that_was_cut_at_a_tls_origin_does_not_look_complete(
    cut_edge: Edge, cutting_origin: CuttingOrigin, cut: Cut, version: str
) -> None:
    before = len(cut_edge.log_events("request"))
    octets, clean = read_with_cut(cut_edge, cutting_origin, cut, version)
    assert not clean
    assert b"\r\n0\r\n" not in octets
    assert cut_edge.wait_for_event("request", count=before + 1)["aborted"]


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_answer_that_ended_as_tls_ends_is_complete(
    cut_edge: Edge, cutting_origin: CuttingOrigin, version: str
) -> None:
    octets, clean = read_with_cut(cut_edge, cutting_origin, with_close_notify, version)
    assert clean
    assert octets.endswith(b"first half" if version == "1.0" else b"first half\r\n0\r\n\r\n")


# --- a log that nobody takes -------------------------------------------------------------------


class UnheardEdge:
    """An edge whose standard error is a descriptor of the test's choice; found by its port alone."""

    def __init__(self, directory: Path, pki: Path, config: str, standard_error: int) -> None:
        self.server_ca = pki / "server-ca.pem"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        path = directory / "edge.toml"
        path.write_text(config.replace("127.0.0.1:0", f"127.0.0.1:{self.port}"), encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edge", "run", "-c", str(path)],
            stdin=subprocess.DEVNULL,
            stderr=standard_error,
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(Path(product.__file__).parent.parent)},
            start_new_session=True,
        )

    def wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "it did not start"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)
        raise AssertionError("it does not listen")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(2 * SECONDS)
        finally:
            self.process.kill()


@contextlib.contextmanager
def nobodys_log(kind: str) -> Iterator[int]:
    """A descriptor that takes nothing."""
    if kind == "closed":
        reading, writing = os.pipe()
        os.close(reading)
    else:
        writing = os.open("/dev/full", os.O_WRONLY)
    try:
        yield writing
    finally:
        os.close(writing)


def assert_cut_in_time(port: int) -> None:
    """Who says nothing is closed at the limit of a second."""
    with socket.create_connection(("127.0.0.1", port), timeout=8) as sock:
        assert sock.recv(1) == b""


@pytest.mark.parametrize("kind", ["closed", "full"])
def test_an_edge_whose_log_nobody_takes_serves_on_and_keeps_its_deadlines(
    tmp_path: Path, pki: Path, bound_origin: Origin, kind: str
) -> None:
    limits = 'header_timeout = "1s"\nhandshake_timeout = "1s"'
    config = open_config(pki, bound_origin.url, limits=limits)
    with nobodys_log(kind) as standard_error:
        unheard = UnheardEdge(tmp_path, pki, config, standard_error)
    try:
        unheard.wait_until_it_listens()
        for _ in range(2):
            with raw_tls(unheard, "open.test") as client:
                assert [client.ask("/echo", host="open.test").status for _ in range(3)] == [200] * 3
                client.send(b"BAD\r\n\r\n")
                assert client.read_answer().status == 400
            with pytest.raises((TlsRefused, OSError, h11.RemoteProtocolError)):
                raw_tls(unheard, "nobody.test")
            assert_cut_in_time(unheard.port)
    finally:
        status = unheard.stop()
    assert status == 0
