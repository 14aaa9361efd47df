"""A strand is driven by wake-ups that carry no information, and its failure is its own."""

from __future__ import annotations

import asyncio
import socket

import pytest

from edge.reactor.strand import NEVER, Cancelled, Expired, Strand
from edge.reactor.stream import TcpStream
from tests.unit.strands import ManualLoop, Stage, manual_reactor


@pytest.fixture
def loop() -> ManualLoop:
    return ManualLoop()


@pytest.fixture
def defects() -> list[Exception]:
    return []


@pytest.fixture
def strand(loop: ManualLoop, defects: list[Exception]) -> Strand:
    return Strand(manual_reactor(loop, defects))


def is_alive(strand: Strand) -> bool:
    return not strand.done


async def wait_for(strand: Strand, seen: list[int]) -> None:
    while len(seen) < 3:
        await strand.parked(NEVER, "nothing")
        seen.append(len(seen))


# --- failures ----------------------------------------------------------------------------------


def test_an_error_that_leaves_a_strand_is_a_defect_and_ends_it(
    strand: Strand, defects: list[Exception]
) -> None:
    async def fail() -> None:
        await strand.parked(NEVER, "")
        raise ZeroDivisionError

    strand.start(fail())
    assert is_alive(strand)
    strand.resume()
    assert not is_alive(strand)
    assert [type(defect) for defect in defects] == [ZeroDivisionError]


def test_a_strand_that_fails_at_once_is_done(strand: Strand, defects: list[Exception]) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    strand.start(fail())
    assert not is_alive(strand)
    assert len(defects) == 1


def test_a_strand_that_fails_does_not_hurt_another(strand: Strand, defects: list[Exception]) -> None:
    other, seen = Strand(strand.reactor), list[int]()

    async def fail() -> None:
        await strand.parked(NEVER, "")
        raise ZeroDivisionError

    strand.start(fail())
    other.start(wait_for(other, seen))
    for each in (strand, other, strand, other):
        each.resume()
    assert seen == [0, 1]
    assert len(defects) == 1


def test_a_failing_deadline_does_not_hurt_the_others_of_its_slot(
    loop: ManualLoop, strand: Strand, defects: list[Exception]
) -> None:
    others = [Strand(strand.reactor) for _ in range(3)]
    expired: list[str] = []

    async def turn_into_a_defect() -> None:
        try:
            await strand.parked(loop.now + 1, "first")
        except Expired:
            raise ZeroDivisionError from None

    async def note(each: Strand) -> None:
        try:
            await each.parked(loop.now + 1, "other")
        except Expired as error:
            expired.append(error.what)

    strand.start(turn_into_a_defect())
    for each in others:
        each.start(note(each))
    loop.advance(2)
    assert expired == ["other"] * 3
    assert len(defects) == 1


def test_keyboard_interrupt_is_nobodys_defect(strand: Strand, defects: list[Exception]) -> None:
    async def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        strand.start(interrupt())
    assert defects == []


# --- wake-ups ----------------------------------------------------------------------------------


def test_a_strand_is_new_then_parked_then_done(strand: Strand) -> None:
    seen = list[int]()
    assert not is_alive(strand)
    strand.start(wait_for(strand, seen))
    assert is_alive(strand)
    assert seen == []
    for _ in range(3):
        strand.resume()
    assert seen == [0, 1, 2]
    assert not is_alive(strand)


def test_waking_a_strand_that_is_done_does_nothing(strand: Strand, defects: list[Exception]) -> None:
    async def nothing() -> None:
        pass

    strand.start(nothing())
    strand.resume()
    strand.throw(Cancelled())
    assert not is_alive(strand)
    assert defects == []


def test_a_strand_that_wakes_itself_while_running_does_not_run_twice(strand: Strand) -> None:
    order: list[str] = []

    async def wake_itself() -> None:
        strand.resume()
        strand.throw(Cancelled())
        order.append("on")
        await strand.parked(NEVER, "")
        order.append("after")

    strand.start(wake_itself())
    assert order == ["on"]


def test_spurious_wake_ups_are_harmless(stage: Stage) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)

    async def read(strand: Strand) -> bytes:
        stream = TcpStream(ours, strand)
        for delay in (0.0, 0.01, 0.02):
            stage.loop.call_later(delay, strand.resume)
        stage.loop.call_later(0.05, theirs.send, b"at last")
        while (octets := stream.try_read()) is None:
            stream.want_read()
            await strand.parked(stage.reactor.now() + 5, "read")
        stream.close()
        return octets

    with theirs:
        assert stage.play(read) == b"at last"


