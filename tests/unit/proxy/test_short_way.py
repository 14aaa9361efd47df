"""The short way is the long way in few steps; where it stops, the long way goes on with the same octets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import structlog

from edge.origin.connection import OriginConnection
from edge.origin.endpoint import Endpoint
from edge.proxy.connection import ClientConnection
from edge.proxy.exchange import Exchange
from edge.proxy.plan import Plan, make_plan
from edge.proxy.short_way import pass_simply, refuse_at_once
from edge.reactor.readiness import Readiness
from edge.tls.stream import TlsStream
from tests.unit.proxy.clients import Desk, configuration
from tests.unit.proxy.streams import BROKEN, ScriptedStream
from tests.unit.snapshot.world import application

DATE = b"Date: Mon, 23 Nov 2026 12:00:00 GMT\r\n"
HEAD = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
BODY = b"".join(b"%04d" % number for number in range(50))
SAID = b"HTTP/1.1 200 OK\r\n" + DATE + b"Content-Length: 200\r\n\r\n" + BODY
PUBLIC = configuration(applications=application("a.test", '"everyone"', decision="bypass"))


class Played:
    """One request on a connection whose both ends are scripted."""

    def __init__(self, desk: Desk, client: ScriptedStream, origin: ScriptedStream) -> None:
        self.desk = desk
        self.client = client
        self.origin = origin
        self.connection = desk.connect()
        self.connection.stream = cast("TlsStream", client)
        self.goes_on: bool | None = None
        self.error: Exception | None = None

    def plan(self) -> Plan:
        plan = make_plan(self.connection, self.desk.services.holder.current, HEAD)
        if plan.passage is None:
            return plan
        readiness = cast("Readiness", self.origin.readiness)
        resting = OriginConnection(Endpoint("127.0.0.1", 9), self.origin, readiness, served=1)
        return replace(plan, passage=replace(plan.passage, take_rested=lambda strand, now: resting))

    def start(self) -> None:
        """Begin, up to the wait for the origin."""
        self.connection.strand.start(self._run(self.connection, self.plan()))

    async def _run(self, connection: ClientConnection, plan: Plan) -> None:
        try:
            if plan.passage is None:
                begun = refuse_at_once(connection, plan, self.desk.began)
            else:
                begun = await pass_simply(connection, plan, plan.passage)
            self.goes_on = True if begun is None else await Exchange(connection, plan, begun).run()
        except Exception as error:  # noqa: BLE001 - told to the test
            self.error = error

    def finish(self) -> bytes:
        """Wake it up until it ends; return what the client got, the identifier the same each time."""
        for _ in range(50):
            if self.goes_on is not None or self.error is not None:
                break
            self.desk.loop.turn()
            self.connection.strand.resume()
        written = bytes(self.client.written)
        for mark in (b"X-Request-Id: ", b'"request_id":"'):
            before, found, rest = written.partition(mark)
            written = before + found + (b"ID" + rest[24:] if found else b"")
        return written


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    desk = Desk(tmp_path)
    desk.publish(PUBLIC)
    yield desk
    desk.close()


def play(desk: Desk, room: list[Any] | None = None, says: list[Any] | None = None) -> Played:
    played = Played(
        desk, ScriptedStream(room=room or []), ScriptedStream(says=[SAID] if says is None else says)
    )
    played.start()
    return played


def test_an_answer_in_one_piece_leaves_the_connections_as_they_were(desk: Desk) -> None:
    played = play(desk)
    assert played.finish().endswith(b"X-Request-Id: ID\r\n\r\n" + BODY)
    assert played.error is None
    assert played.goes_on
    assert not played.origin.closed
    assert played.origin.written.startswith(HEAD[:-2])


@pytest.mark.parametrize("first", [0, 1, 17, 100, 150, 170, 200, 300, 400])
@pytest.mark.parametrize("pieces", [[SAID], [SAID[:30], SAID[30:]], [SAID[:-1], SAID[-1:]]])
def test_a_client_that_takes_a_part_gets_the_rest(desk: Desk, first: int, pieces: list[bytes]) -> None:
    expected = play(desk).finish()
    played = play(desk, [first, 0, 5, 0], list(pieces))
    assert played.finish() == expected
    assert played.goes_on
    assert not played.origin.closed


@pytest.mark.parametrize("first", [0, 1, 100, 170, 220, 300, 400])
def test_an_end_of_the_worker_does_not_change_what_was_begun(desk: Desk, first: int) -> None:
    # What the client has a part of cannot become another answer: one that closes is longer.
    played = play(desk, [first, 0, 5, 0])
    desk.services.draining = True
    head, _, body = played.finish().partition(b"\r\n\r\n")
    assert body == BODY
    assert head.count(b"HTTP/1.1 200 OK") == 1
    assert head.endswith((b"X-Request-Id: ID", b"X-Request-Id: ID\r\nConnection: close"))


@pytest.mark.parametrize("first", [0, 1, 100, 200, 300])
def test_a_refusal_is_given_to_the_end(desk: Desk, first: int) -> None:
    desk.publish(configuration())
    expected = play(desk).finish()
    assert expected.startswith(b"HTTP/1.1 403 ")
    played = play(desk, [first, 0, 5, 0])
    assert played.finish() == expected
    assert played.goes_on


@pytest.mark.parametrize("ready", ["passed", "refused"])
def test_a_client_that_is_gone_ends_the_request(desk: Desk, ready: str) -> None:
    if ready == "refused":
        desk.publish(configuration())
    played = play(desk, [BROKEN])
    played.finish()
    assert played.error is not None
    assert played.origin.closed is (ready == "passed")


@pytest.mark.parametrize(
    "says",
    [
        [SAID + b"HTTP/1.1 200 OK\r\n\r\n"],
        [SAID.replace(b"Date", b"Connection: close\r\nDate")],
        [SAID[:40], b""],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"],
        [b"nonsense\r\n\r\n"],
        [SAID[:-1], BROKEN],
    ],
)
def test_a_connection_of_which_something_is_left_is_closed(desk: Desk, says: list[Any]) -> None:
    played = play(desk, says=says)
    played.finish()
    assert played.goes_on is not None
    assert played.origin.closed
