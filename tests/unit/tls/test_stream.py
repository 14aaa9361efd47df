"""TLS on real sockets and strands: the peeked hello stays, ends are told from breaks, nothing is lost."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
from OpenSSL import SSL

from edge.reactor.readiness import Readiness
from edge.reactor.strand import Expired, Strand
from edge.reactor.stream import StreamBroken, send_all
from edge.tls.client_hello import ClientHello, ClientHelloError
from edge.tls.first_octets import peek_client_hello, refuse_with_alert
from edge.tls.stream import TlsStream
from tests.certificates import Authority
from tests.unit.strands import Stage
from tests.unit.tls.hellos import message, pyopenssls, records, server_name
from tests.unit.tls.pairs import bundle_of, client_context, host_context

ROOT = Authority("Root")
SERVER = host_context(Authority("Servers").issue_server("a.test"), bundle_of(ROOT))
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


def peek(stage: Stage, sock: socket.socket, seconds: float = 5.0) -> ClientHello:
    async def look(strand: Strand) -> ClientHello:
        readiness = Readiness(sock.fileno(), strand)
        try:
            return await peek_client_hello(sock, readiness, strand, stage.reactor.now() + seconds)
        finally:
            readiness.close()

    return stage.play(look)


# --- peeking -----------------------------------------------------------------------------------


def test_the_hello_is_read_and_left_where_it_is(stage: Stage, pair: Pair) -> None:
    ours, theirs = pair
    hello = pyopenssls("a.test", [b"http/1.1"])
    theirs.send(hello)
    assert peek(stage, ours) == ClientHello("a.test", (b"http/1.1",))
    assert ours.recv(65536) == hello


@pytest.mark.parametrize("step", [1, 7, 100])
def test_a_hello_that_comes_in_pieces_is_read(stage: Stage, pair: Pair, step: int) -> None:
    ours, theirs = pair
    hello = records(message(server_name(b"a.test")), [20, 1, 1])

    def send(at: int) -> None:
        theirs.send(hello[at : at + step])
        if at + step < len(hello):
            stage.loop.call_later(0.002, send, at + step)

    stage.loop.call_soon(send, 0)
    assert peek(stage, ours) == ClientHello("a.test", None)
    assert ours.recv(65536) == hello


def test_a_part_of_a_hello_does_not_keep_the_worker_busy(stage: Stage, pair: Pair) -> None:
    ours, theirs = pair
    hello = pyopenssls("a.test", [])
    looks: list[int] = []

    async def look(strand: Strand) -> None:
        readiness = Readiness(ours.fileno(), strand)
        resume = strand.resume
        strand_looks = looks.append

        class Counting(Strand):
            def resume(self, error: Exception | None = None) -> None:
                strand_looks(1)
                resume(error)

        readiness.move_to(Counting(stage.reactor))
        theirs.send(hello[:100])
        stage.loop.call_later(0.2, theirs.send, hello[100:])
        await peek_client_hello(ours, readiness, strand, stage.reactor.now() + 5)
        readiness.close()

    stage.play(look)
    assert len(looks) <= 3


def test_a_hello_that_never_ends_expires(stage: Stage, pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(pyopenssls("a.test", [])[:-1])
    with pytest.raises(Expired, match="handshake"):
        peek(stage, ours, seconds=0.1)


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01", pyopenssls("a.test", [])[:-1]])
def test_a_client_that_leaves_in_the_middle_is_gone(stage: Stage, pair: Pair, sent: bytes) -> None:
    ours, theirs = pair
    theirs.send(sent)
    stage.loop.call_later(0.02, theirs.close)
    with pytest.raises(StreamBroken):
        peek(stage, ours)


def test_what_is_no_hello_is_refused(stage: Stage, pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ClientHelloError):
        peek(stage, ours)


def test_a_refused_client_reads_the_alert_and_then_the_end(pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(pyopenssls("a.test", []))
    refuse_with_alert(ours, 112)
    ours.close()
    theirs.setblocking(True)
    assert theirs.recv(100) == b"\x15\x03\x03\x00\x02\x02\x70"
    assert theirs.recv(100) == b""


def test_refusing_a_client_that_is_gone_is_no_error(pair: Pair) -> None:
    ours, theirs = pair
    theirs.close()
    refuse_with_alert(ours, 112)
    refuse_with_alert(ours, 112)


# --- the open stream ---------------------------------------------------------------------------


class Ends:
    """Both ends of one TLS connection over real sockets, each on a strand of its own."""

    def __init__(
        self, stage: Stage, pair: Pair, kind: type[TlsStream], *, record_octets: int = 16384
    ) -> None:
        self.stage = stage
        self.server_strand, self.client_strand = stage.strand(), stage.strand()
        ours, theirs = pair
        self.server = kind(
            ours, Readiness(ours.fileno(), self.server_strand), SERVER, record_octets=record_octets
        )
        self.client = kind(
            theirs,
            Readiness(theirs.fileno(), self.client_strand),
            client_context(ROOT.issue()),
            as_client=True,
            server_name="a.test",
        )

    async def open(self, strand: Strand) -> None:
        """Shake hands on both ends; ``strand`` drives the server's."""
        self.server.readiness.move_to(strand)

        async def client() -> None:
            await self.client.handshake(self.client_strand, self.stage.reactor.now() + 5)

        self.client_strand.start(client())
        await self.server.handshake(strand, self.stage.reactor.now() + 5)

    def close(self) -> None:
        self.server.close()
        self.client.close()


