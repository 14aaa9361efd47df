"""Any slicing of a PROXY header gives the same reading; any octets give a reading or a refusal."""

from __future__ import annotations

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from edge.tls.proxy_protocol import ProxyHeader, ProxyHeaderError, ProxyHeaderReader
from tests.property.http1_streams import pieces_of, unhurried
from tests.unit.tls.proxy_headers import (
    SIGNATURE,
    TCP4,
    TCP6,
    addition,
    addresses,
    binary,
    line,
    with_checksum,
)

V4 = st.ip_addresses(v=4).map(str)
V6 = st.ip_addresses(v=6).map(str)
LINES = st.one_of(
    st.builds(line, V4, V4),
    st.builds(lambda a, b: line(a, b, "TCP6"), V6, V6),
    st.just(b"PROXY UNKNOWN\r\n"),
)
ADDITIONS = st.lists(st.builds(addition, st.sampled_from([1, 2, 3, 4, 32]), st.binary(max_size=20))).map(
    b"".join
)
BINARIES = st.builds(
    binary,
    st.one_of(st.none(), st.builds(addresses, V4, V4), st.builds(addresses, V6, V6), st.binary(max_size=40)),
    ADDITIONS,
    command=st.sampled_from([0x21, 0x20, 0x22]),
    family=st.sampled_from([TCP4, TCP6, 0, 0x31]),
)
HEADERS = st.one_of(LINES, BINARIES, BINARIES.map(with_checksum))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A header with a few octets replaced, removed or put in."""
    data = draw(HEADERS)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.binary(max_size=2)) + data[at + draw(st.integers(0, 2)) :]
    return data


def outcome(pieces: list[bytes]) -> ProxyHeader | str | None:
    """What comes of the pieces: a header, the text of the refusal, or nothing yet."""
    reader = ProxyHeaderReader()
    try:
        for piece in pieces:
            header = reader.feed(piece)
            if header is not None:
                return header
    except ProxyHeaderError as error:
        return str(error)
    return None


@unhurried
@given(st.one_of(HEADERS, damaged(), st.binary(max_size=200)), st.binary(max_size=20), st.data())
def test_any_slicing_comes_to_the_same(wire: bytes, behind: bytes, data: st.DataObject) -> None:
    wire += behind
    whole = outcome([wire] if wire else [])
    assert outcome(data.draw(pieces_of(wire))) == whole
    assert outcome([wire[at : at + 1] for at in range(len(wire))]) == whole


@unhurried
@given(st.binary(max_size=400))
def test_any_octets_are_a_header_a_refusal_or_not_enough(octets: bytes) -> None:
    outcome([octets])
    outcome([SIGNATURE + octets])
    outcome([b"PROXY TCP4 " + octets + b"\r\n"])


@unhurried
@given(V4, V4)
def test_both_versions_say_the_same_of_ipv4(source: str, target: str) -> None:
    for header in (line(source, target), binary(addresses(source, target))):
        assert outcome([header]) == ProxyHeader(ip_address(source), len(header))


@unhurried
@given(V6, V6)
def test_both_versions_say_the_same_of_ipv6(source: str, target: str) -> None:
    found = [
        outcome([line(source, target, "TCP6")]),
        outcome([binary(addresses(source, target), family=TCP6)]),
    ]
    first, second = (each.client if isinstance(each, ProxyHeader) else None for each in found)
    assert first == second is not None


@unhurried
@given(V4, ADDITIONS, st.integers(0, 10_000), st.integers(1, 255))
def test_no_single_octet_changes_what_a_checked_header_says(
    source: str, more: bytes, at: int, bits: int
) -> None:
    header = with_checksum(binary(addresses(source, "192.0.2.9"), more))
    before = outcome([header])
    at = 16 + at % (len(header) - 16)
    after = outcome([header[:at] + bytes((header[at] ^ bits,)) + header[at + 1 :]])
    # The checksum itself may be hidden so: then there is none, but what it was about has not changed.
    assert isinstance(before, str) or isinstance(after, str) or after == before
