"""What the scripted origin can do, good and bad, each under a path of its own.

``scripted_origin()`` serves them all; every other path is answered by ``echo``.
"""

from __future__ import annotations

import json
import ssl
import time

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from tests.e2e.origin import Handler, Hangup, Origin, Received, Wire

OK = b"HTTP/1.1 200 OK\r\n"
POISON = b"POISON"
"""What an answer holds that must never reach a client."""


def answer(
    wire: Wire, body: bytes, *fields: tuple[str, str], status: str = "200 OK", head_only: bool = False
) -> None:
    """Write one plain answer with a Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in fields]
    wire.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (b"" if head_only else body))


def echo(received: Received, wire: Wire) -> None:
    """Answer what the origin was told, as JSON: the whole body is read first."""
    if received.value("expect") == "100-continue":
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    wire.read_body()
    told = {
        "method": received.method,
        "target": received.target,
        "version": received.version,
        "headers": received.headers,
        "trailers": received.trailers,
        "body_size": received.body_size,
        "body_sha256": received.body_sha256,
        "connection": received.connection,
    }
    body = json.dumps(told).encode()
    answer(wire, body, ("Content-Type", "application/json"), head_only=received.method == "HEAD")


def sleep(received: Received, wire: Wire) -> None:
    """Answer ``?seconds=`` later."""
    wire.read_body()
    time.sleep(float(received.query.get("seconds", "1")))
    answer(wire, b"slept")


def close(received: Received, wire: Wire) -> None:
    """Close without a word."""
    raise Hangup


def close_inside_head(received: Received, wire: Wire) -> None:
    """Close in the middle of the head."""
    wire.send(OK + b"Content-Len")
    raise Hangup


def short(received: Received, wire: Wire) -> None:
    """Promise ten octets, send four, and close."""
    wire.send(OK + b"Content-Length: 10\r\n\r\nfour")
    raise Hangup


def stall(received: Received, wire: Wire) -> None:
    """Promise ten octets, send four, and keep silent until the other side closes."""
    wire.send(OK + b"Content-Length: 10\r\n\r\nfour")
    while wire.receive():
        pass


def both_framings(received: Received, wire: Wire) -> None:
    """Send Content-Length and Transfer-Encoding together."""
    wire.send(
        OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n" + POISON + b"\r\n0\r\n\r\n"
    )


def two_responses(received: Received, wire: Wire) -> None:
    """Answer twice to one request."""
    wire.read_body()
    wire.send(OK + b"Content-Length: 2\r\n\r\nOK" + OK + b"Content-Length: 6\r\n\r\n" + POISON)


def late_second_response(received: Received, wire: Wire) -> None:
    """Answer, and a moment later, while the connection lies in a pool, answer again."""
    wire.read_body()
    wire.send(OK + b"Content-Length: 2\r\n\r\nOK")
    time.sleep(0.2)
    wire.send(OK + b"Content-Length: 6\r\n\r\n" + POISON)


def interim(received: Received, wire: Wire) -> None:
    """Send 102 and then the answer."""
    wire.read_body()
    wire.send(b"HTTP/1.1 102 Processing\r\n\r\n")
    answer(wire, b"final")


def early_hints(received: Received, wire: Wire) -> None:
    """Send 103 with a Link, an Alt-Svc and a cookie of the edge's name, and then the answer."""
    wire.read_body()
    wire.send(
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n"
        b'Alt-Svc: h3=":443"\r\nSet-Cookie: CF_Authorization=' + POISON + b"\r\n\r\n"
    )
    answer(wire, b"final", ("Link", "</style.css>; rel=preload"))


def alt_svc(received: Received, wire: Wire) -> None:
    """Advertise HTTP/3, twice."""
    wire.read_body()
    answer(wire, b"h3", ("Alt-Svc", 'h3=":443"; ma=86400'), ("alt-svc", 'h3-29=":443"'))


def set_cookie(received: Received, wire: Wire) -> None:
    """Set a cookie of the edge's name between two of the application's."""
    wire.read_body()
    cookies = ("first=1", f"CF_Authorization={POISON.decode()}; Path=/", "last=1")
    answer(wire, b"cookies", *(("Set-Cookie", cookie) for cookie in cookies))


def head_with_body(received: Received, wire: Wire) -> None:
    """Send a body whatever the method: to HEAD that is a smuggled answer."""
    wire.read_body()
    answer(wire, POISON if received.method == "HEAD" else b"body")


def no_content_with_body(received: Received, wire: Wire) -> None:
    """Send a body behind a 204."""
    wire.read_body()
    wire.send(b"HTTP/1.1 204 No Content\r\n\r\n" + POISON)


def garbage(received: Received, wire: Wire) -> None:
    """Speak something else."""
    wire.send(b"\x16\x03\x01\x00\x05hello" + POISON + b"\r\n\r\n")
    raise Hangup


