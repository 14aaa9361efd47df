"""Reads a ClientHello, bounded and incrementally, before OpenSSL sees it. Pure.

Why our own reading: the host, and with it the client CAs, must be chosen before a TLS object
exists. OpenSSL's servername callback comes too late: a context switched there keeps the verify mode
and the ticket keys of the first one, so a certificate is silently never requested, or a session of
one host is resumed on another (the class of CVE-2025-23419).

Rules (RFC 8446 4.1.2, 5.1; RFC 6066 3; RFC 7301 3.1): a hello split over records or segments is the
same hello; anything that does not parse closes the connection and never means "no name"; an
extension that comes twice, or two names, have two meanings and are refused.
"""

from __future__ import annotations

import struct
from functools import lru_cache

from edge.model.record import record

MAX_WIRE_OCTETS = 32768
"""Octets on the wire until the hello is complete. A hello of 1.5 KiB in one-octet records needs 9 KiB."""
MAX_HELLO_OCTETS = 16384
"""Octets of the handshake message; hellos with post-quantum shares and a ticket take about 3 KiB."""
_MAX_FRAGMENT = 16384
_RECORD_HEADER = 5
_HANDSHAKE, _CLIENT_HELLO = 22, 1
_SERVER_NAME, _ALPN = 0, 16
_HOST_NAME = 0
_USUAL_NAME_OCTETS = 260
"""What holds every host name (RFC 1035 2.3.4); more than that is not kept in memory."""


_LENGTH, _EXTENSION_HEADER = struct.Struct(">H"), struct.Struct(">HH")


class ClientHelloError(Exception):
    """These octets are no ClientHello we accept; ``alert`` is the TLS alert that says so (RFC 8446 6)."""

    def __init__(self, message: str, alert: int) -> None:
        super().__init__(message)
        self.alert = alert


DECODE_ERROR, UNEXPECTED_MESSAGE, RECORD_OVERFLOW, ILLEGAL_PARAMETER = 50, 10, 22, 47
UNRECOGNIZED_NAME, NO_APPLICATION_PROTOCOL, INTERNAL_ERROR = 112, 120, 80


def alert_record(alert: int) -> bytes:
    """Return the record of a fatal alert, as it is sent before any keys exist."""
    return bytes((21, 3, 3, 0, 2, 2, alert))


@record
class ClientHello:
    """What is needed to choose a host. ``server_name`` is the text as it came; None if there was none."""

    server_name: str | None
    alpn: tuple[bytes, ...] | None


class ClientHelloReader:
    """Takes the first octets of a connection in any slices until the hello is whole."""

    __slots__ = ("_fragment_left", "_header", "_message", "needed", "wire_octets")

    def __init__(self) -> None:
        self._header = bytearray()
        self._fragment_left = 0
        self._message = bytearray()
        self.wire_octets = 0
        self.needed = _RECORD_HEADER
        """How many more octets must come before ``feed`` can get any further."""

    def feed(self, octets: bytes) -> ClientHello | None:
        """Return the hello once it is whole, None while it is not. Raises ``ClientHelloError``."""
        if not self.wire_octets and _is_one_record(octets):
            self.wire_octets = len(octets)
            return _parse(octets[_RECORD_HEADER : _RECORD_HEADER + (octets[3] << 8 | octets[4])])
        # What lies beyond the bound is never looked at: any slicing of the octets comes to the same.
        counted = octets[: MAX_WIRE_OCTETS - self.wire_octets]
        self.wire_octets += len(counted)
        at = 0
        while at < len(counted):
            if self._fragment_left:
                piece = counted[at : at + self._fragment_left]
                self._fragment_left -= len(piece)
                self._message += piece
            else:
                piece = counted[at : at + _RECORD_HEADER - len(self._header)]
                self._header += piece
                self._begin_record()
            at += len(piece)
            if self._message and self._message_is_whole():
                return _parse(bytes(self._message))
        if len(counted) < len(octets):
            raise ClientHelloError("the ClientHello takes too many octets", RECORD_OVERFLOW)
        self.needed = self._fragment_left or _RECORD_HEADER - len(self._header)
        return None

    def _begin_record(self) -> None:
        header = self._header
        if header[0] != _HANDSHAKE:
            raise ClientHelloError("the first record is not a handshake record", UNEXPECTED_MESSAGE)
        if len(header) > 1 and header[1] != 3:
            raise ClientHelloError("the record is not of TLS", DECODE_ERROR)
        if len(header) < _RECORD_HEADER:
            return
        length = int.from_bytes(header[3:5], "big")
        if not 0 < length <= _MAX_FRAGMENT:
            # RFC 8446 5.1: zero-length fragments of handshake messages must not be sent.
            raise ClientHelloError("the record's length is out of bounds", RECORD_OVERFLOW)
        self._fragment_left = length
        header.clear()

    def _message_is_whole(self) -> bool:
        message = self._message
        if message[0] != _CLIENT_HELLO:
            raise ClientHelloError("the first message is not a ClientHello", UNEXPECTED_MESSAGE)
        if len(message) < 4:
            return False
        length = int.from_bytes(message[1:4], "big")
        if length > MAX_HELLO_OCTETS:
            raise ClientHelloError("the ClientHello is too large", RECORD_OVERFLOW)
        if len(message) > 4 + length:
            raise ClientHelloError("something follows the ClientHello in its record", UNEXPECTED_MESSAGE)
        return len(message) == 4 + length and not self._fragment_left


