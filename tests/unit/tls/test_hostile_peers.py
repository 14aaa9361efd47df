"""Peers that only cost: long chains are cut short, urgent octets end the hello, a cut answer is no end."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from OpenSSL import SSL

from edge.reactor.readiness import Readiness
from edge.reactor.strand import Strand
from edge.reactor.stream import StreamBroken
from edge.tls.context import ClientCertificateMode
from edge.tls.first_octets import peek_client_hello
from edge.tls.stream import TlsStream
from edge.tls.verification import Verifier
from edge.trust.ca_bundle import der
from tests.certificates import Authority
from tests.unit.strands import Stage
from tests.unit.tls.hellos import pyopenssls
from tests.unit.tls.pairs import bundle_of, client_context, host_context, shake_hands

ROOT = Authority("Root")
SERVER = Authority("Servers").issue_server("a.test")
BUNDLE = bundle_of(ROOT)
CHAIN_TOO_LONG = 22
"""X509_V_ERR_CERT_CHAIN_TOO_LONG."""
Pair = tuple[socket.socket, socket.socket]


# --- chains ------------------------------------------------------------------------------------


def under(authority: Authority, intermediates: int) -> Authority:
    for number in range(intermediates):
        authority = authority.intermediate(f"Intermediate {number}")
    return authority


@pytest.mark.parametrize("intermediates", [0, 1, 4])
def test_a_chain_of_up_to_four_intermediates_is_verified(intermediates: int) -> None:
    credential = under(ROOT, intermediates).issue()
    assert shake_hands(host_context(SERVER, BUNDLE), client_context(credential)).log.verified


@pytest.mark.parametrize("intermediates", [5, 60])
@pytest.mark.parametrize("root", [ROOT, Authority("Somebody")])
def test_a_longer_chain_is_refused_unseen_whoever_signed_it(root: Authority, intermediates: int) -> None:
    log = shake_hands(host_context(SERVER, BUNDLE), client_context(under(root, intermediates).issue())).log
    assert not log.verified
    assert CHAIN_TOO_LONG in {code for _, code in log.errors}
    assert log.calls <= 8, "every certificate of the chain was looked at"


@pytest.mark.parametrize(("intermediates", "good"), [(4, True), (5, False)])
def test_a_chain_is_as_long_as_it_may_be_outside_of_a_handshake_too(intermediates: int, good: bool) -> None:
    credential = under(ROOT, intermediates).issue()
    chain = [der(certificate) for certificate in credential.chain]
    verification = Verifier(BUNDLE).verify_again(credential.certificate, chain)
    assert [error.code for error in verification.errors] == ([] if good else [CHAIN_TOO_LONG])


def test_a_host_that_requires_a_certificate_refuses_a_long_chain_in_the_handshake() -> None:
    context = host_context(SERVER, BUNDLE, ClientCertificateMode.REQUIRE)
    with pytest.raises(SSL.Error):
        shake_hands(context, client_context(under(ROOT, 60).issue()))


# --- the hello ---------------------------------------------------------------------------------


@pytest.fixture
def pair() -> Iterator[Pair]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    for sock in (ours, theirs):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize("before", [1, 3, 50])
def test_an_urgent_octet_in_the_hello_breaks_it_long_before_its_time(
    stage: Stage, pair: Pair, before: int
) -> None:
    ours, theirs = pair
    hello = pyopenssls("a.test", [])

    async def look(strand: Strand) -> None:
        readiness = Readiness(ours.fileno(), strand)
        theirs.send(hello[:before])
        stage.loop.call_later(0.03, theirs.send, hello[before : before + 1], socket.MSG_OOB)
        stage.loop.call_later(0.06, theirs.send, hello[before + 1 :])
        try:
            await peek_client_hello(ours, readiness, strand, stage.reactor.now() + 5)
        finally:
            readiness.close()

    with pytest.raises(StreamBroken, match="urgent"):
        stage.play(look)


# --- the end of what an origin says ------------------------------------------------------------


class Ends:
    """The edge as a client of an origin, over real sockets, each end on a strand of its own."""

    def __init__(self, stage: Stage, pair: Pair, kind: type[TlsStream]) -> None:
        self.stage = stage
        self.origin_strand, self.edge_strand = stage.strand(), stage.strand()
        ours, theirs = pair
        context = host_context(SERVER, None)
        self.origin = kind(theirs, Readiness(theirs.fileno(), self.origin_strand), context)
        self.edge = kind(ours, Readiness(ours.fileno(), self.edge_strand), client_context(), as_client=True)

    async def open(self, strand: Strand) -> None:
        self.edge.readiness.move_to(strand)

        async def accept() -> None:
            await self.origin.handshake(self.origin_strand, self.stage.reactor.now() + 5)

        self.origin_strand.start(accept())
        await self.edge.handshake(strand, self.stage.reactor.now() + 5)

    async def read_until_end(self, strand: Strand) -> bytes:
        received = b""
        while (octets := self.edge.try_read()) != b"":
            if octets is None:
                self.edge.want_read()
                await strand.parked(strand.reactor.now() + 5, "read")
            else:
                received += octets
        return received

    def close(self) -> None:
        self.origin.close()
        self.edge.close()


@pytest.mark.parametrize("reset", [False, True])
def test_an_origin_that_ends_without_close_notify_is_broken(
    stage: Stage, pair: Pair, kind: type[TlsStream], *, reset: bool
) -> None:
    ends = Ends(stage, pair, kind)

    async def read(strand: Strand) -> bytes:
        await ends.open(strand)
        ends.origin.try_write(memoryview(b"half"))
        if reset:
            pair[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        ends.origin.close()
        return await ends.read_until_end(strand)

    with pytest.raises(StreamBroken):
        stage.play(read)
    ends.close()


def test_an_origin_that_says_close_notify_has_ended(stage: Stage, pair: Pair, kind: type[TlsStream]) -> None:
    ends = Ends(stage, pair, kind)

    async def read(strand: Strand) -> bytes:
        await ends.open(strand)
        ends.origin.try_write(memoryview(b"whole"))
        ends.origin.end()
        return await ends.read_until_end(strand)

    assert stage.play(read) == b"whole"
    ends.close()
