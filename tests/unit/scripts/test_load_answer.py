"""Where an answer ends, however its octets are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loadgen.answer import MAX_HEAD, Answer, BadAnswer

OK = b"HTTP/1.1 200 OK\r\nServer: x\r\n"
WHOLE = {
    "length": (OK + b"Content-Length: 5\r\n\r\nhello", 5),
    "empty": (OK + b"content-length:0\r\n\r\n", 0),
    "chunked": (OK + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\nA\r\n0123456789\r\n0\r\n\r\n", 13),
    "trailers": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\n", 1),
    "no body": (b"HTTP/1.1 204 No Content\r\n\r\n", 0),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n", 0),
    "interim": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK
                + b"Content-Length: 1\r\n\r\n!", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
@given(data=st.data())
def test_an_answer_ends_where_it_ends_however_it_is_cut(name: str, data: st.DataObject) -> None:
    octets, body = WHOLE[name]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(octets) - 1), max_size=8)))
    answer = Answer()
    for begin, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        assert not answer.done
        answer.feed(octets[begin:end])
    assert answer.done
    assert answer.body == body
    assert not answer.closes


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    answer = Answer()
    assert not answer.feed(OK + b"\r\nab")
    assert not answer.feed(b"cd")
    assert answer.end()
    assert (answer.body, answer.closes) == (4, True)


def test_the_end_of_the_connection_is_no_end_of_any_other_answer() -> None:
    for octets in (b"", OK, OK + b"Content-Length: 5\r\n\r\nhell"):
        answer = Answer()
        answer.feed(octets)
        assert not answer.end()


def test_the_answer_to_head_has_no_body() -> None:
    answer = Answer(head_only=True)
    assert answer.feed(OK + b"Content-Length: 5\r\n\r\n")
    assert not answer.closes


@pytest.mark.parametrize("field", [b"Connection: close\r\n", b"connection: x, Close\r\n"])
def test_a_server_that_closes_says_so(field: bytes) -> None:
    answer = Answer()
    assert answer.feed(OK + field + b"Content-Length: 0\r\n\r\n")
    assert answer.closes


def test_http_1_0_closes() -> None:
    answer = Answer()
    assert answer.feed(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert answer.closes


@pytest.mark.parametrize(
    "octets",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        OK + b"Content-Length: 1\r\n\r\nab",
        OK + b"Content-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore",
        b"H" * (MAX_HEAD + 1),
    ],
)
def test_what_is_no_single_answer_is_refused(octets: bytes) -> None:
    with pytest.raises(BadAnswer):
        Answer().feed(octets)


def test_heads_that_are_remembered_stay_few() -> None:
    for number in range(500):
        answer = Answer()
        assert answer.feed(OK + b"X: %d\r\nContent-Length: 1\r\n\r\n!" % number)
