"""Reads a PROXY protocol header, version 1 or 2, in any slices. Pure.

A proxy that passes TCP on says with it, before the first octet of TLS, who the client is. Whoever may
say so decides who a client is, so the caller asks for it only where a trusted proxy connects from, and
there it is required: an optional header could be left out, or written, by a client.

Rules, from HAProxy's ``proxy-protocol.txt`` (2020/03/05), and where this is stricter: one meaning, or
refused. A line of version 1 has one space between its words, numbers without leading zeros, and both
addresses of the family it names. A header of version 2 is as long as it says, its parts fill it
exactly, and a checksum that is there must be right. Families that no client of a TCP listener can have
(datagrams, UNIX sockets) are refused.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

from edge.model.network import Address

MAX_HEADER_OCTETS = 4096
"""Of version 2, which could say 65551. A client certificate's names, which some proxies add, fit in it."""
_MAX_LINE_OCTETS = 107
"""Section 2.1: with the CRLF. So much is enough for two IPv6 addresses."""
_LINE_BEGIN = b"PROXY "
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED_OCTETS = 16
_LOCAL, _PROXY = 0x20, 0x21
_UNSPECIFIED, _TCP4, _TCP6 = 0x00, 0x11, 0x21
_ADDRESS_OCTETS = {_UNSPECIFIED: 0, _TCP4: 12, _TCP6: 36}
"""By family: two addresses and two ports."""
_CRC32C = 0x03
_PORT = rb"(0|[1-9][0-9]{0,4})"
_LINE = re.compile(rb"PROXY TCP([46]) ([0-9A-Fa-f:.]{2,45}) ([0-9A-Fa-f:.]{2,45}) " + _PORT + b" " + _PORT)
_UNKNOWN = re.compile(rb"PROXY UNKNOWN( [\x20-\x7e]*)?")


class ProxyHeaderError(Exception):
    """These octets are no PROXY protocol header that is accepted."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """What a header says. ``client`` is None where the connection is the proxy's own: its health checks."""

    client: Address | None
    """An IPv4 address that came as an IPv6 one (``::ffff:192.0.2.1``) is the IPv4 address it is."""
    octets: int
    """How long the header is."""


def may_be_proxy_header(octets: bytes) -> bool:
    """Tell whether these octets begin like a header, of either version."""
    return octets.startswith((_LINE_BEGIN, _SIGNATURE))


class ProxyHeaderReader:
    """Takes the first octets of a connection in any slices until the header is whole."""

    __slots__ = ("_seen", "needed")

    def __init__(self) -> None:
        self._seen = bytearray()
        self.needed = 1
        """How many more octets must come before ``feed`` can get any further."""

    def feed(self, octets: bytes) -> ProxyHeader | None:
        """Return the header once it is whole, None while it is not. Raises ``ProxyHeaderError``.

        What comes behind the header is not looked at.
        """
        self._seen += octets
        seen = bytes(self._seen)
        if seen[: len(_SIGNATURE)] == _SIGNATURE[: len(seen)]:
            return self._binary(seen)
        if seen[: len(_LINE_BEGIN)] == _LINE_BEGIN[: len(seen)]:
            return self._text(seen)
        raise ProxyHeaderError("no PROXY protocol header")

    def _text(self, seen: bytes) -> ProxyHeader | None:
        line, end, _ = seen[:_MAX_LINE_OCTETS].partition(b"\r\n")
        if end:
            return ProxyHeader(_client_of_line(line), len(line) + len(end))
        if len(seen) >= _MAX_LINE_OCTETS:
            raise ProxyHeaderError("the PROXY line does not end")
        self.needed = 1
        return None

    def _binary(self, seen: bytes) -> ProxyHeader | None:
        if len(seen) < _FIXED_OCTETS:
            self.needed = _FIXED_OCTETS - len(seen)
            return None
        whole = _FIXED_OCTETS + int.from_bytes(seen[14:16], "big")
        if whole > MAX_HEADER_OCTETS:
            raise ProxyHeaderError(f"the PROXY header has more than {MAX_HEADER_OCTETS} octets")
        if len(seen) < whole:
            self.needed = whole - len(seen)
            return None
        return ProxyHeader(_client_of_header(seen[:whole]), whole)


