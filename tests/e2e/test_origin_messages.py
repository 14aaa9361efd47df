"""Requests and answers on their way through the edge: nothing lost, nothing reframed wrongly, in order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.behaviours import OK, POISON, answer, scripted_origin
from tests.e2e.bulk import MEBIBYTE, blocks, curl_upload
from tests.e2e.clients import curl, raw_tls
from tests.e2e.configuration import open_config
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Hangup, Origin, Received, Wire
from tests.e2e.tls_client import TlsClient


@pytest.fixture(scope="module")
def talking_origin() -> Iterator[Origin]:
    with scripted_origin() as origin:
        yield origin


@pytest.fixture(scope="module")
def passing_edge(
    tmp_path_factory: pytest.TempPathFactory, pki: Path, talking_origin: Origin
) -> Iterator[Edge]:
    config = open_config(pki, talking_origin.url)
    with Edge(config, tmp_path_factory.mktemp("messages"), server_ca=pki / "server-ca.pem") as edge:
        yield edge


@pytest.fixture(autouse=True)
def _clean_record(talking_origin: Origin) -> Iterator[None]:
    talking_origin.forget()
    yield
    assert talking_origin.unreadable == []


def connect(edge: Edge) -> TlsClient:
    return raw_tls(edge, "open.test")


# --- trailers and codings ----------------------------------------------------------------------


def test_trailers_of_a_request_reach_the_origin(passing_edge: Edge, talking_origin: Origin) -> None:
    with connect(passing_edge) as client:
        client.send(
            b"POST /echo HTTP/1.1\r\nHost: open.test\r\nTransfer-Encoding: chunked\r\n"
            b"Trailer: X-Checksum\r\n\r\n5\r\nhello\r\n6;note=x\r\n world\r\n0\r\nX-Checksum: 5eb63bbb\r\n"
            b"Content-Length: 6\r\nHost: other.test\r\nMtls_Authenticated: true\r\n\r\n"
        )
        told = json.loads(client.read_answer("POST").body)
    assert told["body_size"] == 11
    assert told["trailers"] == [["x-checksum", "5eb63bbb"]]
    assert talking_origin.received("/echo")[0].body == b"hello world"


def test_trailers_of_an_answer_reach_the_client(passing_edge: Edge) -> None:
    with connect(passing_edge) as client:
        got = client.ask("/trailers", host="open.test")
        assert (got.status, got.body) == (200, b"hello world")
        assert got.trailers == (("x-checksum", "5eb63bbb"),)
        assert client.ask("/echo", host="open.test").status == 200


@pytest.mark.parametrize("size", [1, 3, 16, 100])
def test_chunks_however_they_are_cut_are_the_same_body(
    passing_edge: Edge, talking_origin: Origin, size: int
) -> None:
    message = (
        b"POST /upload HTTP/1.1\r\nHost: open.test\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n"
    )
    with connect(passing_edge) as client:
        for start in range(0, len(message), size):
            client.send(message[start : start + size])
        assert client.read_answer("POST").body.startswith(b"15 ")
    assert talking_origin.received("/upload")[0].body == b"hello0123456789"


def test_an_empty_chunked_body_is_a_body(passing_edge: Edge, talking_origin: Origin) -> None:
    with connect(passing_edge) as client:
        client.send(
            b"POST /upload HTTP/1.1\r\nHost: open.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        )
        assert client.read_answer("POST").body.startswith(b"0 ")
    assert talking_origin.received("/upload")[0].complete


def test_a_body_that_the_end_of_the_connection_ends_is_chunked_for_the_client(passing_edge: Edge) -> None:
    with connect(passing_edge) as client:
        got = client.ask("/until-close", host="open.test")
        assert (got.status, got.body) == (200, b"until the end")
        assert got.values("transfer-encoding") == ["chunked"]
        assert client.ask("/echo", host="open.test").status == 200, "the client's connection stays"


# --- HTTP/1.0 ----------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_an_http_1_0_client_gets_no_chunked_coding(passing_edge: Edge, framing: str) -> None:
    with connect(passing_edge) as client:
        client.send(f"GET /download?size=1000&framing={framing} HTTP/1.0\r\nHost: open.test\r\n\r\n".encode())
        octets = client.read_until_close()
        assert client.closed_cleanly
    head, _, body = octets.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert body == (bytes(range(256)) * 4)[:1000]


def test_an_http_1_0_client_keeps_its_connection_if_it_asks_and_the_length_is_known(
    passing_edge: Edge,
) -> None:
    request = b"GET /download?size=10 HTTP/1.0\r\nHost: open.test\r\nConnection: keep-alive\r\n\r\n"
    with connect(passing_edge) as client:
        for _ in range(3):
            client.send(request)
            octets = b""
            while not octets.endswith(bytes(range(10))):
                octets += client.read()
            assert b"\r\nConnection: keep-alive\r\n" in octets


def test_an_http_1_0_client_gets_no_interim_answer(passing_edge: Edge) -> None:
    with connect(passing_edge) as client:
        client.send(b"GET /interim HTTP/1.0\r\nHost: open.test\r\n\r\n")
        octets = client.read_until_close()
    assert octets.startswith(b"HTTP/1.1 200 ")
    assert octets.endswith(b"final")


def test_an_http_1_0_client_without_host_reaches_the_host_it_named_in_the_handshake(
    passing_edge: Edge, talking_origin: Origin
) -> None:
    with connect(passing_edge) as client:
        client.send(b"GET /echo HTTP/1.0\r\n\r\n")
        assert client.read_until_close().startswith(b"HTTP/1.1 200 ")
    assert talking_origin.received("/echo")[0].values("host") == ["open.test"]


# --- answers without a body --------------------------------------------------------------------


def test_head_tells_the_length_and_sends_no_body(passing_edge: Edge) -> None:
    with connect(passing_edge) as client:
        for _ in range(3):
            got = client.ask("/echo", host="open.test", method="HEAD")
            assert (got.status, got.body) == (200, b"")
            assert int(got.values("content-length")[0]) > 100
        assert client.ask("/echo", host="open.test").status == 200


def test_head_of_a_chunked_answer_ends_with_its_head(passing_edge: Edge, talking_origin: Origin) -> None:
    def chunked_head(received: Received, wire: Wire) -> None:
        wire.send(OK + b"Transfer-Encoding: chunked\r\n\r\n")

    talking_origin.on("/chunked-head", chunked_head)
    with connect(passing_edge) as client:
        assert client.ask("/chunked-head", host="open.test", method="HEAD").body == b""
        assert client.ask("/echo", host="open.test").status == 200


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 304 Not Modified\r\nETag: W/x\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nETag: W/x\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nETag: W/x\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_304_has_no_body_whatever_it_declares(
    passing_edge: Edge, talking_origin: Origin, head: bytes
) -> None:
    talking_origin.on("/not-modified", lambda received, wire: wire.send(head))
    with connect(passing_edge) as client:
        for _ in range(3):
            got = client.ask("/not-modified", host="open.test")
            assert (got.status, got.body, got.values("etag")) == (304, b"", ["W/x"])
            assert client.ask("/echo", host="open.test").status == 200


def test_204_has_neither_body_nor_length(passing_edge: Edge, talking_origin: Origin) -> None:
    talking_origin.on(
        "/nothing", lambda received, wire: wire.send(b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n")
    )
    with connect(passing_edge) as client:
        for _ in range(3):
            got = client.ask("/nothing", host="open.test")
            assert (got.status, got.body, got.values("x-a")) == (204, b"", ["b"])
            assert got.values("content-length") == got.values("transfer-encoding") == []


# --- interim answers ---------------------------------------------------------------------------


def test_an_interim_answer_is_passed_on_and_then_the_final_one(passing_edge: Edge) -> None:
    with connect(passing_edge) as client:
        got = client.ask("/interim", host="open.test")
        assert (got.interim, got.status, got.body) == ((102,), 200, b"final")


def test_early_hints_reach_the_client_without_what_an_origin_may_not_say(passing_edge: Edge) -> None:
    with connect(passing_edge) as client:
        client.send(b"GET /early-hints HTTP/1.1\r\nHost: open.test\r\nConnection: close\r\n\r\n")
        octets = client.read_until_close()
    assert octets.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
    assert POISON not in octets
    assert b"h3=" not in octets


def test_100_continue_comes_from_the_origin(passing_edge: Edge) -> None:
    expecting = b"POST %b HTTP/1.1\r\nHost: open.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    with connect(passing_edge) as client:
        client.send(expecting % b"/accept-continue")
        octets = client.read()
        assert octets == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"body")
        assert client.read_answer("POST").body.startswith(b"4 ")
    with connect(passing_edge) as client:
        client.send(expecting % b"/refuse-continue")
        got = client.read_answer("POST")
        assert (got.status, got.interim, got.body) == (417, (), b"no")
        assert client.read() == b"", "the body that never came must not be read as a request"


# --- early answers -----------------------------------------------------------------------------


def test_an_early_answer_to_a_big_upload_reaches_curl(passing_edge: Edge) -> None:
    for _ in range(5):
        got = curl_upload(passing_edge, "/early-answer", 64 * MEBIBYTE, "--write-out", " %{http_code}")
        assert got.body == b"enough 413", got.exit_code


def test_an_early_answer_reaches_a_client_that_sends_everything_first(passing_edge: Edge) -> None:
    size = 8 * MEBIBYTE
    with connect(passing_edge) as client:
        client.send(
            f"POST /early-answer HTTP/1.1\r\nHost: open.test\r\nContent-Length: {size}\r\n\r\n".encode()
        )
        for block in blocks(size):
            client.send(block)
        got = client.read_answer("POST")
    assert (got.status, got.body) == (413, b"enough")


# --- heads -------------------------------------------------------------------------------------


NO_CONTENT = b"Content-Length: 0\r\n\r\n"


def many_fields(count: int, size: int) -> bytes:
    return b"".join(b"X-Field-%d: %b\r\n" % (number, b"v" * size) for number in range(count))


def test_a_big_head_of_the_origin_is_passed_on(passing_edge: Edge, talking_origin: Origin) -> None:
    fields = many_fields(90, 300)
    talking_origin.on("/big-head", lambda received, wire: wire.send(OK + fields + NO_CONTENT))
    with connect(passing_edge) as client:
        got = client.ask("/big-head", host="open.test")
        assert got.status == 200
        assert got.values("x-field-89") == ["v" * 300]


@pytest.mark.parametrize(("count", "size"), [(101, 1), (2, 20_000), (1, 100_000)])
def test_a_head_of_the_origin_beyond_the_limits_is_a_502(
    passing_edge: Edge, talking_origin: Origin, count: int, size: int
) -> None:
    fields = many_fields(count, size)
    talking_origin.on("/huge-head", lambda received, wire: wire.send(OK + fields + NO_CONTENT))
    with connect(passing_edge) as client:
        got = client.ask("/huge-head", host="open.test")
        assert (got.status, json.loads(got.body)["reason"]) == (502, "origin_bad_response")


def test_repeated_fields_keep_their_order_and_number(passing_edge: Edge, talking_origin: Origin) -> None:
    def cookies(received: Received, wire: Wire) -> None:
        answer(wire, b"", *(("Set-Cookie", f"c{number}=v") for number in range(20)))

    talking_origin.on("/cookies", cookies)
    with connect(passing_edge) as client:
        client.send(b"GET /cookies HTTP/1.1\r\nHost: open.test\r\nX-A: 1\r\nX-B: b\r\nx-a: 2\r\nX-A:\r\n\r\n")
        got = client.read_answer()
    assert got.values("set-cookie") == [f"c{number}=v" for number in range(20)]
    (received,) = talking_origin.received("/cookies")
    assert received.values("x-a") == ["1", "2", ""]


# --- pipelining --------------------------------------------------------------------------------


def test_pipelined_requests_are_answered_in_order(passing_edge: Edge, talking_origin: Origin) -> None:
    count = 100
    requests = []
    for number in range(count):
        head = f"/echo?{number} HTTP/1.1\r\nHost: open.test\r\n"
        match number % 4:
            case 0:
                requests.append(f"GET {head}\r\n")
            case 1:
                requests.append(f"POST {head}Content-Length: 4\r\n\r\nGET ")
            case 2:
                requests.append(
                    f"POST {head}Transfer-Encoding: chunked\r\n\r\n6\r\n/ HTTP\r\n0\r\nX-T: v\r\n\r\n"
                )
            case _:
                requests.append(f"HEAD {head}\r\n")
    with connect(passing_edge) as client:
        client.send("".join(requests).encode())
        for number in range(count):
            got = client.read_answer("HEAD" if number % 4 == 3 else "GET")
            assert got.status == 200
            if number % 4 != 3:
                told = json.loads(got.body)
                assert told["target"] == f"/echo?{number}"
                assert told["body_size"] == (0, 4, 6)[number % 4]
    assert [received.target for received in talking_origin.received()] == [
        f"/echo?{number}" for number in range(count)
    ]


def test_a_request_pipelined_behind_a_slow_one_waits_for_its_turn(
    passing_edge: Edge, talking_origin: Origin
) -> None:
    slow = b"GET /sleep?seconds=0.5 HTTP/1.1\r\nHost: open.test\r\n\r\n"
    fast = b"GET /echo HTTP/1.1\r\nHost: open.test\r\n\r\n"
    with connect(passing_edge) as client:
        client.send(slow)
        talking_origin.wait_for("/sleep")
        client.send(fast + fast)
        assert [client.read_answer().body == b"slept" for _ in range(3)] == [True, False, False]


def test_what_follows_a_request_that_says_close_is_not_served(
    passing_edge: Edge, talking_origin: Origin
) -> None:
    with connect(passing_edge) as client:
        client.send(
            b"GET /echo HTTP/1.1\r\nHost: open.test\r\nConnection: close\r\n\r\n"
            b"GET /never HTTP/1.1\r\nHost: open.test\r\n\r\n"
        )
        assert client.read_until_close().count(b"HTTP/1.1 200 OK") == 1
    assert talking_origin.received("/never") == []


def test_a_pipelined_request_sees_no_octet_of_the_body_before_it(
    passing_edge: Edge, talking_origin: Origin
) -> None:
    """The origin answers and closes before the body came: what is left of it is no request."""

    def hasty(received: Received, wire: Wire) -> None:
        answer(wire, b"hasty")
        raise Hangup

    talking_origin.on("/hasty", hasty)
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: open.test\r\n\r\n"
    with connect(passing_edge) as client:
        client.send(
            b"POST /hasty HTTP/1.1\r\nHost: open.test\r\nContent-Length: %d\r\n\r\n" % (len(smuggled) + 1)
        )
        assert client.read_answer("POST").body == b"hasty"
        client.send(smuggled)
        assert client.read_until_close() == b""
    assert talking_origin.received("/smuggled") == []


def test_curl_uses_one_connection_for_many_requests(passing_edge: Edge) -> None:
    url = f"https://open.test:{passing_edge.port}/echo"
    got = curl(passing_edge, "/echo", url, url, host="open.test")
    assert got.status == 200
    assert got.verbose.count("Re-using existing connection") == 2
