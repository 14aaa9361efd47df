"""What a client sends before OpenSSL sees any of it: a PROXY header that is taken, a ClientHello that stays.

Both are peeked at first. A ClientHello must be left where it is, for OpenSSL to read; of a PROXY header
exactly its own octets must be taken, because behind it the ClientHello may be waiting already.
"""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from typing import Protocol, TypeVar

from edge.reactor.readiness import Readiness
from edge.reactor.strand import Strand
from edge.reactor.stream import StreamBroken
from edge.tls.client_hello import MAX_WIRE_OCTETS, ClientHello, ClientHelloReader, alert_record
from edge.tls.proxy_protocol import ProxyHeader, ProxyHeaderReader

_FRUITLESS_WAKE_UPS = 8
_Read_co = TypeVar("_Read_co", covariant=True)


class _Reader(Protocol[_Read_co]):
    """Takes octets in any slices until what they say is whole."""

    @property
    def needed(self) -> int:
        """How many more octets must come before ``feed`` can get any further."""

    def feed(self, octets: bytes) -> _Read_co | None:
        """Return what was read once it is whole."""


async def peek_client_hello(
    sock: socket.socket, readiness: Readiness, strand: Strand, deadline: float
) -> ClientHello:
    """Read the ClientHello and leave it where it is, for OpenSSL to read.

    Raises ``ClientHelloError``, ``StreamBroken`` and ``Expired("handshake")``.
    """
    return await _peek(ClientHelloReader(), "ClientHello", sock, readiness, strand, deadline)


async def take_proxy_header(
    sock: socket.socket, readiness: Readiness, strand: Strand, deadline: float
) -> ProxyHeader:
    """Read the PROXY header, and take it away.

    Raises ``ProxyHeaderError``, ``StreamBroken`` and ``Expired("handshake")``.
    """
    header = await _peek(ProxyHeaderReader(), "PROXY header", sock, readiness, strand, deadline)
    with suppress(OSError):  # what goes wrong here goes wrong again when the ClientHello is read
        sock.recv(header.octets)
    return header


async def _peek(
    reader: _Reader[_Read_co],
    what: str,
    sock: socket.socket,
    readiness: Readiness,
    strand: Strand,
    deadline: float,
) -> _Read_co:
    seen = fruitless = 0
    while True:
        try:
            octets = sock.recv(MAX_WIRE_OCTETS + 1, socket.MSG_PEEK)
        except BlockingIOError:
            pass
        except OSError as error:
            raise StreamBroken(error.strerror) from None
        else:
            if len(octets) > seen:
                found = reader.feed(octets[seen:])
                seen = len(octets)
                if found is not None:
                    _wake_from(sock, 1)
                    return found
                # What is partial stays readable: without a low-water mark it would wake us for ever.
                _wake_from(sock, seen + reader.needed)
            elif not octets or has_ended(sock):
                raise StreamBroken(f"the client left before its {what} was whole")
            else:
                # A peek stops at urgent data, which the loop takes for something to read for ever.
                fruitless += 1
                if fruitless > _FRUITLESS_WAKE_UPS:
                    raise StreamBroken(f"urgent data in the {what}")
        readiness.want_read()
        await strand.parked(deadline, "handshake")


def refuse_in_clear(sock: socket.socket, answer: bytes) -> None:
    """Send a last few octets before any keys exist. Unread input is taken first, else the kernel resets."""
    with suppress(OSError):
        sock.recv(MAX_WIRE_OCTETS)
        sock.send(answer)
        sock.shutdown(socket.SHUT_WR)


def refuse_with_alert(sock: socket.socket, alert: int) -> None:
    """Send a fatal alert (RFC 8446 6.2) before any keys exist."""
    refuse_in_clear(sock, alert_record(alert))


def has_ended(sock: socket.socket) -> bool:
    """Tell whether the other side has closed, or half-closed, its connection."""
    poll = select.poll()
    poll.register(sock, select.POLLRDHUP)
    return bool(poll.poll(0))


def _wake_from(sock: socket.socket, octets: int) -> None:
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, octets)
