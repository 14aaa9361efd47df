"""Origins on loopback: sockets that accept, that hang, and that nobody listens on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from OpenSSL import SSL

from edge.origin.endpoint import Endpoint, OriginTls
from edge.reactor.readiness import Readiness
from edge.reactor.stream import StreamBroken
from edge.tls.stream import TlsStream
from tests.unit.strands import Stage


class Listener:
    """A TCP server of which the test is the one who accepts."""

    def __init__(self, backlog: int = 512) -> None:
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.port: int = self.sock.getsockname()[1]
        self.endpoint = Endpoint("127.0.0.1", self.port)
        self._open = ExitStack()
        self._open.enter_context(self.sock)

    def accept(self) -> socket.socket:
        """Take the next connection; it is there already, or the test is wrong."""
        self.sock.settimeout(5)
        accepted, _ = self.sock.accept()
        return self._open.enter_context(accepted)

    def waiting(self) -> bool:
        """Whether a connection waits that was not accepted."""
        self.sock.setblocking(False)
        try:
            accepted, _ = self.sock.accept()
        except BlockingIOError:
            return False
        accepted.close()
        return True

    def close(self) -> None:
        """Close it and all its connections."""
        self._open.close()


def unused_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@contextmanager
def hanging() -> Iterator[Endpoint]:
    """An origin whose queue is full: the kernel drops what knocks."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield Endpoint("127.0.0.1", server.getsockname()[1])


@contextmanager
def tls_origin(
    stage: Stage, server_side: SSL.Context, client_side: SSL.Context, name: str, *, verify: bool = True
) -> Iterator[tuple[Endpoint, list[TlsStream]]]:
    """An origin that shakes hands with whoever comes, and the list of those it did it with."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:
        listener.setblocking(False)
        opened: list[TlsStream] = []

        def accept() -> None:
            sock = stack.enter_context(listener.accept()[0])
            sock.setblocking(False)
            strand = stage.strand()
            stream = TlsStream(sock, Readiness(sock.fileno(), strand), server_side)

            async def shake() -> None:
                try:
                    await stream.handshake(strand, stage.reactor.now() + 5)
                    opened.append(stream)
                except StreamBroken:
                    stream.close()

            strand.start(shake())

        stage.loop.add_reader(listener.fileno(), accept)
        endpoint = Endpoint(
            "127.0.0.1", listener.getsockname()[1], OriginTls(client_side, name, verify=verify)
        )
        yield endpoint, opened
        stage.loop.remove_reader(listener.fileno())
        for stream in opened:
            stream.close()
