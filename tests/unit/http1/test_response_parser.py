import pytest

from edge.http1.limits import HeadLimits
from edge.http1.response_parser import read_response_head
from edge.model.http import NO_BODY, Body, Framing, ResponseHead
from edge.model.refusal import Reason
from tests.unit.http1.expect import LIMITS, refused, response

OK = b"HTTP/1.1 200 OK"
BAD = Reason.ORIGIN_BAD_RESPONSE


def test_an_answer_has_one_meaning() -> None:
    head = response(OK, b"content-length: 2", b"X-A:  b ", b"Connection: X-A")
    assert head == ResponseHead(
        status=200,
        phrase=b"OK",
        version=(1, 1),
        fields=(
            (b"content-length", b"content-length", b"2"),
            (b"x-a", b"X-A", b"b"),
            (b"connection", b"Connection", b"X-A"),
        ),
        body=Body(Framing.LENGTH, 2),
        keep_alive=True,
        connection_options=frozenset((b"x-a",)),
        upgrade=(),
    )


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\n\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"<html>\r\n\r\n",
    ],
)
def test_a_block_that_is_not_one_whole_head_is_refused(block: bytes) -> None:
    with refused(BAD):
        read_response_head(block, b"GET", LIMITS)


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/2.0 200 OK",
        b"HTTP/1.2 200 OK",
        b"HTTP/1.1 99 x",
        b"HTTP/1.1 600 x",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1 200 a\x00b",
    ],
)
def test_a_malformed_status_line_is_refused(line: bytes) -> None:
    with refused(BAD):
        response(line)


@pytest.mark.parametrize(
    "fields",
    [
        [b"Content-Length: 2", b"Transfer-Encoding: chunked"],
        [b"Content-Length: 2", b"Content-Length: 2"],
        [b"Content-Length: 2, 2"],
        [b"Content-Length: -2"],
        [b"Content-Length:"],
        [b"Content-Length : 2"],
        [b"Transfer-Encoding: gzip"],
        [b"Transfer-Encoding: gzip, chunked"],
        [b"Transfer-Encoding: identity"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: \x0bchunked"],
        [b"X: a\rb"],
        [b"X: a\nb"],
        [b"X: a\x00b"],
        [b"X: a", b" folded"],
        [b"X y: a"],
        [b"Connection: a b"],
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_an_answer_with_two_meanings_is_refused(fields: list[bytes], method: bytes) -> None:
    with refused(BAD):
        response(OK, *fields, method=method)


def test_a_transfer_encoding_in_an_http_1_0_answer_is_refused() -> None:
    with refused(BAD):
        response(b"HTTP/1.0 200 OK", b"Transfer-Encoding: chunked")


def test_an_answer_over_the_limits_is_refused() -> None:
    with refused(BAD):
        response(OK, *[b"X: y"] * 101)
    with refused(BAD):
        response(OK, b"X: " + b"y" * 100, limits=HeadLimits(header_size=100))


@pytest.mark.parametrize("fields", [[b"Content-Length: 0"], [b"Transfer-Encoding: chunked"]])
@pytest.mark.parametrize("status", [b"100", b"101", b"103"])
def test_an_interim_answer_that_declares_a_body_is_refused(status: bytes, fields: list[bytes]) -> None:
    with refused(BAD):
        response(b"HTTP/1.1 " + status + b" x", *fields)


@pytest.mark.parametrize(
    ("line", "method"),
    [
        (b"HTTP/1.1 100 Continue", b"GET"),
        (b"HTTP/1.1 101 Switching Protocols", b"GET"),
        (b"HTTP/1.1 204 No Content", b"GET"),
        (b"HTTP/1.1 304 Not Modified", b"GET"),
        (b"HTTP/1.1 200 OK", b"HEAD"),
    ],
)
def test_an_answer_without_content_has_no_body_and_keeps_the_connection(line: bytes, method: bytes) -> None:
    head = response(line, method=method)
    assert head.body == NO_BODY
    assert head.keep_alive


def test_a_length_in_an_answer_to_head_or_a_304_is_only_told() -> None:
    for line, method in ((OK, b"HEAD"), (b"HTTP/1.1 304 Not Modified", b"GET")):
        head = response(line, b"Content-Length: 6", method=method)
        assert head.body == NO_BODY
        assert head.keep_alive
        assert head.value(b"content-length") == b"6"


@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_a_204_that_declares_a_body_is_the_last_answer_on_its_connection(field: bytes) -> None:
    head = response(b"HTTP/1.1 204 No Content", field)
    assert head.body == NO_BODY
    assert not head.keep_alive


def test_a_204_that_declares_an_empty_body_is_harmless() -> None:
    assert response(b"HTTP/1.1 204 No Content", b"Content-Length: 0").keep_alive


def test_an_answer_that_ends_where_the_origin_closes_is_the_last_one() -> None:
    for line in (OK, b"HTTP/1.0 200 OK"):
        head = response(line, b"Connection: keep-alive")
        assert head.body == Body(Framing.UNTIL_CLOSE)
        assert not head.keep_alive


def test_a_chunked_answer_is_chunked() -> None:
    assert response(OK, b"Transfer-Encoding: chunked").body == Body(Framing.CHUNKED)


@pytest.mark.parametrize(
    ("line", "fields", "keep_alive"),
    [
        (OK, [], True),
        (OK, [b"Connection: close"], False),
        (b"HTTP/1.0 200 OK", [], False),
        (b"HTTP/1.0 200 OK", [b"Connection: Keep-Alive"], True),
        (b"HTTP/1.0 200 OK", [b"Connection: Keep-Alive, close"], False),
    ],
)
def test_the_connection_is_used_again_as_version_and_options_say(
    line: bytes, fields: list[bytes], keep_alive: bool
) -> None:
    assert response(line, b"Content-Length: 0", *fields).keep_alive is keep_alive


def test_an_upgrade_is_told_and_left_to_the_caller() -> None:
    head = response(b"HTTP/1.1 101 Switching Protocols", b"Upgrade: WebSocket", b"Connection: Upgrade")
    assert head.status == 101
    assert head.upgrade == (b"websocket",)
    assert head.connection_options == {b"upgrade"}
