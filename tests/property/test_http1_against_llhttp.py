"""Another stranger: llhttp, the parser of Node.js, by way of httptools.

It is laxer than we are in many places and stricter nowhere but in the methods it knows. A head that we
accept must be one that it accepts too, with the same parts.
"""

from __future__ import annotations

import re

import httptools
from hypothesis import given, settings

from edge.http1.headers import OWS
from edge.http1.inbox import Inbox
from edge.http1.limits import HeadLimits
from edge.http1.request_parser import read_request_head
from edge.http1.response_parser import read_response_head
from edge.http1.target import read_target
from edge.model.refusal import MessageError
from tests.property.http1_streams import REQUESTS, RESPONSES, damaged, unhurried

LIMITS = HeadLimits()


class Collector:
    """What llhttp reports of one head."""

    def __init__(self) -> None:
        self.target = b""
        self.phrase = b""
        self.fields: list[tuple[bytes, bytes]] = []

    def on_url(self, part: bytes) -> None:
        self.target += part

    def on_status(self, part: bytes) -> None:
        self.phrase += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value.strip(OWS)))


def block_of(octets: bytes) -> bytes | None:
    inbox = Inbox()
    inbox.feed(octets)
    try:
        return inbox.next_head(LIMITS)
    except MessageError:
        return None


def in_words_llhttp_knows(block: bytes) -> bytes:
    """The one deliberate exception: any token is a method to us, llhttp has a list."""
    return re.sub(rb"\A[^ ]++", b"GET", block)


@settings(unhurried, max_examples=300)
@given(REQUESTS | damaged(REQUESTS))
def test_llhttp_reads_every_request_head_that_we_accept_and_reads_the_same(octets: bytes) -> None:
    block = block_of(octets)
    if block is None:
        return
    try:
        head = read_request_head(block, LIMITS)
    except MessageError:
        return
    collector = Collector()
    parser = httptools.HttpRequestParser(collector)
    try:
        parser.feed_data(in_words_llhttp_knows(block))
    except httptools.HttpParserUpgrade:
        assert head.upgrade
    assert parser.get_http_version() == "{}.{}".format(*head.version)
    assert read_target(collector.target)[1] == head.target
    assert collector.fields == [(name, value) for _, name, value in head.fields]


@settings(unhurried, max_examples=300)
@given(RESPONSES | damaged(RESPONSES))
def test_llhttp_reads_every_answer_s_head_that_we_accept_and_reads_the_same(octets: bytes) -> None:
    end = octets.find(b"\r\n\r\n")
    block = octets[: end + 4]
    try:
        head = read_response_head(block, b"GET", LIMITS)
    except MessageError:
        return
    collector = Collector()
    parser = httptools.HttpResponseParser(collector)
    parser.feed_data(block)
    assert parser.get_status_code() == head.status
    assert collector.phrase == head.phrase
    assert collector.fields == [(name, value) for _, name, value in head.fields]