async def read_until_end(stream: TlsStream, strand: Strand) -> bytes:
    received = bytearray()
    while True:
        octets = stream.try_read()
        if octets == b"":
            return bytes(received)
        if octets is None:
            stream.want_read()
            await strand.parked(strand.reactor.now() + 5, "read")
        else:
            received += octets


def test_a_handshake_settles_the_facts(stage: Stage, pair: Pair, kind: type[TlsStream]) -> None:
    ends = Ends(stage, pair, kind)
    stage.play(ends.open)
    assert (ends.server.server_name, ends.server.version, ends.server.resumed) == ("a.test", "TLSv1.3", False)
    assert ends.server.cipher.startswith("TLS_")
    assert ends.server.log.verified
    ends.close()


def test_a_handshake_that_stalls_expires(stage: Stage, pair: Pair, kind: type[TlsStream]) -> None:
    ends = Ends(stage, pair, kind)

    async def open_alone(strand: Strand) -> None:
        ends.server.readiness.move_to(strand)
        await ends.server.handshake(strand, stage.reactor.now() + 0.1)

    with pytest.raises(Expired, match="handshake"):
        stage.play(open_alone)
    ends.close()


def test_a_handshake_that_breaks_has_openssls_reason(stage: Stage, pair: Pair, kind: type[TlsStream]) -> None:
    ends = Ends(stage, pair, kind)
    pair[1].send(b"GET / HTTP/1.1\r\n\r\n")

    async def open_alone(strand: Strand) -> None:
        ends.server.readiness.move_to(strand)
        await ends.server.handshake(strand, stage.reactor.now() + 5)

    with pytest.raises(StreamBroken, match="http request"):
        stage.play(open_alone)
    ends.close()


@pytest.mark.parametrize("record_octets", [512, 16384])
def test_a_large_answer_arrives_whole_whatever_the_record_size(
    stage: Stage, pair: Pair, kind: type[TlsStream], record_octets: int
) -> None:
    ends = Ends(stage, pair, kind, record_octets=record_octets)
    sent = os.urandom(3 << 20)
    received: list[bytes] = []

    async def read() -> None:
        received.append(await read_until_end(ends.client, ends.client_strand))

    async def serve(strand: Strand) -> None:
        await ends.open(strand)
        ends.client_strand.start(read())
        await send_all(ends.server, strand, sent, 5.0, "write")
        ends.server.end()

    stage.play(serve)
    stage.let_pass(0.3)
    assert received == [sent]
    ends.close()


def test_a_write_that_is_cut_short_goes_on_where_it_stopped(
    stage: Stage, pair: Pair, kind: type[TlsStream]
) -> None:
    """OpenSSL wants the same octets again; a new view of them must do."""
    ends = Ends(stage, pair, kind)
    sent = os.urandom(8 << 20)

    async def write(strand: Strand) -> int:
        await ends.open(strand)
        rest = memoryview(sent)
        while written := ends.server.try_write(rest):
            rest = rest[written:]
        assert ends.server.try_write(rest) == 0
        return len(sent) - len(rest)

    first = stage.play(write)
    assert 0 < first < len(sent)
    received = bytearray()

    async def finish(strand: Strand) -> None:
        ends.server.readiness.move_to(strand)
        ends.client.readiness.move_to(strand)
        rest = memoryview(bytes(sent))[first:]
        while len(received) < len(sent):
            moved = ends.server.try_write(rest) if rest else 0
            rest = rest[moved:]
            octets = ends.client.try_read()
            if octets:
                received.extend(octets)
            elif not moved:
                ends.client.want_read()
                await strand.parked(stage.reactor.now() + 5, "move")

    stage.play(finish)
    assert bytes(received) == sent
    ends.close()


