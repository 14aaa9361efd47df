"""A proxy as an ASGI application: nobody's path is refused, everything else comes from the origin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from comparison.python_peers.origin_pool import ask
from comparison.setting import REFUSAL, REFUSED_PATH

_BODY = REFUSAL.encode("ascii")
_REFUSAL_HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))]
_OWN = frozenset((b"connection", b"date", b"server"))
"""Headers of the origin that the server in front sets itself."""

Send = Callable[[dict[str, Any]], Awaitable[None]]


async def application(
    scope: dict[str, Any], receive: Callable[[], Awaitable[dict[str, Any]]], send: Send
) -> None:
    """Answer one request; start and stop with the server."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
    elif scope["path"].startswith(REFUSED_PATH):
        await send({"type": "http.response.start", "status": 403, "headers": _REFUSAL_HEADERS})
        await send({"type": "http.response.body", "body": _BODY})
    else:
        await _pass_on(scope, send)


async def _pass_on(scope: dict[str, Any], send: Send) -> None:
    exchange = await ask(scope["method"], scope["raw_path"] or b"/", scope["headers"])
    headers = [pair for pair in exchange.headers if pair[0] not in _OWN]
    await send({"type": "http.response.start", "status": exchange.status, "headers": headers})
    async for piece in exchange.pieces():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _live(receive: Callable[[], Awaitable[dict[str, Any]]], send: Send) -> None:
    while (message := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{message['type']}.complete"})
    await send({"type": "lifespan.shutdown.complete"})
