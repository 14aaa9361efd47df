"""The same exchange comes out the same by every way there is through the edge.

Most requests take a short way, and some of it from memory; anything unusual on the way leads to the long
one, with what has happened so far. Each exchange here is scripted on both sides. It is played by every
way, and what the client got and what the log says must be the same, but for the identifiers and the times.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.behaviours import POISON, scripted_origin
from tests.e2e.clients import TlsClient, raw_tls
from tests.e2e.configuration import application_table, open_config
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Hangup, Origin, Received, Wire
from tests.e2e.tls_client import TlsRefused

Script = tuple[bytes | float | None, ...]
"""What the origin does with one request: octets to send, seconds to wait, None to close."""

DATE = b"Date: Mon, 23 Nov 2026 12:00:00 GMT\r\n"
FIVE = b"HTTP/1.1 200 OK\r\n" + DATE + b"Content-Length: 5\r\n\r\n"
PLAIN: Script = (FIVE + b"plain",)
PAUSE = 0.06
"""Long enough for the edge to have passed on what came before."""
PATIENCE_SECONDS, SILENCE_SECONDS = 4.0, 0.3
"""An answer has begun after so long, and is over when so long nothing came."""


class Way(Enum):
    """How a request comes to an origin and its answer back."""

    FIRST_ON_A_NEW_CONNECTION = "nobody has asked before, and no connection is open"
    FIRST_ON_AN_OPEN_CONNECTION = "a head that was never seen, on a connection that rests in the pool"
    FROM_MEMORY = "the head came twice before, and both times all went well"
    FROM_MEMORY_OF_BOTH = "the head came often before, and this very answer, too, if its client stayed"
    LONG = "a head that has no short way, on a connection that rests in the pool"
    LONG_AGAIN = "such a head for the third time"


NEW, OPEN = Way.FIRST_ON_A_NEW_CONNECTION, Way.FIRST_ON_AN_OPEN_CONNECTION
LONG_WAYS = (Way.LONG, Way.LONG_AGAIN)
BINDING = b"Authorization: Negotiate x\r\n"
"""A request with this is passed on by the long way; nothing else about it is different."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the client got, and what the log says of it."""

    octets: bytes
    ended: str
    event: dict[str, Any]


class Stage:
    """An edge with one worker, an origin that follows a script, and one client after the other."""

    def __init__(self, edge: Edge, origin: Origin) -> None:
        self.edge = edge
        self.origin = origin
        self.scripts: list[Script] = []
        """Of the next requests; when there is none, the answer is ``PLAIN``."""
        self._played = 0
        origin.on("/play", self._play)

    def _play(self, received: Received, wire: Wire) -> None:
        for step in self.scripts.pop(0) if self.scripts else PLAIN:
            match step:
                case None:
                    raise Hangup
                case bytes():
                    wire.send(step)
                case seconds:
                    time.sleep(seconds)

    def empty_pool(self) -> None:
        """Close all connections between edge and origin."""
        self.origin.hang_up()
        self.origin.forget()
        time.sleep(0.02)

    def fill_pool(self) -> None:
        """Leave one connection in the pool."""
        with raw_tls(self.edge, "open.test") as client:
            assert client.ask("/echo", host="open.test").status == 200

    def play(self, way: Way, act: Act) -> Outcome:
        """Play one exchange by one way, at a path of its own."""
        self.scripts.clear()
        self.empty_pool()
        self._played += 1
        path = f"{act.path}/{self._played:06}"
        self.origin.on(path, self._play)
        request = act.request(path, binding=way in LONG_WAYS)
        known = 2 if way in (Way.FROM_MEMORY, Way.FROM_MEMORY_OF_BOTH, Way.LONG_AGAIN) else 0
        with raw_tls(self.edge, "open.test") as client:
            for _ in range(known):
                self._ask(client, request, act)
            if way is not NEW:
                self.fill_pool()
            if way is Way.FROM_MEMORY_OF_BOTH and act.leaves_client:
                self._watch(client, request, act)
                known += 1
                self.fill_pool()
            octets, ended = self._watch(client, request, act)
        event = self.edge.wait_for_event("request", count=known + 1, path=path)
        return Outcome(settled(octets), ended, account(event))

    def _ask(self, client: TlsClient, request: bytes, act: Act) -> None:
        client.send(request)
        assert client.read_answer(act.method).status == (200 if act.scripts else act.status)

    def _watch(self, client: TlsClient, request: bytes, act: Act) -> tuple[bytes, str]:
        self.scripts[:] = act.scripts
        client.send(request + act.following)
        if not act.leaves:
            return everything(client)
        time.sleep(PAUSE)
        client.close()
        return b"", "left"


