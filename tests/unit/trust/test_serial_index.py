"""Every serial that was put in is found, as what was said of it; no other ever is."""

from __future__ import annotations

import struct

import pytest

from edge.trust.serial_index import RevokedEntry, SerialIndex, SerialIndexError, build_index, key_of

LARGEST = 2**159 - 1
"""What fits into twenty octets, with a sign."""


def index_of(*entries: tuple[int, int, int]) -> SerialIndex:
    return SerialIndex(
        memoryview(build_index([(key_of(serial), since, reason) for serial, since, reason in entries]))
    )


# --- no ----------------------------------------------------------------------------------------


def test_an_empty_index_finds_nothing() -> None:
    index = index_of()
    assert len(index) == 0
    assert index.find(0) is None
    assert index.find(LARGEST) is None


@pytest.mark.parametrize("serial", [0, 1, -1, 255, 256, -256, 0x7F, 0x80, LARGEST, LARGEST + 1, -(2**167)])
def test_a_neighbour_is_not_found(serial: int) -> None:
    index = index_of((serial, 1, 1))
    for other in (serial + 1, serial - 1, serial + 2**64, serial << 8, serial >> 8):
        assert other == serial or index.find(other) is None


@pytest.mark.parametrize("serial", [1, 0x7F, 0x80, 0xFF, 2**158, 2**159, 2**200])
def test_a_serial_and_its_negative_are_two(serial: int) -> None:
    assert index_of((serial, 1, 1)).find(-serial) is None
    assert index_of((-serial, 1, 1)).find(serial) is None


@pytest.mark.parametrize("octets", [b"", b"\0" * 7])
def test_octets_too_short_for_their_header_are_no_index(octets: bytes) -> None:
    with pytest.raises(SerialIndexError, match="cut off"):
        SerialIndex(memoryview(octets))


@pytest.mark.parametrize("cut", [1, 24, 25])
def test_an_index_that_is_cut_off_is_none(cut: int) -> None:
    octets = build_index([(key_of(serial), 1, 1) for serial in range(10)])
    with pytest.raises(SerialIndexError, match="length"):
        SerialIndex(memoryview(octets[:-cut]))


def test_an_index_with_more_behind_it_is_none() -> None:
    octets = build_index([(key_of(5), 1, 1)])
    with pytest.raises(SerialIndexError, match="length"):
        SerialIndex(memoryview(octets + b"\0"))


def test_an_index_without_buckets_is_none() -> None:
    with pytest.raises(SerialIndexError):
        SerialIndex(memoryview(struct.pack("<III", 0, 0, 0)))


def test_an_index_that_claims_more_than_is_there_is_none() -> None:
    with pytest.raises(SerialIndexError):
        SerialIndex(memoryview(struct.pack("<II", 2**32 - 1, 2**32 - 1)))


# --- yes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "serial",
    [
        0,
        1,
        127,
        128,
        255,
        256,
        -1,
        -128,
        -129,
        2**152,
        LARGEST,
        LARGEST + 1,
        2**160 - 1,
        2**160,
        2**167 - 1,
        2**167,
        2**176 - 1,
        -(2**159),
        -(2**159) - 1,
        -(2**167),
        -(2**167) - 1,
        -(2**175),
    ],
)
def test_a_serial_of_any_size_and_sign_is_found(serial: int) -> None:
    assert index_of((serial, 1_700_000_000, 1)).find(serial) == RevokedEntry(1_700_000_000, 1)


def test_every_serial_of_many_is_found_as_itself() -> None:
    entries = [(serial * 7919, 1_000_000 + serial, serial % 11) for serial in range(2000)]
    index = index_of(*entries)
    assert len(index) == 2000
    for serial, since, reason in entries:
        assert index.find(serial) == RevokedEntry(since, reason)
        assert index.find(serial + 1) is None


def test_serials_that_share_a_bucket_are_told_apart() -> None:
    # Four entries make three buckets.
    index = index_of((3, 1, 1), (6, 2, 2), (9, 3, 3), (12, 4, 4))
    assert [index.find(serial) for serial in (3, 6, 9, 12)] == [RevokedEntry(n, n) for n in (1, 2, 3, 4)]
    assert index.find(15) is None


def test_of_a_serial_that_is_listed_twice_the_first_entry_speaks() -> None:
    index = index_of((5, 100, 1), (6, 1, 1), (5, 200, 4))
    assert index.find(5) == RevokedEntry(100, 1)
    assert len(index) == 3


@pytest.mark.parametrize(("said", "kept"), [(-1, 0), (0, 0), (2**32 - 1, 2**32 - 1), (2**32, 2**32 - 1)])
def test_a_moment_that_does_not_fit_is_the_nearest_that_does(said: int, kept: int) -> None:
    assert index_of((5, said, 0)).find(5) == RevokedEntry(kept, 0)


def test_the_octets_are_used_where_they_lie() -> None:
    octets = build_index([(key_of(5), 1, 1)])
    assert SerialIndex(memoryview(octets)).octets.obj is octets
