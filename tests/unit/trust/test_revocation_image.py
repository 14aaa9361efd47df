"""What one process packs another reads as the same: every list of every entry, to the last serial."""

from __future__ import annotations

from types import MappingProxyType

import pytest

from edge.trust.crl import Crl
from edge.trust.revocation import NO_REVOCATION, EntryRevocation, Revocation
from edge.trust.revocation_image import pack, unpack
from edge.trust.serial_index import RevokedEntry, SerialIndex, build_index, key_of


def crl(issuer: bytes, *serials: int, number: int | None = 1, name: str = "CN=CA") -> Crl:
    entries = [(key_of(serial), 1_700_000_000 + serial, 1) for serial in serials]
    index = SerialIndex(memoryview(build_index(entries)))
    return Crl(issuer, name, number, 1_700_000_000.0, 253402300799.0, index, "crls/a.crl")


def entry(*crls: Crl, stale_allowed: bool = False) -> EntryRevocation:
    return EntryRevocation(MappingProxyType({each.issuer: each for each in crls}), stale_allowed)


def image_of(revocation: Revocation) -> bytes:
    return b"".join(pack(revocation))


def there_and_back(revocation: Revocation) -> Revocation:
    return unpack(memoryview(image_of(revocation)))


@pytest.mark.parametrize(
    "revocation",
    [
        NO_REVOCATION,
        {"Empty": entry()},
        {"Stale": entry(stale_allowed=True)},
        {"One": entry(crl(b"a" * 32, 1, 2, 3))},
        {"Nobody": entry(crl(b"a" * 32), crl(b"b" * 32))},
        {
            "Devices": entry(crl(b"a" * 32, *range(500)), crl(b"b" * 32, 7, number=None)),
            'Ger"äte\n\0': entry(crl(b"a" * 32, 9, name="CN=ä\u2028"), stale_allowed=True),
            "": entry(crl(b"c" * 32, number=2**159 + 1)),
        },
    ],
)
def test_everything_comes_out_as_it_went_in(revocation: Revocation) -> None:
    found = there_and_back(revocation)
    assert found.keys() == revocation.keys()
    for name, said in revocation.items():
        assert found[name].stale_allowed is said.stale_allowed
        assert found[name].crls.keys() == said.crls.keys()
        for issuer, list_ in said.crls.items():
            other = found[name].crls[issuer]
            assert other.says_the_same_as(list_)
            assert (other.issuer, other.issuer_name, other.source) == (
                issuer,
                list_.issuer_name,
                list_.source,
            )


def test_each_list_keeps_its_own_serials() -> None:
    found = there_and_back({"CA": entry(crl(b"a" * 32, 1, 2), crl(b"b" * 32, 3))})["CA"].crls
    assert found[b"a" * 32].serials.find(1) == RevokedEntry(1_700_000_001, 1)
    assert found[b"a" * 32].serials.find(3) is None
    assert found[b"b" * 32].serials.find(3) == RevokedEntry(1_700_000_003, 1)
    assert found[b"b" * 32].serials.find(1) is None


def test_an_image_can_be_packed_again() -> None:
    image = image_of({"CA": entry(crl(b"a" * 32, 1, 2), crl(b"b" * 32, 3))})
    assert image_of(unpack(memoryview(image))) == image


def test_a_mapping_is_longer_than_what_it_maps() -> None:
    # A mapping of memory may be: what follows the indexes is not looked at.
    image = image_of({"CA": entry(crl(b"a" * 32, 1))}) + bytes(4096)
    assert unpack(memoryview(image))["CA"].crls[b"a" * 32].serials.find(1) is not None


def test_what_came_out_cannot_be_changed() -> None:
    found = there_and_back({"CA": entry(crl(b"a" * 32, 1))})
    with pytest.raises(TypeError):
        found["Other"] = entry()  # type: ignore[index]
    with pytest.raises(TypeError):
        del found["CA"].crls[b"a" * 32]  # type: ignore[attr-defined]


def test_the_indexes_stay_where_they_are() -> None:
    image = image_of({"CA": entry(crl(b"a" * 32, 1))})
    assert unpack(memoryview(image))["CA"].crls[b"a" * 32].serials.octets.obj is image
