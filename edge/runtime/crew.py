"""The parent's side of its workers: who serves at which place, who is being relieved, who has died.

    starting --ready--> ready --serve--> serving --retire--> retired --> gone

A place is a set of listening sockets, which the parent keeps open for as long as it lives. So a worker
that dies takes its own connections with it and nothing else: who waits in the queue of its place is let
in by the next one. The workers of a newer generation take the same places.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import NoReturn

from edge.runtime.channel import Message, channel, messages, send
from edge.runtime.counted_memory import find, new_counted_memory
from edge.runtime.tally import Tally
from edge.runtime.worker_process import run_worker
from edge.snapshot.snapshot import Snapshot
from edge.telemetry.logging import logger
from edge.tls.chain_hints import ChainHints

_FIRST_DELAY_SECONDS = 0.1
_MOST_DELAY_SECONDS = 5.0
"""Who waits at a place without a worker should not wait much longer than this."""
_GOOD_LIFE_SECONDS = 10.0
"""A worker that lived for so long did not die of its start."""
_LOOK_SECONDS = 0.05
_ENDING = {signal.SIGTERM, signal.SIGINT}


class Stage(Enum):
    """Where a worker is in its life."""

    STARTING = "starting"
    READY = "ready"
    SERVING = "serving"
    RETIRED = "retired"
    """Accepts no more; ends with its last connection."""
    DISMISSED = "dismissed"
    """Killed before it served."""


@dataclass(slots=True, eq=False)
class Member:
    """One worker."""

    pid: int
    place: int
    generation: int
    channel: socket.socket = field(repr=False)
    started: float
    stage: Stage = Stage.STARTING
    answered: float = 0.0
    """When it last answered a ping, in seconds of the crew's timer."""
    replies: list[Message] = field(default_factory=list)
    """What it said of a generation, until somebody asks."""
    memory: int | None = field(default=None, repr=False)
    """Where it leaves its numbers; None if nobody wants them."""


@dataclass(slots=True, eq=False)
class _Place:
    """A set of listening sockets and who accepts on it."""

    listeners: list[socket.socket]
    member: Member | None = None
    deaths: int = 0
    """In a row, each soon after the start."""
    due: float = 0.0
    """When there may be another one."""