@dataclass(frozen=True, slots=True)
class Act:
    """One exchange: what the client asks, and what the origin does."""

    scripts: tuple[Script, ...]
    method: str = "GET"
    path: str = "/play"
    status: int = 200
    """Of the edge's own answer; with a script, of the plain one."""
    following: bytes = b""
    """What the client sends behind its request, in the same write."""
    leaves: bool = False
    """The client leaves without its answer."""
    leaves_client: bool = True
    """The client's connection is still good afterwards."""
    ways: tuple[Way, ...] = tuple(Way)

    def request(self, path: str, *, binding: bool) -> bytes:
        """Return the head. One of the long way differs in a field that no answer depends on."""
        line = f"{self.method} {path} HTTP/1.1\r\nHost: open.test\r\n".encode()
        return line + (BINDING if binding else b"X-Nothing: at all\r\n") + b"\r\n"


def everything(client: TlsClient) -> tuple[bytes, str]:
    """Read until nothing comes any more; return it, and how it ended."""
    octets = b""
    client.sock.settimeout(PATIENCE_SECONDS)
    while True:
        try:
            piece = client.read()
        except TimeoutError:
            return octets, "open"
        except TlsRefused as refused:
            return octets, refused.reason
        if not piece:
            return octets, "closed" if client.closed_cleanly else "cut"
        octets += piece
        client.sock.settimeout(SILENCE_SECONDS)


def settled(octets: bytes) -> bytes:
    """Put the same in the place of what is new each time."""
    octets = re.sub(rb"(?i)(x-request-id: |\"request_id\":\")[0-9a-f]{24}", rb"\1ID", octets)
    return re.sub(rb"Date: (?!Mon, 23 Nov 2026 12:00:00)[^\r]*\r\n", b"Date: NOW\r\n", octets)


def account(event: dict[str, Any]) -> dict[str, Any]:
    """Leave out of an event what is new each time."""
    return {
        key: value
        for key, value in event.items()
        if key not in {"time", "request_id", "duration", "origin_duration", "path"}
    }


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, pki: Path) -> Iterator[Stage]:
    with scripted_origin() as origin:
        closed = application_table("open.test/closed", '"everyone"', decision="deny")
        config = open_config(pki, origin.url, limits='origin_first_byte_timeout = "1s"') + closed
        with Edge(config, tmp_path_factory.mktemp("ways"), server_ca=pki / "server-ca.pem") as edge:
            yield Stage(edge, origin)


