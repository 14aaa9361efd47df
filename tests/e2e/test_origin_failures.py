"""Origins that are down, slow, broken or hostile: what their client gets, and that nobody else gets it."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.behaviours import OK, POISON, answer, scripted_origin
from tests.e2e.bulk import BLOCK
from tests.e2e.clients import curl, raw_tls
from tests.e2e.configuration import open_config
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Hangup, Origin, Received, Wire
from tests.e2e.tls_client import TlsClient

SHORT_LIMITS = """
origin_connect_timeout = "1s"
origin_first_byte_timeout = "1s"
origin_idle_timeout = "1s"
"""
CURL_PARTIAL_FILE, CURL_RECV_ERROR = 18, 56


@pytest.fixture(scope="module")
def bad_origin() -> Iterator[Origin]:
    with scripted_origin() as origin:
        yield origin


@pytest.fixture(scope="module")
def one_worker(tmp_path_factory: pytest.TempPathFactory, pki: Path, bad_origin: Origin) -> Iterator[Edge]:
    """One worker, so that whatever an answer leaves behind lies in the pool that everybody is served from."""
    config = open_config(pki, bad_origin.url, limits=SHORT_LIMITS)
    with Edge(config, tmp_path_factory.mktemp("failures"), server_ca=pki / "server-ca.pem") as edge:
        yield edge


def connect(edge: Edge) -> TlsClient:
    return raw_tls(edge, "open.test")


def fill(client: TlsClient) -> None:
    """Send until nothing is taken any more."""
    while True:
        client.send(bytes(BLOCK))


def problem(body: bytes) -> tuple[int, str]:
    told = json.loads(body)
    return told["status"], told["reason"]


def assert_others_are_served_their_own(edge: Edge) -> None:
    """New clients and one connection over and over: each gets the answer to its own question."""
    for number in range(4):
        with connect(edge) as client:
            for again in range(4):
                target = f"/echo?{number}-{again}"
                got = client.ask(target, host="open.test")
                assert got.status == 200
                assert POISON not in got.body
                assert json.loads(got.body)["target"] == target


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def test_an_origin_that_is_down_is_a_502(tmp_path: Path, pki: Path) -> None:
    port = free_port()
    with Edge(
        open_config(pki, f"http://127.0.0.1:{port}"), tmp_path, server_ca=pki / "server-ca.pem"
    ) as edge:
        got = curl(edge, "/", host="open.test")
        assert (got.status, problem(got.body)) == (502, (502, "origin_unreachable"))
        assert str(port) not in got.body.decode(), "the origin's address is nobody's business"
        with connect(edge) as client:
            client.send(b"POST / HTTP/1.1\r\nHost: open.test\r\nContent-Length: 4\r\n\r\nbody")
            assert client.read_answer("POST").status == 502
        event = edge.wait_for_event("request", reason="origin_unreachable", method="POST")
        assert str(port) in event["detail"]


def test_an_origin_whose_name_does_not_exist_is_a_502(tmp_path: Path, pki: Path) -> None:
    config = open_config(pki, "http://nobody.invalid:80")
    with Edge(config, tmp_path, server_ca=pki / "server-ca.pem") as edge:
        got = curl(edge, "/", host="open.test")
        assert (got.status, problem(got.body)) == (502, (502, "origin_unreachable"))


def test_an_origin_that_does_not_accept_is_a_504(tmp_path: Path, pki: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]  # they fill the queue; the next SYN gets no answer
        try:
            for sock in waiting:
                sock.setblocking(False)
                sock.connect_ex(("127.0.0.1", port))
            config = open_config(pki, f"http://127.0.0.1:{port}", limits=SHORT_LIMITS)
            with Edge(config, tmp_path, server_ca=pki / "server-ca.pem") as edge:
                got = curl(edge, "/", host="open.test")
                assert (got.status, problem(got.body)) == (504, (504, "origin_timeout"))
        finally:
            for sock in waiting:
                sock.close()


def test_a_slow_first_octet_is_a_504(one_worker: Edge) -> None:
    got = curl(one_worker, "/sleep?seconds=5", host="open.test")
    assert (got.status, problem(got.body)) == (504, (504, "origin_timeout"))
    assert_others_are_served_their_own(one_worker)


def test_an_origin_that_falls_silent_in_the_middle_is_broken_off(one_worker: Edge) -> None:
    got = curl(one_worker, "/stall", host="open.test")
    assert (got.status, got.body) == (200, b"four")
    assert got.exit_code in {CURL_PARTIAL_FILE, CURL_RECV_ERROR}
    one_worker.wait_for_event("request", path="/stall", aborted="origin_idle")


def test_an_origin_that_takes_no_more_of_the_request_is_a_504(one_worker: Edge, bad_origin: Origin) -> None:
    def deaf(received: Received, wire: Wire) -> None:
        time.sleep(6)
        raise Hangup

    bad_origin.on("/deaf", deaf)
    with connect(one_worker) as client:
        client.sock.settimeout(4)
        client.send(b"POST /deaf HTTP/1.1\r\nHost: open.test\r\nContent-Length: 1000000000\r\n\r\n")
        with pytest.raises(OSError, match=r"timed out|reset|Broken pipe"):
            fill(client)
    one_worker.wait_for_event("request", path="/deaf", status=504, reason="origin_timeout")


@pytest.mark.parametrize("framing", ["Content-Length: 10\r\n", "Transfer-Encoding: chunked\r\n"])
@pytest.mark.parametrize("version", ["--http1.1", "--http1.0"])
def test_a_body_that_ends_too_early_never_looks_complete(
    one_worker: Edge, bad_origin: Origin, framing: str, version: str
) -> None:
    def cut(received: Received, wire: Wire) -> None:
        wire.send(OK + framing.encode() + b"\r\n" + (b"4\r\nfour\r\n" if "chunked" in framing else b"four"))
        raise Hangup

    bad_origin.on("/cut", cut)
    got = curl(one_worker, "/cut", version, "--no-alpn", host="open.test")
    assert (got.status, got.body) == (200, b"four")
    assert got.exit_code in {CURL_PARTIAL_FILE, CURL_RECV_ERROR}
    assert_others_are_served_their_own(one_worker)


def reset_in_the_middle(received: Received, wire: Wire) -> None:
    wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    wire.send(OK + b"\r\nuntil")
    time.sleep(0.2)
    wire.sock.close()
    raise Hangup


def test_a_reset_is_no_end_of_a_body_that_ends_with_the_connection(
    one_worker: Edge, bad_origin: Origin
) -> None:
    bad_origin.on("/reset-in-the-middle", reset_in_the_middle)
    got = curl(one_worker, "/reset-in-the-middle", host="open.test")
    assert (got.status, got.body) == (200, b"until")
    assert got.exit_code in {CURL_PARTIAL_FILE, CURL_RECV_ERROR}


@pytest.mark.parametrize(
    "path",
    [
        "/both-framings",
        "/garbage",
        "/header-injection",
        "/close",
        "/close-inside-head",
        "/switch-unasked",
    ],
)
def test_an_answer_with_no_one_meaning_is_a_502_and_reaches_nobody(one_worker: Edge, path: str) -> None:
    with connect(one_worker) as client:
        got = client.ask(path, host="open.test")
        assert (got.status, problem(got.body)) == (502, (502, "origin_bad_response"))
        assert POISON not in got.body
        assert not any("POISON" in value for _, value in got.headers)
    assert_others_are_served_their_own(one_worker)


HEAD = b"HTTP/1.1 200 OK\r\n"
MALFORMED = {
    "length_twice": HEAD + b"Content-Length: 6\r\nContent-Length: 0\r\n\r\nPOISON",
    "length_list": HEAD + b"Content-Length: 6, 6\r\n\r\nPOISON",
    "length_signed": HEAD + b"Content-Length: +6\r\n\r\nPOISON",
    "length_negative": HEAD + b"Content-Length: -6\r\n\r\nPOISON",
    "length_huge": HEAD + b"Content-Length: 18446744073709551622\r\n\r\nPOISON",
    "coding_unknown": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n6\r\nPOISON\r\n0\r\n\r\n",
    "coding_twice": HEAD
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nPOISON\r\n0\r\n\r\n",
    "chunked_on_1_0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nPOISON\r\n0\r\n\r\n",
    "space_before_colon": HEAD + b"Content-Length : 6\r\n\r\nPOISON",
    "folded_line": HEAD + b"X-A: b\r\n POISON\r\nContent-Length: 0\r\n\r\n",
    "bare_line_feeds": b"HTTP/1.1 200 OK\nContent-Length: 6\n\nPOISON",
    "nul_in_value": HEAD + b"X-A: \0POISON\r\nContent-Length: 0\r\n\r\n",
    "status_of_two_digits": b"HTTP/1.1 20 OK\r\nContent-Length: 6\r\n\r\nPOISON",
    "http_2": b"HTTP/2 200\r\nContent-Length: 6\r\n\r\nPOISON",
    "http_0_9": b"POISON",
    "interim_with_length": b"HTTP/1.1 103 Early Hints\r\nContent-Length: 6\r\n\r\nPOISON",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_answer_is_a_502_and_reaches_nobody(
    one_worker: Edge, bad_origin: Origin, name: str
) -> None:
    def malformed(received: Received, wire: Wire) -> None:
        wire.send(MALFORMED[name])
        raise Hangup

    bad_origin.on("/malformed", malformed)
    with connect(one_worker) as client:
        got = client.ask("/malformed", host="open.test")
        assert (got.status, problem(got.body)) == (502, (502, "origin_bad_response"))
        assert POISON not in got.body
    assert_others_are_served_their_own(one_worker)


@pytest.mark.parametrize(
    "size_line",
    [b"-6", b"0x6", b"+6", b"6 ", b" 6", b"6\n", b"", b"g", b"6;a=\nb", b"11111111111111116", b"\xd9\xa6"],
)
def test_a_malformed_chunk_breaks_the_answer_off(
    one_worker: Edge, bad_origin: Origin, size_line: bytes
) -> None:
    def malformed(received: Received, wire: Wire) -> None:
        wire.send(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok")
        time.sleep(0.05)  # the answer has begun, so no other can be given any more
        wire.send(b"\r\n" + size_line + b"\r\nPOISON\r\n0\r\n\r\n")

    bad_origin.on("/chunk", malformed)
    with connect(one_worker) as client:
        client.send(b"GET /chunk HTTP/1.1\r\nHost: open.test\r\n\r\n")
        octets = client.read_until_close()
        assert POISON not in octets
        assert not octets.endswith(b"0\r\n\r\n"), "it looks complete"
        assert not client.closed_cleanly
    assert_others_are_served_their_own(one_worker)


def test_of_two_answers_the_second_reaches_nobody(one_worker: Edge) -> None:
    for _ in range(5):
        with connect(one_worker) as client:
            got = client.ask("/two-responses", host="open.test")
            assert (got.status, got.body) == (200, b"OK")
        assert_others_are_served_their_own(one_worker)


def test_a_second_answer_that_comes_later_reaches_nobody(one_worker: Edge) -> None:
    with connect(one_worker) as client, connect(one_worker) as other:
        assert client.ask("/late-second-response", host="open.test").body == b"OK"
        time.sleep(0.4)
        got = other.ask("/echo", host="open.test")
        assert json.loads(got.body)["target"] == "/echo"
    assert_others_are_served_their_own(one_worker)


def test_a_second_answer_that_came_while_the_worker_was_busy_reaches_nobody(
    pki: Path, tmp_path: Path, bad_origin: Origin
) -> None:
    """The next request and the octets in the pool become readable in one and the same look at the sockets.

    An edge of its own: here the next request comes first, and finds no other connection in the pool.
    """
    gate, sent = threading.Event(), threading.Event()

    def gated(received: Received, wire: Wire) -> None:
        answer(wire, b"OK")
        gate.wait(10)
        answer(wire, POISON)
        sent.set()

    bad_origin.on("/gated", gated)
    with Edge(open_config(pki, bad_origin.url), tmp_path, server_ca=pki / "server-ca.pem") as edge:
        (worker,) = edge.workers()
        with connect(edge) as first, connect(edge) as second:
            assert first.ask("/gated", host="open.test").body == b"OK"
            time.sleep(0.1)  # the worker has come to rest
            os.kill(worker, signal.SIGSTOP)
            try:
                second.send(b"GET /echo?mine HTTP/1.1\r\nHost: open.test\r\n\r\n")
                time.sleep(0.1)
                gate.set()
                assert sent.wait(10)
                time.sleep(0.1)
            finally:
                os.kill(worker, signal.SIGCONT)
            got = second.read_answer()
            assert got.status == 200
            assert POISON not in got.body
            assert json.loads(got.body)["target"] == "/echo?mine"
        assert_others_are_served_their_own(edge)


def test_a_body_that_answers_head_reaches_nobody(one_worker: Edge) -> None:
    for _ in range(3):
        with connect(one_worker) as client:
            client.send(b"HEAD /head-with-body HTTP/1.1\r\nHost: open.test\r\n\r\n")
            client.send(b"GET /echo?next HTTP/1.1\r\nHost: open.test\r\n\r\n")
            head, following = client.read_answer("HEAD"), client.read_answer()
            assert (head.status, head.body) == (200, b"")
            assert json.loads(following.body)["target"] == "/echo?next"
        assert_others_are_served_their_own(one_worker)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_body_behind_an_answer_that_has_none_reaches_nobody(
    one_worker: Edge, bad_origin: Origin, status: str
) -> None:
    def bodiless(received: Received, wire: Wire) -> None:
        wire.read_body()
        wire.send(f"HTTP/1.1 {status}\r\nContent-Length: 6\r\n\r\n".encode())
        time.sleep(0.05)
        wire.send(POISON)

    bad_origin.on("/bodiless", bodiless)
    for path in ("/no-content-with-body", "/bodiless"):
        with connect(one_worker) as client:
            got = client.ask(path, host="open.test")
            assert got.body == b""
        time.sleep(0.1)  # the body comes while the connection lies in the pool
        assert_others_are_served_their_own(one_worker)


def test_interim_answers_without_end_are_a_502(one_worker: Edge, bad_origin: Origin) -> None:
    def endless(received: Received, wire: Wire) -> None:
        while True:
            wire.send(b"HTTP/1.1 102 Processing\r\n\r\n" * 100)

    bad_origin.on("/endless", endless)
    with connect(one_worker) as client:
        got = client.ask("/endless", host="open.test")
    assert (got.status, problem(got.body)) == (502, (502, "origin_bad_response"))
    assert len(got.interim) < 100
    assert_others_are_served_their_own(one_worker)


def test_a_head_without_end_is_a_502(one_worker: Edge, bad_origin: Origin) -> None:
    def endless(received: Received, wire: Wire) -> None:
        wire.send(OK)
        while True:
            wire.send(b"X-Filler: " + b"x" * 1000 + b"\r\n")

    bad_origin.on("/endless-head", endless)
    with connect(one_worker) as client:
        got = client.ask("/endless-head", host="open.test")
    assert (got.status, problem(got.body)) == (502, (502, "origin_bad_response"))


def test_a_client_that_leaves_ends_the_work_at_the_origin(one_worker: Edge, bad_origin: Origin) -> None:
    left = threading.Event()

    def patient(received: Received, wire: Wire) -> None:
        wire.sock.settimeout(5)
        if wire.receive() == b"":
            left.set()
        raise Hangup

    bad_origin.on("/patient", patient)
    bad_origin.forget()
    with connect(one_worker) as client:
        client.send(b"GET /patient HTTP/1.1\r\nHost: open.test\r\n\r\n")
        bad_origin.wait_for("/patient")
    assert left.wait(5), "the origin still works for a client that has left"
    one_worker.wait_for_event("request", path="/patient", status=499)
