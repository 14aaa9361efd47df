"""A crowd of clients, good and bad, all at once: who is good must be served, whatever the others do.

Each client is one function; ``GOOD`` ones check what they get, ``BAD`` ones leave a mess behind.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import h11

from tests.certificates import Credential
from tests.e2e.clients import TlsClient, raw_tls
from tests.e2e.edge_process import Edge
from tests.e2e.key_updates import KeyUpdater
from tests.e2e.tls_client import TlsRefused, client_hello

HOST = "open.test"


def upgrade_request(host: str) -> bytes:
    """A request for a WebSocket that echoes."""
    return (
        f"GET /websocket HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()


UPGRADE = upgrade_request(HOST)
MASKED_HELLO, HELLO = b"\x81\x85\0\0\0\0hello", b"\x81\x05hello"


@dataclass
class Crowd:
    """Clients of one edge. ``known`` has a good certificate for ``a.test``, ``stranger`` a bad one."""

    edge: Edge
    known: Credential
    stranger: Credential
    failures: list[str] = field(default_factory=list)
    visits: int = 0

    def visit(self, seconds: float, threads: int = 12) -> None:
        """Let them come for so long."""
        end = time.monotonic() + seconds
        turns = itertools.cycle(
            [client for pair in itertools.zip_longest(GOOD, BAD) for client in pair if client]
        )
        lock = threading.Lock()

        def come() -> None:
            while time.monotonic() < end:
                with lock:
                    client = next(turns)
                    self.visits += 1
                self._come(client)

        crowd = [threading.Thread(target=come, name=f"crowd-{number}") for number in range(threads)]
        for thread in crowd:
            thread.start()
        for thread in crowd:
            thread.join()

    def _come(self, client: Client) -> None:
        try:
            client(self)
        except (OSError, TlsRefused, h11.RemoteProtocolError) as error:
            if client in GOOD:
                self.failures.append(f"{client.__name__}: {error!r}")
        except AssertionError as error:
            self.failures.append(f"{client.__name__}: {error}")

    def connect(self) -> TlsClient:
        """A connection to the host without client certificates."""
        return raw_tls(self.edge, HOST)

    def plain(self) -> socket.socket:
        """A connection without TLS."""
        return socket.create_connection(("127.0.0.1", self.edge.port), timeout=10)


Client = Callable[[Crowd], None]


def request(path: str, *lines: str, method: str = "GET") -> bytes:
    """The head of a request."""
    return "\r\n".join((f"{method} {path} HTTP/1.1", f"Host: {HOST}", *lines, "", "")).encode()


def reset(sock: socket.socket) -> None:
    """Close with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# --- good --------------------------------------------------------------------------------------


def asks_again_and_again(crowd: Crowd) -> None:
    with crowd.connect() as client:
        for method in ("GET", "HEAD", "GET", "OPTIONS"):
            assert client.ask("/echo", host=HOST, method=method).status == 200
            time.sleep(0.01)


def shows_its_certificate(crowd: Crowd) -> None:
    with raw_tls(crowd.edge, "a.test", crowd.known) as client:
        assert client.ask("/james").status == 200


def pipelines(crowd: Crowd) -> None:
    with crowd.connect() as client:
        client.send(b"".join(request(f"/echo/{number}") for number in range(70)))
        for number in range(70):
            got = client.read_answer()
            assert f'"/echo/{number}"'.encode() in got.body, got


def uploads(crowd: Crowd) -> None:
    block = bytes(range(256)) * 64
    with crowd.connect() as client:
        client.send(request("/upload", "Transfer-Encoding: chunked", method="POST"))
        for _ in range(20):
            client.send(b"%x\r\n%b\r\n" % (len(block), block))
        client.send(b"0\r\n\r\n")
        digest = hashlib.sha256(block * 20).hexdigest()
        got = client.read_answer("POST")
        assert got.body == f"{20 * len(block)} {digest}".encode(), got


def downloads(crowd: Crowd) -> None:
    with crowd.connect() as client:
        for framing in ("chunked", "length", "close"):
            got = client.ask(f"/download?size=500000&framing={framing}", host=HOST)
            assert len(got.body) == 500_000, (framing, got.status, got.body[:300])


def talks_through_a_tunnel(crowd: Crowd) -> None:
    with crowd.connect() as client:
        client.send(UPGRADE)
        octets = b""
        for count in range(1, 6):
            client.send(MASKED_HELLO)
            while octets.count(HELLO) < count:
                data = client.read()
                assert data, "the tunnel ended"
                octets += data


