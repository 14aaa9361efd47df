"""Hints are found by their leaf or not at all; whatever lies in a slot, nothing wrong comes out."""

from __future__ import annotations

import hashlib
import os

import pytest

from edge.tls.chain_hints import ChainHints

SLOT = 16384
SLOTS = 1024
CHAIN = [b"first intermediate", b"second"]


def leaf(number: int, slot: int = 0) -> bytes:
    """A digest whose first slot is ``slot``; different for each number."""
    return slot.to_bytes(4, "big") + hashlib.sha256(b"%d" % number).digest()[4:]


def test_what_was_left_is_recalled() -> None:
    hints = ChainHints()
    hints.leave(leaf(1), CHAIN)
    assert hints.recall(leaf(1)) == CHAIN


def test_an_unknown_leaf_has_no_hint() -> None:
    hints = ChainHints()
    assert hints.recall(leaf(1)) == []
    hints.leave(leaf(1), CHAIN)
    assert hints.recall(leaf(2)) == []


def test_the_digest_of_zeros_is_no_key_of_an_empty_slot() -> None:
    assert ChainHints().recall(bytes(32)) == []


@pytest.mark.parametrize("chain", [[], [b""], [b"", b"x"], [os.urandom(1500)] * 10])
def test_any_chain_comes_back_as_it_was(chain: list[bytes]) -> None:
    hints = ChainHints()
    hints.leave(leaf(1), chain)
    assert hints.recall(leaf(1)) == chain


def test_a_later_chain_replaces_the_earlier_one() -> None:
    hints = ChainHints()
    hints.leave(leaf(1), [b"a long one" * 100])
    hints.leave(leaf(1), [b"short"])
    assert hints.recall(leaf(1)) == [b"short"]


def test_leaves_that_collide_live_side_by_side() -> None:
    hints = ChainHints()
    for number in range(4):
        hints.leave(leaf(number), [b"chain %d" % number])
    assert [hints.recall(leaf(number)) for number in range(4)] == [[b"chain %d" % n] for n in range(4)]


def test_one_leaf_too_many_takes_the_place_of_one_other() -> None:
    hints = ChainHints()
    for number in range(5):
        hints.leave(leaf(number), [b"chain %d" % number])
    assert hints.recall(leaf(4)) == [b"chain 4"]
    recalled = [hints.recall(leaf(number)) for number in range(4)]
    assert recalled.count([]) == 1
    assert all(found in ([], [b"chain %d" % number]) for number, found in enumerate(recalled))


def test_the_last_slots_probe_over_the_end() -> None:
    hints = ChainHints()
    numbers = range(4)
    for number in numbers:
        hints.leave(leaf(number, slot=SLOTS - 1), [b"chain %d" % number])
    assert [hints.recall(leaf(n, slot=SLOTS - 1)) for n in numbers] == [[b"chain %d" % n] for n in numbers]


def test_a_chain_that_is_too_long_is_not_kept() -> None:
    hints = ChainHints()
    hints.leave(leaf(1), [bytes(SLOT)])
    assert hints.recall(leaf(1)) == []


def test_a_chain_that_just_fits_is_kept_and_touches_no_neighbour() -> None:
    hints = ChainHints()
    hints.leave(leaf(2, slot=1), CHAIN)
    fits = [bytes(SLOT - 32 - 32 - 4 - 4)]
    hints.leave(leaf(1), fits)
    assert hints.recall(leaf(1)) == fits
    assert hints.recall(leaf(2, slot=1)) == CHAIN
    hints.leave(leaf(3, slot=7), [bytes(SLOT - 32 - 32 - 4 - 4 + 1)])
    assert hints.recall(leaf(3, slot=7)) == []


@pytest.mark.parametrize("at", [0, 31, 32 + 32, 32 + 35, 32 + 36, 32 + 50])
def test_a_torn_slot_gives_nothing(at: int) -> None:
    hints = ChainHints()
    hints.leave(leaf(1), CHAIN)
    hints._memory[at] ^= 0xFF
    assert hints.recall(leaf(1)) == []


def test_a_slot_full_of_chance_gives_nothing() -> None:
    hints = ChainHints()
    hints._memory[: 8 * SLOT] = os.urandom(8 * SLOT)
    hints._memory[32:64] = leaf(1)
    assert hints.recall(leaf(1)) == []


def test_a_torn_slot_is_written_again() -> None:
    hints = ChainHints()
    hints.leave(leaf(1), CHAIN)
    hints._memory[0] ^= 0xFF
    hints.leave(leaf(1), CHAIN)
    assert hints.recall(leaf(1)) == CHAIN


def test_a_forked_worker_finds_what_another_left() -> None:
    hints = ChainHints()
    child = os.fork()
    if not child:
        hints.leave(leaf(1), CHAIN)
        os._exit(0)
    os.waitpid(child, 0)
    assert hints.recall(leaf(1)) == CHAIN
