"""Octets over a real pair of sockets: nothing lost, nothing twice, and an end is an end."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

import pytest

from edge.reactor.strand import Expired, Strand
from edge.reactor.stream import StreamBroken, TcpStream, send_all
from tests.unit.strands import Stage

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    with ours, theirs:
        yield ours, theirs


async def read_all(stream: TcpStream, strand: Strand, pause: float = 0.0) -> bytes:
    received = b""
    while True:
        octets = stream.try_read()
        if octets == b"":
            return received
        if octets is None:
            stream.want_read()
            await strand.parked(strand.reactor.now() + 5, "read")
        else:
            received += octets
            if pause:
                await strand.breathe()


def test_nothing_there_is_none_and_not_an_end(stage: Stage, pair: Pair) -> None:
    async def read(strand: Strand) -> bytes | None:
        stream = TcpStream(pair[0], strand)
        octets = stream.try_read()
        stream.close()
        return octets

    assert stage.play(read) is None


def test_a_shared_read_takes_no_more_than_it_is_asked_for(stage: Stage, pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(b"body and more")
    theirs.close()

    async def read(strand: Strand) -> list[bytes]:
        stream = TcpStream(ours, strand)
        pieces = [bytes(stream.try_read_shared(size) or b"") for size in (4, 100, 100)]
        stream.close()
        return pieces

    assert stage.play(read) == [b"body", b" and more", b""]


def test_a_shared_read_of_nothing_is_none_and_not_an_end(stage: Stage, pair: Pair) -> None:
    async def read(strand: Strand) -> object:
        stream = TcpStream(pair[0], strand)
        octets = stream.try_read_shared(4)
        stream.close()
        return octets

    assert stage.play(read) is None


def test_an_end_is_no_octets(stage: Stage, pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(b"last")
    theirs.close()

    async def read(strand: Strand) -> tuple[bytes | None, bytes | None]:
        stream = TcpStream(ours, strand)
        both = stream.try_read(), stream.try_read()
        stream.close()
        return both

    assert stage.play(read) == (b"last", b"")


def test_writing_to_a_peer_that_is_gone_is_broken(stage: Stage, pair: Pair) -> None:
    pair[1].close()

    async def write(strand: Strand) -> None:
        stream = TcpStream(pair[0], strand)
        try:
            stream.try_write(memoryview(b"x"))
        finally:
            stream.close()

    with pytest.raises(StreamBroken):
        stage.play(write)


def test_a_reset_connection_is_broken(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    accepted.setblocking(False)

    async def read(strand: Strand) -> bytes:
        stream = TcpStream(accepted, strand)
        try:
            return await read_all(stream, strand)
        finally:
            stream.close()

    with pytest.raises(StreamBroken, match="reset"):
        stage.play(read)


def test_everything_is_sent_however_slowly_the_peer_reads(stage: Stage, pair: Pair) -> None:
    ours, theirs = pair
    sent = os.urandom(1 << 20)
    reader = stage.strand()
    received: list[bytes] = []

    async def collect() -> None:
        stream = TcpStream(theirs, reader)
        received.append(await read_all(stream, reader, pause=1))
        stream.close()

    async def send(strand: Strand) -> None:
        stream = TcpStream(ours, strand)
        reader.start(collect())
        await send_all(stream, strand, sent, 5.0, "write")
        stream.close()

    stage.play(send)
    stage.let_pass(0.1)
    assert received == [sent]


def test_sending_to_a_peer_that_reads_nothing_expires(stage: Stage, pair: Pair) -> None:
    async def send(strand: Strand) -> None:
        stream = TcpStream(pair[0], strand)
        try:
            await send_all(stream, strand, bytes(1 << 20), 0.1, "client_write")
        finally:
            stream.close()

    with pytest.raises(Expired, match="client_write"):
        stage.play(send)


def test_who_takes_a_little_now_and_then_does_not_buy_more_time(stage: Stage, pair: Pair) -> None:
    ours, theirs = pair

    async def send(strand: Strand) -> None:
        stream = TcpStream(ours, strand)
        try:
            await send_all(stream, strand, bytes(1 << 20), 0.5, "client_write")
        finally:
            stream.close()

    def sip() -> None:
        with suppress(BlockingIOError):
            theirs.recv(4096)
        stage.loop.call_later(0.05, sip)

    stage.loop.call_soon(sip)
    with pytest.raises(Expired, match="client_write"):
        stage.play(send)


def test_nothing_to_send_is_sent_at_once(stage: Stage, pair: Pair) -> None:
    async def send(strand: Strand) -> None:
        stream = TcpStream(pair[0], strand)
        await send_all(stream, strand, b"", 0.0, "nothing")
        stream.close()

    stage.play(send)


def test_a_closed_stream_lets_go_of_its_descriptor(stage: Stage, pair: Pair) -> None:
    async def close(strand: Strand) -> None:
        stream = TcpStream(pair[0], strand)
        stream.want_read()
        stream.want_write()
        stream.close()

    stage.play(close)
    assert pair[0].fileno() == -1
