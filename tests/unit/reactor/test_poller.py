"""One epoll for all connections, seen by the loop as one descriptor."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from edge.reactor.poller import READ, WRITE
from tests.unit.strands import Stage

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_what_arrives_is_told_as_long_as_it_is_there(stage: Stage, pair: Pair) -> None:
    ours, theirs = pair
    told: list[int] = []
    stage.reactor.poller.watch(ours.fileno(), READ, told.append)
    stage.let_pass(0.02)
    assert told == []
    theirs.send(b"x")
    stage.let_pass(0.02)
    assert len(told) > 1
    assert set(told) == {READ}
    ours.recv(1)
    told.clear()
    stage.let_pass(0.02)
    assert told == []


def test_interest_can_change(stage: Stage, pair: Pair) -> None:
    ours, _ = pair
    told: list[int] = []
    stage.reactor.poller.watch(ours.fileno(), WRITE, told.append)
    stage.let_pass(0.02)
    assert set(told) == {WRITE}
    stage.reactor.poller.change(ours.fileno(), READ)
    told.clear()
    stage.let_pass(0.02)
    assert told == []


def test_who_rests_is_told_nothing_not_even_an_end(stage: Stage, pair: Pair) -> None:
    ours, theirs = pair
    told: list[int] = []
    stage.reactor.poller.watch(ours.fileno(), READ, told.append)
    stage.reactor.poller.rest(ours.fileno())
    theirs.close()
    stage.let_pass(0.02)
    assert told == []
    stage.reactor.poller.watch(ours.fileno(), READ, told.append)
    stage.let_pass(0.02)
    assert told


def test_a_descriptor_that_was_forgotten_but_not_closed_does_not_spin(stage: Stage, pair: Pair) -> None:
    ours, theirs = pair
    told: list[int] = []
    poller = stage.reactor.poller
    poller.watch(ours.fileno(), READ, told.append)
    poller.forget(ours.fileno())
    theirs.send(b"x")
    stage.let_pass(0.02)
    assert told == []
    poller.watch(ours.fileno(), READ, told.append)
    stage.let_pass(0.02)
    assert told


def test_a_number_that_is_used_again_is_watched_for_its_new_owner(stage: Stage) -> None:
    poller = stage.reactor.poller
    first, other = socket.socketpair()
    number = first.fileno()
    old: list[int] = []
    poller.watch(number, READ, old.append)
    poller.forget(number)
    first.close()
    second, peer = socket.socketpair()
    with other, second, peer:
        new: list[int] = []
        poller.watch(second.fileno(), READ, new.append)
        peer.send(b"x")
        stage.let_pass(0.02)
        assert (old, bool(new)) == ([], True)
