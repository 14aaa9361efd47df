"""The demo origin as clients meet it: over a socket, with bodies of every framing."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator

import pytest

from edge.demo.origin import prefers_html, serve
from edge.demo.page import CONTENT_SECURITY_POLICY


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    sock = socket.create_server(("127.0.0.1", 0))
    number: int = sock.getsockname()[1]
    loop = asyncio.new_event_loop()
    serving = loop.create_task(serve(sock))
    thread = threading.Thread(target=loop.run_until_complete, args=(asyncio.wait([serving]),))
    thread.start()
    yield number
    loop.call_soon_threadsafe(serving.cancel)
    thread.join(10)
    loop.close()
    assert serving.cancelled()


def exchange(port: int, *pieces: bytes) -> bytes:
    """Send the pieces, say that nothing more comes, and read to the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        for piece in pieces:
            sock.sendall(piece)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def read_until(sock: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        more = sock.recv(1)
        assert more, f"closed after {data!r}"
        data += more
    return data


def told(answer: bytes) -> dict[str, object]:
    value = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize(
    ("request_octets", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\nHost: a\n\n", b"400 Bad Request"),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"400 Bad",
        ),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nfour", b"400 Bad Request"),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n",
            b"400 Bad Request",
        ),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4x\r\n", b"400 Bad Request"),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", b"505 HTTP Version Not Supported"),
        (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", b"405 Method Not Allowed"),
    ],
)
def test_a_malformed_request_is_refused_and_the_connection_closed(
    port: int, request_octets: bytes, status: bytes
) -> None:
    answer = exchange(port, request_octets)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_request_cut_in_its_head_gets_no_answer(port: int) -> None:
    assert exchange(port, b"GET / HTTP/1.1\r\nHos") == b""


def test_a_client_that_goes_away_does_no_harm(port: int) -> None:
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx")
    assert exchange(port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
def test_a_body_of_known_length_is_hashed(port: int, size: int) -> None:
    data = bytes(range(250)) * (size // 250) + b"x" * (size % 250)
    head = b"PUT /up HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
    shown = told(exchange(port, head, data))
    assert (shown["body_size"], shown["body_sha256"]) == (size, hashlib.sha256(data).hexdigest())


def test_a_chunked_body_is_hashed_without_its_framing(port: int) -> None:
    head = b"POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    shown = told(exchange(port, head, b"5\r\nhel", b"lo\r\n6;a=b\r\n world", b"\r\n0\r\nTrailer: x\r\n\r\n"))
    assert (shown["body_size"], shown["body_sha256"]) == (11, hashlib.sha256(b"hello world").hexdigest())


def test_requests_follow_each_other_on_one_connection(port: int) -> None:
    first = b"POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    second = b"POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxy"
    last = b"GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\n\r\n"
    answers = exchange(port, first + second + last)
    assert [answers.count(b'"target": "/%d"' % number) for number in (1, 2, 3, 4)] == [1, 1, 1, 0]


def test_an_old_client_may_keep_its_connection(port: int) -> None:
    kept = b"GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    answers = exchange(port, kept + b"GET /2 HTTP/1.0\r\n\r\n" + b"GET /3 HTTP/1.0\r\n\r\n")
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    assert answers.index(b"Connection: keep-alive") < answers.index(b"Connection: close")


def test_head_gets_the_head_of_the_same_answer(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("HEAD", "/x")
    answer = connection.getresponse()
    assert answer.read() == b""
    assert int(answer.headers["Content-Length"]) > 100
    connection.request("GET", "/y")
    assert json.loads(connection.getresponse().read())["method"] == "GET"
    connection.close()


def test_a_client_that_waits_to_be_asked_is_asked(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        assert read_until(sock, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"body")
        assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_browser_gets_the_page_with_its_policy(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    connection.request("GET", "/", headers={"Accept": accept, "Mtls-Authenticated": "true", "X": "<b>"})
    answer = connection.getresponse()
    document = answer.read().decode()
    connection.close()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY.decode()
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "The edge vouches for this client" in document
    assert "&lt;b&gt;" in document
    assert "<b>" not in document


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ([], False),
        ([b"*/*"], False),
        ([b"application/json, text/html"], False),
        ([b"text/html;q=0.5, application/json;q=0.6"], False),
        ([b"text/html;q=0, */*"], False),
        ([b"text/html;q=1_0"], False),
        ([b"text/html;q=nan"], False),
        ([b"text/htmlx"], False),
        ([b"text/html"], True),
        ([b"TEXT/HTML ; Q=0.9 , application/json;q=0.8"], True),
        ([b"application/json;q=0.1", b"text/*"], True),
        ([b"text/html,application/xhtml+xml,*/*;q=0.8"], True),
    ],
)
def test_html_is_for_who_prefers_it(accept: list[bytes], html: bool) -> None:
    assert prefers_html(accept) is html


def test_cancelling_closes_idle_connections_and_ends(port: int) -> None:
    async def scenario() -> bytes:
        sock = socket.create_server(("127.0.0.1", 0))
        serving = asyncio.get_running_loop().create_task(serve(sock))
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        serving.cancel()
        await asyncio.wait_for(asyncio.wait([serving]), 5)
        assert serving.cancelled()
        try:
            return await asyncio.wait_for(reader.read(), 5)
        except ConnectionResetError:
            return b"reset"
        finally:
            writer.close()

    assert asyncio.run(scenario())
