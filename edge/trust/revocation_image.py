"""One generation of revocation as octets: made by one process, mapped by all the others.

length of the header (8, little-endian), header (JSON), the indexes one after the other
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import MappingProxyType

from edge.trust.crl import Crl
from edge.trust.revocation import EntryRevocation, Revocation
from edge.trust.serial_index import SerialIndex

_LENGTH_OCTETS = 8


def pack(revocation: Revocation) -> Iterator[bytes | memoryview]:
    """Yield the octets of an image, piece by piece."""
    indexes: list[memoryview] = []
    entries = {}
    for name, entry in revocation.items():
        lists = []
        for crl in entry.crls.values():
            indexes.append(crl.serials.octets)
            lists.append(
                {
                    "issuer": crl.issuer.hex(),
                    "issuer_name": crl.issuer_name,
                    "number": None if crl.number is None else hex(crl.number),
                    "this_update": crl.this_update,
                    "next_update": crl.next_update,
                    "source": crl.source,
                    "octets": len(crl.serials.octets),
                }
            )
        entries[name] = {"stale_allowed": entry.stale_allowed, "crls": lists}
    header = json.dumps(entries).encode("ascii")
    yield len(header).to_bytes(_LENGTH_OCTETS, "little")
    yield header
    yield from indexes


def unpack(image: memoryview) -> Revocation:
    """Return the revocation of an image, which must not change while it is used.

    Costs the same for a list of ten and of ten million: the indexes stay where they are. Only for
    images of ``pack`` by another process of the same edge.
    """
    end = _LENGTH_OCTETS + int.from_bytes(image[:_LENGTH_OCTETS], "little")
    entries = json.loads(bytes(image[_LENGTH_OCTETS:end]))
    place = end
    revocation: dict[str, EntryRevocation] = {}
    for name, entry in entries.items():
        crls: dict[bytes, Crl] = {}
        for said in entry["crls"]:
            octets = image[place : place + said["octets"]]
            place += said["octets"]
            issuer = bytes.fromhex(said["issuer"])
            crls[issuer] = Crl(
                issuer=issuer,
                issuer_name=said["issuer_name"],
                number=None if said["number"] is None else int(said["number"], 16),
                this_update=said["this_update"],
                next_update=said["next_update"],
                serials=SerialIndex(octets),
                source=said["source"],
            )
        revocation[name] = EntryRevocation(MappingProxyType(crls), entry["stale_allowed"])
    return MappingProxyType(revocation)
