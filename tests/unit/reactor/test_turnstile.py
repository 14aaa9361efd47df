"""A crowd goes through a few a turn, in the order it came, and nobody is forgotten."""

from __future__ import annotations

import pytest

from edge.reactor.strand import Expired, Strand
from edge.reactor.turnstile import Turnstile
from tests.unit.strands import ManualLoop, manual_reactor


class Crowd:
    """Strands that go through a turnstile; ``through`` says in which order."""

    def __init__(self, most: int) -> None:
        self.loop = ManualLoop()
        self.defects: list[Exception] = []
        self.reactor = manual_reactor(self.loop, self.defects)
        self.turnstile = Turnstile(self.reactor.loop, most)
        self.through: list[int] = []
        self.strands: list[Strand] = []

    def come(self, count: int) -> None:
        for _ in range(count):
            strand = Strand(self.reactor)
            strand.start(self._go(strand, len(self.strands)))
            self.strands.append(strand)

    async def _go(self, strand: Strand, number: int) -> None:
        await self.turnstile.enter(strand, self.loop.now + 5, "handshake")
        self.through.append(number)


def test_who_comes_alone_does_not_wait() -> None:
    crowd = Crowd(most=2)
    crowd.come(1)
    assert crowd.through == [0]


def test_a_crowd_goes_through_a_few_a_turn_in_its_order() -> None:
    crowd = Crowd(most=2)
    crowd.come(5)
    assert crowd.through == [0, 1]
    crowd.loop.turn()
    assert crowd.through == [0, 1, 2, 3]
    crowd.loop.turn()
    assert crowd.through == [0, 1, 2, 3, 4]
    crowd.loop.turn()
    assert not crowd.loop.soon, "an empty turnstile keeps the loop busy"


def test_nobody_overtakes_who_waits() -> None:
    crowd = Crowd(most=1)
    crowd.come(3)
    crowd.loop.turn()
    crowd.come(1)
    assert crowd.through == [0, 1]
    crowd.loop.turn()
    crowd.loop.turn()
    assert crowd.through == [0, 1, 2, 3]


def test_a_wake_up_for_another_reason_lets_nobody_through() -> None:
    crowd = Crowd(most=1)
    crowd.come(2)
    crowd.strands[1].resume()
    assert crowd.through == [0]


def test_who_waits_too_long_is_told_and_the_next_one_goes() -> None:
    crowd = Crowd(most=1)
    crowd.come(3)
    expired = Expired("handshake")
    crowd.strands[1].throw(expired)
    crowd.loop.turn()
    crowd.loop.turn()
    assert crowd.through == [0, 2]
    assert crowd.defects == []


@pytest.mark.parametrize("most", [1, 3])
def test_a_new_turn_begins_with_nobody_through(most: int) -> None:
    crowd = Crowd(most=most)
    crowd.come(most)
    crowd.loop.turn()
    crowd.come(most)
    assert crowd.through == list(range(2 * most))