class Crew:
    """All workers. ``timer`` gives seconds that only ever grow; ``tally`` takes the workers' numbers."""

    def __init__(
        self,
        listeners: list[list[socket.socket]],
        hints: ChainHints,
        timer: Callable[[], float],
        tally: Tally | None = None,
    ) -> None:
        self._places = [_Place(sockets) for sockets in listeners]
        self._hints = hints
        self._timer = timer
        self._tally = tally
        self.private: list[socket.socket] = []
        """What a child of ours must not keep open, besides what is ours."""
        self.deaths = 0
        """Of workers that were not told to end."""
        self.members: dict[int, Member] = {}
        """By process id."""
        self.channels: list[socket.socket] = []
        """Our ends; a worker stops when its own closes, however we end."""
        self.crls_missed = False
        """Whether a worker could not take the CRLs it was sent. Whoever sends them again sets it to False."""

    # --- who is there --------------------------------------------------------------------------

    @property
    def complete(self) -> bool:
        """Whether every place is served."""
        return all(place.member and place.member.stage is Stage.SERVING for place in self._places)

    @property
    def size(self) -> int:
        """How many places there are."""
        return len(self._places)

    def answered_since(self, moment: float) -> bool:
        """Tell whether every place is served, and every worker has answered a ping since that moment."""
        return self.complete and all(member.answered >= moment for member in self.members.values())

    def hire(self, place: int, snapshot: Snapshot, *, serve: bool) -> Member:
        """Fork a worker; it serves at once, or when ``relieve`` is called. Raises ``OSError``."""
        memory = None if self._tally is None else new_counted_memory()
        ours, theirs = channel()
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            _close_memory(memory)
            raise
        if pid == 0:
            ours.close()
            self.let_go(but=place)
            _become_worker(snapshot, self._hints, self._places[place].listeners, theirs, memory)
        theirs.close()
        now = self._timer()
        member = Member(pid, place, snapshot.generation, ours, now, answered=now, memory=memory)
        self.members[pid] = member
        self.channels.append(ours)
        if serve:
            self._places[place].member = member
            send(ours, Message("serve"))
        return member

    def fill_places(self, snapshot: Snapshot) -> None:
        """Put a worker wherever there is none, unless the last ones died too soon."""
        for number, place in enumerate(self._places):
            if place.member is None and self._timer() >= place.due:
                try:
                    self.hire(number, snapshot, serve=True)
                except OSError as error:
                    place.due = self._timer() + _MOST_DELAY_SECONDS
                    logger().error("worker_not_started", worker=number, detail=error.strerror)

    def relieve(self, newer: Iterable[Member]) -> None:
        """Let these serve from now on, and those before them at their places accept no more."""
        for member in newer:
            place = self._places[member.place]
            former, place.member = place.member, member
            place.deaths, place.due = 0, 0.0
            send(member.channel, Message("serve"))
            if former is not None:
                former.stage = Stage.RETIRED
                send(former.channel, Message("retire"))

    def dismiss(self, members: Iterable[Member]) -> None:
        """End workers that were never needed."""
        for member in members:
            member.stage = Stage.DISMISSED
            self.kill(member)

    def kill(self, member: Member, number: signal.Signals = signal.SIGKILL) -> None:
        """Send one worker a signal, if it lives."""
        if member.pid in self.members:
            _kill(member.pid, number)

    def let_go(self, but: int | None = None) -> None:
        """In a child of ours: close what only its parent may hold, and all places but one."""
        _close((*self.channels, *self.private))
        for member in self.members.values():
            _close_memory(member.memory)
        for number, place in enumerate(self._places):
            if number != but:
                _close(place.listeners)

    # --- what they say -------------------------------------------------------------------------

    def hear(self) -> None:
        """Take what the workers have said."""
        for member in tuple(self.members.values()):
            for message in messages(member.channel):
                self._take(member, message)

    def wait(self, until: Callable[[], bool], seconds: float, *, always: bool = False) -> bool:
        """Hear, until it is so, or the time is over, or (but with ``always``) somebody wants us to end.

        Tell whether it is so.
        """
        end = self._timer() + seconds
        while True:
            self.hear()
            if until():
                return True
            if self._timer() >= end or (not always and signal.sigpending() & _ENDING):
                return False
            select.select(self.channels, [], [], _LOOK_SECONDS)

    def _take(self, member: Member, message: Message) -> None:
        match message.word:
            case "ready" if member.stage is Stage.STARTING:
                member.stage = Stage.READY
            case "serving" if member.stage in (Stage.STARTING, Stage.READY):
                member.stage = Stage.SERVING
                logger().info(
                    "worker_started", pid=member.pid, worker=member.place, generation=member.generation
                )
            case "leaving":
                member.stage = Stage.RETIRED
                self._vacate(member)
            case "pong":
                member.answered = self._timer()
            case "counts":
                self._take_numbers(member)
            case "crl":
                self.crls_missed = True
            case "prepared" | "failed" | "committed":
                member.replies.append(message)

    def _take_numbers(self, member: Member) -> None:
        if self._tally is not None and member.memory is not None:
            self._tally.take(member.pid, find(member.memory))

    def _vacate(self, member: Member) -> None:
        place = self._places[member.place]
        if place.member is member:
            place.member = None

    # --- how they end --------------------------------------------------------------------------

    def reap(self, pid: int, code: int, *, ending: bool) -> bool:
        """Take note of a child that ended; tell whether it was a worker."""
        member = self.members.pop(pid, None)
        if member is None:
            return False
        for message in messages(member.channel):  # its last words
            self._take(member, message)
        self.channels.remove(member.channel)
        member.channel.close()
        self._take_numbers(member)  # its last ones, unless it died over them
        _close_memory(member.memory)
        if self._tally is not None:
            self._tally.bury(pid)
        fields = {"pid": pid, "worker": member.place, "generation": member.generation}
        if member.stage is not Stage.DISMISSED and (code or not (ending or member.stage is Stage.RETIRED)):
            self.deaths += 1
            self._mourn(member)
            logger().error("worker_died", status=code, workers_left=len(self.members), **fields)
        else:
            logger().info("worker_stopped", **fields)
        self._vacate(member)
        return True

    def _mourn(self, member: Member) -> None:
        """Put off the next one at this place, if this one died of its start."""
        place = self._places[member.place]
        if place.member is not member:
            return
        now = self._timer()
        place.deaths = 0 if now - member.started >= _GOOD_LIFE_SECONDS else place.deaths + 1
        place.due = now
        if place.deaths > 1:
            place.due += min(_FIRST_DELAY_SECONDS * 2.0 ** (place.deaths - 2), _MOST_DELAY_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        """Send every worker a signal."""
        for pid in self.members:
            _kill(pid, number)

    def tell(self, message: Message) -> None:
        """Send every worker a message."""
        for sock in self.channels:
            send(sock, message)

    @property
    def listeners(self) -> list[list[socket.socket]]:
        """The sockets of each place that are still open here, by address."""
        return [place.listeners for place in self._places]

    @property
    def accepts(self) -> bool:
        """Whether some worker may still let somebody in."""
        return any(place.member for place in self._places)

    def close_places(self) -> None:
        """Let go of the listening sockets: they end with the workers that accept on them."""
        for place in self._places:
            _close(place.listeners)
            place.listeners = []


def _become_worker(
    snapshot: Snapshot,
    hints: ChainHints,
    listeners: list[socket.socket],
    parent: socket.socket,
    memory: int | None,
) -> NoReturn:
    """Be the child; it must not run its parent's code."""
    status = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        run_worker(snapshot, hints, listeners, parent, memory)
        status = 0
    except BaseException:  # noqa: BLE001 - nothing may get past this line in a forked child
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _kill(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _close_memory(memory: int | None) -> None:
    if memory is not None:
        os.close(memory)


def _close(sockets: Iterable[socket.socket]) -> None:
    for sock in sockets:
        sock.close()
