"""A request's body: bounded, not read ahead, and its end is where the head said."""

from __future__ import annotations

import pytest

from edge.config.schema import Limits
from edge.http1.inbox import Inbox
from edge.http1.limits import HeadLimits
from edge.model.http import RequestHead
from edge.model.refusal import Reason
from edge.proxy.request_body import RequestBody, check_length
from edge.reactor.stream import StreamBroken
from tests.unit.http1.expect import get, refused, request
from tests.unit.proxy.streams import BROKEN, ScriptedStream


def post(*fields: bytes) -> RequestHead:
    return request(b"POST / HTTP/1.1", b"Host: a.test", *fields)


CHUNKED = post(b"Transfer-Encoding: chunked")


def of_length(length: int) -> RequestHead:
    return post(b"Content-Length: %d" % length)


def body_of(
    head: RequestHead,
    *says: bytes | str | None,
    inbox: Inbox | None = None,
    **limits: object,
) -> RequestBody:
    stream = ScriptedStream(list(says))
    return RequestBody(
        head, stream, Inbox() if inbox is None else inbox, Limits.model_validate(limits), HeadLimits()
    )


def everything(body: RequestBody) -> bytes:
    out = b""
    while (piece := body.try_next()) is not None:
        out += piece
    return out


# --- limits ------------------------------------------------------------------------------------


def test_a_body_that_says_it_is_too_large_is_refused_unread() -> None:
    with refused(Reason.BODY_TOO_LARGE):
        check_length(of_length(101), Limits(body_size=100))


@pytest.mark.parametrize(("length", "limit"), [(100, 100), (0, 100), (10**12, 0)])
def test_a_body_that_says_it_is_within_the_limit_may_be_read(length: int, limit: int) -> None:
    check_length(of_length(length), Limits(body_size=limit))


def test_a_chunked_body_says_nothing_of_its_length() -> None:
    check_length(CHUNKED, Limits(body_size=1))


def test_a_body_of_the_largest_size_passes() -> None:
    assert everything(body_of(of_length(100), b"x" * 100, body_size=100)) == b"x" * 100


def test_a_chunked_body_is_cut_where_it_becomes_too_large() -> None:
    body = body_of(CHUNKED, b"64\r\n" + b"x" * 100 + b"\r\n", b"1\r\nx\r\n", body_size=100)
    assert body.try_next() == b"64\r\n" + b"x" * 100 + b"\r\n"
    with refused(Reason.BODY_TOO_LARGE):
        body.try_next()


def test_nothing_of_a_piece_that_goes_over_the_limit_is_passed_on() -> None:
    body = body_of(CHUNKED, b"65\r\n" + b"x" * 101 + b"\r\n0\r\n\r\n", body_size=100)
    with refused(Reason.BODY_TOO_LARGE):
        body.try_next()


def test_chunk_sizes_and_extensions_do_not_count() -> None:
    body = body_of(CHUNKED, b"1;x=yyyyyyyyyyyyyyyy\r\nx\r\n" * 10 + b"0\r\n\r\n", body_size=10)
    assert everything(body).startswith(b"a\r\n" + b"x" * 10)
    assert body.octets == 10


@pytest.mark.parametrize("said", [b"x\r\n", b"-1\r\n", b"1\r\nxx", b"1\nx\r\n", b"0\r\nX : y\r\n\r\n"])
def test_a_malformed_chunk_is_the_clients_fault(said: bytes) -> None:
    with refused(Reason.BAD_REQUEST):
        body_of(CHUNKED, said).try_next()


@pytest.mark.parametrize(
    ("head", "said"), [(of_length(5), b"hell"), (CHUNKED, b"5\r\nhello\r\n"), (CHUNKED, b"0\r\n")]
)
def test_a_client_that_ends_in_the_middle_is_gone(head: RequestHead, said: bytes) -> None:
    body = body_of(head, said, b"")
    with pytest.raises(StreamBroken, match="middle"):
        everything(body)


def test_a_client_that_breaks_is_gone() -> None:
    with pytest.raises(StreamBroken):
        everything(body_of(of_length(5), b"hell", BROKEN))


# --- framing -----------------------------------------------------------------------------------


def test_no_body_is_done_before_anything_is_read() -> None:
    stream = ScriptedStream([b"GET / HTTP/1.1\r\n"])
    body = RequestBody(get(), stream, Inbox(), Limits(), HeadLimits())
    assert body.done
    assert body.try_next() is None
    assert stream.reads == 0


def test_a_body_of_length_nought_is_done() -> None:
    assert body_of(of_length(0)).done


