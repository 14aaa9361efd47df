"""A PROXY header has one meaning, or it is refused."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from edge.tls.proxy_protocol import (
    MAX_HEADER_OCTETS,
    ProxyHeader,
    ProxyHeaderError,
    ProxyHeaderReader,
    crc32c,
    may_be_proxy_header,
)
from tests.unit.tls.hellos import pyopenssls
from tests.unit.tls.proxy_headers import (
    LOCAL,
    SIGNATURE,
    TCP4,
    TCP6,
    UDP4,
    UNIX,
    addition,
    addresses,
    binary,
    line,
    with_checksum,
)

LONGEST = "ffff:f0ff:ffff:ffff:ffff:ffff:ffff:ffff"


def read(octets: bytes) -> ProxyHeader | None:
    return ProxyHeaderReader().feed(octets)


def client(octets: bytes) -> str | None:
    header = read(octets)
    assert header is not None
    return None if header.client is None else str(header.client)


def refused(octets: bytes) -> str:
    with pytest.raises(ProxyHeaderError) as caught:
        read(octets)
    return str(caught.value)


# --- what it is not ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "octets",
    [b"\x16", b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n", b"proxy TCP4", b" PROXY", b"PROXY\t", b"\n",
     b"\r\n\r\n\r", SIGNATURE[:11] + b"\r", b"\0"],
)  # fmt: skip
def test_anything_else_is_refused_at_its_first_wrong_octet(octets: bytes) -> None:
    assert refused(octets) == "no PROXY protocol header"


@pytest.mark.parametrize(
    "text",
    [
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 1\r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.1 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 \r\n",
        "PROXY TCP4 192.0.2.1\t198.51.100.1 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 056324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 -443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 99999\r\n",
        "PROXY TCP4 192.0.2.01 198.51.100.1 56324 443\r\n",
        "PROXY TCP4 192.0.2 198.51.100.1 56324 443\r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.1 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.256 56324 443\r\n",
        "PROXY TCP4 2001:db8::1 198.51.100.1 56324 443\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.1 56324 443\r\n",
        "PROXY TCP6 2001:db8::1 198.51.100.1 56324 443\r\n",
        "PROXY TCP6 2001:db8::1%eth0 2001:db8::2 56324 443\r\n",
        "PROXY TCP6 2001::db8::1 2001:db8::2 56324 443\r\n",
        "PROXY TCP6 [2001:db8::1] 2001:db8::2 56324 443\r\n",
        "PROXY TCP5 192.0.2.1 198.51.100.1 56324 443\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.1 56324 443\r\n",
        "PROXY tcp4 192.0.2.1 198.51.100.1 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\n\r\n",
        "PROXY TCP4 192.0.2.1\0 198.51.100.1 56324 443\r\n",
        "PROXY TCP4 192.0.2.１ 198.51.100.1 56324 443\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 56324 ٤٤٣\r\n",
        "PROXY \r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY UNKNOWN \x07\r\n",
    ],
)  # fmt: skip
def test_a_line_with_another_meaning_or_none_is_refused(text: str) -> None:
    assert refused(text.encode()).startswith("the PROXY line")


def test_a_line_that_does_not_end_in_time_is_refused() -> None:
    longest = b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n"
    assert len(longest) == 107
    assert client(longest) is None
    assert read(longest[:-1]) is None
    assert refused(b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n") == "the PROXY line does not end"


@pytest.mark.parametrize(
    "header",
    [
        binary(command=0x22),
        binary(command=0x11),
        binary(command=0x01),
        binary(command=0x2F),
        binary(family=UDP4),
        binary(family=UNIX, block=bytes(216)),
        binary(family=0x22, block=bytes(36)),
        binary(family=0x41),
        binary(family=0x10),
        binary(family=0x01),
        binary(block=b""),
        binary(block=bytes(11)),
        binary(family=TCP6, block=bytes(35)),
        binary(additions=b"\x04"),
        binary(additions=b"\x04\x00"),
        binary(additions=b"\x04\x00\x01"),
        binary(additions=b"\x04\x00\x02x"),
        binary(additions=addition(3, b"")),
        binary(additions=addition(3, b"12345")),
        binary(additions=addition(3, b"\0\0\0\0")),
        with_checksum(with_checksum(binary())),
        with_checksum(binary())[:-1] + b"\0",
    ],
)
def test_a_header_with_another_meaning_or_none_is_refused(header: bytes) -> None:
    assert "PROXY header" in refused(header)


def test_every_octet_is_under_the_checksum() -> None:
    header = with_checksum(binary(additions=addition(4, b"padding")))
    assert client(header) == "192.0.2.1"
    for at in range(16, len(header) - 7):
        spoiled = header[:at] + bytes((header[at] ^ 1,)) + header[at + 1 :]
        assert "PROXY header" in refused(spoiled), at


def test_a_header_longer_than_the_bound_is_refused_before_it_comes() -> None:
    room = MAX_HEADER_OCTETS - 16 - 12 - 3
    assert client(binary(additions=addition(4, bytes(room)))) == "192.0.2.1"
    assert "more than" in refused(binary(additions=addition(4, bytes(room + 1)))[:16])


# --- what it is --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (line(), "192.0.2.1"),
        (line("0.0.0.0", "255.255.255.255"), "0.0.0.0"),
        (line("2001:DB8::1", "::", "TCP6"), "2001:db8::1"),
        (line("::ffff:192.0.2.9", "::1", "TCP6"), "192.0.2.9"),
        (line(LONGEST, LONGEST, "TCP6"), LONGEST),
        (binary(), "192.0.2.1"),
        (binary(addresses("2001:db8::1", "::1"), family=TCP6), "2001:db8::1"),
        (binary(addresses("::ffff:192.0.2.9", "::1"), family=TCP6), "192.0.2.9"),
        (binary(additions=addition(0x20, bytes(5) + addition(0x21, b"v")) + addition(4, b"")), "192.0.2.1"),
        (with_checksum(binary()), "192.0.2.1"),
    ],
)  # fmt: skip
def test_the_first_address_is_the_client(octets: bytes, expected: str) -> None:
    assert client(octets) == expected


@pytest.mark.parametrize(
    "octets",
    [
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n",
        binary(b"", family=0, command=LOCAL),
        binary(b"", family=0),
        binary(b"", addition(4, b"x"), family=0),
        binary(family=TCP4, command=LOCAL),
        binary(bytes(5), family=0x55, command=LOCAL),
        with_checksum(binary(b"", family=0, command=LOCAL)),
    ],
)
def test_who_speaks_for_itself_is_nobody_else(octets: bytes) -> None:
    assert client(octets) is None


def test_a_local_header_with_a_wrong_checksum_is_refused() -> None:
    assert "checksum" in refused(binary(b"", addition(3, b"\0\0\0\0"), family=0, command=LOCAL))


@pytest.mark.parametrize("header", [line(), binary(), with_checksum(binary())])
def test_what_comes_behind_is_left_alone(header: bytes) -> None:
    found = read(header + b"PROXY \x16\x03\x01\r\n")
    assert found is not None
    assert found.octets == len(header)


@pytest.mark.parametrize("header", [line(), binary(additions=addition(4, bytes(300)))])
def test_it_says_how_much_it_needs_and_never_too_much(header: bytes) -> None:
    reader, at = ProxyHeaderReader(), 0
    while at < len(header):
        step = reader.needed
        found = reader.feed(header[at : at + step])
        at += step
    assert at == len(header)
    assert found == ProxyHeader(ip_address("192.0.2.1"), len(header))


def test_headers_are_recognised_where_none_should_be() -> None:
    assert may_be_proxy_header(line())
    assert may_be_proxy_header(binary()[:12])
    assert not may_be_proxy_header(b"PROX")
    assert not may_be_proxy_header(pyopenssls("a.test", []))


def test_the_checksum_is_that_of_the_specification() -> None:
    # RFC 3720 B.4
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"123456789") == 0xE3069283