# --- version 1 ---------------------------------------------------------------------------------


def _client_of_line(line: bytes) -> Address | None:
    if _UNKNOWN.fullmatch(line):
        return None  # section 2.1: what follows the word must be ignored
    match = _LINE.fullmatch(line)
    if match is None or int(match[4]) > 65535 or int(match[5]) > 65535:
        raise ProxyHeaderError("the PROXY line is malformed")
    kind = ipaddress.IPv4Address if match[1] == b"4" else ipaddress.IPv6Address
    try:
        client, _ = (kind(match[number].decode("ascii")) for number in (2, 3))
    except ValueError:
        raise ProxyHeaderError("the PROXY line has an address that is none of its family") from None
    return _plain(client)


# --- version 2 ---------------------------------------------------------------------------------


def _client_of_header(header: bytes) -> Address | None:
    command, family = header[12], header[13]
    if command not in (_LOCAL, _PROXY):
        raise ProxyHeaderError("the PROXY header has an unknown version or command")
    octets = _ADDRESS_OCTETS.get(family)
    if octets is None:
        if command == _LOCAL:
            return None  # section 2.2: the receiver must discard the rest, the family with it
        raise ProxyHeaderError("the PROXY header is not about a TCP connection")
    end = _FIXED_OCTETS + octets
    if len(header) < end:
        raise ProxyHeaderError("the PROXY header is too short for its addresses")
    _check_additions(header, end)
    if command == _LOCAL or family == _UNSPECIFIED:
        return None
    if family == _TCP4:
        return ipaddress.IPv4Address(header[16:20])
    return _plain(ipaddress.IPv6Address(header[16:32]))


def _check_additions(header: bytes, begin: int) -> None:
    """Walk over what a proxy may add: type, length, value. Only the checksum counts (section 2.2.4)."""
    checksums = [at for kind, at, octets in _additions(header, begin) if kind == _CRC32C and _is_four(octets)]
    if len(checksums) > 1:
        raise ProxyHeaderError("the PROXY header has two checksums")
    for at in checksums:
        zeroed = header[:at] + bytes(4) + header[at + 4 :]
        if crc32c(zeroed) != int.from_bytes(header[at : at + 4], "big"):
            raise ProxyHeaderError("the PROXY header's checksum is wrong")


def _additions(header: bytes, begin: int) -> Iterator[tuple[int, int, int]]:
    """Yield the type of each addition, and where its value begins and how long it is."""
    at = begin
    while at < len(header):
        value = at + 3
        octets = int.from_bytes(header[at + 1 : value], "big")
        if value + octets > len(header):
            raise ProxyHeaderError("an addition to the PROXY header does not fit into it")
        yield header[at], value, octets
        at = value + octets


def _is_four(octets: int) -> bool:
    if octets != 4:
        raise ProxyHeaderError("the PROXY header's checksum has not four octets")
    return True


def _plain(address: Address) -> Address:
    """One client has one address: limits and rules must not see two of them."""
    return getattr(address, "ipv4_mapped", None) or address


def _table() -> tuple[int, ...]:
    table = []
    for octet in range(256):
        remainder = octet
        for _ in range(8):
            remainder = remainder >> 1 ^ (0x82F63B78 if remainder & 1 else 0)
        table.append(remainder)
    return tuple(table)


_CRC_TABLE = _table()


def crc32c(octets: bytes) -> int:
    """Return the checksum of RFC 4960 appendix B, which no module of the standard library has."""
    remainder = 0xFFFFFFFF
    for octet in octets:
        remainder = remainder >> 8 ^ _CRC_TABLE[(remainder ^ octet) & 0xFF]
    return remainder ^ 0xFFFFFFFF