def long(size: int, *fields: bytes) -> bytes:
    """An answer of so many octets in all, each octet of its body where it can be told from others."""
    head = b"HTTP/1.1 200 OK\r\n" + DATE + b"".join(field + b"\r\n" for field in fields)
    head += b"Content-Length: %07d\r\n\r\n"
    room = size - len(head % 0)
    return head % room + b"".join(b"%07d\n" % number for number in range(room // 8 + 1))[:room]


def with_fields(*fields: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, DATE[:-2], *fields, b"Content-Length: 5", b"", b"plain"]
    return b"\r\n".join(lines)


PLAINLY = Act((PLAIN,))
CHUNKS = b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\n" + DATE + b"Transfer-Encoding: chunked\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"

ACTS: dict[str, Act] = {
    "one piece": PLAINLY,
    "no body": Act(((b"HTTP/1.1 200 OK\r\n" + DATE + b"Content-Length: 0\r\n\r\n",),)),
    "no date": Act(((b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain",),)),
    "after a pause": Act(((PAUSE, FIVE + b"plain"),)),
    "head and body apart": Act(((FIVE, PAUSE, b"plain"),)),
    "cut in the head": Act(((FIVE[:20], PAUSE, FIVE[20:] + b"plain"),)),
    "cut in the empty line": Act(((FIVE[:-1], PAUSE, FIVE[-1:] + b"plain"),)),
    "cut before the empty line": Act(((FIVE[:-2], PAUSE, FIVE[-2:] + b"plain"),)),
    "octet by octet": Act((tuple(bytes([octet]) for octet in FIVE + b"plain"),)),
    "cut in the body": Act(((FIVE + b"pl", PAUSE, b"ain"),)),
    "a read full": Act(((long(16384),),)),
    "a read almost full": Act(((long(16350),),)),
    "a read and one octet": Act(((long(16385),),)),
    "many reads": Act(((long(300_000),),)),
    "a long head": Act(((long(9000, *[b"X-Long: " + b"y" * 500] * 10),),)),
    "a cookie": Act(((with_fields(b"Set-Cookie: a=b", b"Set-Cookie: CF_Authorization=" + POISON),),)),
    "a challenge": Act(((with_fields(b"WWW-Authenticate: Basic x", status=b"401 Unauthorized"),),)),
    "fields of the edge": Act(
        ((with_fields(b"Alt-Svc: h3", b"X-Request-Id: POISON", b"Mtls-Authenticated: x"),),)
    ),
    "fields for the edge": Act(
        ((with_fields(b"Connection: X-Own", b"X-Own: 1", b"Keep-Alive: timeout=9", b"X-Other: 1"),),)
    ),
    "the origin closes": Act(((with_fields(b"Connection: close"),),)),
    "the origin is old": Act(((b"HTTP/1.0 200 OK\r\n" + DATE + b"Content-Length: 5\r\n\r\nplain", None),)),
    "no content": Act(((b"HTTP/1.1 204 No Content\r\n" + DATE + b"\r\n",),)),
    "not modified": Act(
        ((b"HTTP/1.1 304 Not Modified\r\n" + DATE + b'ETag: "x"\r\nContent-Length: 5\r\n\r\n',),)
    ),
    "head": Act(((FIVE,),), method="HEAD"),
    "options": Act((PLAIN,), method="OPTIONS"),
    "interim in the same piece": Act(((INTERIM + FIVE + b"plain",),)),
    "interim before a pause": Act(((INTERIM, PAUSE, FIVE + b"plain"),)),
    "two interim": Act(((INTERIM, PAUSE, INTERIM + FIVE, PAUSE, b"plain"),)),
    "chunked in one piece": Act(((CHUNKED + CHUNKS + b"\r\n",),)),
    "chunked in pieces": Act(((CHUNKED, PAUSE, CHUNKS[:8], PAUSE, CHUNKS[8:], PAUSE, b"\r\n"),)),
    "chunked with trailers": Act(((CHUNKED + CHUNKS + b"X-Sum: 1\r\nSet-Cookie: a=b\r\n\r\n",),)),
    "until the end": Act(((b"HTTP/1.1 200 OK\r\n" + DATE + b"\r\nuntil", PAUSE, b" the end", None),)),
    "two answers": Act(((FIVE + b"plain" + FIVE + POISON,),)),
    "pipelined": Act(
        (PLAIN, (with_fields(b"X-Second: 1"),)),
        following=b"GET /play HTTP/1.1\r\nHost: open.test\r\n\r\n",
    ),
    "pipelined slowly": Act(
        ((PAUSE, FIVE + b"plain"), (PAUSE, with_fields(b"X-Second: 1"))),
        following=b"GET /play HTTP/1.1\r\nHost: open.test\r\n\r\n",
    ),
    "pipelined in part": Act(
        ((PAUSE, FIVE + b"plain"),), following=b"GET /play HTTP/1.1\r\nHo", leaves_client=False
    ),
    "pipelined nonsense": Act(((FIVE + b"plain",),), following=b"\x00\r\n\r\n", leaves_client=False),
    "refused": Act((), path="/closed", status=403),
    "refused with a body that is not there": Act((), path="/closed", method="HEAD", status=403),
    "no such path of the edge": Act((), path="/cdn-cgi/access/none", status=404),
    # what goes wrong
    "stale": Act(
        ((None,), PLAIN), ways=tuple(way for way in Way if way is not NEW)
    ),  # a connection that rested, and closes when it is asked again
    "closed inside the head": Act(((FIVE[:20], None),)),
    "closed inside the body": Act(((FIVE + b"pl", PAUSE, None),), leaves_client=False),
    "closed inside a chunk": Act(((CHUNKED + CHUNKS[:7], PAUSE, None),), leaves_client=False),
    "garbage": Act(((b"\x16\x03\x01\x00\x05hello\r\n\r\n" + POISON, None),)),
    "two lengths": Act(((with_fields(b"Content-Length: 6") + b"x", None),)),
    "both framings": Act(((with_fields(b"Transfer-Encoding: chunked"), None),)),
    "a bare cr": Act(((with_fields(b"X-A: b\rSet-Cookie: c=d"), None),)),
    "a tunnel nobody asked for": Act(
        ((b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", None),)
    ),
    "interim and the end": Act(((INTERIM, PAUSE, None),), leaves_client=False),
    "too late": Act(((1.4, FIVE + b"plain"),)),
    "the client leaves": Act(((4 * PAUSE, FIVE + b"plain"),), leaves=True, leaves_client=False),
    "the client leaves in the middle": Act(
        ((FIVE + b"pl", 4 * PAUSE, b"ain"),), leaves=True, leaves_client=False
    ),
}


@pytest.mark.parametrize("name", ACTS)
def test_an_exchange_comes_out_the_same_by_every_way(stage: Stage, name: str) -> None:
    act = ACTS[name]
    outcomes = {way: stage.play(way, act) for way in act.ways}
    expected = outcomes[act.ways[0]]
    assert act.leaves or expected.octets.startswith(b"HTTP/1.1 ")
    for way, outcome in outcomes.items():
        assert outcome == expected, way
        assert POISON not in outcome.octets
    assert stage.origin.unreadable == []


def test_an_origin_that_closes_every_connection_in_use_is_asked_twice_and_no_more(stage: Stage) -> None:
    act = Act(((None,), (None,), PLAIN), ways=tuple(way for way in Way if way is not NEW))
    for way in act.ways:
        outcome = stage.play(way, act)
        assert outcome.octets.startswith(b"HTTP/1.1 502 "), way
        assert outcome.event["reason"] == "origin_bad_response"
        assert len(stage.scripts) == 1


def test_a_client_that_reads_nothing_gets_every_octet_in_the_end(stage: Stage) -> None:
    # The answers fill all that lies between edge and client, so that one of them is written in part.
    count, size = 600, 16384
    head = PLAINLY.request("/play", binding=False)
    stage.empty_pool()
    with raw_tls(stage.edge, "open.test") as client:
        for _ in range(2):
            client.send(head)
            assert client.read_answer().status == 200
        stage.scripts[:] = [(long(size),)] * count
        client.send(head * count)
        time.sleep(1.0)
        expected = None
        for _ in range(count):
            answer = client.read_answer()
            expected = expected or answer.body
            assert answer.status == 200
            assert answer.body == expected
        assert expected is not None
        assert long(size).endswith(b"\r\n\r\n" + expected)
