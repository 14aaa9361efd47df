"""Other CRLs in force are felt at once: by the next request of every connection, and by every tunnel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from edge.proxy import permit
from edge.snapshot.snapshot import Snapshot
from tests.certificates import Credential
from tests.crls import crl_of, pem
from tests.e2e.origin import Hangup, Origin, Received, Wire
from tests.e2e.tls_client import TlsClient, raw_tls
from tests.unit.runtime.test_worker import running, snapshot_of, verdict
from tests.unit.snapshot.world import CLIENTS, SERVER, World, application, ca, host

UPGRADE = (
    b"GET /socket HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
"""The pair of RFC 6455 1.3."""
MORE_THAN_A_TURN = 70
"""Tunnels; a worker judges them 64 at a time."""


def echo(received: Received, wire: Wire) -> None:
    wire.send(SWITCHED)
    while octets := wire.receive():
        wire.send(octets)
    raise Hangup


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin(echo) as origin:
        yield origin
        assert origin.unreadable == []


@pytest.fixture(autouse=True)
def _silent_log() -> Iterator[None]:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    structlog.reset_defaults()


Make = Callable[..., Snapshot]


@pytest.fixture
def make(tmp_path: Path, origin: Origin) -> Make:
    """Return what builds a snapshot in which these certificates are revoked."""
    World(tmp_path).prepare()
    text = SERVER + host("a.test", f'origin = "{origin.url}"') + ca() + 'crl = ["a.crl"]\n' + application()

    def snapshot(*revoked: Credential, number: int = 1) -> Snapshot:
        der = crl_of(
            CLIENTS,
            revoked,
            number=number,
            this_update=timedelta(days=-1),
            next_update=timedelta(days=9),
        )
        (tmp_path / "a.crl").write_bytes(pem(der))
        return snapshot_of(tmp_path, text)

    return snapshot


def open_tunnel(client: TlsClient) -> None:
    client.send(UPGRADE)
    octets = b""
    while b"\r\n\r\n" not in octets:
        octets += client.read()
    assert octets.startswith(b"HTTP/1.1 101 ")
    assert says(client, b"hello")


def says(client: TlsClient, octets: bytes) -> bool:
    """Tell whether the tunnel still carries octets there and back."""
    client.send(octets)
    return client.read() == octets


def test_a_revoked_certificate_is_refused_on_the_next_request_of_its_open_connection(make: Make) -> None:
    james = CLIENTS.issue("James Royal")
    before = make()
    after = before.with_revocation(make(james, number=2).revocation)
    with running(before) as edge, raw_tls(edge, "a.test", james) as client:
        assert verdict(client) == (200, "")
        edge.publish(after)
        assert verdict(client) == (403, "client_certificate_revoked")
        edge.publish(before)
        assert verdict(client) == (200, "")


def test_a_tunnel_that_is_silent_is_closed_when_its_certificate_is_revoked(make: Make) -> None:
    james, other = CLIENTS.issue("James Royal"), CLIENTS.issue("Somebody else")
    before = make()
    with (
        running(before) as edge,
        raw_tls(edge, "a.test", james) as revoked,
        raw_tls(edge, "a.test", other) as kept,
    ):
        open_tunnel(revoked)
        open_tunnel(kept)
        edge.publish(before.with_revocation(make(james, number=2).revocation))
        assert revoked.read() == b""
        assert says(kept, b"still here")


def test_an_endless_answer_is_broken_off_when_its_certificate_is_revoked(
    make: Make, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permit, "LASTING_SECONDS", 0.0)
    james, other = CLIENTS.issue("James Royal"), CLIENTS.issue("Somebody else")
    go_on = threading.Event()

    def endless(_: Received, wire: Wire) -> None:
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        go_on.wait(10)
        wire.send(b"6\r\nsecond\r\n0\r\n\r\n")

    origin.on("/events", endless)
    before = make()
    with (
        running(before) as edge,
        raw_tls(edge, "a.test", james) as revoked,
        raw_tls(edge, "a.test", other) as kept,
    ):
        for client in (revoked, kept):
            client.send(b"GET /events HTTP/1.1\r\nHost: a.test\r\n\r\n")
            while b"first" not in client.read():
                pass
        edge.publish(before.with_revocation(make(james, number=2).revocation))
        assert revoked.read_until_close() == b""
        go_on.set()
        assert b"second" in kept.read()


def test_an_upload_is_refused_in_the_middle_when_its_certificate_is_revoked(
    make: Make, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permit, "LASTING_SECONDS", 0.0)
    james = CLIENTS.issue("James Royal")
    begun = threading.Event()

    def take(received: Received, wire: Wire) -> None:
        begun.set()
        while wire.receive():
            pass
        raise Hangup

    origin.on("/ingest", take)
    before = make()
    with running(before) as edge, raw_tls(edge, "a.test", james) as client:
        client.send(b"POST /ingest HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\n12345")
        assert begun.wait(5)
        edge.publish(before.with_revocation(make(james, number=2).revocation))
        answer = client.read_answer()
        assert answer.status == 403
        assert b"client_certificate_revoked" in answer.body
        assert client.read_until_close() == b""


def test_every_tunnel_is_closed_however_many_there_are(make: Make) -> None:
    james = CLIENTS.issue("James Royal")
    before = make()
    with running(before) as edge, ExitStack() as stack:
        clients = [stack.enter_context(raw_tls(edge, "a.test", james)) for _ in range(MORE_THAN_A_TURN)]
        kept = stack.enter_context(raw_tls(edge, "a.test", CLIENTS.issue("Somebody else")))
        for client in (*clients, kept):
            open_tunnel(client)
        edge.publish(before.with_revocation(make(james, number=2).revocation))
        assert [client.read() for client in clients] == [b""] * MORE_THAN_A_TURN
        assert says(kept, b"still here")


def test_a_generation_that_changes_nothing_leaves_every_tunnel_open(make: Make) -> None:
    before = make()
    with running(before) as edge, raw_tls(edge, "a.test", CLIENTS.issue("James Royal")) as client:
        open_tunnel(client)
        for number in range(2, 6):
            revocation = make(CLIENTS.issue("Somebody else"), number=number).revocation
            edge.publish(before.with_revocation(revocation))
            assert says(client, b"still here")


def test_a_tunnel_that_came_after_a_revocation_is_refused(make: Make) -> None:
    james = CLIENTS.issue("James Royal")
    with running(make(james)) as edge, raw_tls(edge, "a.test", james) as client:
        client.send(UPGRADE)
        answer = client.read_answer()
        assert answer.status == 403
        assert b"client_certificate_revoked" in answer.body
