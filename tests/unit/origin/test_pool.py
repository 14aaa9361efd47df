"""A connection is used again only while it is as good as new, and a dead origin costs one try."""

from __future__ import annotations

import resource
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from edge.model.refusal import Reason
from edge.origin.connection import OriginConnection, OriginError
from edge.origin.endpoint import Endpoint
from edge.origin.pool import OriginPool
from edge.reactor.strand import Strand
from tests.unit.origin.listeners import Listener, hanging, unused_port
from tests.unit.strands import Stage

_T = TypeVar("_T")
Main = Callable[[Strand], Coroutine[Any, Any, _T]]


@pytest.fixture
def pool() -> OriginPool:
    return OriginPool(connect_seconds=0.3, rest_seconds=60.0)


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture
def other() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


def rest(pool: OriginPool, connection: OriginConnection, strand: Strand) -> None:
    pool.release(connection, strand.reactor.now())


# --- reuse -------------------------------------------------------------------------------------


def test_a_connection_is_used_again(stage: Stage, pool: OriginPool, listener: Listener) -> None:
    async def main(strand: Strand) -> None:
        first = await pool.acquire((listener.endpoint,), strand)
        assert first.served == 0
        rest(pool, first, strand)
        second = await pool.acquire((listener.endpoint,), strand)
        assert second is first
        assert second.served == 1
        second.close()

    stage.play(main)


def test_the_warmest_connection_is_used_first(stage: Stage, pool: OriginPool, listener: Listener) -> None:
    async def main(strand: Strand) -> None:
        three = [await pool.acquire((listener.endpoint,), strand) for _ in range(3)]
        for connection in three:
            rest(pool, connection, strand)
        again = [await pool.acquire((listener.endpoint,), strand) for _ in range(3)]
        assert again == three[::-1]
        for connection in again:
            connection.close()

    stage.play(main)


def test_a_connection_used_again_wakes_its_new_strand(
    stage: Stage, pool: OriginPool, listener: Listener
) -> None:
    async def first(strand: Strand) -> None:
        rest(pool, await pool.acquire((listener.endpoint,), strand), strand)

    async def second(strand: Strand) -> bytes | None:
        connection = await pool.acquire((listener.endpoint,), strand)
        stage.loop.call_later(0.02, listener.accept().send, b"hello")
        connection.stream.want_read()
        await strand.parked(stage.reactor.now() + 5, "read")
        octets = connection.stream.try_read()
        connection.close()
        return octets

    stage.play(first)
    assert stage.play(second) == b"hello"


def after_resting(
    stage: Stage, pool: OriginPool, listener: Listener, happens: Callable[[], object], pause: float
) -> OriginConnection:
    """Let a connection rest, let something happen at its other end, and acquire again."""

    async def main(strand: Strand) -> tuple[OriginConnection, OriginConnection]:
        first = await pool.acquire((listener.endpoint,), strand)
        rest(pool, first, strand)
        happens()
        if pause:
            stage.loop.call_later(pause, strand.resume)
            await strand.parked(stage.reactor.now() + 5, "pause")
        second = await pool.acquire((listener.endpoint,), strand)
        second.close()
        return first, second

    first, second = stage.play(main)
    assert second is not first
    assert first.stream.sock.fileno() == -1  # type: ignore[attr-defined]  # a TcpStream: it was closed
    return second


@pytest.mark.parametrize("pause", [0.05, 0.0])
def test_a_resting_connection_that_the_origin_closed_is_not_used(
    stage: Stage, pool: OriginPool, listener: Listener, pause: float
) -> None:
    """Whether or not the loop has had the time to notice."""
    assert after_resting(stage, pool, listener, lambda: listener.accept().close(), pause).served == 0


@pytest.mark.parametrize("pause", [0.05, 0.0])
def test_a_resting_connection_with_a_second_answer_is_not_used(
    stage: Stage, pool: OriginPool, listener: Listener, pause: float
) -> None:
    """It would be taken for the answer to the next client's request."""
    late = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    assert after_resting(stage, pool, listener, lambda: listener.accept().send(late), pause).served == 0


def test_a_connection_that_has_rested_too_long_is_not_used(stage: Stage, listener: Listener) -> None:
    pool = OriginPool(connect_seconds=0.3, rest_seconds=0.05)
    assert after_resting(stage, pool, listener, lambda: None, 0.1).served == 0


def test_a_fresh_connection_is_never_one_that_rested(
    stage: Stage, pool: OriginPool, listener: Listener
) -> None:
    async def main(strand: Strand) -> None:
        first = await pool.acquire((listener.endpoint,), strand)
        rest(pool, first, strand)
        second = await pool.acquire((listener.endpoint,), strand, fresh=True)
        assert second is not first
        assert second.served == 0
        second.close()

    stage.play(main)
    pool.close()


def test_connections_of_one_origin_are_not_used_for_another(
    stage: Stage, pool: OriginPool, listener: Listener, other: Listener
) -> None:
    async def main(strand: Strand) -> None:
        first = await pool.acquire((listener.endpoint,), strand)
        rest(pool, first, strand)
        second = await pool.acquire((other.endpoint,), strand)
        assert second.endpoint == other.endpoint
        assert second is not first
        second.close()

    stage.play(main)
    pool.close()


def test_no_more_than_256_connections_rest(stage: Stage, pool: OriginPool, listener: Listener) -> None:
    async def main(strand: Strand) -> None:
        many = [await pool.acquire((listener.endpoint,), strand) for _ in range(258)]
        for connection in many:
            rest(pool, connection, strand)
        open_still = [connection for connection in many if connection.stream.sock.fileno() >= 0]  # type: ignore[attr-defined]
        assert open_still == many[2:]

    stage.play(main)
    pool.close()


