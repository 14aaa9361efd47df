"""Only what is the same for every client, and needs nothing but what it has, is remembered of an origin."""

from __future__ import annotations

import pytest

from edge.http1.limits import HeadLimits
from edge.proxy.origin_answers import OriginAnswers, SimpleAnswer
from tests.unit.http1.expect import get, request

LIMITS = HeadLimits()
DATE = b"Date: Mon, 23 Nov 2026 12:00:00 GMT"
OK = b"HTTP/1.1 200 OK"
MOST_HEADS, MOST_OCTETS_OF_A_HEAD = 512, 2048


def block(line: bytes, *fields: bytes) -> bytes:
    return b"\r\n".join((line, *fields, b"", b""))


def read(head: bytes, answers: OriginAnswers | None = None) -> SimpleAnswer | None:
    return (answers or OriginAnswers()).read(head, get(), LIMITS)


@pytest.mark.parametrize(
    "fields",
    [
        (b"Content-Length: 5",),  # the edge says the date, and it is new every second
        (DATE, b"Content-Length: 5", b"Set-Cookie: a=b"),
        (DATE, b"Content-Length: 5", b"SET-COOKIE: CF_Authorization=x"),
        (DATE, b"Content-Length: 5", b"WWW-Authenticate: Basic x"),
        (DATE, b"Content-Length: 5", b"www-authenticate: Negotiate"),
        (DATE, b"Content-Length: 5", b"Proxy-Authenticate: Basic x"),
        (DATE, b"Content-Length: 5", b"Authentication-Info: nextnonce=x"),
        (DATE, b"Transfer-Encoding: chunked"),
        (DATE, b"Transfer-Encoding: Chunked", b"Trailer: X-Sum"),
        (DATE,),  # until the origin closes
        (DATE, b"Content-Length: 5", b"Connection: close"),
        (DATE, b"Content-Length: 5", b"Connection: x, CLOSE"),
        (b"Date : Mon, 23 Nov 2026 12:00:00 GMT", b"Content-Length: 5"),
        (DATE, b"Content-Length: 5", b"Content-Length: 6"),
        (DATE, b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        (DATE, b"Content-Length: -5"),
        (DATE, b"Content-Length: 5", b"X: a\rb"),
        (DATE, b"Content-Length: 5", b"X: a", b" b"),
        (DATE, b"Content-Length: 5", b"Connection: Date"),  # nor is this date passed on
    ],
)
def test_an_answer_that_is_not_simple_goes_the_long_way(fields: tuple[bytes, ...]) -> None:
    answers = OriginAnswers()
    for _ in range(3):
        assert read(block(OK, *fields), answers) is None
    assert not answers._known


@pytest.mark.parametrize(
    "head",
    [
        block(b"HTTP/1.0 200 OK", DATE, b"Content-Length: 5"),
        block(b"HTTP/1.1 100 Continue"),
        block(b"HTTP/1.1 103 Early Hints", DATE, b"Content-Length: 5"),
        block(b"HTTP/1.1 101 Switching Protocols", DATE, b"Connection: Upgrade", b"Upgrade: websocket"),
        block(b"HTTP/1.1 099 Odd", DATE, b"Content-Length: 5"),
        block(b"HTTP/2 200 OK", DATE, b"Content-Length: 5"),
        block(OK, DATE, b"Content-Length: 5")[:-1],
        block(OK, DATE, b"Content-Length: 5")[:-2],
        block(OK)[:3],
        b"",
        b"\r\n\r\n",
        b"\x16\x03\x01\r\n\r\n",
    ],
)
def test_what_is_no_plain_final_answer_goes_the_long_way(head: bytes) -> None:
    answers = OriginAnswers()
    assert read(head, answers) is None
    assert not answers._known


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (
            block(OK, DATE, b"Content-Length: 005"),
            SimpleAnswer(200, block(OK, DATE, b"Content-Length: 5")[:-2], 5),
        ),
        (
            block(OK, b"Content-Length: 0", DATE),
            SimpleAnswer(200, block(OK, DATE, b"Content-Length: 0")[:-2], 0),
        ),
        (
            block(b"HTTP/1.1 204 No Content", DATE),
            SimpleAnswer(204, block(b"HTTP/1.1 204 No Content", DATE)[:-2], 0),
        ),
        (
            block(b"HTTP/1.1 304 Not Modified", b'ETag: "x"', DATE, b"Content-Length: 5"),
            SimpleAnswer(
                304, block(b"HTTP/1.1 304 Not Modified", b'ETag: "x"', DATE, b"Content-Length: 5")[:-2], 0
            ),
        ),
        (
            block(b"HTTP/1.0 200 OK", DATE, b"Content-Length: 5", b"Connection: keep-alive"),
            SimpleAnswer(200, block(OK, DATE, b"Content-Length: 5")[:-2], 5),
        ),
        (
            block(b"HTTP/1.1 404 Not Found", DATE, b"Content-Length: 5", b"Connection: X-Own", b"X-Own: 1"),
            SimpleAnswer(404, block(b"HTTP/1.1 404 Not Found", DATE, b"Content-Length: 5")[:-2], 5),
        ),
    ],
)
def test_a_simple_answer_is_what_the_long_way_makes_of_it(head: bytes, expected: SimpleAnswer) -> None:
    assert read(head) == expected


