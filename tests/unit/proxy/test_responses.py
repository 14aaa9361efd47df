"""The edge's own answers: the facts of the refusal and nothing a stranger put there unescaped."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edge.http1.limits import HeadLimits
from edge.http1.response_parser import read_response_head
from edge.model.http import RequestHead, ResponseHead
from edge.model.refusal import Reason, Refusal
from edge.proxy import responses
from edge.proxy.responses import connection_field, own_answer, prefers_html, refusal_answer
from tests.unit.http1.expect import get, request

DATE = b"Mon, 23 Nov 2026 12:00:00 GMT"
REQUEST_ID, ANOTHER_ID = b"r1" * 12, b"r2" * 12
BROWSER = get(b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")


def answer(
    refusal: Refusal, head: RequestHead | None = None, *, close: bool = False, **more: Any
) -> tuple[ResponseHead, bytes]:
    octets = refusal_answer(refusal, head, request_id=REQUEST_ID, date=DATE, close=close, **more)
    start, _, body = octets.partition(b"\r\n\r\n")
    method = b"GET" if head is None else head.method
    return read_response_head(start + b"\r\n\r\n", method, HeadLimits()), body


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_a_problem_with_its_facts(reason: Reason) -> None:
    head, body = answer(Refusal(reason, "why"), get())
    assert head.status == reason.status
    assert head.phrase
    assert json.loads(body) == {
        "type": f"urn:mtls-edge:refusal:{reason.value}",
        "title": reason.title,
        "status": reason.status,
        "detail": "why",
        "reason": reason.value,
        "request_id": "r1" * 12,
    }
    assert head.value(b"content-type") == b"application/problem+json"
    assert head.value(b"content-length") == b"%d" % len(body)
    assert head.value(b"cache-control") == b"no-store"
    assert head.value(b"x-request-id") == REQUEST_ID
    assert head.value(b"date") == DATE


def test_without_a_detail_the_title_says_it() -> None:
    assert json.loads(answer(Refusal(Reason.NOT_FOUND))[1])["detail"] == Reason.NOT_FOUND.title


def test_a_browser_gets_a_page_with_the_same_facts() -> None:
    head, body = answer(Refusal(Reason.POLICY_DENIED, "why"), BROWSER)
    assert head.value(b"content-type") == b"text/html; charset=utf-8"
    for fact in (b"403", b"policy_denied", b"why", REQUEST_ID):
        assert fact in body
    assert b"http://" not in body
    assert b"https://" not in body
    assert b"<script" not in body
    assert head.value(b"content-security-policy") == b"default-src 'none'; style-src 'unsafe-inline'"
    assert head.value(b"x-content-type-options") == b"nosniff"


HOSTILE = "<script>alert(1)</script>\"'&\r\nSet-Cookie: a=b\r\n\r\n\0\x1b[31m\u2028{title}{0}\ud800"


@pytest.mark.parametrize("head", [None, get(), BROWSER])
def test_a_strangers_text_stays_text(head: RequestHead | None) -> None:
    parsed, body = answer(Refusal(Reason.BAD_REQUEST, HOSTILE), head)
    assert parsed.value(b"set-cookie") is None
    if head is BROWSER:
        assert b"<script>" not in body
        assert b"&lt;script&gt;" in body
        assert b"{title}" in body
    else:
        assert json.loads(body)["detail"].startswith("<script>")
        assert b"\n" not in body.rstrip(b"\n")


@pytest.mark.parametrize("head", [get(), BROWSER])
def test_a_long_text_is_cut_to_200_characters(head: RequestHead) -> None:
    _, body = answer(Refusal(Reason.BAD_REQUEST, "x" * 201), head)
    assert b"x" * 199 + "\u2026".encode() in body
    assert b"x" * 200 not in body
    _, body = answer(Refusal(Reason.BAD_REQUEST, "x" * 200), head)
    assert b"x" * 200 in body


def test_a_text_is_cut_before_it_is_escaped() -> None:
    _, body = answer(Refusal(Reason.BAD_REQUEST, "<" * 300), BROWSER)
    assert b"&lt;" * 199 + "\u2026".encode() in body


def test_a_head_request_gets_the_head_alone() -> None:
    asked = request(b"HEAD / HTTP/1.1", b"Host: a.test")
    head, body = answer(Refusal(Reason.POLICY_DENIED), asked)
    assert body == b""
    assert head.value(b"content-length") != b"0"


def test_a_method_that_is_not_allowed_is_told_those_that_are() -> None:
    head, _ = answer(Refusal(Reason.METHOD_NOT_ALLOWED), get())
    assert b"GET" in (head.value(b"allow") or b"")
    assert b"CONNECT" not in (head.value(b"allow") or b"")
    assert b"TRACE" not in (head.value(b"allow") or b"")


def test_an_edge_with_too_much_to_do_says_when_to_come_again() -> None:
    assert answer(Refusal(Reason.OVERLOADED))[0].value(b"retry-after") == b"5"
    assert answer(Refusal(Reason.POLICY_DENIED))[0].value(b"retry-after") is None


def test_more_fields_are_added() -> None:
    head, _ = answer(Refusal(Reason.POLICY_DENIED), extra=((b"Alt-Svc", b"clear"),))
    assert head.value(b"alt-svc") == b"clear"


@pytest.mark.parametrize(
    ("version", "close", "expected"),
    [
        (b"HTTP/1.1", False, None),
        (b"HTTP/1.1", True, b"close"),
        (b"HTTP/1.0", False, b"keep-alive"),
        (b"HTTP/1.0", True, b"close"),
    ],
)
def test_the_end_of_a_connection_is_said_where_the_version_does_not_say_it(
    version: bytes, *, close: bool, expected: bytes | None
) -> None:
    asked = request(b"GET / " + version, b"Host: a.test")
    assert dict(connection_field(asked, close=close)).get(b"Connection") == expected
    assert answer(Refusal(Reason.NOT_FOUND), asked, close=close)[0].value(b"connection") == expected


def test_where_no_request_was_read_the_answer_is_json() -> None:
    head, _ = answer(Refusal(Reason.BAD_REQUEST), None, close=True)
    assert head.value(b"content-type") == b"application/problem+json"
    assert head.value(b"connection") == b"close"


def test_another_answer_of_the_edge_has_the_same_frame() -> None:
    octets = own_answer(
        200,
        [(b"Content-Type", b"text/plain")],
        b"hello",
        get(),
        request_id=REQUEST_ID,
        date=DATE,
        close=False,
    )
    assert octets == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nDate: " + DATE + b"\r\n"
        b"X-Request-Id: " + REQUEST_ID + b"\r\n\r\nhello"
    )


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ((), False),
        ((b"",), False),
        ((b"*/*",), False),
        ((b"text/*",), False),
        ((b"application/json",), False),
        ((b"text/html",), True),
        ((b"TEXT/HTML",), True),
        ((b"text/html;charset=utf-8",), True),
        ((b"text/html, */*",), True),
        ((b"*/*", b"text/html"), True),
        ((b"text/html;q=0",), False),
        ((b"text/html;q=0.0",), False),
        ((b"text/html, application/json",), False),
        ((b"text/html;q=0.5, application/json",), False),
        ((b"text/html, application/json;q=0.5",), True),
        ((b"application/json;q=0.5, text/html;q=0.6",), True),
        ((b"text/html, application/problem+json",), False),
        ((b"text/html ; q=0.9 , application/problem+json ; q=0.8",), True),
        ((b"text/html;q=x",), False),
        ((b"text/html;q=nan",), False),
        ((b"text/html;q=-1",), False),
        ((b"text/html;q=inf, application/json;q=0.9",), True),
        ((b"xtext/html",), False),
        ((b"text/htmlx",), False),
        ((b",,;,;q=1,text/html",), True),
    ],
)
def test_a_page_is_for_who_prefers_it(accept: tuple[bytes, ...], *, html: bool) -> None:
    assert prefers_html(get(*(b"Accept: " + value for value in accept))) is html


# --- what is prepared is never another answer ----------------------------------------------------

PLAIN: dict[str, Any] = {
    "refusal": Refusal(Reason.POLICY_DENIED, "one"),
    "request": get(),
    "request_id": REQUEST_ID,
    "date": DATE,
    "close": False,
    "extra": (),
}
OTHERS: list[dict[str, Any]] = [
    {"refusal": Refusal(Reason.BAD_REQUEST, "one")},
    {"refusal": Refusal(Reason.POLICY_DENIED, "two")},
    {"refusal": Refusal(Reason.POLICY_DENIED)},
    {"request": BROWSER},
    {"request": None},
    {"request": request(b"HEAD / HTTP/1.1", b"Host: a.test")},
    {"request": request(b"GET / HTTP/1.0", b"Host: a.test", b"Connection: keep-alive")},
    {"request_id": ANOTHER_ID},
    {"date": b"Mon, 23 Nov 2026 12:00:01 GMT"},
    {"close": True},
    {"extra": ((b"Alt-Svc", b"clear"),)},
]


@pytest.mark.parametrize("other", OTHERS)
def test_an_answer_that_was_prepared_before_is_the_same_as_a_new_one(other: dict[str, Any]) -> None:
    responses._prepare.cache_clear()
    new = refusal_answer(**PLAIN), refusal_answer(**{**PLAIN, **other})
    again = refusal_answer(**{**PLAIN, **other}), refusal_answer(**PLAIN)
    assert again == (new[1], new[0])
    responses._prepare.cache_clear()
    assert (refusal_answer(**{**PLAIN, **other}), refusal_answer(**PLAIN)) == again
    assert other == {"request": None} or new[0] != new[1]


def test_what_strangers_say_does_not_fill_the_memory() -> None:
    for number in range(2000):
        answer(Refusal(Reason.BAD_REQUEST, f"{number}" * 300))
    assert responses._prepare.cache_info().currsize <= 512
