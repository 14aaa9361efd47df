"""Connections to origins: reused, tried again when that is safe, shared out in turn."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.behaviours import scripted_origin
from tests.e2e.clients import raw_tls
from tests.e2e.configuration import host_table, open_config
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Hangup, Origin, Received, Wire
from tests.e2e.tls_client import Answer, TlsClient


@pytest.fixture(scope="module")
def pooled_origin() -> Iterator[Origin]:
    with scripted_origin() as origin:
        yield origin


@pytest.fixture(scope="module")
def pooling_edge(
    tmp_path_factory: pytest.TempPathFactory, pki: Path, pooled_origin: Origin
) -> Iterator[Edge]:
    """One worker, so that there is one pool."""
    config = open_config(pki, pooled_origin.url, limits='origin_idle_timeout = "2s"')
    with Edge(config, tmp_path_factory.mktemp("pool"), server_ca=pki / "server-ca.pem") as edge:
        yield edge


@pytest.fixture(autouse=True)
def _empty_pool(pooled_origin: Origin) -> None:
    pooled_origin.hang_up()
    pooled_origin.forget()
    time.sleep(0.05)


def connect(edge: Edge) -> TlsClient:
    return raw_tls(edge, "open.test")


def connection_of(answer: Answer) -> int:
    assert answer.status == 200, answer.body
    return int(json.loads(answer.body)["connection"])


def post(client: TlsClient, path: str, body: bytes = b"") -> Answer:
    head = f"POST {path} HTTP/1.1\r\nHost: open.test\r\nContent-Length: {len(body)}\r\n\r\n"
    client.send(head.encode() + body)
    return client.read_answer("POST")


def test_one_connection_serves_request_after_request_and_client_after_client(
    pooling_edge: Edge, pooled_origin: Origin
) -> None:
    used = set()
    for _ in range(3):
        with connect(pooling_edge) as client:
            used |= {connection_of(client.ask("/echo", host="open.test")) for _ in range(5)}
            used.add(connection_of(post(client, "/echo", b"body")))
    assert len(used) == 1
    assert len(pooled_origin.received("/echo")) == 18


def test_requests_at_the_same_time_have_connections_of_their_own(
    pooling_edge: Edge, pooled_origin: Origin
) -> None:
    with connect(pooling_edge) as first, connect(pooling_edge) as second:
        for client in (first, second):
            client.send(b"GET /sleep?seconds=0.3 HTTP/1.1\r\nHost: open.test\r\n\r\n")
        assert [client.read_answer().body for client in (first, second)] == [b"slept", b"slept"]
    assert len({received.connection for received in pooled_origin.received("/sleep")}) == 2


def test_a_connection_at_rest_is_closed_after_origin_idle_timeout(
    pooling_edge: Edge, pooled_origin: Origin
) -> None:
    with connect(pooling_edge) as client:
        before = connection_of(client.ask("/echo", host="open.test"))
        time.sleep(2.5)
        assert connection_of(client.ask("/echo", host="open.test")) != before


def test_an_origin_that_says_close_is_not_asked_again_on_that_connection(
    pooling_edge: Edge, pooled_origin: Origin
) -> None:
    def closing(received: Received, wire: Wire) -> None:
        wire.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nlast")
        assert wire.receive() == b"", "the edge used a connection that was to be closed"
        raise Hangup

    def old(received: Received, wire: Wire) -> None:
        wire.send(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold")
        assert wire.receive() == b"", "the edge used a connection that HTTP/1.0 closes"
        raise Hangup

    pooled_origin.on("/closing", closing)
    pooled_origin.on("/old", old)
    with connect(pooling_edge) as client:
        for path, body in (("/closing", b"last"), ("/old", b"old"), ("/closing", b"last")):
            got = client.ask(path, host="open.test")
            assert (got.status, got.body) == (200, body)
            assert connection_of(client.ask("/echo", host="open.test"))
    assert pooled_origin.unreadable == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
def test_an_idempotent_request_is_sent_again_when_a_reused_connection_died(
    pooling_edge: Edge, pooled_origin: Origin, method: str
) -> None:
    with connect(pooling_edge) as client:
        assert client.ask("/reset", host="open.test").body == b"once"
        got = client.ask("/echo", host="open.test", method=method)
        assert got.status == 200
    (received,) = pooled_origin.received("/echo")
    assert received.method == method
    assert received.connection != pooled_origin.received("/reset")[0].connection


def test_a_post_is_not_sent_again(pooling_edge: Edge, pooled_origin: Origin) -> None:
    with connect(pooling_edge) as client:
        assert client.ask("/reset", host="open.test").body == b"once"
        got = post(client, "/echo")
        assert (got.status, json.loads(got.body)["reason"]) == (502, "origin_bad_response")
    assert pooled_origin.received("/echo") == []


def test_a_request_with_a_body_is_not_sent_again(pooling_edge: Edge, pooled_origin: Origin) -> None:
    with connect(pooling_edge) as client:
        assert client.ask("/reset", host="open.test").body == b"once"
        client.send(b"PUT /echo HTTP/1.1\r\nHost: open.test\r\nContent-Length: 4\r\n\r\nbody")
        assert client.read_answer("PUT").status == 502
    assert pooled_origin.received("/echo") == []


def test_a_request_that_fails_twice_is_a_502(pooling_edge: Edge, pooled_origin: Origin) -> None:
    with connect(pooling_edge) as client:
        connection_of(client.ask("/echo", host="open.test"))
        got = client.ask("/close", host="open.test")
        assert (got.status, json.loads(got.body)["reason"]) == (502, "origin_bad_response")
    assert len(pooled_origin.received("/close")) == 2


def test_a_request_that_fails_on_a_new_connection_is_not_sent_again(
    pooling_edge: Edge, pooled_origin: Origin
) -> None:
    with connect(pooling_edge) as client:
        assert client.ask("/close", host="open.test").status == 502
    assert len(pooled_origin.received("/close")) == 1


def test_a_request_whose_answer_began_is_not_sent_again(pooling_edge: Edge, pooled_origin: Origin) -> None:
    with connect(pooling_edge) as client:
        connection_of(client.ask("/echo", host="open.test"))
        assert client.ask("/close-inside-head", host="open.test").status == 502
    assert len(pooled_origin.received("/close-inside-head")) == 1


def test_a_restarted_origin_is_not_noticed(pooling_edge: Edge, pooled_origin: Origin) -> None:
    with connect(pooling_edge) as client:
        for _ in range(5):
            assert connection_of(client.ask("/echo", host="open.test"))
            pooled_origin.hang_up()
            assert connection_of(post(client, "/echo", b"body"))
            pooled_origin.hang_up()


def test_connections_that_died_leave_no_descriptor_and_disturb_no_other(
    pooling_edge: Edge, pooled_origin: Origin
) -> None:
    with connect(pooling_edge) as client:
        connection_of(client.ask("/echo", host="open.test"))
        before = pooling_edge.descriptors()
        for _ in range(20):
            assert client.ask("/reset", host="open.test").body == b"once"
            assert client.ask("/echo", host="open.test").status == 200  # sent again
            pooled_origin.hang_up()
            with connect(pooling_edge) as other:  # takes the descriptor that was let go
                assert other.ask("/echo", host="open.test").status == 200
        time.sleep(0.3)
        assert pooling_edge.descriptors() <= before + 4
    assert pooling_edge.log_events("worker_died") == []
    assert pooling_edge.log_events("defect") == []


def origin_order(edge: Edge, count: int, origins: list[Origin]) -> list[int]:
    """Ask so many times, and tell which origin answered each time."""
    with connect(edge) as client:
        for number in range(count):
            assert client.ask(f"/echo/{number}", host="open.test").status == 200
    return [
        next(i for i, origin in enumerate(origins) if origin.received(f"/echo/{number}"))
        for number in range(count)
    ]


def test_two_origins_are_asked_in_turn_and_one_that_is_down_is_left_out(tmp_path: Path, pki: Path) -> None:
    with scripted_origin() as first, scripted_origin() as second:
        config = open_config(pki, first.url, second.url)
        with Edge(config, tmp_path, server_ca=pki / "server-ca.pem") as edge:
            order = origin_order(edge, 10, [first, second])
            assert order in ([0, 1] * 5, [1, 0] * 5)
            second.forget()
            second.__exit__(None, None, None)  # its port refuses from now on
            first.forget()
            assert origin_order(edge, 10, [first, second]) == [0] * 10
            with connect(edge) as client:
                assert [post(client, "/echo", b"body").status for _ in range(4)] == [200] * 4
            first.__exit__(None, None, None)
            with connect(edge) as client:
                got = client.ask("/echo", host="open.test")
                assert (got.status, json.loads(got.body)["reason"]) == (502, "origin_unreachable")


def test_an_origin_that_comes_back_is_found_again(tmp_path: Path, pki: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        Edge(open_config(pki, f"http://127.0.0.1:{port}"), tmp_path, server_ca=pki / "server-ca.pem") as edge,
        connect(edge) as client,
    ):
        assert client.ask("/", host="open.test").status == 502
        with socket.create_server(("127.0.0.1", port)) as back:
            client.send(b"GET / HTTP/1.1\r\nHost: open.test\r\n\r\n")
            back.settimeout(10)
            sock, _ = back.accept()
            with sock:
                sock.recv(65536)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nback")
                assert client.read_answer().body == b"back"


def test_the_turns_of_one_host_do_not_depend_on_another_host(tmp_path: Path, pki: Path) -> None:
    """Two hosts that are asked alternately would else send all they have to one origin each."""
    with scripted_origin() as one, scripted_origin() as two, scripted_origin() as three:
        other_host = host_table(pki, "b.test", "others", 'unmatched = "pass"')
        config = open_config(pki, one.url, two.url)
        config += other_host.replace('"others"', f'["{two.url}", "{three.url}"]')
        with (
            Edge(config, tmp_path, server_ca=pki / "server-ca.pem") as edge,
            connect(edge) as client,
            raw_tls(edge, "b.test") as other,
        ):
            for _ in range(6):
                assert client.ask("/mine", host="open.test").status == 200
                assert other.ask("/other", host="b.test").status == 200
        assert [len(origin.received("/mine")) for origin in (one, two, three)] == [3, 3, 0]
        assert [len(origin.received("/other")) for origin in (one, two, three)] == [0, 3, 3]