def test_a_body_comes_as_it_was_framed() -> None:
    assert everything(body_of(of_length(5), b"he", None)) == b"he"
    assert everything(body_of(of_length(5), b"he", b"llo")) == b"hello"
    assert (
        everything(body_of(CHUNKED, b"5\r\nhe", b"llo\r\n0\r\n\r\n")) == b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
    )


def test_a_chunk_size_alone_is_nothing_to_pass_on_yet() -> None:
    body = body_of(CHUNKED, b"5\r", b"\n", b"h", None)
    assert [body.try_next() for _ in range(4)] == [b"", b"", b"1\r\nh\r\n", None]


@pytest.mark.parametrize("rest", [b"0\r\nX-Sum: 1\r\n\r\n", b"5;x=y\r\n", b"00005\r\n"])
def test_of_framing_in_single_octets_no_more_than_one_is_read_at_a_time(rest: bytes) -> None:
    stream = ScriptedStream([bytes([octet]) for octet in rest])
    body = RequestBody(CHUNKED, stream, Inbox(), Limits(), HeadLimits())
    for reads in range(1, len(rest)):
        assert body.try_next() == b""
        assert stream.reads == reads
        assert not body.begun


def test_one_piece_is_read_for_one_piece_that_is_taken() -> None:
    stream = ScriptedStream([b"a", b"b", b"c"])
    body = RequestBody(of_length(3), stream, Inbox(), Limits(), HeadLimits())
    assert body.try_next() == b"a"
    assert stream.reads == 1


def test_what_is_already_in_the_inbox_comes_first() -> None:
    inbox = Inbox()
    inbox.feed(b"he")
    body = body_of(of_length(5), b"llo", inbox=inbox)
    assert everything(body) == b"hello"
    assert body.done


@pytest.mark.parametrize(
    ("head", "said"),
    [(of_length(5), b"hello"), (CHUNKED, b"5\r\nhello\r\n0\r\n\r\n"), (CHUNKED, b"0\r\n\r\n")],
)
@pytest.mark.parametrize("from_inbox", [True, False])
def test_the_next_request_is_given_back(head: RequestHead, said: bytes, *, from_inbox: bool) -> None:
    following = b"GET /next HTTP/1.1\r\n\r\n"
    inbox = Inbox()
    if from_inbox:
        inbox.feed(said + following)
        body = body_of(head, inbox=inbox)
    else:
        body = body_of(head, said + following, inbox=inbox)
    everything(body)
    assert body.done
    assert inbox.take() == following


def test_trailers_that_are_the_edges_or_act_before_the_body_are_dropped() -> None:
    trailers = (
        b"X-Sum: 1\r\nMtls-Authenticated: true\r\nmtls_authenticated: true\r\nX-Forwarded-For: 1\r\n"
        b"Cf-Client-Cert-Sha256: x\r\nX-SSL-Client-Verify: SUCCESS\r\nClient-Cert: x\r\nContent-Length: 5\r\n"
        b"X_Request.Id: x\r\nHost: b.test\r\nAuthorization: x\r\nCookie: CF_Authorization=x\r\n"
    )
    body = body_of(CHUNKED, b"0\r\n" + trailers + b"\r\n")
    assert everything(body) == b"0\r\nX-Sum: 1\r\n\r\n"


# --- patience ----------------------------------------------------------------------------------


def test_a_client_may_be_silent_for_the_idle_timeout() -> None:
    assert body_of(of_length(5), body_idle_timeout="7s", body_minimum_rate=0).patience.seconds == 7.0


def test_a_slow_client_has_ten_seconds_in_all() -> None:
    body = body_of(of_length(5), body_idle_timeout="60s", body_minimum_rate=100)
    assert body.patience.seconds == 10.0
    body.patience.waited(4.0)
    assert body.patience.seconds == 6.0
    body.patience.waited(7.0)
    assert body.patience.seconds == 0.0


def test_octets_earn_time_at_the_minimum_rate() -> None:
    body = body_of(of_length(5000), b"x" * 1000, body_idle_timeout="60s", body_minimum_rate=100)
    body.patience.waited(10.0)
    assert body.patience.seconds == 0.0
    body.try_next()
    assert body.patience.seconds == 10.0


def test_time_that_was_earned_never_exceeds_the_idle_timeout() -> None:
    body = body_of(of_length(100_000), b"x" * 100_000, body_idle_timeout="5s", body_minimum_rate=1)
    body.try_next()
    assert body.patience.seconds == 5.0


def test_without_a_minimum_rate_only_silence_counts() -> None:
    body = body_of(of_length(5), body_idle_timeout="60s", body_minimum_rate=0)
    body.patience.waited(1_000_000.0)
    assert body.patience.seconds == 60.0


def test_octets_are_those_of_the_content() -> None:
    body = body_of(CHUNKED, b"5;ext=1\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")
    everything(body)
    assert body.octets == 5
