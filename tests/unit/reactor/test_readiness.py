"""Interest costs a system call only when it changes, and who does not ask is not told."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from edge.reactor.poller import READ, WRITE, Poller
from edge.reactor.readiness import Readiness
from edge.reactor.strand import NEVER, Strand
from tests.unit.strands import ManualLoop, Stage, manual_reactor

FD = 7
END = select.EPOLLHUP | select.EPOLLERR


class Poll:
    """Stands in for the poller; ``calls`` are its system calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.events = 0
        self.listener: Callable[[int], None] | None = None

    def watch(self, fd: int, events: int, listener: Callable[[int], None]) -> None:
        assert fd == FD
        self._note(events)
        self.listener = listener

    def change(self, fd: int, events: int) -> None:
        assert fd == FD
        self._note(events)

    def rest(self, fd: int) -> None:
        assert fd == FD
        self._note(0)
        self.listener = None

    def forget(self, fd: int) -> None:
        assert fd == FD
        self.events = 0
        self.listener = None

    def _note(self, events: int) -> None:
        for event, name in ((READ, "r"), (WRITE, "w")):
            if (events ^ self.events) & event:
                self.calls.append(("+" if events & event else "-") + name)
        self.events = events

    def happens(self, events: int) -> None:
        """Level-triggered: called as long as the descriptor is ready and watched. An end is always told."""
        told = events & (self.events | END)
        if told and self.listener is not None:
            self.listener(told)

    def readable(self) -> None:
        self.happens(READ)

    def writable(self) -> None:
        self.happens(WRITE)


class Counter:
    """A strand that counts how often it was woken."""

    def __init__(self, poll: Poll) -> None:
        self.woken = -1
        reactor = manual_reactor(ManualLoop())
        reactor.on_defect = _no_defect
        reactor.poller = cast("Poller", poll)
        self.strand = Strand(reactor)
        self.strand.start(self._count())

    async def _count(self) -> None:
        while True:
            self.woken += 1
            await self.strand.parked(NEVER, "")


def _no_defect(defect: Exception) -> None:
    raise defect


@pytest.fixture
def poll() -> Poll:
    return Poll()


def test_nobody_is_told_who_did_not_ask(poll: Poll) -> None:
    Readiness(FD, Counter(poll).strand)
    assert poll.calls == []


def test_a_reader_is_armed_once_for_many_requests(poll: Poll) -> None:
    counter = Counter(poll)
    readiness = Readiness(FD, counter.strand)
    for _ in range(5):
        readiness.want_read()
        poll.readable()
    assert poll.calls == ["+r"]
    assert counter.woken == 5
    assert not readiness.unwanted


def test_an_unwanted_event_disarms_wakes_once_and_is_remembered(poll: Poll) -> None:
    counter = Counter(poll)
    readiness = Readiness(FD, counter.strand)
    readiness.want_read()
    poll.readable()
    poll.readable()
    poll.readable()
    assert poll.calls == ["+r", "-r"]
    assert counter.woken == 2
    assert readiness.unwanted


def test_wanting_to_read_again_arms_again_and_forgets(poll: Poll) -> None:
    counter = Counter(poll)
    readiness = Readiness(FD, counter.strand)
    readiness.want_read()
    poll.readable()
    poll.readable()
    readiness.want_read()
    assert not readiness.unwanted
    poll.readable()
    assert poll.calls == ["+r", "-r", "+r"]
    assert not readiness.unwanted


def test_a_writer_nobody_waits_for_does_not_spin(poll: Poll) -> None:
    counter = Counter(poll)
    readiness = Readiness(FD, counter.strand)
    readiness.want_write()
    poll.writable()
    assert counter.woken == 1
    poll.writable()
    poll.writable()
    assert poll.calls == ["+w", "-w"]
    assert counter.woken == 1


def test_another_strand_is_woken_after_moving(poll: Poll) -> None:
    first, second = Counter(poll), Counter(poll)
    readiness = Readiness(FD, first.strand)
    readiness.want_read()
    readiness.move_to(second.strand)
    readiness.want_read()
    poll.readable()
    assert (first.woken, second.woken) == (0, 1)


def test_at_rest_an_event_wakes_nobody_and_is_remembered(poll: Poll) -> None:
    counter = Counter(poll)
    readiness = Readiness(FD, counter.strand)
    readiness.want_read()
    readiness.want_write()
    readiness.rest()
    poll.readable()
    poll.writable()
    assert readiness.unwanted
    assert counter.woken == 0
    assert poll.calls == ["+r", "+w", "-r", "-w"]


def test_closing_forgets_what_is_armed_and_only_that(poll: Poll) -> None:
    readiness = Readiness(FD, Counter(poll).strand)
    readiness.want_read()
    readiness.close()
    assert poll.listener is None
    readiness.close()
    assert poll.calls == ["+r"]  # the descriptor is closed next, which takes it out of the poll


def test_an_end_is_told_to_whoever_waits_for_anything(poll: Poll) -> None:
    counter = Counter(poll)
    readiness = Readiness(FD, counter.strand)
    readiness.want_write()
    poll.happens(END)
    assert counter.woken == 1
    readiness.want_read()
    poll.happens(END)
    assert counter.woken == 2


def test_an_end_that_nobody_waits_for_does_not_spin(poll: Poll) -> None:
    counter = Counter(poll)
    readiness = Readiness(FD, counter.strand)
    readiness.want_read()
    readiness.want_write()
    for _ in range(3):
        poll.happens(END)
    assert counter.woken == 2
    assert readiness.unwanted
    assert poll.listener is None


# --- on a real loop ----------------------------------------------------------------------------


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def test_octets_that_nobody_reads_do_not_spin_the_loop(
    stage: Stage, pair: tuple[socket.socket, socket.socket]
) -> None:
    ours, theirs = pair
    woken: list[int] = []

    async def not_reading(strand: Strand) -> bool:
        readiness = Readiness(ours.fileno(), strand)
        readiness.want_read()
        stage.loop.call_later(0.2, strand.resume)
        theirs.send(b"one")
        for _ in range(3):
            await strand.parked(stage.reactor.now() + 5, "event")
            woken.append(1)
        unwanted = readiness.unwanted
        readiness.close()
        return unwanted

    assert stage.play(not_reading)
    assert len(woken) == 3