def test_the_sweep_closes_what_is_old_or_dead_and_keeps_the_rest(
    stage: Stage, pool: OriginPool, listener: Listener
) -> None:
    async def main(strand: Strand) -> None:
        now = stage.reactor.now()
        old, dead, good = [await pool.acquire((listener.endpoint,), strand) for _ in range(3)]
        peers = [listener.accept() for _ in range(3)]
        pool.release(old, now - 61)
        pool.release(dead, now)
        pool.release(good, now)
        peers[1].close()
        stage.loop.call_later(0.05, strand.resume)
        await strand.parked(now + 5, "pause")
        pool.sweep(now)
        assert await pool.acquire((listener.endpoint,), strand) is good
        for connection in (old, dead):
            assert connection.stream.sock.fileno() == -1  # type: ignore[attr-defined]
        good.close()

    stage.play(main)


def test_closing_the_pool_closes_what_rests(stage: Stage, pool: OriginPool, listener: Listener) -> None:
    async def main(strand: Strand) -> OriginConnection:
        connection = await pool.acquire((listener.endpoint,), strand)
        rest(pool, connection, strand)
        return connection

    connection = stage.play(main)
    pool.close()
    assert connection.stream.sock.fileno() == -1  # type: ignore[attr-defined]


# --- several origins ---------------------------------------------------------------------------


def test_several_origins_take_turns(
    stage: Stage, pool: OriginPool, listener: Listener, other: Listener
) -> None:
    both = (listener.endpoint, other.endpoint)

    async def main(strand: Strand) -> list[int]:
        ports = []
        for _ in range(6):
            connection = await pool.acquire(both, strand)
            ports.append(connection.endpoint.port)
            rest(pool, connection, strand)
        return ports

    assert stage.play(main) == [listener.port, other.port] * 3
    pool.close()


def test_an_origin_that_cannot_be_reached_is_passed_over(
    stage: Stage, pool: OriginPool, listener: Listener
) -> None:
    dead = Endpoint("127.0.0.1", unused_port())

    async def main(strand: Strand) -> set[int]:
        ports = set()
        for _ in range(4):
            connection = await pool.acquire((dead, listener.endpoint), strand)
            ports.add(connection.endpoint.port)
            connection.close()
        return ports

    assert stage.play(main) == {listener.port}


def test_an_origin_that_hung_is_not_tried_again_for_a_while(
    stage: Stage, pool: OriginPool, listener: Listener
) -> None:
    async def main(strand: Strand) -> float:
        with hanging() as slow:
            for _ in range(2):  # whichever comes first, the slow one is tried once
                (await pool.acquire((slow, listener.endpoint), strand)).close()
            began = stage.reactor.now()
            for _ in range(6):
                (await pool.acquire((slow, listener.endpoint), strand)).close()
            return stage.reactor.now() - began

    assert stage.play(main) < 0.3


def test_an_avoided_origin_is_still_the_last_resort(stage: Stage, pool: OriginPool) -> None:
    port = unused_port()
    dead, back = Endpoint("127.0.0.1", unused_port()), Endpoint("127.0.0.1", port)

    async def fail(strand: Strand) -> None:
        await pool.acquire((back, dead), strand)

    with pytest.raises(OriginError):
        stage.play(fail)
    listener = Listener()
    revived = listener.endpoint

    async def main(strand: Strand) -> Endpoint:
        pool._shelf(revived).avoid_until = stage.reactor.now() + 10
        connection = await pool.acquire((dead, revived), strand)
        connection.close()
        return connection.endpoint

    assert stage.play(main) == revived
    listener.close()


def test_if_no_origin_can_be_reached_that_is_the_reason(stage: Stage, pool: OriginPool) -> None:
    dead = tuple(Endpoint("127.0.0.1", unused_port()) for _ in range(3))

    async def main(strand: Strand) -> None:
        await pool.acquire(dead, strand)

    with pytest.raises(OriginError) as caught:
        stage.play(main)
    assert caught.value.reason is Reason.ORIGIN_UNREACHABLE


def test_without_an_origin_none_can_be_reached(stage: Stage, pool: OriginPool) -> None:
    async def main(strand: Strand) -> None:
        await pool.acquire((), strand)

    with pytest.raises(OriginError) as caught:
        stage.play(main)
    assert caught.value.reason is Reason.ORIGIN_UNREACHABLE


# --- nothing to connect with -------------------------------------------------------------------


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Let this process open nothing more, for as long as the block lasts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    with ExitStack() as stack:
        for _ in range(highest):  # below the limit there may be gaps
            stack.enter_context(Path("/dev/null").open("rb"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_an_edge_without_descriptors_is_overloaded_and_holds_it_against_no_origin(
    stage: Stage, pool: OriginPool, listener: Listener, other: Listener
) -> None:
    both = (listener.endpoint, other.endpoint)

    async def fail(strand: Strand) -> None:
        with no_descriptor_left():  # here, because the loop itself needs some at its start
            await pool.acquire(both, strand)

    for _ in range(2):
        with pytest.raises(OriginError) as caught:
            stage.play(fail)
        assert caught.value.reason is Reason.OVERLOADED
    assert [pool._shelf(endpoint).avoid_until for endpoint in both] == [0.0, 0.0]

    async def main(strand: Strand) -> set[int]:
        opened = [await pool.acquire(both, strand) for _ in range(2)]
        for connection in opened:
            connection.close()
        return {connection.endpoint.port for connection in opened}

    assert stage.play(main) == {listener.port, other.port}
