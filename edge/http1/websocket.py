"""The opening handshake of WebSocket (RFC 6455 4): when a tunnel may be opened, and when not.

A tunnel is opened only after a request and an answer that are both right to the last field. An answer
101 to a malformed request, or a tunnel after an answer that was no 101, lets requests through that no
policy has seen.
"""

from __future__ import annotations

import base64
import hashlib
import re

from edge.model.http import Framing, RequestHead, ResponseHead
from edge.model.refusal import MessageError, Reason

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 1.3."""

_KEY = re.compile(rb"[A-Za-z0-9+/]{21}[AQgw]==")
"""Base64 of 16 octets (RFC 6455 4.1 item 7), with the unused bits of the last digit zero."""

_PROTOCOL = (b"websocket",)


def is_websocket_upgrade(head: RequestHead) -> bool:
    """Tell whether the request opens a WebSocket (RFC 6455 4.2.1).

    False where there is no upgrade to ``websocket`` and nothing else: no ``upgrade`` option in
    ``Connection`` (RFC 9110 7.8), HTTP/1.0 (where Upgrade is ignored), or other protocols in the list.
    Raises ``MessageError`` BAD_REQUEST for an upgrade to ``websocket`` that is malformed.
    """
    if head.upgrade != _PROTOCOL or b"upgrade" not in head.connection_options or head.version != (1, 1):
        return False
    if head.method != b"GET":
        raise MessageError(Reason.BAD_REQUEST, "a WebSocket is opened with GET")
    if head.body.framing is Framing.CHUNKED or head.body.length:
        raise MessageError(Reason.BAD_REQUEST, "a WebSocket is opened without a body")
    if _only(head, b"sec-websocket-version") != b"13":
        raise MessageError(Reason.BAD_REQUEST, "Sec-WebSocket-Version is not 13")
    if not _KEY.fullmatch(_only(head, b"sec-websocket-key")):
        raise MessageError(Reason.BAD_REQUEST, "Sec-WebSocket-Key is not 16 octets in base64")
    return True


def accepts(request: RequestHead, response: ResponseHead) -> bool:
    """Tell whether the answer opens the WebSocket that ``request`` asked for (RFC 6455 4.1).

    The request is one for which ``is_websocket_upgrade`` is true. A sub-protocol or an extension that was
    not offered is left for the client to refuse.
    """
    return (
        response.status == 101
        and response.version == (1, 1)
        and response.upgrade == _PROTOCOL
        and b"upgrade" in response.connection_options
        and _only(response, b"sec-websocket-accept") == _accept_value(_only(request, b"sec-websocket-key"))
    )


def _accept_value(key: bytes) -> bytes:
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def _only(head: RequestHead | ResponseHead, lower_name: bytes) -> bytes:
    """Return the value of a field that is there exactly once, else nothing."""
    values = tuple(head.values(lower_name))
    return values[0] if len(values) == 1 else b""