def ends_its_half_and_waits(crowd: Crowd) -> None:
    with crowd.connect() as client:
        client.send(request("/sleep?seconds=0.1"))
        client.tls.shutdown()
        client.send_raw(client.tls.bio_read(4096))
        assert client.read_answer().body == b"slept"


GOOD: tuple[Client, ...] = (
    asks_again_and_again,
    shows_its_certificate,
    pipelines,
    uploads,
    downloads,
    talks_through_a_tunnel,
    ends_its_half_and_waits,
)


# --- bad ---------------------------------------------------------------------------------------


def leaves_in_the_hello(crowd: Crowd) -> None:
    for octets in (b"", b"\x16", client_hello(HOST)[:50], client_hello(HOST), b"GET / HTTP/1.1\r\n\r\n"):
        for leave in (reset, socket.socket.close):
            sock = crowd.plain()
            sock.sendall(octets)
            leave(sock)


def sends_an_urgent_octet(crowd: Crowd) -> None:
    with crowd.plain() as sock:
        sock.sendall(b"\x16\x03\x01")
        sock.send(b"\x02", socket.MSG_OOB)
        sock.sendall(b"A" * 100)
        sock.recv(1)


def asks_for_nobody(crowd: Crowd) -> None:
    with contextlib.suppress(TlsRefused), raw_tls(crowd.edge, "nobody.test"):
        raise AssertionError("served")


def shows_a_bad_certificate(crowd: Crowd) -> None:
    with raw_tls(crowd.edge, "a.test", crowd.stranger, with_chain=True) as client:
        assert client.ask("/").status == 403


def speaks_badly(crowd: Crowd) -> None:
    for octets in (
        b"BAD\r\n\r\n" + b"x" * 5000,
        b"GET / HTTP/1.1\r\n\r\n",
        request("/", "X: " + "a" * 40_000),
        request("/", "Content-Length: 1", "Transfer-Encoding: chunked"),
        request("/upload", "Transfer-Encoding: chunked", method="POST") + b"zz\r\n",
    ):
        with crowd.connect() as client:
            client.send(octets)
            assert client.read_answer().status in {400, 431}


def stops_in_the_head(crowd: Crowd) -> None:
    with crowd.connect() as client:
        client.send(b"GET / HT")
        assert client.read_answer().status == 408


def leaves_in_its_body(crowd: Crowd) -> None:
    for leave in (reset, socket.socket.close):
        with crowd.connect() as client:
            client.send(request("/upload", "Content-Length: 100000", method="POST") + b"x" * 30_000)
            leave(client.sock)


def leaves_before_its_answer(crowd: Crowd) -> None:
    for leave in (reset, socket.socket.close):
        with crowd.connect() as client:
            client.send(request("/sleep?seconds=0.3") * 3)
            time.sleep(0.05)
            leave(client.sock)


def leaves_in_its_answer(crowd: Crowd) -> None:
    for leave in (reset, socket.socket.close):
        with crowd.connect() as client:
            client.send(request("/download?size=20000000&framing=close"))
            client.read()
            leave(client.sock)


def leaves_its_tunnel(crowd: Crowd) -> None:
    for leave in (reset, socket.socket.close, lambda sock: sock.shutdown(socket.SHUT_WR)):
        with crowd.connect() as client:
            client.send(UPGRADE + MASKED_HELLO * 1000)
            client.read()
            leave(client.sock)


def changes_keys_for_ever(crowd: Crowd) -> None:
    updater = KeyUpdater(crowd.edge, HOST)
    with updater.client as client:
        client.send_raw(b"".join(updater.key_update(answer=True) for _ in range(500)))
        client.read()


def meets_a_bad_origin(crowd: Crowd) -> None:
    """Of the kinds that harm nobody else: what dies on a pooled connection is the next request's trouble."""
    for path in ("/close", "/garbage", "/both-framings", "/close-inside-head", "/switch-unasked"):
        with crowd.connect() as client:
            got = client.ask(path, host=HOST)
            assert got.status == 502, (path, got)
    for path in ("/short", "/stall", "/two-responses", "/head-with-body", "/early-answer"):
        with crowd.connect() as client, contextlib.suppress(TlsRefused, h11.RemoteProtocolError):
            for _ in range(2):
                client.ask(path, host=HOST)


BAD: tuple[Client, ...] = (
    leaves_in_the_hello,
    sends_an_urgent_octet,
    asks_for_nobody,
    shows_a_bad_certificate,
    speaks_badly,
    stops_in_the_head,
    leaves_in_its_body,
    leaves_before_its_answer,
    leaves_in_its_answer,
    leaves_its_tunnel,
    changes_keys_for_ever,
    meets_a_bad_origin,
)
