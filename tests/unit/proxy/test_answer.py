"""An origin's answer for a client: octets in, octets out, and nothing of what an origin must not say."""

from __future__ import annotations

import pytest

from edge.http1.limits import HeadLimits
from edge.model.http import RequestHead
from edge.model.refusal import Reason
from edge.proxy.answer import Answer, AnswerFields
from tests.unit.http1.expect import get, refused, request

DATE = b"Mon, 23 Nov 2026 12:00:00 GMT"
OWN = ((b"X-Request-Id", b"r1"),)
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""RFC 6455 1.3."""


def answer_to(
    head: RequestHead,
    *,
    keep: bool = True,
    websocket: bool = False,
    own: tuple[tuple[bytes, bytes], ...] = OWN,
) -> Answer:
    return Answer(head, HeadLimits(), AnswerFields(DATE, own), lambda: keep, wants_websocket=websocket)


def old(*fields: bytes) -> RequestHead:
    return request(b"GET / HTTP/1.0", b"Host: a.test", *fields)


def head_request() -> RequestHead:
    return request(b"HEAD / HTTP/1.1", b"Host: a.test")


def websocket() -> RequestHead:
    return get(
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: " + KEY,
    )


def octets(*lines: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join((*lines, b"", b"")) + body


OK = b"HTTP/1.1 200 OK"
TAIL = (b"Date: " + DATE, b"X-Request-Id: r1")
CHUNKED_TAIL = (b"Transfer-Encoding: chunked", *TAIL)

# --- framing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "said", "passed", "closes", "reusable"),
    [
        (
            get(),
            octets(OK, b"Content-Length: 5", body=b"hello"),
            octets(OK, b"Content-Length: 5", *TAIL, body=b"hello"),
            False,
            True,
        ),
        (get(), octets(OK, b"Content-Length: 0"), octets(OK, b"Content-Length: 0", *TAIL), False, True),
        (
            get(),
            octets(OK, b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
            octets(OK, *CHUNKED_TAIL, body=b"5\r\nhello\r\n0\r\n\r\n"),
            False,
            True,
        ),
        (
            get(),
            octets(OK, b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
            octets(OK, *CHUNKED_TAIL, body=b"0\r\n\r\n"),
            False,
            True,
        ),
        (  # extensions are dropped
            get(),
            octets(OK, b"Transfer-Encoding: chunked", body=b"5;a=b\r\nhello\r\n000;c\r\n\r\n"),
            octets(OK, *CHUNKED_TAIL, body=b"5\r\nhello\r\n0\r\n\r\n"),
            False,
            True,
        ),
        (  # never chunked to HTTP/1.0: the end of the connection is the end of the body
            old(b"Connection: keep-alive"),
            octets(OK, b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"),
            octets(OK, *TAIL, b"Connection: close", body=b"hello"),
            True,
            True,
        ),
        (
            old(b"Connection: keep-alive"),
            octets(OK, b"Content-Length: 5", body=b"hello"),
            octets(OK, b"Content-Length: 5", *TAIL, b"Connection: keep-alive", body=b"hello"),
            False,
            True,
        ),
        (
            head_request(),
            octets(OK, b"Content-Length: 5"),
            octets(OK, b"Content-Length: 5", *TAIL),
            False,
            True,
        ),
        (head_request(), octets(OK, b"Transfer-Encoding: chunked"), octets(OK, *TAIL), False, True),
        (head_request(), octets(OK), octets(OK, *TAIL), False, True),
        (
            get(),
            octets(b"HTTP/1.1 304 Not Modified", b"Content-Length: 5", b"ETag: x"),
            octets(b"HTTP/1.1 304 Not Modified", b"ETag: x", b"Content-Length: 5", *TAIL),
            False,
            True,
        ),
        (get(), octets(b"HTTP/1.1 204 No Content"), octets(b"HTTP/1.1 204 No Content", *TAIL), False, True),
        (
            get(),
            octets(b"HTTP/1.1 204 No Content", b"Content-Length: 0"),
            octets(b"HTTP/1.1 204 No Content", *TAIL),
            False,
            True,
        ),
        (
            get(),
            octets(OK, b"Content-Length: 5", b"Connection: close", body=b"hello"),
            octets(OK, b"Content-Length: 5", *TAIL, body=b"hello"),
            False,
            False,
        ),
        (
            get(),
            octets(b"HTTP/1.0 200 OK", b"Content-Length: 5", body=b"hello"),
            octets(OK, b"Content-Length: 5", *TAIL, body=b"hello"),
            False,
            False,
        ),
    ],
)
def test_a_body_is_framed_anew_for_this_client(
    head: RequestHead, said: bytes, passed: bytes, *, closes: bool, reusable: bool
) -> None:
    answer = answer_to(head)
    assert answer.feed(said) == passed
    assert answer.done
    assert answer.closes is closes
    assert answer.origin_reusable is reusable
    assert answer.finish() == b""


@pytest.mark.parametrize(
    ("head", "passed", "end"),
    [
        (get(), octets(OK, *CHUNKED_TAIL, body=b"5\r\nhello\r\n"), b"0\r\n\r\n"),
        (old(), octets(OK, *TAIL, b"Connection: close", body=b"hello"), b""),
    ],
)
def test_a_body_that_ends_with_the_connection_is_whole_when_the_origin_closes(
    head: RequestHead, passed: bytes, end: bytes
) -> None:
    answer = answer_to(head)
    assert answer.feed(octets(OK, body=b"hello")) == passed
    before = answer.done
    assert answer.finish() == end
    assert (before, answer.done) == (False, True)
    assert not answer.origin_reusable


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        octets(b"HTTP/1.1 100 Continue"),
        octets(OK, b"Content-Length: 5", body=b"hell"),
        octets(OK, b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n"),
        octets(OK, b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n"),
        octets(OK, b"Transfer-Encoding: chunked"),
    ],
)
def test_an_answer_that_ends_too_early_is_never_made_to_look_whole(said: bytes) -> None:
    answer = answer_to(get())
    if said:
        answer.feed(said)
    with refused(Reason.ORIGIN_BAD_RESPONSE):
        answer.finish()


def test_octets_after_the_answer_make_the_connection_unusable_and_go_nowhere() -> None:
    answer = answer_to(get())
    said = octets(OK, b"Content-Length: 5", body=b"hello")
    assert answer.feed(said + said).count(b"200 OK") == 1
    assert answer.done
    assert not answer.origin_reusable


def test_a_client_whose_connection_may_not_be_kept_is_told() -> None:
    answer = answer_to(get(), keep=False)
    assert b"\r\nConnection: close\r\n" in answer.feed(octets(OK, b"Content-Length: 0"))
    assert answer.closes


def test_whether_to_keep_is_asked_when_the_head_is_written() -> None:
    asked: list[int] = []

    def may_keep() -> bool:
        asked.append(1)
        return True

    answer = Answer(get(), HeadLimits(), AnswerFields(DATE, OWN), may_keep, wants_websocket=False)
    answer.feed(b"HTTP/1.1 200 OK\r\n")
    assert asked == []
    answer.feed(b"Content-Length: 0\r\n\r\n")
    assert asked == [1]


def test_an_untouched_answer_is_one_of_which_nothing_came() -> None:
    assert answer_to(get()).untouched
    answer = answer_to(get())
    answer.feed(b"H")
    assert not answer.untouched
    answer = answer_to(get())
    answer.feed(octets(b"HTTP/1.1 100 Continue"))
    assert not answer.untouched


# --- what has two meanings ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        octets(OK, b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        octets(OK, b"Content-Length: 5", b"Content-Length: 6"),
        octets(OK, b"Content-Length: 5", b"Content-Length: 5"),
        octets(OK, b"Content-Length: -5"),
        octets(OK, b"Transfer-Encoding: gzip"),
        octets(OK, b"Transfer-Encoding : chunked"),
        octets(OK, b"X: a", b" folded"),
        octets(OK, b"X: a\rSet-Cookie: b"),
        octets(OK, b"X: a\nSet-Cookie: b"),
        octets(OK, b"X: \0"),
        octets(b"HTTP/1.0 200 OK", b"Transfer-Encoding: chunked"),
        octets(b"HTTP/2 200 OK"),
        octets(b"HTTP/1.1 20 OK"),
        octets(b"HTTP/1.1 +200 OK"),
        octets(b"ICY 200 OK"),
        b"hello\r\n\r\n",
        octets(b"HTTP/1.1 100 Continue", b"Content-Length: 5"),
        octets(b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade"),
        octets(OK, *[b"X: y"] * 101),
        octets(OK, b"X: " + b"y" * 33000),
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 33000,
        octets(OK, b"Transfer-Encoding: chunked", body=b"5\nhello"),
        octets(OK, b"Transfer-Encoding: chunked", body=b"5\r\nhelloXX"),
        octets(OK, b"Transfer-Encoding: chunked", body=b"+5\r\nhello\r\n"),
        octets(OK, b"Transfer-Encoding: chunked", body=b"0\r\nX : y\r\n\r\n"),
    ],
)
def test_an_answer_with_two_meanings_is_refused(said: bytes) -> None:
    with refused(Reason.ORIGIN_BAD_RESPONSE):
        answer_to(get()).feed(said)


# --- what an origin must not say ---------------------------------------------------------------


def fields_of(passed: bytes) -> list[bytes]:
    return passed.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]


@pytest.mark.parametrize(
    "field",
    [
        b'Alt-Svc: h3=":443"; ma=86400',
        b'alt-svc: h2="other.test:443"',
        b"X-Request-Id: theirs",
        b"Mtls-Authenticated: true",
        b"Set-Cookie: CF_Authorization=planted; Path=/",
        b"set-cookie: cf_authorization=planted",
        b"Set-Cookie:   CF_Authorization = planted",
        b"Set-Cookie: a=b, CF_Authorization=planted",
        b"Connection: keep-alive",
        b"Keep-Alive: timeout=5",
        b"Proxy-Authenticate: Basic",
        b"Proxy-Connection: keep-alive",
        b"TE: trailers",
        b"Trailer: X-Sum",
        b"Upgrade: h2c",
    ],
)
def test_a_field_that_is_not_the_origins_to_send_is_dropped(field: bytes) -> None:
    passed = fields_of(answer_to(get()).feed(octets(OK, field, b"X-Kept: 1", b"Content-Length: 0")))
    assert passed == [b"X-Kept: 1", b"Content-Length: 0", *TAIL]


def test_fields_that_connection_names_are_dropped_but_never_ours() -> None:
    said = octets(OK, b"Connection: X-Secret, Set-Cookie, X-Request-Id", b"X-Secret: 1", b"Set-Cookie: a=b")
    passed = fields_of(answer_to(get()).feed(said[:-2] + b"Content-Length: 0\r\n\r\n"))
    assert b"Set-Cookie: a=b" in passed
    assert b"X-Secret: 1" not in passed
    assert b"X-Request-Id: r1" in passed


def test_other_cookies_of_the_origin_pass_each_in_its_own_field() -> None:
    said = octets(OK, b"Set-Cookie: a=b", b"Set-Cookie: CF_AuthorizationX=y", b"Content-Length: 0")
    passed = fields_of(answer_to(get()).feed(said))
    assert passed[:2] == [b"Set-Cookie: a=b", b"Set-Cookie: CF_AuthorizationX=y"]


def test_what_the_edge_adds_is_added_to_the_final_answer_once() -> None:
    own = ((b"Set-Cookie", b"CF_Authorization=t"), (b"Alt-Svc", b"clear"))
    said = octets(b"HTTP/1.1 103 Early Hints", b"Link: </a>") + octets(OK, b"Content-Length: 0")
    passed = answer_to(get(), own=own).feed(said)
    assert passed.count(b"CF_Authorization") == 1
    assert passed.count(b"Alt-Svc: clear") == 1
    assert passed.startswith(octets(b"HTTP/1.1 103 Early Hints", b"Link: </a>"))


def test_a_date_of_the_origin_is_kept_and_a_missing_one_added() -> None:
    theirs = b"Date: Tue, 24 Nov 2026 00:00:00 GMT"
    passed = fields_of(answer_to(get()).feed(octets(OK, theirs, b"Content-Length: 0")))
    assert [field for field in passed if field.startswith(b"Date")] == [theirs]


def test_a_phrase_and_a_status_of_the_origins_own_are_passed_on() -> None:
    assert (
        answer_to(get())
        .feed(octets(b"HTTP/1.1 599 Odd", b"Content-Length: 0"))
        .startswith(b"HTTP/1.1 599 Odd\r\n")
    )


def test_trailers_that_act_before_the_body_or_are_ours_are_dropped() -> None:
    trailers = (
        b"X-Sum: 1\r\nSet-Cookie: a=b\r\nContent-Length: 5\r\nAlt-Svc: h3\r\nMtls-Authenticated: true\r\n"
    )
    said = octets(OK, b"Transfer-Encoding: chunked", body=b"0\r\n" + trailers + b"\r\n")
    assert answer_to(get()).feed(said).endswith(b"\r\n\r\n0\r\nX-Sum: 1\r\n\r\n")


# --- interim answers ---------------------------------------------------------------------------


def test_interim_answers_are_passed_on_without_the_edges_fields() -> None:
    said = octets(b"HTTP/1.1 100 Continue") + octets(b"HTTP/1.1 103 Early Hints", b"Link: </a>")
    answer = answer_to(get())
    assert answer.feed(said) == said
    assert answer.head is None
    assert not answer.done


def test_a_client_of_http_1_0_sees_no_interim_answers() -> None:
    said = octets(b"HTTP/1.1 100 Continue") + octets(OK, b"Content-Length: 0")
    assert answer_to(old()).feed(said).startswith(b"HTTP/1.1 200 OK")


def test_interim_answers_without_end_are_refused() -> None:
    answer = answer_to(get())
    for _ in range(32):
        answer.feed(octets(b"HTTP/1.1 102 Processing"))
    with refused(Reason.ORIGIN_BAD_RESPONSE):
        answer.feed(octets(b"HTTP/1.1 102 Processing"))


# --- switching protocols -----------------------------------------------------------------------

SWITCHING = (b"HTTP/1.1 101 Switching Protocols", b"Connection: Upgrade", b"Upgrade: websocket")


def test_a_right_101_opens_a_tunnel_and_keeps_what_follows() -> None:
    answer = answer_to(websocket(), websocket=True)
    passed = answer.feed(octets(*SWITCHING, b"Sec-WebSocket-Accept: " + ACCEPT, body=b"\x81\x05hello"))
    assert answer.switched
    assert passed == octets(
        SWITCHING[0], b"Sec-WebSocket-Accept: " + ACCEPT, *SWITCHING[1:], b"X-Request-Id: r1"
    )
    assert answer.take_tunnel_octets() == b"\x81\x05hello"
    assert not answer.origin_reusable


@pytest.mark.parametrize(
    "lines",
    [
        SWITCHING,
        (*SWITCHING, b"Sec-WebSocket-Accept: " + KEY),
        (*SWITCHING, b"Sec-WebSocket-Accept: " + ACCEPT, b"Sec-WebSocket-Accept: " + ACCEPT),
        (SWITCHING[0], b"Connection: Upgrade", b"Upgrade: h2c", b"Sec-WebSocket-Accept: " + ACCEPT),
        (SWITCHING[0], b"Upgrade: websocket", b"Sec-WebSocket-Accept: " + ACCEPT),
    ],
)
def test_a_101_that_is_not_right_opens_nothing(lines: tuple[bytes, ...]) -> None:
    with refused(Reason.ORIGIN_BAD_RESPONSE):
        answer_to(websocket(), websocket=True).feed(octets(*lines))


def test_a_101_that_nobody_asked_for_opens_nothing() -> None:
    with refused(Reason.ORIGIN_BAD_RESPONSE):
        answer_to(get()).feed(octets(*SWITCHING, b"Sec-WebSocket-Accept: " + ACCEPT))


def test_an_origin_may_decline_the_upgrade() -> None:
    answer = answer_to(websocket(), websocket=True)
    assert b"HTTP/1.1 403" in answer.feed(octets(b"HTTP/1.1 403 Forbidden", b"Content-Length: 0"))
    assert answer.done
    assert not answer.switched
