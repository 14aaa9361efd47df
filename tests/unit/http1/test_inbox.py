import pytest

from edge.http1.inbox import Inbox
from edge.http1.limits import HeadLimits, Side
from edge.http1.start_line import REQUEST_LINE_ROOM
from edge.model.refusal import Reason
from tests.unit.http1.expect import LIMITS, refused

HEAD = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"


def inbox_with(data: bytes, side: Side = Side.CLIENT) -> Inbox:
    inbox = Inbox(side)
    inbox.feed(data)
    return inbox


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: a.test\n",
        b"GET / HTTP/1.1\n",
        b"\n",
        b"GET / HTTP/1.1\rH",
        b"GET / HTTP/1.1\r\nX: a\rb",
        b"GET / HTTP/1.1\r\nX: a\r\r",
        b"GET /\x00",
        b"GET / HTTP/1.1\r\nX: \x00",
        b"\x16\x03\x01\x00\xf0",
    ],
)
def test_a_bare_lf_a_bare_cr_and_a_nul_are_refused_before_the_head_ends(data: bytes) -> None:
    with refused():
        inbox_with(data).next_head(LIMITS)
    with refused(Reason.ORIGIN_BAD_RESPONSE):
        inbox_with(data, Side.ORIGIN).next_head(LIMITS)


def test_a_bare_lf_is_refused_also_where_it_comes_alone() -> None:
    inbox = inbox_with(b"GET / HTTP/1.1")
    assert inbox.next_head(LIMITS) is None
    inbox.feed(b"\n")
    with refused():
        inbox.next_head(LIMITS)


def test_a_bare_cr_is_refused_also_where_the_next_octet_comes_alone() -> None:
    inbox = inbox_with(b"GET / HTTP/1.1\r")
    assert inbox.next_head(LIMITS) is None
    inbox.feed(b"X")
    with refused():
        inbox.next_head(LIMITS)


@pytest.mark.parametrize(
    "line", [b"GET /\r\n", b"GET  / HTTP/1.1\r\n", b"HELLO\r\n", b"SSH-2.0-OpenSSH_9.9\r\n"]
)
def test_a_malformed_request_line_is_refused_without_waiting_for_the_end(line: bytes) -> None:
    with refused():
        inbox_with(line).next_head(LIMITS)


def test_the_preface_of_http_2_is_refused_without_waiting_for_the_end() -> None:
    with refused(Reason.HTTP_VERSION_NOT_SUPPORTED):
        inbox_with(b"PRI * HTTP/2.0\r\n").next_head(LIMITS)


def test_a_request_line_that_never_ends_is_told_that_its_target_is_too_long() -> None:
    limits = HeadLimits(target_size=100)
    inbox = inbox_with(b"GET /" + b"a" * 95)
    assert inbox.next_head(limits) is None
    inbox.feed(b"a" * (REQUEST_LINE_ROOM + 1))
    with refused(Reason.URI_TOO_LONG):
        inbox.next_head(limits)


@pytest.mark.parametrize("rest", [b"", b"\r\n", b"\r\nHost: a.test\r\n\r\n"])
def test_a_head_of_which_only_the_request_line_is_too_long_is_told_so(rest: bytes) -> None:
    line = b"GET /" + b"a" * 40000 + b" HTTP/1.1"
    with refused(Reason.URI_TOO_LONG):
        inbox_with(line + rest).next_head(LIMITS)


@pytest.mark.parametrize("end", [b"", b"\r\n", b"\r\n\r\n"])
def test_a_head_that_is_too_large_is_told_so(end: bytes) -> None:
    inbox = inbox_with(b"GET / HTTP/1.1\r\nX: " + b"y" * 32768 + end)
    with refused(Reason.HEADER_TOO_LARGE):
        inbox.next_head(LIMITS)
    with refused(Reason.ORIGIN_BAD_RESPONSE):
        inbox_with(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 32768 + end, Side.ORIGIN).next_head(LIMITS)


def test_a_head_of_exactly_the_limit_is_taken() -> None:
    filler = b"y" * (1000 - len(b"GET / HTTP/1.1\r\nX: \r\n\r\n"))
    head = b"GET / HTTP/1.1\r\nX: " + filler + b"\r\n\r\n"
    assert inbox_with(head).next_head(HeadLimits(header_size=1000)) == head
    with refused(Reason.HEADER_TOO_LARGE):
        inbox_with(head).next_head(HeadLimits(header_size=999))


