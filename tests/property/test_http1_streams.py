"""Any cutting of the octets gives the same messages, and nothing but ``MessageError`` comes of garbage."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from edge.http1.body import BodyReader, body_reader
from edge.http1.http3_hints import refuse_upgrade_hint
from edge.http1.inbox import Inbox
from edge.http1.limits import HeadLimits, Side
from edge.http1.request_parser import read_request_head
from edge.http1.response_parser import read_response_head
from edge.http1.websocket import is_websocket_upgrade
from edge.model.http import HeaderField, RequestHead, ResponseHead
from edge.model.refusal import MessageError, Reason
from tests.property.http1_streams import REQUESTS, RESPONSES, pieces_of, streams, unhurried

LIMITS = HeadLimits(header_size=400, header_count=12, target_size=80)
"""Small enough to be met by what is generated."""

Head = RequestHead | ResponseHead


@dataclass
class Reading:
    """The messages that were read whole, and what stands after them."""

    messages: list[tuple[Head, bytes, tuple[HeaderField, ...]]] = field(default_factory=list)
    unfinished: tuple[Head, bytes] | None = None
    left: int = 0
    error: MessageError | None = None


class Connection:
    """Reads messages the way a connection does: head, body, and what is over is the next head."""

    def __init__(self, side: Side) -> None:
        self.reading = Reading()
        self._side = side
        self._inbox = Inbox(side)
        self._head: Head | None = None
        self._body: BodyReader | None = None
        self._content = b""

    def feed(self, piece: bytes) -> None:
        if self._body is None:
            self._inbox.feed(piece)
        else:
            self._content += self._body.feed(piece)
        while self._advance():
            pass

    def _advance(self) -> bool:
        if self._body is None:
            block = self._inbox.next_head(LIMITS)
            if block is None:
                return False
            self._head = (
                read_request_head(block, LIMITS)
                if self._side is Side.CLIENT
                else read_response_head(block, b"GET", LIMITS)
            )
            self._body = body_reader(self._head.body, LIMITS, self._side)
            self._content = self._body.feed(self._inbox.take())
        if not self._body.done:
            return False
        assert self._head is not None
        self.reading.messages.append((self._head, self._content, self._body.trailers))
        self._inbox.feed(self._body.excess)
        self._head = self._body = None
        return True

    def end(self) -> Reading:
        self.reading.unfinished = (self._head, self._content) if self._head else None
        self.reading.left = len(self._inbox)
        return self.reading


def read(pieces: list[bytes], side: Side) -> Reading:
    connection = Connection(side)
    try:
        for piece in pieces:
            connection.feed(piece)
    except MessageError as error:
        connection.reading.error = error
        return connection.reading
    return connection.end()


@unhurried
@given(st.data(), st.sampled_from(Side))
def test_any_cutting_of_a_stream_gives_the_same_messages(data: st.DataObject, side: Side) -> None:
    stream = data.draw(streams(REQUESTS if side is Side.CLIENT else RESPONSES))
    pieces = data.draw(pieces_of(stream))
    assert b"".join(pieces) == stream
    whole, cut = read([stream], side), read(pieces, side)
    single = read([stream[at : at + 1] for at in range(len(stream))], side)
    for other in (cut, single):
        assert other.messages == whole.messages
        assert (other.error is None) == (whole.error is None)
        assert other.unfinished == whole.unfinished
        assert other.left == whole.left


@unhurried
@given(streams(RESPONSES))
def test_an_origin_s_error_is_always_the_origin_s(stream: bytes) -> None:
    error = read([stream], Side.ORIGIN).error
    assert error is None or error.refusal.reason is Reason.ORIGIN_BAD_RESPONSE


@unhurried
@given(st.binary(max_size=300) | streams(REQUESTS))
def test_only_message_errors_come_of_any_octets(octets: bytes) -> None:
    block = octets.removesuffix(b"\r\n\r\n") + b"\r\n\r\n"
    for data in (
        octets,
        block,
        b"GET / HTTP/1.1\r\nHost: a.test\r\n" + block,
        b"HTTP/1.1 200 OK\r\n" + block,
    ):
        with suppress(MessageError):
            head = read_request_head(data, LIMITS)
            refuse_upgrade_hint(head)
            is_websocket_upgrade(head)
        with suppress(MessageError):
            read_response_head(data, b"GET", LIMITS)
        read([data], Side.CLIENT)
        read([data], Side.ORIGIN)


@unhurried
@given(streams(REQUESTS))
def test_what_is_accepted_holds_nothing_that_could_start_a_line_of_its_own(stream: bytes) -> None:
    for head, _, trailers in read([stream], Side.CLIENT).messages:
        assert isinstance(head, RequestHead)
        parts = [head.method, head.target.wire, *(part for item in head.fields + trailers for part in item)]
        assert not any(octet in part for part in parts for octet in (b"\r", b"\n", b"\x00"))
        assert head.target.path.startswith(b"/")
        assert head.version == (1, 0) or head.host
