"""WebSocket through the edge: after the policy and never before, for as long as the certificate lives."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.certificates import Authority, CredentialFiles
from tests.e2e.behaviours import POISON
from tests.e2e.bulk import MEBIBYTE
from tests.e2e.clients import TlsClient, raw_tls
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Hangup, Origin, Received, Wire
from tests.e2e.resources import MemoryWatch, processor_seconds

SECONDS = 20
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The pair of RFC 6455 1.3."""
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n\r\n"
)


@contextlib.contextmanager
def websocket(
    edge: Edge, cert: CredentialFiles | None, path: str = "/websocket", host: str = "a.test"
) -> Iterator[ClientConnection]:
    context = ssl.create_default_context(cafile=edge.server_ca)
    if cert is not None:
        context.load_cert_chain(cert.certificate, cert.key)
    sock = socket.create_connection(("127.0.0.1", edge.port), SECONDS)
    with connect(
        f"wss://{host}{path}", sock=sock, ssl=context, proxy=None, max_size=None, open_timeout=SECONDS
    ) as client:
        yield client


Fields = dict[str, str | None]


def upgrade(path: str = "/websocket", host: str = "open.test", changed: Fields | None = None) -> bytes:
    """An upgrade request; in ``changed`` None leaves a field out, and a text is said instead."""
    fields: Fields = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY,
    }
    fields.update(changed or {})
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def read_head(client: TlsClient) -> bytes:
    octets = b""
    while b"\r\n\r\n" not in octets:
        data = client.read()
        assert data, octets
        octets += data
    return octets


def test_text_and_binary_messages_go_both_ways(edge: Edge, origin: Origin, client_a: CredentialFiles) -> None:
    with websocket(edge, client_a) as client:
        for message in ("text", "", "Grüße", b"\x00\xff", b""):
            client.send(message)
            assert client.recv(timeout=SECONDS) == message
        client.ping().wait(SECONDS)
    event = edge.wait_for_event("request", path="/websocket", status=101)
    assert event["bytes_in"] > 0
    assert origin.received("/websocket")[0].value("mtls-authenticated") == "true"