def _is_one_record(octets: bytes) -> bool:
    """Tell whether these octets begin with one record that holds one whole hello: nearly every connection."""
    if len(octets) < _RECORD_HEADER + 4 or octets[0] != _HANDSHAKE or octets[1] != 3:
        return False
    length = octets[3] << 8 | octets[4]
    return (
        4 < length <= _MAX_FRAGMENT
        and len(octets) >= _RECORD_HEADER + length
        and octets[5] == _CLIENT_HELLO
        and octets[6] << 16 | octets[7] << 8 | octets[8] == length - 4
    )


class _Cursor:
    """Takes length-prefixed vectors off a message; running short is an error of the client."""

    __slots__ = ("_at", "_octets")

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._octets):
            raise _cut_short()
        piece = self._octets[self._at : end]
        self._at = end
        return piece

    def vector(self, prefix: int) -> bytes:
        return self.take(int.from_bytes(self.take(prefix), "big"))

    def is_spent(self) -> bool:
        return self._at == len(self._octets)


def _parse(message: bytes) -> ClientHello:
    """Read a whole message. By positions and without a copy: every connection begins with this."""
    end = len(message)
    try:
        at = _after_compression(message)
        if at > end:
            raise _cut_short()
        extensions = _extensions(message, at, end) if at < end else {}
    except (IndexError, struct.error):
        raise _cut_short() from None
    name, alpn = extensions.get(_SERVER_NAME), extensions.get(_ALPN)
    return ClientHello(
        server_name=None if name is None else _server_name(_extension(message, name)),
        alpn=None if alpn is None else _protocols(_extension(message, alpn)),
    )


def _after_compression(message: bytes) -> int:
    """Return where the extensions begin: behind version, random, session id, suites and compression.

    May lie behind the end of the message. Raises ``IndexError`` or ``struct.error`` if that ends before.
    """
    at = 4 + 2 + 32  # handshake header, legacy_version, random
    size: int = message[at]
    if size > 32:
        raise ClientHelloError("the session id is too long", DECODE_ERROR)
    at += 1 + size
    (size,) = _LENGTH.unpack_from(message, at)
    if not size or size % 2:
        raise ClientHelloError("the list of cipher suites is malformed", DECODE_ERROR)
    at += 2 + size
    size = message[at]
    if not size:
        raise ClientHelloError("the list of compression methods is empty", DECODE_ERROR)
    return at + 1 + size


def _extensions(message: bytes, at: int, end: int) -> dict[int, int]:
    """Return where each extension begins, by its type. Raises ``struct.error`` if one is cut short."""
    (size,) = _LENGTH.unpack_from(message, at)
    at += 2
    if at + size < end:
        raise ClientHelloError("octets follow the extensions", DECODE_ERROR)
    if at + size > end:
        raise _cut_short()
    begins: dict[int, int] = {}
    count, unpack = 0, _EXTENSION_HEADER.unpack_from
    while at < end:
        kind, size = unpack(message, at)
        begins[kind] = at
        count += 1
        at += 4 + size
    if at > end:
        raise _cut_short()
    if len(begins) != count:
        raise ClientHelloError("an extension comes twice", ILLEGAL_PARAMETER)
    return begins


def _extension(message: bytes, at: int) -> bytes:
    """Return what is in the extension that begins there."""
    (size,) = _LENGTH.unpack_from(message, at + 2)
    return message[at + 4 : at + 4 + size]


def _cut_short() -> ClientHelloError:
    return ClientHelloError("the ClientHello is cut short", DECODE_ERROR)


def _server_name(extension: bytes) -> str:
    return (_known_server_name if len(extension) <= _USUAL_NAME_OCTETS else _read_server_name)(extension)


def _read_server_name(extension: bytes) -> str:
    outer = _Cursor(extension)
    names = _Cursor(outer.vector(2))
    if not outer.is_spent():
        raise ClientHelloError("the server name extension is malformed", DECODE_ERROR)
    kind = names.take(1)[0]
    name = names.vector(2)
    if kind != _HOST_NAME or not names.is_spent():
        # RFC 6066 3: one name of each type, and no type but host_name was ever defined.
        raise ClientHelloError("the server name extension has more than one host name", ILLEGAL_PARAMETER)
    if not name or not name.isascii() or b"\0" in name:
        raise ClientHelloError("the server name is not a host name", UNRECOGNIZED_NAME)
    return name.decode("ascii")


def _protocols(extension: bytes) -> tuple[bytes, ...]:
    known = _COMMON_PROTOCOLS.get(extension)
    return _read_protocols(extension) if known is None else known


def _read_protocols(extension: bytes) -> tuple[bytes, ...]:
    outer = _Cursor(extension)
    names = _Cursor(outer.vector(2))
    if not outer.is_spent() or names.is_spent():
        raise ClientHelloError("the ALPN extension is malformed", DECODE_ERROR)
    protocols = []
    while not names.is_spent():
        protocols.append(names.vector(1))
        if not protocols[-1]:
            raise ClientHelloError("the ALPN extension has an empty protocol", DECODE_ERROR)
    return tuple(protocols)


_COMMON_PROTOCOLS = {
    offer: _read_protocols(offer) for offer in (b"\0\x09\x08http/1.1", b"\0\x0c\x02h2\x08http/1.1")
}
"""What nearly every client offers, read once."""

_known_server_name = lru_cache(maxsize=1024)(_read_server_name)
"""The same few names come all the time. Errors are not kept."""