@pytest.mark.parametrize(
    "field", [b"Alt-Svc: h3", b"X-Request-Id: theirs", b"Mtls-Authenticated: true", b"Keep-Alive: timeout=5"]
)
def test_what_an_origin_may_not_say_is_not_in_what_is_remembered(field: bytes) -> None:
    answers = OriginAnswers()
    for _ in range(2):
        found = read(block(OK, DATE, field, b"Content-Length: 5"), answers)
        assert found == SimpleAnswer(200, block(OK, DATE, b"Content-Length: 5")[:-2], 5)


def test_a_head_is_read_once_and_one_octet_makes_another() -> None:
    answers = OriginAnswers()
    first = read(block(OK, DATE, b"Content-Length: 5"), answers)
    assert read(block(OK, DATE, b"Content-Length: 5"), answers) is first
    other = read(block(OK, DATE, b"Content-Length: 6"), answers)
    assert other is not None
    assert other.length == 6


def test_a_long_head_is_not_remembered() -> None:
    answers = OriginAnswers()
    plain = block(OK, DATE, b"Content-Length: 5", b"X: ")
    for size, remembered in ((MOST_OCTETS_OF_A_HEAD + 1, 0), (MOST_OCTETS_OF_A_HEAD, 1)):
        head = block(OK, DATE, b"Content-Length: 5", b"X: " + b"x" * (size - len(plain)))
        assert len(head) == size
        assert read(head, answers) is not None
        assert len(answers._known) == remembered


def test_so_many_heads_are_remembered_and_the_oldest_goes_first() -> None:
    answers = OriginAnswers()
    heads = [block(OK, DATE, b"Content-Length: %d" % number) for number in range(MOST_HEADS + 3)]
    for head in heads:
        assert read(head, answers) is not None
        assert len(answers._known) <= MOST_HEADS
    assert list(answers._known) == heads[3:]


def test_other_limits_are_asked_anew() -> None:
    # What was within the limits of one configuration may not be within those of the next.
    answers = OriginAnswers()
    head = block(OK, DATE, b"Content-Length: 5", b"X: 1", b"Y: 1")
    assert answers.read(head, get(), LIMITS) is not None
    narrow = HeadLimits(LIMITS.header_size, 2, LIMITS.target_size)
    assert answers.read(head, get(), narrow) is None
    assert not answers._known
    assert answers.read(head, get(), LIMITS) is not None


def test_the_method_of_the_request_that_asked_first_does_not_matter() -> None:
    heads = [
        block(OK, DATE, b"Content-Length: 5"),
        block(b"HTTP/1.1 204 No Content", DATE),
        block(b"HTTP/1.1 304 Not Modified", DATE, b"Content-Length: 5"),
    ]
    for head in heads:
        found = {
            OriginAnswers().read(head, request(method + b" / HTTP/1.1", b"Host: a.test"), LIMITS)
            for method in (b"GET", b"PUT", b"DELETE", b"OPTIONS")
        }
        assert len(found) == 1
