"""PROXY protocol headers, put together by hand as the specification has them."""

from __future__ import annotations

from ipaddress import ip_address

from edge.tls.proxy_protocol import crc32c

SIGNATURE = b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"
TCP4, TCP6, UNIX, UDP4 = 0x11, 0x21, 0x31, 0x12
LOCAL, PROXY = 0x20, 0x21


def line(source: str = "192.0.2.1", target: str = "198.51.100.1", family: str = "TCP4") -> bytes:
    """A header of version 1."""
    return f"PROXY {family} {source} {target} 56324 443\r\n".encode()


def addition(kind: int, value: bytes) -> bytes:
    """One of the type-length-values of version 2."""
    return bytes((kind,)) + len(value).to_bytes(2, "big") + value


def addresses(source: str, target: str) -> bytes:
    """The address block: two addresses, two ports."""
    return ip_address(source).packed + ip_address(target).packed + b"\xdc\x04\x01\xbb"


def binary(
    block: bytes | None = None, additions: bytes = b"", *, command: int = PROXY, family: int = TCP4
) -> bytes:
    """A header of version 2."""
    body = (addresses("192.0.2.1", "198.51.100.1") if block is None else block) + additions
    return SIGNATURE + bytes((command, family)) + len(body).to_bytes(2, "big") + body


def with_checksum(header: bytes) -> bytes:
    """The header with a checksum (a CRC32c of all of it) added to its end."""
    length = int.from_bytes(header[14:16], "big") + 7
    longer = header[:14] + length.to_bytes(2, "big") + header[16:] + b"\x03\x00\x04"
    return longer + crc32c(longer + bytes(4)).to_bytes(4, "big")