def test_octets_of_a_body_do_not_count_as_head() -> None:
    inbox = inbox_with(HEAD + b"\x00\n\r" + b"x" * 100000)
    assert inbox.next_head(LIMITS) == HEAD
    assert len(inbox) == 100003
    assert inbox.take() == b"\x00\n\r" + b"x" * 100000


def test_two_empty_lines_before_a_request_are_skipped_and_three_are_not() -> None:
    assert inbox_with(b"\r\n" + HEAD).next_head(LIMITS) == HEAD
    assert inbox_with(b"\r\n\r\n" + HEAD).next_head(LIMITS) == HEAD
    with refused():
        inbox_with(b"\r\n\r\n\r\n" + HEAD).next_head(LIMITS)


def test_empty_lines_are_counted_over_feeds_and_anew_for_every_head() -> None:
    inbox = Inbox()
    for data in (b"\r", b"\n\r", b"\n"):
        inbox.feed(data)
        assert inbox.next_head(LIMITS) is None
    inbox.feed(HEAD + b"\r\n\r\n")
    assert inbox.next_head(LIMITS) == HEAD
    assert inbox.next_head(LIMITS) is None
    inbox.feed(b"\r\n")
    with refused():
        inbox.next_head(LIMITS)


def test_an_empty_line_before_an_answer_is_not_skipped() -> None:
    inbox = inbox_with(b"\r\nHTTP/1.1 200 OK\r\n\r\n", Side.ORIGIN)
    assert inbox.next_head(LIMITS) == b"\r\nHTTP/1.1 200 OK\r\n\r\n"


def test_nothing_is_enough_for_nothing() -> None:
    inbox = Inbox()
    assert inbox.next_head(LIMITS) is None
    assert inbox.take() == b""
    assert len(inbox) == 0


def test_pipelined_heads_come_one_at_a_time() -> None:
    inbox = inbox_with(HEAD * 3 + HEAD[:10])
    assert [inbox.next_head(LIMITS) for _ in range(4)] == [HEAD, HEAD, HEAD, None]
    assert len(inbox) == 10
    inbox.feed(HEAD[10:] + HEAD)
    assert inbox.next_head(LIMITS) == HEAD
    assert inbox.next_head(LIMITS) == HEAD
    assert len(inbox) == 0


def test_a_head_after_another_one_is_checked_while_it_arrives_too() -> None:
    inbox = inbox_with(HEAD + b"GET / HT")
    assert inbox.next_head(LIMITS) == HEAD
    assert inbox.next_head(LIMITS) is None
    inbox.feed(b"TP/1.1\r\nX: a\nb")
    with refused():
        inbox.next_head(LIMITS)


def test_an_empty_line_in_pieces_before_a_head_in_pieces_changes_nothing() -> None:
    inbox = Inbox()
    for piece in (b"\r", b"\n", b"GET", b" / HTTP/1.1\r", b"\n", b"Host: a.test\r\n\r"):
        inbox.feed(piece)
        assert inbox.next_head(LIMITS) is None
    inbox.feed(b"\n")
    assert inbox.next_head(LIMITS) == HEAD


def test_a_head_sent_octet_by_octet_is_the_same_head() -> None:
    head = b"GET / HTTP/1.1\r\nX: " + b"y" * 30000 + b"\r\n\r\n"
    inbox = Inbox()
    for position in range(len(head) - 1):
        inbox.feed(head[position : position + 1])
        assert inbox.next_head(LIMITS) is None
    inbox.feed(head[-1:])
    assert inbox.next_head(LIMITS) == head


def test_what_arrives_in_one_piece_is_handed_on_without_a_copy() -> None:
    head, body = HEAD, b"x" * 1000
    inbox = inbox_with(head)
    assert inbox.next_head(LIMITS) is head
    inbox.feed(body)
    assert inbox.take() is body


def test_take_leaves_a_fresh_inbox() -> None:
    inbox = inbox_with(HEAD[:-1])
    assert inbox.next_head(LIMITS) is None
    assert inbox.take() == HEAD[:-1]
    inbox.feed(HEAD)
    assert inbox.next_head(LIMITS) == HEAD


def test_take_between_feeds_gives_only_what_was_not_consumed() -> None:
    inbox = inbox_with(HEAD + b"ab")
    assert inbox.next_head(LIMITS) == HEAD
    inbox.feed(b"cd")
    assert inbox.take() == b"abcd"