def header_injection(received: Received, wire: Wire) -> None:
    """Send a bare CR inside a field value."""
    wire.send(OK + b"X-A: b\rSet-Cookie: " + POISON + b"\r\nContent-Length: 0\r\n\r\n")


def trailers(received: Received, wire: Wire) -> None:
    """Send a chunked body with trailers, one of them dangerous."""
    wire.read_body()
    wire.send(
        OK + b"Transfer-Encoding: chunked\r\nTrailer: X-Checksum\r\n\r\n"
        b"5\r\nhello\r\n6;note=x\r\n world\r\n0\r\nX-Checksum: 5eb63bbb\r\nSet-Cookie: "
        b"CF_Authorization=" + POISON + b"\r\n\r\n"
    )


def until_close(received: Received, wire: Wire) -> None:
    """Send a body that the end of the connection ends."""
    wire.read_body()
    wire.send(OK + b"\r\nuntil the end")
    raise Hangup


def download(received: Received, wire: Wire) -> None:
    """Send ``?size=`` octets (``&framing=chunked`` or ``close`` for other framings), streaming."""
    wire.read_body()
    left = int(received.query.get("size", "1048576"))
    framing = received.query.get("framing", "length")
    field = {
        "length": f"Content-Length: {left}\r\n",
        "chunked": "Transfer-Encoding: chunked\r\n",
        "close": "",
    }
    wire.send(OK + field[framing].encode() + b"\r\n")
    block = bytes(range(256)) * 256
    while left and received.method != "HEAD":
        piece = block[: min(left, len(block))]
        wire.send(b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece)
        left -= len(piece)
    if framing == "chunked":
        wire.send(b"0\r\n\r\n")
    if framing == "close":
        raise Hangup


def upload(received: Received, wire: Wire) -> None:
    """Swallow the body, however long, and answer its size and hash."""
    wire.read_body()
    answer(wire, f"{received.body_size} {received.body_sha256}".encode())


def slow_upload(received: Received, wire: Wire) -> None:
    """Read nothing for ``?seconds=``, then the body: whoever sends meanwhile must wait."""
    time.sleep(float(received.query.get("seconds", "1")))
    upload(received, wire)


def early_answer(received: Received, wire: Wire) -> None:
    """Answer before the body came, and close."""
    answer(wire, b"enough", ("Connection", "close"), status="413 Content Too Large")
    raise Hangup


def refuse_continue(received: Received, wire: Wire) -> None:
    """Answer 417 to an expectation, and close without reading the body."""
    answer(wire, b"no", ("Connection", "close"), status="417 Expectation Failed")
    raise Hangup


def accept_continue(received: Received, wire: Wire) -> None:
    """Send 100 Continue, asked or not, and then read the body."""
    wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    upload(received, wire)


def reset(received: Received, wire: Wire) -> None:
    """Answer once; the next request on the same connection is met by its end."""
    wire.read_body()
    answer(wire, b"once")
    if wire.read_request() is not None:
        raise Hangup


def switch_unasked(received: Received, wire: Wire) -> None:
    """Answer 101 to whoever comes: a tunnel that nobody asked for."""
    wire.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n" + POISON)
    while wire.receive():
        pass


def websocket(received: Received, wire: Wire) -> None:
    """Upgrade, and send every message back."""
    protocol = ServerProtocol(max_size=None)
    protocol.receive_data(received.head + wire.take_unread())
    while True:
        for event in protocol.events_received():
            _answer_websocket(protocol, event)
        for data in protocol.data_to_send():
            if data:
                wire.send(data)
        if protocol.close_expected():
            raise Hangup
        data = wire.receive()
        if not data:
            raise Hangup
        protocol.receive_data(data)


def _answer_websocket(protocol: ServerProtocol, event: object) -> None:
    match event:
        case Request():
            protocol.send_response(protocol.accept(event))
        case Frame(opcode=Opcode.TEXT):
            protocol.send_text(bytes(event.data))
        case Frame(opcode=Opcode.BINARY):
            protocol.send_binary(bytes(event.data))
        case _:
            pass  # control frames are answered by the protocol itself


BEHAVIOURS: dict[str, Handler] = {
    f"/{handler.__name__.replace('_', '-')}": handler
    for handler in (
        echo,
        sleep,
        close,
        close_inside_head,
        short,
        stall,
        both_framings,
        two_responses,
        late_second_response,
        interim,
        early_hints,
        alt_svc,
        set_cookie,
        head_with_body,
        no_content_with_body,
        garbage,
        header_injection,
        trailers,
        until_close,
        download,
        upload,
        slow_upload,
        early_answer,
        refuse_continue,
        accept_continue,
        reset,
        switch_unasked,
        websocket,
    )
}
"""By path: ``/two-responses`` is ``two_responses``."""


def scripted_origin(*, tls: ssl.SSLContext | None = None) -> Origin:
    """Make an origin with every behaviour; start it with ``with``."""
    origin = Origin(echo, tls=tls)
    for path, handler in BEHAVIOURS.items():
        origin.on(path, handler)
    return origin
