"""Octets both ways after a 101, for as long as both sides live and the client may have it.

A tunnel has no idle limit: TCP keep-alive finds peers that are gone. It ends when the certificate
that opened it does, or when access is withdrawn, or when one side does not take what the other sends.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

from edge.proxy.cuts import CLIENT_WRITE, ORIGIN_WRITE
from edge.reactor.strand import NEVER, Expired, Strand
from edge.reactor.stream import Stream
from edge.tls.stream import TlsStream

_TURNS_WITHOUT_REST = 32
PERMISSION_ENDED = "permission_ended"
"""The certificate, the session or a CRL came to its end."""


class Tunnel:
    """Two streams joined; one piece is held each way."""

    __slots__ = (
        "_client",
        "_client_ended",
        "_client_patience",
        "_moved_in_at",
        "_moved_out_at",
        "_origin",
        "_origin_ended",
        "_origin_patience",
        "_strand",
        "_to_client",
        "_to_origin",
        "octets_in",
        "octets_out",
    )

    def __init__(
        self,
        strand: Strand,
        client: TlsStream,
        origin: Stream,
        *,
        to_origin: bytes,
        to_client: bytes,
        client_patience: float = NEVER,
        origin_patience: float = NEVER,
    ) -> None:
        """``client_patience``: seconds for which the client may take nothing of what waits for it."""
        self._strand = strand
        self._client = client
        self._origin = origin
        self._to_origin = memoryview(to_origin)
        self._to_client = memoryview(to_client)
        self._client_patience = client_patience
        self._origin_patience = origin_patience
        self._moved_in_at = self._moved_out_at = strand.reactor.now()
        """When each side last took something, or had to begin to."""
        self._client_ended = self._origin_ended = False
        self.octets_in = self.octets_out = 0

    async def run(self, until: Callable[[], float]) -> None:
        """Move octets until one side ends (what it said last is still passed on), or until a loop time.

        ``until`` is asked again on every turn, and may raise what ends the tunnel.
        Raises ``StreamBroken`` and ``Expired`` of "permission_ended", "client_write" or "origin_write".
        """
        turns = 0
        while True:
            limit = until()
            if self._strand.reactor.now() > limit:
                # Deadlines are thrown in where a strand is parked; a busy one may never be.
                raise Expired(PERMISSION_ENDED)
            moved = self._move_in()
            moved = self._move_out() or moved
            if (self._client_ended and not self._to_client) or (self._origin_ended and not self._to_origin):
                return
            if moved:
                turns += 1
                if turns >= _TURNS_WITHOUT_REST:
                    turns = 0
                    await self._strand.breathe()
                continue
            turns = 0
            self._want()
            await self._wait(limit)

    def _move_in(self) -> bool:
        if not self._to_origin:
            octets = None if self._client_ended else self._client.try_read()
            if not octets:
                self._client_ended = self._client_ended or octets is not None
                return False
            self._to_origin = memoryview(octets)
            self._moved_in_at = self._strand.reactor.now()
        written = self._origin.try_write(self._to_origin)
        if 0 < written < len(self._to_origin):
            self._moved_in_at = self._strand.reactor.now()
        self._to_origin = self._to_origin[written:]
        self.octets_in += written
        return written > 0

    def _move_out(self) -> bool:
        if not self._to_client:
            octets = None if self._origin_ended else self._origin.try_read()
            if not octets:
                self._origin_ended = self._origin_ended or octets is not None
                return False
            self._to_client = memoryview(octets)
            self._moved_out_at = self._strand.reactor.now()
        written = self._client.try_write(self._to_client)
        if 0 < written < len(self._to_client):
            self._moved_out_at = self._strand.reactor.now()
        self._to_client = self._to_client[written:]
        self.octets_out += written
        return written > 0

    async def _wait(self, limit: float) -> None:
        untaken = self._client.unacknowledged() if self._to_client else 0
        try:
            await self._strand.parked(*min((limit, PERMISSION_ENDED), self._stall()))
        except Expired as expired:
            if expired.what != CLIENT_WRITE or self._client.unacknowledged() >= untaken:
                raise
            self._moved_out_at = self._strand.reactor.now()  # slowly, but it reads

    def _stall(self) -> tuple[float, str]:
        """Return when a side that does not take what waits for it is given up."""
        by_client = self._moved_out_at + self._client_patience if self._to_client else NEVER
        by_origin = self._moved_in_at + self._origin_patience if self._to_origin else NEVER
        return min((by_client, CLIENT_WRITE), (by_origin, ORIGIN_WRITE))

    def _want(self) -> None:
        """Ask for what can still happen. An end stays readable for ever: who asked again would spin on it."""
        if self._to_origin:
            self._origin.want_write()
        elif not self._client_ended:
            self._client.want_read()
        if self._to_client:
            self._client.want_write()
        elif not self._origin_ended:
            self._origin.want_read()


def keep_alive(sock: socket.socket) -> None:
    """Let the kernel find out whether a silent peer is still there: after a minute, four times."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
