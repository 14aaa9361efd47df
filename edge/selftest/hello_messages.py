"""ClientHellos that no library would send, written octet by octet (RFC 8446 4.1.2, RFC 6066 3)."""

from __future__ import annotations

import secrets

_SERVER_NAME = 0
_SUITES = bytes.fromhex("1301 1302 1303 c02b c02f c02c c030 cca9 cca8")
_OLD_SUITES = bytes.fromhex("c013 c014 c009 c00a 002f 0035")
_GROUPS = bytes.fromhex("001d 0017")
_SIGNATURES = bytes.fromhex("0403 0804 0401 0503 0805 0501 0806 0601 0201 0203")
_X25519_POINT = (9).to_bytes(32, "little")
"""The base point: a valid share whose secret nobody needs, for no handshake is finished with it."""


def with_names(*names: bytes) -> bytes:
    """Return a hello whose one server name extension has these names."""
    return _hello([(_SERVER_NAME, server_names(*names))])


def with_extensions(*names: bytes) -> bytes:
    """Return a hello with one server name extension for each name."""
    return _hello([(_SERVER_NAME, server_names(name)) for name in names])


def of_tls_1_1(name: bytes | None) -> bytes:
    """Return the hello of a client that has TLS 1.1 and nothing newer."""
    extensions = [] if name is None else [(_SERVER_NAME, server_names(name))]
    extensions += [(10, _prefixed(_GROUPS, 2)), (11, b"\x01\x00")]
    return _wire(b"\x03\x02", _OLD_SUITES, extensions)


def server_names(*names: bytes) -> bytes:
    """Return the content of a server name extension."""
    return _prefixed(b"".join(b"\0" + _prefixed(name, 2) for name in names), 2)


def is_server_hello(came: bytes) -> bool:
    """Tell whether the server went on: a handshake record that begins with a ServerHello."""
    return len(came) > 5 and came[0] == 22 and came[5] == 2


def _hello(first: list[tuple[int, bytes]]) -> bytes:
    share = b"\x00\x1d" + _prefixed(_X25519_POINT, 2)
    extensions = [
        *first,
        (10, _prefixed(_GROUPS, 2)),
        (11, b"\x01\x00"),
        (13, _prefixed(_SIGNATURES, 2)),
        (43, _prefixed(b"\x03\x04\x03\x03", 1)),
        (51, _prefixed(share, 2)),
    ]
    return _wire(b"\x03\x03", _SUITES, extensions)


def _wire(version: bytes, suites: bytes, extensions: list[tuple[int, bytes]]) -> bytes:
    block = b"".join(kind.to_bytes(2) + _prefixed(content, 2) for kind, content in extensions)
    body = version + secrets.token_bytes(32) + b"\0" + _prefixed(suites, 2) + b"\x01\0" + _prefixed(block, 2)
    return b"\x16\x03\x01" + _prefixed(b"\x01" + _prefixed(body, 3), 2)


def _prefixed(content: bytes, size: int) -> bytes:
    return len(content).to_bytes(size) + content
