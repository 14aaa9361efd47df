"""ClientHellos taken apart and put together again, for those that no library would send."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, replace
from typing import Self

from tests.e2e.tls_client import HasPort, client_hello

DEADLINE_SECONDS = 20.0
SERVER_NAME, PADDING = 0, 21
"""Extension types (RFC 6066, RFC 7685)."""

UNEXPECTED_MESSAGE, RECORD_OVERFLOW, HANDSHAKE_FAILURE, ILLEGAL_PARAMETER = 10, 22, 40, 47
DECODE_ERROR, UNRECOGNIZED_NAME = 50, 112
"""Alerts (RFC 8446 6)."""

Extension = tuple[int, bytes]


def alert(description: int) -> bytes:
    """The record of a fatal alert."""
    return bytes((21, 3, 3, 0, 2, 2, description))


@dataclass(frozen=True, slots=True)
class HelloParts:
    """A ClientHello: version, random and session id; cipher suites; compression methods; extensions."""

    beginning: bytes
    suites: bytes
    compression: bytes
    extensions: tuple[Extension, ...]

    @classmethod
    def of(cls, sni: str | None = "a.test") -> Self:
        """Take a plain client's hello apart."""
        message = client_hello(sni)[5 + 4 :]
        at = 2 + 32
        at += 1 + message[at]
        beginning, rest = message[:at], message[at:]
        suites, rest = _vector(rest, 2)
        compression, rest = _vector(rest, 1)
        block, rest = _vector(rest, 2)
        extensions = []
        while block:
            kind = int.from_bytes(block[:2])
            content, block = _vector(block[2:], 2)
            extensions.append((kind, content))
        assert not rest
        return cls(beginning, suites, compression, tuple(extensions))

    def with_extension(self, kind: int, *contents: bytes) -> Self:
        """Put extensions of that type in the place of the ones there are; several, or none at all."""
        others = tuple(extension for extension in self.extensions if extension[0] != kind)
        return replace(self, extensions=(*((kind, content) for content in contents), *others))

    @property
    def message(self) -> bytes:
        """The handshake message."""
        extensions = b"".join(kind.to_bytes(2) + _prefixed(content, 2) for kind, content in self.extensions)
        body = self.beginning + _prefixed(self.suites, 2) + _prefixed(self.compression, 1)
        return b"\x01" + _prefixed(body + _prefixed(extensions, 2), 3)

    @property
    def wire(self) -> bytes:
        """The message in as few records as it takes."""
        message = self.message
        pieces = [message[at : at + 16384] for at in range(0, len(message), 16384)]
        return b"".join(record(piece) for piece in pieces)


def record(content: bytes, kind: int = 22) -> bytes:
    """Return a TLS record; by default a handshake record."""
    return bytes((kind, 3, 1)) + _prefixed(content, 2)


def server_names(*names: bytes, kind: int = 0) -> bytes:
    """Return the content of a server name extension with these names, all of one type."""
    return _prefixed(b"".join(bytes((kind,)) + _prefixed(name, 2) for name in names), 2)


def hello_for(*names: bytes) -> bytes:
    """Return a hello with one server name extension that has these octets for names."""
    return HelloParts.of().with_extension(SERVER_NAME, server_names(*names)).wire


def say(server: HasPort, *flights: bytes, pause: float = 0.0, half_close: bool = False) -> bytes:
    """Write octets to the port, with pauses between the flights, and return all that comes back."""
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE_SECONDS) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for flight in flights:
                sock.sendall(flight)
                time.sleep(pause)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            while octets := sock.recv(65536):
                answer += octets
        except ConnectionError:
            pass  # refused in the middle of our flights: what came before that counts
    return answer


def _vector(octets: bytes, prefix: int) -> tuple[bytes, bytes]:
    end = prefix + int.from_bytes(octets[:prefix])
    return octets[prefix:end], octets[end:]


def _prefixed(content: bytes, prefix: int) -> bytes:
    return len(content).to_bytes(prefix) + content
