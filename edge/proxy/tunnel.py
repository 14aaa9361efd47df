"""Octets both ways after a 101, for as long as both sides and the client's certificate live.

A tunnel has no idle limit: TCP keep-alive finds peers that are gone. It ends when the certificate
that opened it does.
"""

from __future__ import annotations

import socket
from contextlib import suppress

from edge.reactor.strand import Strand
from edge.reactor.stream import Stream

_TURNS_WITHOUT_REST = 32
CERTIFICATE_ENDED = "certificate_ended"


class Tunnel:
    """Two streams joined; one piece is held each way."""

    __slots__ = ("_client", "_origin", "_strand", "_to_client", "_to_origin", "octets_in", "octets_out")

    def __init__(
        self, strand: Strand, client: Stream, origin: Stream, to_origin: bytes, to_client: bytes
    ) -> None:
        self._strand = strand
        self._client = client
        self._origin = origin
        self._to_origin = memoryview(to_origin)
        self._to_client = memoryview(to_client)
        self.octets_in = self.octets_out = 0

    async def run(self, until: float) -> None:
        """Move octets until one side ends (what it said last is still passed on), or until loop time.

        Raises ``StreamBroken`` and ``Expired("certificate_ended")``.
        """
        turns = 0
        while True:
            moved_in, ended_in = self._move_in()
            moved_out, ended_out = self._move_out()
            if ended_in or ended_out:
                return
            if moved_in or moved_out:
                turns += 1
                if turns >= _TURNS_WITHOUT_REST:
                    turns = 0
                    await self._strand.breathe()
                continue
            turns = 0
            self._want()
            await self._strand.parked(until, CERTIFICATE_ENDED)

    def _move_in(self) -> tuple[bool, bool]:
        if not self._to_origin:
            octets = self._client.try_read()
            if octets is None:
                return False, False
            if not octets:
                return False, not self._to_client
            self._to_origin = memoryview(octets)
        written = self._origin.try_write(self._to_origin)
        self._to_origin = self._to_origin[written:]
        self.octets_in += written
        return written > 0, False

    def _move_out(self) -> tuple[bool, bool]:
        if not self._to_client:
            octets = self._origin.try_read()
            if octets is None:
                return False, False
            if not octets:
                return False, not self._to_origin
            self._to_client = memoryview(octets)
        written = self._client.try_write(self._to_client)
        self._to_client = self._to_client[written:]
        self.octets_out += written
        return written > 0, False

    def _want(self) -> None:
        (self._origin.want_write if self._to_origin else self._client.want_read)()
        (self._client.want_write if self._to_client else self._origin.want_read)()


def keep_alive(sock: socket.socket) -> None:
    """Let the kernel find out whether a silent peer is still there: after a minute, four times."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