def test_large_messages_come_whole_and_cost_no_memory(
    edge: Edge, origin: Origin, client_a: CredentialFiles
) -> None:
    message = bytes(range(256)) * (8 * MEBIBYTE // 256)
    with websocket(edge, client_a) as client:
        with MemoryWatch(edge) as memory:
            for _ in range(4):
                client.send(message)
                assert client.recv(timeout=SECONDS) == message
        assert memory.growth_mib < 16


def test_many_messages_on_the_way_at_once_keep_their_order(
    edge: Edge, origin: Origin, client_a: CredentialFiles
) -> None:
    with websocket(edge, client_a) as client:
        messages = [str(number) * 100 for number in range(2000)]
        threading.Thread(target=lambda: deque(map(client.send, messages)), daemon=True).start()
        assert [client.recv(timeout=SECONDS) for _ in messages] == messages


def test_a_closing_handshake_ends_both_sides(edge: Edge, origin: Origin, client_a: CredentialFiles) -> None:
    with websocket(edge, client_a) as client:
        client.close(1000, "enough")
        assert client.close_code == 1000


# --- the policy first --------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/websocket", "/james/websocket", "/closed/websocket"])
def test_without_a_certificate_there_is_no_tunnel(edge: Edge, origin: Origin, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused, websocket(edge, None, path):
        pass
    assert refused.value.response.status_code == 403
    assert origin.received() == []


def test_a_policy_that_says_no_opens_no_tunnel(
    edge: Edge, origin: Origin, client_a: CredentialFiles, client_b: CredentialFiles
) -> None:
    for cert, path in ((client_a, "/closed/websocket"), (client_b, "/websocket")):
        with pytest.raises(InvalidStatus) as refused, websocket(edge, cert, path):
            pass
        assert refused.value.response.status_code == 403
    assert origin.received() == []


def test_what_a_refused_client_sends_after_its_upgrade_is_no_tunnel(edge: Edge, origin: Origin) -> None:
    smuggled = b"GET /public/smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"
    with raw_tls(edge, "a.test") as client:
        client.send(upgrade("/closed", host="a.test") + smuggled)
        assert client.read_answer().status == 403
        assert client.read_answer().status == 200, "it is the next request, and judged as one"
    assert [received.path for received in origin.received()] == ["/public/smuggled"]


def test_an_origin_that_does_not_upgrade_gets_no_tunnel(edge: Edge, origin: Origin) -> None:
    """After an answer that is no 101 the client's octets are requests, each judged for itself."""
    with raw_tls(edge, "a.test") as client:
        client.send(upgrade("/public/echo", host="a.test"))
        client.send(b"GET /closed HTTP/1.1\r\nHost: a.test\r\n\r\n")
        client.send(b"GET /public/after HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert [client.read_answer().status for _ in range(3)] == [200, 403, 200]
    assert [received.path for received in origin.received()] == ["/public/echo", "/public/after"]


# --- the opening handshake ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Sec-WebSocket-Version", None),
        ("Sec-WebSocket-Version", "12"),
        ("Sec-WebSocket-Version", "13, 8"),
        ("Sec-WebSocket-Key", None),
        ("Sec-WebSocket-Key", "too-short"),
        ("Sec-WebSocket-Key", KEY[:-2]),
        ("Sec-WebSocket-Key", KEY + ", " + KEY),
        ("Content-Length", "4"),
    ],
)
def test_a_malformed_upgrade_is_a_400_and_reaches_no_origin(
    edge: Edge, origin: Origin, field: str, value: str | None
) -> None:
    with raw_tls(edge, "open.test") as client:
        client.send(upgrade(changed={field: value}))
        got = client.read_answer()
        assert (got.status, json.loads(got.body)["reason"]) == (400, "bad_request")
    assert origin.received() == []


@pytest.mark.parametrize(
    "changed", [{"Upgrade": "h2c"}, {"Upgrade": "websocket, h2c"}, {"Connection": "keep-alive"}]
)
def test_what_is_no_upgrade_to_websocket_reaches_the_origin_as_a_plain_request(
    edge: Edge, origin: Origin, changed: Fields
) -> None:
    with raw_tls(edge, "open.test") as client:
        client.send(upgrade("/echo", changed=changed))
        assert client.read_answer().status == 200
    (received,) = origin.received("/echo")
    assert received.values("upgrade") == received.values("connection") == []


@pytest.mark.parametrize(
    "answer",
    [
        SWITCHED.replace(ACCEPT, b"AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        SWITCHED.replace(b"Sec-WebSocket-Accept: " + ACCEPT + b"\r\n", b""),
        SWITCHED.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
        SWITCHED.replace(b"Connection: Upgrade", b"Connection: close"),
        SWITCHED.replace(b"HTTP/1.1", b"HTTP/1.0"),
        SWITCHED.replace(b"\r\n\r\n", b"\r\nContent-Length: 6\r\n\r\n"),
    ],
)
def test_an_origin_that_switches_wrongly_is_a_502(edge: Edge, origin: Origin, answer: bytes) -> None:
    def switch_wrongly(received: Received, wire: Wire) -> None:
        wire.send(answer + POISON)
        assert wire.receive() == b"", "octets of the client reached an origin without a tunnel"
        raise Hangup

    origin.on("/switch-wrongly", switch_wrongly)
    with raw_tls(edge, "open.test") as client:
        client.send(upgrade("/switch-wrongly") + b"\x81\x00")
        octets = client.read_until_close()
    assert octets.startswith(b"HTTP/1.1 502 ")
    assert POISON not in octets
    assert origin.unreadable == []


def test_426_is_passed_on(edge: Edge, origin: Origin) -> None:
    origin.on(
        "/426",
        lambda received, wire: wire.send(
            b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nContent-Length: 4\r\n\r\nnope"
        ),
    )
    with raw_tls(edge, "open.test") as client:
        client.send(upgrade("/426"))
        got = client.read_answer()
        assert (got.status, got.body, got.values("sec-websocket-version")) == (426, b"nope", ["13"])
        assert client.ask("/echo", host="open.test").status == 200


def test_octets_sent_right_behind_the_upgrade_and_the_101_are_not_lost(edge: Edge, origin: Origin) -> None:
    def early(received: Received, wire: Wire) -> None:
        wire.send(SWITCHED + b"origin first")
        assert wire.take_unread() + wire.receive() == b"client first"
        wire.send(b", then bye")
        raise Hangup

    origin.on("/early", early)
    with raw_tls(edge, "open.test") as client:
        client.send(upgrade("/early") + b"client first")
        octets = client.read_until_close()
        assert client.closed_cleanly
    assert octets.startswith(b"HTTP/1.1 101 ")
    assert octets.endswith(b"\r\n\r\norigin first, then bye")
    assert origin.unreadable == []


# --- the life of a tunnel ----------------------------------------------------------------------


def test_a_tunnel_ends_when_the_certificate_does(
    edge: Edge, origin: Origin, ca_a: Authority, tmp_path: Path
) -> None:
    cert = ca_a.issue("James Royal", not_after=timedelta(seconds=4)).write(tmp_path, "short")
    with websocket(edge, cert) as client:
        client.send("still good")
        assert client.recv(timeout=SECONDS) == "still good"
        began = time.monotonic()
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=SECONDS)
        assert time.monotonic() - began < 8
    edge.wait_for_event("request", path="/websocket", aborted="permission_ended")


def test_a_tunnel_outlives_every_limit_of_a_request(edge: Edge, origin: Origin) -> None:
    """A silent tunnel is no idle connection: the standard edge's limits are seconds here, not this long."""
    with raw_tls(edge, "open.test") as client:
        client.send(upgrade())
        assert read_head(client).startswith(b"HTTP/1.1 101 ")
        time.sleep(1)
        client.send(b"\x89\x80\0\0\0\0")  # a ping
        assert client.read() == b"\x8a\x00"


def tunnel_to(origin: Origin, ended: threading.Event) -> None:
    """Let ``/tunnel`` send without end and tell when its connection was closed."""

    def pour(received: Received, wire: Wire) -> None:
        wire.send(SWITCHED)
        try:
            while True:
                wire.send(bytes(65536))
        finally:
            ended.set()

    origin.on("/tunnel", pour)


def test_a_tunnel_whose_client_does_not_read_costs_neither_memory_nor_time(
    edge: Edge, origin: Origin
) -> None:
    ended = threading.Event()
    tunnel_to(origin, ended)
    with MemoryWatch(edge) as memory, raw_tls(edge, "open.test") as client:
        client.send(upgrade("/tunnel"))
        time.sleep(1)
        before = processor_seconds(edge)
        time.sleep(1)
        assert processor_seconds(edge) - before < 0.3
    assert memory.growth_mib < 16
    assert ended.wait(SECONDS), "the client is gone, and the origin was not told"


@pytest.mark.parametrize("goodbye", ["close_notify", "half_close"])
def test_a_client_that_will_send_no_more_and_does_not_read_costs_no_time(
    edge: Edge, origin: Origin, goodbye: str
) -> None:
    ended = threading.Event()
    tunnel_to(origin, ended)
    with raw_tls(edge, "open.test") as client:
        client.send(upgrade("/tunnel"))
        for _ in range(200):  # each wakes the edge, which fills what room is left, until there is none
            client.send(b"x")
            time.sleep(0.002)
        if goodbye == "close_notify":
            client.tls.shutdown()
            client.send_raw(client.tls.bio_read(4096) + b"and octets behind the end")
        client.sock.shutdown(socket.SHUT_WR)
        before = processor_seconds(edge)
        time.sleep(1)
        assert processor_seconds(edge) - before < 0.3
    assert ended.wait(SECONDS), "the client is gone, and the origin was not told"


def test_a_client_that_vanishes_ends_the_tunnel_at_the_origin(edge: Edge, origin: Origin) -> None:
    ended = threading.Event()

    def listen(received: Received, wire: Wire) -> None:
        wire.send(SWITCHED)
        with contextlib.suppress(OSError):
            wire.receive()
        ended.set()
        raise Hangup

    origin.on("/listen", listen)
    with raw_tls(edge, "open.test") as client:
        client.send(upgrade("/listen"))
        read_head(client)
    assert ended.wait(SECONDS)


def test_an_origin_that_vanishes_ends_the_tunnel_at_the_client(
    edge: Edge, origin: Origin, client_a: CredentialFiles
) -> None:
    with websocket(edge, client_a) as client:
        client.send("hello")
        assert client.recv(timeout=SECONDS) == "hello"
        origin.hang_up()
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=SECONDS)
