"""A client process: ``probe`` looks at a server, ``idle`` holds connections, ``download`` reads bodies.

It prints one line of JSON. Its ``OPENSSL_CONF`` says what it offers in the handshake.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from OpenSSL import SSL

from comparison.setting import BULK_PATH, HOST, REFUSED_PATH, Pki
from edge.tls.openssl import session_reused

SECONDS = 10.0
_PIECE = 65536


def client_context(pki: Pki, *, certificate: bool = True) -> SSL.Context:
    """Return a context for TLS 1.3 that judges the server."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.load_verify_locations(str(pki.server_ca))
    context.set_verify(SSL.VERIFY_PEER)
    if certificate:
        context.use_certificate_chain_file(str(pki.client))
        context.use_privatekey_file(str(pki.client_key))
    return context


@contextmanager
def connected(
    context: SSL.Context, port: int, session: SSL.Session | None = None
) -> Iterator[SSL.Connection]:
    """Connect and shake hands, blocking."""
    with socket.create_connection(("127.0.0.1", port), SECONDS) as sock:
        sock.settimeout(None)  # pyOpenSSL takes a descriptor as it is; a timeout would make it non-blocking
        limit = int(SECONDS).to_bytes(8, sys.byteorder) + bytes(8)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            sock.setsockopt(socket.SOL_SOCKET, option, limit)
        tls = SSL.Connection(context, sock)
        tls.set_connect_state()
        tls.set_tlsext_host_name(HOST.encode("ascii"))
        if session is not None:
            tls.set_session(session)
        tls.do_handshake()
        yield tls


def ask(tls: SSL.Connection, path: str) -> str:
    """Send a request, read the whole answer, and return its status."""
    tls.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode("ascii"))
    octets = b""
    while True:
        octets += tls.recv(_PIECE)
        head, end, body = octets.partition(b"\r\n\r\n")
        if end and len(body) >= content_length(head):
            return head[9:12].decode("latin-1")


def content_length(head: bytes) -> int:
    """Return the length of the body. Raises ``ValueError`` if the head does not say."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ValueError("an answer without Content-Length")


def probe(pki: Pki, port: int) -> dict[str, Any]:
    """Tell what the handshake is like, and whether the server keeps out whom it should."""
    context = client_context(pki)
    with connected(context, port) as tls:
        refused = ask(tls, REFUSED_PATH)
        seen = {
            "version": tls.get_protocol_version_name(),
            "cipher": tls.get_cipher_name(),
            "group": tls.get_group_name(),
        }
        session = tls.get_session()
        tls.set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)  # else the session is thrown away
    with connected(context, port, session) as tls:
        allowed = ask(tls, "/")
        resumed = session_reused(tls)
    stranger = "closed"
    with (
        suppress(SSL.Error, OSError),
        connected(client_context(pki, certificate=False), port) as tls,
    ):
        stranger = ask(tls, "/")
    return {**seen, "resumed": resumed, "refused": refused, "allowed": allowed, "stranger": stranger}


def idle(pki: Pki, port: int, connections: int) -> dict[str, Any]:
    """Hold connections that have asked once, until standard input ends."""
    context = client_context(pki)
    with ExitStack() as held:
        for _ in range(connections):
            ask(held.enter_context(connected(context, port)), REFUSED_PATH)
        print("ready", flush=True)
        sys.stdin.read()
    return {"connections": connections}


class Download:
    """One connection that reads one body after the other."""

    def __init__(self, context: SSL.Context, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), SECONDS)
        self.sock.setblocking(False)
        self._tls = SSL.Connection(context, self.sock)
        self._tls.set_connect_state()
        self._tls.set_tlsext_host_name(HOST.encode("ascii"))
        self._buffer = bytearray(_PIECE)
        self._head = b""
        self._left = -1  # -1: within a head
        self._asked = False
        self.answers = self.octets = 0
        self.statuses: dict[str, int] = {}

    def go(self) -> int:
        """Read what there is; return what to wait for."""
        try:
            while True:
                if not self._asked:
                    self._tls.do_handshake()
                    self._tls.send(f"GET {BULK_PATH} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode("ascii"))
                    self._asked = True
                self._take(self._tls.recv_into(self._buffer))
        except SSL.WantReadError:
            return select.EPOLLIN
        except SSL.WantWriteError:
            return select.EPOLLOUT

    def _take(self, count: int) -> None:
        if self._left < 0:
            self._head += self._buffer[:count]
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._left, count, self._head = content_length(head), len(body), b""
            status = head[9:12].decode("latin-1")
            self.statuses[status] = self.statuses.get(status, 0) + 1
        self._left -= count
        self.octets += count
        if self._left == 0:
            self._left, self._asked = -1, False
            self.answers += 1


def download(pki: Pki, port: int, connections: int, seconds: float) -> dict[str, Any]:
    """Read bodies for some seconds; ``per_second`` is MiB."""
    context = client_context(pki)
    clients = [Download(context, port) for _ in range(connections)]
    errors: dict[str, int] = {}
    with select.epoll() as poll:
        by_number = {client.sock.fileno(): client for client in clients}
        for number, client in by_number.items():
            poll.register(number, client.go())
        began = time.perf_counter()
        while time.perf_counter() < began + seconds and by_number:
            for number, _ in poll.poll(0.1):
                try:
                    poll.modify(number, by_number[number].go())
                except (SSL.Error, OSError, ValueError) as error:
                    errors[type(error).__name__] = errors.get(type(error).__name__, 0) + 1
                    poll.unregister(number)
                    by_number.pop(number)
        lasted = time.perf_counter() - began
    for client in clients:
        client.sock.close()
    statuses: dict[str, int] = {}
    for client in clients:
        for status, count in client.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    mebibytes = sum(client.octets for client in clients) / 2**20
    return {
        "per_second": mebibytes / lasted,
        "answers": mebibytes,
        "statuses": statuses,
        "errors": errors,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("probe", "idle", "download"))
    parser.add_argument("--pki", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=1.0)
    arguments = parser.parse_args()
    pki, port = Pki(arguments.pki), arguments.port
    try:
        if arguments.what == "probe":
            result = probe(pki, port)
        elif arguments.what == "idle":
            result = idle(pki, port, arguments.connections)
        else:
            result = download(pki, port, arguments.connections, arguments.seconds)
    except (SSL.Error, OSError, ValueError) as error:
        raise SystemExit(f"{type(error).__name__}: {str(error.args)[:200]}") from None
    print(json.dumps(result))


if __name__ == "__main__":
    main()