# --- throw -------------------------------------------------------------------------------------


def test_an_error_thrown_in_is_raised_where_the_strand_is_parked(strand: Strand) -> None:
    caught: list[Exception] = []

    async def catch() -> None:
        try:
            await strand.parked(NEVER, "")
        except Cancelled as error:
            caught.append(error)
            await strand.parked(NEVER, "")

    strand.start(catch())
    error = Cancelled()
    strand.throw(error)
    assert caught == [error]
    assert is_alive(strand)
    strand.resume()
    assert not is_alive(strand)


def test_an_error_thrown_in_and_let_out_again_is_no_defect(strand: Strand, defects: list[Exception]) -> None:
    strand.start(wait_for(strand, []))
    strand.throw(Cancelled())
    assert not is_alive(strand)
    assert defects == []


def test_another_error_in_its_place_is_a_defect(strand: Strand, defects: list[Exception]) -> None:
    async def stumble() -> None:
        try:
            await strand.parked(NEVER, "")
        finally:
            raise ZeroDivisionError

    strand.start(stumble())
    strand.throw(Cancelled())
    assert [type(defect) for defect in defects] == [ZeroDivisionError]


# --- deadlines ---------------------------------------------------------------------------------


def test_a_passed_deadline_names_the_limit(loop: ManualLoop, strand: Strand) -> None:
    named: list[str] = []

    async def wait() -> None:
        try:
            await strand.parked(loop.now + 1, "header")
        except Expired as error:
            named.append(error.what)

    strand.start(wait())
    loop.advance(0.9)
    assert named == []
    loop.advance(0.4)
    assert named == ["header"]


def test_waiting_for_ever_after_a_deadline_was_reached_is_for_ever(loop: ManualLoop, strand: Strand) -> None:
    reached: list[str] = []

    async def wait() -> None:
        for deadline in (loop.now + 1, NEVER, NEVER):
            try:
                await strand.parked(deadline, "limit")
            except Expired:
                reached.append("expired")

    strand.start(wait())
    loop.advance(1000, step=0.5)
    assert reached == ["expired"]
    strand.resume()
    loop.advance(1000, step=0.5)
    assert is_alive(strand)


def test_a_deadline_ends_with_the_wait_it_was_set_for(loop: ManualLoop, strand: Strand) -> None:
    async def wait() -> None:
        await strand.parked(loop.now + 1, "short")
        await strand.parked(NEVER, "for ever")

    strand.start(wait())
    strand.resume()
    loop.advance(100, step=0.5)
    assert is_alive(strand)


# --- breathe and futures -----------------------------------------------------------------------


def test_breathing_lets_others_run_first(loop: ManualLoop, strand: Strand) -> None:
    order: list[str] = []
    other = Strand(strand.reactor)

    async def busy() -> None:
        order.append("busy")
        await strand.breathe()
        order.append("busy again")

    async def patient() -> None:
        order.append("patient")

    loop.call_soon(strand.start, busy())
    loop.call_soon(other.start, patient())
    loop.turn()
    assert order == ["busy", "patient"]
    loop.turn()
    assert order[-1] == "busy again"


def test_the_result_of_a_future_is_waited_for(stage: Stage) -> None:
    async def wait(strand: Strand) -> int:
        future: asyncio.Future[int] = stage.loop.create_future()
        stage.loop.call_later(0.01, strand.resume)
        stage.loop.call_later(0.03, future.set_result, 7)
        return await strand.result_of(future, stage.reactor.now() + 5, "lookup")

    assert stage.play(wait) == 7


def test_the_error_of_a_future_is_raised(stage: Stage) -> None:
    async def wait(strand: Strand) -> None:
        future: asyncio.Future[None] = stage.loop.create_future()
        stage.loop.call_soon(future.set_exception, OSError("no such name"))
        await strand.result_of(future, stage.reactor.now() + 5, "lookup")

    with pytest.raises(OSError, match="no such name"):
        stage.play(wait)


def test_a_future_that_takes_too_long_is_cancelled(stage: Stage) -> None:
    future: asyncio.Future[None] = stage.loop.create_future()

    async def wait(strand: Strand) -> None:
        await strand.result_of(future, stage.reactor.now() + 0.05, "lookup")

    with pytest.raises(Expired, match="lookup"):
        stage.play(wait)
    assert future.cancelled()
