"""Asks the origin over kept connections, for servers that have no HTTP client of their own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable

ORIGIN_PORT = int(os.environ.get("COMPARE_ORIGIN_PORT", "0"))
_PIECE = 256 * 1024

Headers = list[tuple[bytes, bytes]]
_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_idle: list[_Connection] = []


class Exchange:
    """One request that was sent; its answer has a Content-Length, as all of this origin's."""

    status: int
    headers: Headers

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    async def read_head(self) -> None:
        """Read status and headers."""
        head = await self._connection[0].readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].split(b"\r\n")
        self.status = int(first.split(b" ", 2)[1])
        pairs = (line.partition(b":") for line in lines)
        self.headers = [(name.lower(), value.strip()) for name, _, value in pairs]

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body, then give the connection back."""
        left = int(dict(self.headers)[b"content-length"])
        while left:
            piece = await self._connection[0].read(min(left, _PIECE))
            if not piece:
                raise ConnectionError("the origin ended within a body")
            left -= len(piece)
            yield piece
        _idle.append(self._connection)


async def ask(method: str, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> Exchange:
    """Send a request without a body, with the headers that were received, and read the head of the answer."""
    connection = (
        _idle.pop() if _idle else await asyncio.open_connection("127.0.0.1", ORIGIN_PORT, limit=_PIECE)
    )
    lines = [b"%s %s HTTP/1.1" % (method.encode(), target), *(b"%s: %s" % pair for pair in headers), b"", b""]
    connection[1].write(b"\r\n".join(lines))
    exchange = Exchange(connection)
    await exchange.read_head()
    return exchange