def test_a_close_notify_is_an_end_and_later_reads_are_too(
    stage: Stage, pair: Pair, kind: type[TlsStream]
) -> None:
    ends = Ends(stage, pair, kind)

    async def serve(strand: Strand) -> bytes:
        await ends.open(strand)
        ends.client.try_write(memoryview(b"bye"))
        ends.client.end()
        received = await read_until_end(ends.server, strand)
        assert ends.server.try_read() == b""
        return received

    assert stage.play(serve) == b"bye"
    ends.close()


def test_an_end_without_close_notify_is_an_end_too(stage: Stage, pair: Pair, kind: type[TlsStream]) -> None:
    ends = Ends(stage, pair, kind)

    async def serve(strand: Strand) -> bytes:
        await ends.open(strand)
        ends.client.try_write(memoryview(b"bye"))
        ends.client.close()
        return await read_until_end(ends.server, strand)

    assert stage.play(serve) == b"bye"
    ends.close()


def test_octets_that_were_tampered_with_break_the_stream(
    stage: Stage, pair: Pair, kind: type[TlsStream]
) -> None:
    ends = Ends(stage, pair, kind)

    async def serve(strand: Strand) -> None:
        await ends.open(strand)
        pair[1].send(b"\x17\x03\x03\x00\x20" + os.urandom(32))
        await read_until_end(ends.server, strand)

    with pytest.raises(StreamBroken):
        stage.play(serve)
    ends.close()


def test_writing_after_a_break_is_broken_and_not_a_crash(
    stage: Stage, pair: Pair, kind: type[TlsStream]
) -> None:
    ends = Ends(stage, pair, kind)

    async def serve(strand: Strand) -> None:
        await ends.open(strand)
        pair[1].send(b"\x17\x03\x03\x00\x20" + os.urandom(32))
        with pytest.raises(StreamBroken):
            await read_until_end(ends.server, strand)
        ends.server.try_write(memoryview(b"x"))

    with pytest.raises(StreamBroken):
        stage.play(serve)
    ends.server.end()
    ends.close()


def test_a_peer_that_closed_its_socket_has_left_and_one_that_half_closed_tls_has_not(
    stage: Stage, pair: Pair, kind: type[TlsStream]
) -> None:
    ends = Ends(stage, pair, kind)

    async def serve(strand: Strand) -> list[bool]:
        await ends.open(strand)
        ends.client.connection.shutdown()
        await read_until_end(ends.server, strand)
        told = [ends.server.peer_has_left()]
        ends.client.close()
        told.append(ends.server.peer_has_left())
        return told

    assert stage.play(serve) == [False, True]
    ends.close()


def test_ending_twice_or_after_the_peer_is_no_error(stage: Stage, pair: Pair, kind: type[TlsStream]) -> None:
    ends = Ends(stage, pair, kind)
    stage.play(ends.open)
    ends.client.close()
    ends.server.end()
    ends.server.end()
    ends.close()


def test_a_client_without_a_name_has_none(stage: Stage, pair: Pair, kind: type[TlsStream]) -> None:
    ends = Ends(stage, pair, kind)
    ends.client = kind(
        pair[1], Readiness(pair[1].fileno(), ends.client_strand), client_context(), as_client=True
    )
    stage.play(ends.open)
    assert ends.server.server_name is None
    ends.close()


def test_version_1_2_is_told(stage: Stage, pair: Pair, kind: type[TlsStream]) -> None:
    ends = Ends(stage, pair, kind)
    context = client_context(version=SSL.TLS1_2_VERSION)
    ends.client = kind(
        pair[1],
        Readiness(pair[1].fileno(), ends.client_strand),
        context,
        as_client=True,
        server_name="a.test",
    )
    stage.play(ends.open)
    assert ends.server.version == "TLSv1.2"
    ends.close()
