import pytest

from edge.http1.websocket import accepts, is_websocket_upgrade
from tests.unit.http1.expect import get, refused, request, response

# The example of RFC 6455 1.3.
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
VERSION = b"Sec-WebSocket-Version: 13"
UPGRADE = b"Upgrade: websocket"
CONNECTION = b"Connection: Upgrade"
HOST = b"Host: a.test"
SWITCHING = b"HTTP/1.1 101 Switching Protocols"


@pytest.mark.parametrize(
    "fields",
    [
        [KEY],
        [VERSION],
        [KEY, b"Sec-WebSocket-Version: 1337"],
        [KEY, b"Sec-WebSocket-Version: 8"],
        [KEY, b"Sec-WebSocket-Version: 013"],
        [KEY, b"Sec-WebSocket-Version: 13, 8"],
        [KEY, b"Sec-WebSocket-Version:"],
        [KEY, VERSION, VERSION],
        [KEY, KEY, VERSION],
        [b"Sec-WebSocket-Key:", VERSION],
        [b"Sec-WebSocket-Key: short", VERSION],
        [b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ", VERSION],
        [b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=", VERSION],
        [b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==", VERSION],
        [b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==x", VERSION],
        [b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSBsb25nZXI=", VERSION],
        [b"Sec-WebSocket-Key: dGhlIHNhb_BsZSBub25jZQ==", VERSION],
        [KEY, VERSION, b"Content-Length: 5"],
        [KEY, VERSION, b"Transfer-Encoding: chunked"],
    ],
)
def test_an_upgrade_to_websocket_that_is_malformed_is_refused(fields: list[bytes]) -> None:
    head = get(UPGRADE, CONNECTION, *fields)
    with refused():
        is_websocket_upgrade(head)


@pytest.mark.parametrize("method", [b"POST", b"HEAD", b"GET-", b"OPTIONS"])
def test_a_websocket_is_opened_with_get_only(method: bytes) -> None:
    head = request(method + b" / HTTP/1.1", HOST, UPGRADE, CONNECTION, KEY, VERSION)
    with refused():
        is_websocket_upgrade(head)


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [UPGRADE, KEY, VERSION],
        [UPGRADE, b"Connection: keep-alive", KEY, VERSION],
        [CONNECTION, KEY, VERSION],
        [b"Upgrade: h2c", CONNECTION, KEY, VERSION],
        [b"Upgrade: h2c, websocket", CONNECTION, KEY, VERSION],
        [UPGRADE, b"Upgrade: h2c", CONNECTION, KEY, VERSION],
        [b"Upgrade: websocket/13", CONNECTION, KEY, VERSION],
    ],
)
def test_a_request_that_upgrades_to_nothing_or_to_something_else_opens_no_websocket(
    fields: list[bytes],
) -> None:
    assert not is_websocket_upgrade(get(*fields))


def test_http_1_0_opens_no_websocket() -> None:
    assert not is_websocket_upgrade(request(b"GET / HTTP/1.0", HOST, UPGRADE, CONNECTION, KEY, VERSION))


@pytest.mark.parametrize("extra", [[], [b"Content-Length: 0"], [b"Sec-WebSocket-Protocol: chat"]])
def test_a_right_handshake_opens_a_websocket(extra: list[bytes]) -> None:
    assert is_websocket_upgrade(
        get(b"Upgrade: WebSocket", b"Connection: keep-alive, Upgrade", KEY, VERSION, *extra)
    )


def test_the_right_answer_opens_the_tunnel() -> None:
    asked = get(UPGRADE, CONNECTION, KEY, VERSION)
    assert accepts(asked, response(SWITCHING, b"Upgrade: WebSocket", b"Connection: upgrade", ACCEPT))


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (b"HTTP/1.1 200 OK", [UPGRADE, CONNECTION, ACCEPT]),
        (b"HTTP/1.1 426 Upgrade Required", [UPGRADE, CONNECTION, ACCEPT]),
        (b"HTTP/1.0 101 Switching Protocols", [UPGRADE, CONNECTION, ACCEPT]),
        (SWITCHING, [CONNECTION, ACCEPT]),
        (SWITCHING, [UPGRADE, ACCEPT]),
        (SWITCHING, [UPGRADE, CONNECTION]),
        (SWITCHING, [b"Upgrade: h2c", CONNECTION, ACCEPT]),
        (SWITCHING, [b"Upgrade: websocket, h2c", CONNECTION, ACCEPT]),
        (SWITCHING, [UPGRADE, b"Connection: close", ACCEPT]),
        (SWITCHING, [UPGRADE, CONNECTION, ACCEPT, ACCEPT]),
        (SWITCHING, [UPGRADE, CONNECTION, b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp="]),
        (SWITCHING, [UPGRADE, CONNECTION, b"Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO="]),
        (SWITCHING, [UPGRADE, CONNECTION, b"Sec-WebSocket-Accept:"]),
    ],
)
def test_an_answer_that_is_wrong_in_any_part_opens_nothing(line: bytes, fields: list[bytes]) -> None:
    assert not accepts(get(UPGRADE, CONNECTION, KEY, VERSION), response(line, *fields))
