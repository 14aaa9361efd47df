"""What is remembered of an origin's head comes to the same octets as reading it again."""

from __future__ import annotations

from hypothesis import assume, example, given
from hypothesis import strategies as st

from edge.http1.limits import HeadLimits
from edge.http1.writer import field_lines
from edge.model.http import RequestHead
from edge.model.refusal import MessageError
from edge.proxy.answer import Answer, AnswerFields
from edge.proxy.origin_answers import OriginAnswers
from tests.unit.http1.expect import get, request

LIMITS = HeadLimits()
REQUEST_ID = b"0123456789ab000000000001"
NAMES = st.sampled_from(
    [
        *(b"Date Content-Length Server ETag Vary Cache-Control Link X-Own content-type DATE Age".split()),
        *(b"Connection Keep-Alive Alt-Svc X-Request-Id Mtls-Authenticated Set-Cookie Upgrade".split()),
        *(b"Transfer-Encoding WWW-Authenticate Trailer Strict-Transport-Security".split()),
    ]
)
VALUES = st.one_of(
    st.sampled_from(b"0 5 005 close keep-alive X-Own Date,X-Own chunked a=b x clear".split()),
    st.binary(max_size=12).map(lambda octets: bytes(octet for octet in octets if 0x20 < octet != 0x7F)),
)
FIELDS = st.lists(st.tuples(NAMES, VALUES), max_size=7)
STATUSES = st.sampled_from(
    [b"200 OK", b"204 No Content", b"304 Not Modified", b"404 ", b"500 Oh", b"103 Hint"]
)
OWN = st.lists(
    st.sampled_from([(b"Alt-Svc", b"clear"), (b"Set-Cookie", b"CF_Authorization=x; Path=/")]), unique=True
).map(tuple)
REQUESTS = st.sampled_from([get(), request(b"DELETE /x HTTP/1.1", b"Host: a.test"), get(b"Cookie: a=b")])


@example(b"200 OK", [(b"Connection", b"Date")], (), get(), get())
@example(b"304 Not Modified", [(b"Connection", b"Content-Length")], (), get(), get())
@given(status=STATUSES, fields=FIELDS, own=OWN, asked=REQUESTS, first=REQUESTS)
def test_the_short_way_comes_to_the_octets_of_the_long_one(
    status: bytes,
    fields: list[tuple[bytes, bytes]],
    own: tuple[tuple[bytes, bytes], ...],
    asked: RequestHead,
    first: RequestHead,
) -> None:
    plain = [(b"Date", b"Mon, 23 Nov 2026 12:00:00 GMT"), (b"Content-Length", b"5"), *fields]
    for said in (fields, plain):
        block = b"HTTP/1.1 " + status + b"\r\n" + b"".join(b"%b: %b\r\n" % field for field in said) + b"\r\n"
        answers = OriginAnswers()
        answers.read(block, first, LIMITS)
        simple = answers.read(block, asked, LIMITS)
        if simple is None:
            continue
        body = b"x" * simple.length
        short = b"%b%bX-Request-Id: %b\r\n\r\n%b" % (simple.front, field_lines(own), REQUEST_ID, body)
        added = AnswerFields(b"another date", (*own, (b"X-Request-Id", REQUEST_ID)))
        answer = Answer(asked, LIMITS, added, lambda: True, wants_websocket=False)
        assert answer.feed(block + body) == short
        assert answer.done
        assert answer.origin_reusable
        assert not answer.closes
        assert answer.head is not None
        assert answer.head.status == simple.status


@given(status=STATUSES, fields=FIELDS)
def test_an_answer_that_has_no_meaning_is_never_simple(
    status: bytes, fields: list[tuple[bytes, bytes]]
) -> None:
    block = b"HTTP/1.1 " + status + b"\r\n" + b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n"
    answer = Answer(get(), LIMITS, AnswerFields(b"", ()), lambda: True, wants_websocket=False)
    try:
        answer.feed(block)
        assume(answer.head is None)
    except MessageError:
        pass
    assert OriginAnswers().read(block, get(), LIMITS) is None
