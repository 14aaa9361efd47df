"""A stranger reads the same octets: h11, which was written by other people from the same RFCs.

Where both accept a request they must have read the same one. What h11 refuses we refuse, apart from the
exceptions named below; the other way round we are stricter on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass

import h11
from hypothesis import event, example, given, settings

from edge.http1.body import body_reader
from edge.http1.inbox import Inbox
from edge.http1.limits import HeadLimits, Side
from edge.http1.request_parser import read_request_head
from edge.http1.target import read_target
from edge.model.refusal import MessageError
from tests.property.http1_streams import REQUESTS, damaged, unhurried

LIMITS = HeadLimits()


@dataclass(frozen=True)
class Read:
    """One request as a reader understood it."""

    method: bytes
    target: object
    fields: list[tuple[bytes, bytes]]
    content: bytes


def read_by_us(octets: bytes) -> Read | None:
    """The first request, None if it is refused or not complete."""
    inbox = Inbox()
    inbox.feed(octets)
    try:
        block = inbox.next_head(LIMITS)
        if block is None:
            return None
        head = read_request_head(block, LIMITS)
        reader = body_reader(head.body, LIMITS, Side.CLIENT)
        content = reader.feed(inbox.take())
        reader.finish()
    except MessageError:
        return None
    fields = [(lower, _comparable(lower, value)) for lower, _, value in head.fields]
    return Read(head.method, head.target, fields, content)


def read_by_h11(octets: bytes) -> tuple[bytes, bytes, list[tuple[bytes, bytes]], bytes] | None:
    """Method, raw target, fields and content of the first request; None if refused or not complete."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LIMITS.header_size)
    connection.receive_data(octets)
    content = b""
    request: h11.Request | None = None
    try:
        while True:
            happened = connection.next_event()
            if isinstance(happened, h11.Request):
                request = happened
            elif isinstance(happened, h11.Data):
                content += happened.data
            elif isinstance(happened, h11.EndOfMessage):
                break
            else:
                return None
    except h11.RemoteProtocolError:
        return None
    assert request is not None
    fields = [(name, _comparable(name, value)) for name, value in request.headers]
    return request.method, request.target, fields, content


def _comparable(lower: bytes, value: bytes) -> bytes:
    # h11 rewrites these two: chunked in lower case, equal lengths merged into one.
    return value.lower() if lower == b"transfer-encoding" else value


def is_deliberate_exception(octets: bytes) -> bool:
    """RFC 9112 2.2: empty lines before a request line. We skip two, h11 none."""
    return octets.startswith(b"\r\n")


@settings(unhurried, max_examples=400)
@given(REQUESTS | damaged(REQUESTS))
@example(b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nHost: a.test\r\nX: \xc3\xa4\r\n\r\n")
@example(b"\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
def test_a_stranger_reads_the_same_request_or_we_refuse_it(octets: bytes) -> None:
    ours = read_by_us(octets)
    theirs = read_by_h11(octets)
    event(f"we accept: {ours is not None}, h11 accepts: {theirs is not None}")
    if ours is None:
        return
    if theirs is None:
        assert is_deliberate_exception(octets)
        theirs = read_by_h11(octets.lstrip(b"\r\n"))
        assert theirs is not None
    method, raw_target, fields, content = theirs
    assert ours.method == method
    assert ours.target == read_target(raw_target)[1]
    assert ours.fields == fields
    assert ours.content == content
