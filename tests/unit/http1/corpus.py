"""Requests that others have published, and what our own reader makes of each: a line of text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge.http1.body import body_reader
from edge.http1.inbox import Inbox
from edge.http1.limits import HeadLimits, Side
from edge.http1.request_parser import read_request_head
from edge.model.refusal import MessageError

FOLDER = Path(__file__).parents[2] / "corpus" / "http1"
SOURCES = ("gunicorn", "h11", "llhttp", "smuggling")
_LIMITS = HeadLimits()
_INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Case:
    """One case. ``name`` begins with its source."""

    name: str
    accepted: bool
    """What its source says of it."""
    octets: bytes


@dataclass(frozen=True, slots=True)
class Read:
    """One request that was read to its end."""

    method: str
    target: str
    body: bytes
    trailers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of the octets of a connection."""

    requests: tuple[Read, ...]
    end: str
    """``""``: all was read, or the client wanted to close; a reason; or ``incomplete``."""

    @property
    def accepted(self) -> bool:
        """Nothing was refused and nothing was missing."""
        return not self.end

    def __str__(self) -> str:
        said = [
            f"{read.method} {read.target}" + f" +{len(read.body)}" * bool(read.body) for read in self.requests
        ]
        return " | ".join([*said, self.end] if self.end else said)


def cases() -> list[Case]:
    """Every case of every source."""
    found = []
    for source in SOURCES:
        for line in (FOLDER / f"{source}.tsv").read_text("ascii").splitlines():
            if not line.startswith("#"):
                name, said, octets = line.split("\t")
                assert said in ("accept", "refuse"), line
                plain = octets.encode("ascii").decode("unicode_escape").encode("latin-1")
                found.append(Case(f"{source}/{name}", said == "accept", plain))
    return found


def read_all(*pieces: bytes) -> Reading:
    """Read a connection as the edge does, until the client wants to close, or is refused."""
    requests: list[Read] = []
    inbox = Inbox()
    waiting = list(pieces)
    try:
        while (block := _next_head(inbox, waiting)) is not None:
            head = read_request_head(block, _LIMITS)
            reader = body_reader(head.body, _LIMITS, Side.CLIENT)
            content = reader.feed(inbox.take())
            while not reader.done and waiting:
                content += reader.feed(waiting.pop(0))
            if not reader.done:
                return Reading(tuple(requests), _INCOMPLETE)
            trailers = tuple(name.decode("ascii") for name, _, _ in reader.trailers)
            method, target = head.method.decode("ascii"), head.target.wire.decode("ascii")
            requests.append(Read(method, target, content, trailers))
            if not head.keep_alive:
                return Reading(tuple(requests), "")
            inbox.feed(reader.excess)
    except MessageError as error:
        return Reading(tuple(requests), error.refusal.reason.value)
    return Reading(tuple(requests), "" if inbox.empty else _INCOMPLETE)


def _next_head(inbox: Inbox, waiting: list[bytes]) -> bytes | None:
    while True:
        head = inbox.next_head(_LIMITS)
        if head is not None or not waiting:
            return head
        inbox.feed(waiting.pop(0))
