"""What the tests of this room say most often."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edge.http1.limits import HeadLimits
from edge.http1.request_parser import read_request_head
from edge.http1.response_parser import read_response_head
from edge.model.http import RequestHead, ResponseHead
from edge.model.refusal import MessageError, Reason

LIMITS = HeadLimits()


@contextmanager
def refused(reason: Reason = Reason.BAD_REQUEST) -> Iterator[None]:
    """The block must raise ``MessageError`` with this reason and a detail."""
    with pytest.raises(MessageError) as caught:
        yield
    assert caught.value.refusal.reason is reason
    assert caught.value.refusal.detail


def request(line: bytes, *fields: bytes, limits: HeadLimits = LIMITS) -> RequestHead:
    return read_request_head(b"\r\n".join((line, *fields)) + b"\r\n\r\n", limits)


def get(*fields: bytes) -> RequestHead:
    return request(b"GET / HTTP/1.1", b"Host: a.test", *fields)


def response(
    line: bytes, *fields: bytes, method: bytes = b"GET", limits: HeadLimits = LIMITS
) -> ResponseHead:
    return read_response_head(b"\r\n".join((line, *fields)) + b"\r\n\r\n", method, limits)
