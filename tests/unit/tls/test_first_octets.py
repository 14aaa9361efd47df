"""Of a PROXY header exactly its octets are taken; what is behind it stays for the next to read."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from edge.reactor.readiness import Readiness
from edge.reactor.strand import Expired, Strand
from edge.reactor.stream import StreamBroken
from edge.tls.client_hello import ClientHello
from edge.tls.first_octets import has_ended, peek_client_hello, take_proxy_header
from edge.tls.proxy_protocol import ProxyHeaderError
from tests.unit.strands import Stage
from tests.unit.tls.hellos import message, pyopenssls, records, server_name
from tests.unit.tls.proxy_headers import addition, binary, line, with_checksum

HELLO = pyopenssls("a.test", [])
HEADERS = [line(), with_checksum(binary(additions=addition(4, bytes(300))))]
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A real TCP connection: the low-water mark means nothing on others."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    for sock in (ours, theirs):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with ours, theirs:
        yield ours, theirs


def meet(stage: Stage, sock: socket.socket, seconds: float = 5.0) -> tuple[str, ClientHello]:
    async def look(strand: Strand) -> tuple[str, ClientHello]:
        readiness = Readiness(sock.fileno(), strand)
        deadline = stage.reactor.now() + seconds
        try:
            header = await take_proxy_header(sock, readiness, strand, deadline)
            return str(header.client), await peek_client_hello(sock, readiness, strand, deadline)
        finally:
            readiness.close()

    return stage.play(look)


@pytest.mark.parametrize("header", HEADERS)
def test_the_header_is_taken_and_the_hello_behind_it_stays(stage: Stage, pair: Pair, header: bytes) -> None:
    ours, theirs = pair
    theirs.send(header + HELLO)
    assert meet(stage, ours) == ("192.0.2.1", ClientHello("a.test", None))
    assert ours.recv(65536) == HELLO


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("step", [1, 7, 100])
def test_a_header_that_comes_in_pieces_is_read(stage: Stage, pair: Pair, header: bytes, step: int) -> None:
    ours, theirs = pair
    hello = message(server_name(b"a.test"))
    wire = header + records(hello, [])

    def send(at: int) -> None:
        theirs.send(wire[at : at + step])
        if at + step < len(wire):
            stage.loop.call_later(0.001, send, at + step)

    stage.loop.call_soon(send, 0)
    assert meet(stage, ours) == ("192.0.2.1", ClientHello("a.test", None))
    assert ours.recv(65536) == records(hello, [])


@pytest.mark.parametrize("sent", [b"", *(header[:-1] for header in HEADERS)])
def test_a_header_that_never_ends_expires(stage: Stage, pair: Pair, sent: bytes) -> None:
    ours, theirs = pair
    theirs.send(sent)
    with pytest.raises(Expired, match="handshake"):
        meet(stage, ours, seconds=0.1)


@pytest.mark.parametrize("sent", [b"", *(header[:-1] for header in HEADERS)])
def test_a_proxy_that_leaves_in_the_middle_is_gone(stage: Stage, pair: Pair, sent: bytes) -> None:
    ours, theirs = pair
    theirs.send(sent)
    stage.loop.call_later(0.02, theirs.close)
    with pytest.raises(StreamBroken, match="PROXY header"):
        meet(stage, ours)


def test_a_hello_is_no_header(stage: Stage, pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(HELLO)
    with pytest.raises(ProxyHeaderError):
        meet(stage, ours)


def test_an_end_is_noticed_behind_octets_that_nobody_read(pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(HELLO)
    assert not has_ended(ours)
    theirs.close()
    assert has_ended(ours)
