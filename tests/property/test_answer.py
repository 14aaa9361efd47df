"""However an origin's octets are cut, the client gets the same answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.http1.body import ChunkedReader, UntilCloseReader
from edge.http1.inbox import Inbox
from edge.http1.limits import HeadLimits, Side
from edge.http1.response_parser import read_response_head
from edge.model.http import Framing, RequestHead
from edge.model.refusal import MessageError
from edge.proxy.answer import Answer, AnswerFields
from tests.property.http1_streams import RESPONSES, pieces_of, streams, unhurried
from tests.unit.http1.expect import get, request

LIMITS = HeadLimits()
FIELDS = AnswerFields(b"Mon, 23 Nov 2026 12:00:00 GMT", ((b"X-Request-Id", b"r1"),))
REQUESTS = st.sampled_from(
    [
        get(),
        request(b"HEAD / HTTP/1.1", b"Host: a.test"),
        request(b"GET / HTTP/1.0", b"Host: a.test", b"Connection: keep-alive"),
    ]
)


def passed_on(head: RequestHead, pieces: list[bytes]) -> tuple[bytes, bool, str]:
    """What the client gets until the origin closes, whether that is whole, and the error if it is not."""
    answer = Answer(head, LIMITS, FIELDS, lambda: True, wants_websocket=False)
    out = b""
    try:
        for piece in pieces:
            if answer.done:
                break
            out += answer.feed(piece)
        out += answer.finish()
    except MessageError as error:
        return out, False, error.refusal.reason.value
    return out, True, ""


def meaning(head: RequestHead, octets: bytes) -> tuple[list[bytes], bytes, bytes]:
    """The heads and the decoded body of what a client got, and what was left over."""
    inbox, heads = Inbox(Side.ORIGIN), []
    inbox.feed(octets)
    while (block := inbox.next_head(LIMITS)) is not None:
        heads.append(block)
        parsed = read_response_head(block, head.method, LIMITS)
        if parsed.status >= 200:
            break
    else:
        return heads, b"", inbox.take()
    rest = inbox.take()
    if parsed.body.framing is Framing.CHUNKED:
        reader = ChunkedReader(LIMITS, Side.ORIGIN)
        return heads, reader.feed(rest), reader.excess
    if parsed.body.framing is Framing.UNTIL_CLOSE:
        return heads, UntilCloseReader().feed(rest), b""
    if parsed.body.framing is Framing.LENGTH:
        return heads, rest[: parsed.body.length], rest[parsed.body.length :]
    return heads, b"", rest


@unhurried
@given(REQUESTS, streams(RESPONSES), st.data())
def test_any_slicing_gives_the_client_the_same_answer(
    head: RequestHead, said: bytes, data: st.DataObject
) -> None:
    whole = passed_on(head, [said] if said else [])
    pieces = data.draw(pieces_of(said))
    for cut in (pieces, [said[at : at + 1] for at in range(len(said))]):
        out, complete, error = passed_on(head, cut)
        assert (complete, error) == whole[1:]
        if complete:
            assert meaning(head, out) == meaning(head, whole[0])


@unhurried
@given(REQUESTS, streams(RESPONSES), st.data())
def test_what_the_client_gets_is_one_answer_and_nothing_after_it(
    head: RequestHead, said: bytes, data: st.DataObject
) -> None:
    out, complete, _ = passed_on(head, data.draw(pieces_of(said)))
    if complete:
        heads, _, rest = meaning(head, out)
        assert rest == b""
        final = read_response_head(heads[-1], head.method, LIMITS)
        assert final.status >= 200
        assert final.value(b"x-request-id") == b"r1"
        assert len(list(final.values(b"content-length"))) + len(list(final.values(b"transfer-encoding"))) <= 1
        if head.version == (1, 0):
            assert final.value(b"transfer-encoding") is None
