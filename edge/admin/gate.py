"""Decides who may ask: only reading, only under a name of this listener, and never for another site.

A page from anywhere can make a browser on this machine ask here. It gets no answer that it could read:
by a name of its own that it points at 127.0.0.1 (DNS rebinding) because ``Host`` says so, by a script
because ``Origin`` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.model.hostname import HostnameError, is_ip_literal, split_authority

Fields = Sequence[tuple[bytes, bytes]]
"""Header fields; names in lower case."""

_READING = ("GET", "HEAD")
_SCHEMES = (b"http://", b"https://")
"""The second is for who stands a TLS server in front; the authority is what counts."""
_EVERY_ANSWER: Fields = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
     b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Turned:
    """Why somebody is not answered: a status and a sentence."""

    status: int
    text: str


def judge(method: str, fields: Fields, name: str) -> Turned | None:
    """Return why a request is not answered; None if it is. ``name`` is the listener's own."""
    hosts = [value for field, value in fields if field == b"host"]
    if len(hosts) != 1 or not _is_ours(hosts[0], name):
        return Turned(421, "Ask by the address of this listener: another name may be anybody's.")
    origins = [value for field, value in fields if field == b"origin"]
    if any(origin not in [scheme + hosts[0] for scheme in _SCHEMES] for origin in origins):
        return Turned(403, "No other site may ask here.")
    if method not in _READING:
        return Turned(405, "There is nothing to be changed here: GET and HEAD only.")
    return None


def _is_ours(host: bytes, name: str) -> bool:
    """An address cannot be rebound, and ``localhost`` is nobody else's (RFC 6761 6.3)."""
    try:
        asked, _ = split_authority(host)
    except HostnameError:
        return False
    return is_ip_literal(asked) or asked in ("localhost", name)


class Gate:
    """Stands before an application, and adds to every answer what a browser must not do with it."""

    def __init__(self, app: ASGIApp, name: str) -> None:
        self._app = app
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the application answer."""
        assert scope["type"] == "http"  # uvicorn is told to speak nothing else

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_EVERY_ANSWER]
            await send(message)

        turned = judge(scope["method"], scope["headers"], self._name)
        app: ASGIApp = self._app
        if turned is not None:
            allow = {"Allow": "GET, HEAD"} if turned.status == 405 else None
            app = PlainTextResponse(turned.text + "\n", turned.status, allow)
        await app(scope, receive, sending)
