"""The demo origin: an HTTP/1.1 server that answers every request with what it was told.

It stands where the operator's own application would. JSON for programs, a page for browsers. Bodies
are hashed as they come, so that an upload of any size costs no memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import socket
from http import HTTPStatus

from edge.demo import page
from edge.demo.told import Told, as_json, read_told
from edge.http1.body import body_reader
from edge.http1.inbox import Inbox
from edge.http1.limits import HeadLimits, Side
from edge.http1.request_parser import read_request_head
from edge.http1.writer import response_head
from edge.model.http import RequestHead
from edge.model.refusal import MessageError, Refusal

READ_SIZE = 65536
LIMITS = HeadLimits(header_size=131072, header_count=500, target_size=65536)
"""Wider than the edge's own: it adds headers to what it lets through."""

_WEIGHT = re.compile(rb"[01](?:\.[0-9]{0,3})?")
"""RFC 9110 12.4.2."""

_CONTINUE = response_head(100, b"Continue", ())


async def serve(sock: socket.socket) -> None:
    """Serve on a bound or listening socket until cancelled; then every connection is closed at once."""
    conversations: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        conversations[task] = writer
        try:
            await _Conversation(reader, writer).run()
        finally:
            del conversations[task]

    server = await asyncio.start_server(converse, sock=sock)
    try:
        # Not serve_forever(): from Python 3.12 on, its end waits for idle connections to end by themselves.
        await asyncio.Event().wait()
    finally:
        server.close()
        for writer in conversations.values():
            writer.transport.abort()  # ends the conversation: its next read finds the end
        await asyncio.gather(*conversations, return_exceptions=True)


class _Conversation:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._inbox = Inbox()

    async def run(self) -> None:
        """Answer requests until one of the two sides closes."""
        with contextlib.suppress(ConnectionError):
            try:
                while await self._answer_next():
                    pass
            except MessageError as error:
                self._writer.write(_refused(error.refusal))
            await self._writer.drain()
        self._writer.close()

    async def _answer_next(self) -> bool:
        """Answer one request; False: there will be no other."""
        block = await self._read_head_block()
        if block is None:
            return False
        head = read_request_head(block, LIMITS)
        told = await self._read_told(head, block.split(b" ", 2)[1])
        self._writer.write(_answer(head, told))
        await self._writer.drain()
        return head.keep_alive

    async def _read_head_block(self) -> bytes | None:
        while (block := self._inbox.next_head(LIMITS)) is None:
            data = await self._reader.read(READ_SIZE)
            if not data:
                return None
            self._inbox.feed(data)
        return block

    async def _read_told(self, head: RequestHead, target: bytes) -> Told:
        """Read the body, and leave what comes after it in the inbox."""
        body, digest, size = body_reader(head.body, LIMITS, Side.CLIENT), hashlib.sha256(), 0
        if head.expect_continue and not len(self._inbox):
            self._writer.write(_CONTINUE)
        data = self._inbox.take()
        while True:
            content = body.feed(data)
            digest.update(content)
            size += len(content)
            if body.done:
                self._inbox.feed(body.excess)
                return read_told(head, target, size, digest.hexdigest())
            data = await self._reader.read(READ_SIZE)
            if not data:
                body.finish()


def _answer(head: RequestHead, told: Told) -> bytes:
    html = prefers_html(list(head.values(b"accept")))
    content = page.render(told) if html else as_json(told)
    fields = [
        (b"Content-Type", b"text/html; charset=utf-8" if html else b"application/json"),
        (b"Content-Length", b"%d" % len(content)),
        (b"Cache-Control", b"no-store"),
        (b"Vary", b"Accept"),
        (b"X-Content-Type-Options", b"nosniff"),
        (b"Content-Security-Policy", page.CONTENT_SECURITY_POLICY),
        (b"Connection", b"keep-alive" if head.keep_alive else b"close"),
    ]
    return response_head(200, b"OK", fields) + (b"" if head.method == b"HEAD" else content)


def _refused(refusal: Refusal) -> bytes:
    phrase = HTTPStatus(refusal.reason.status).phrase.encode("ascii")
    content = f"{refusal.reason.title}: {refusal.detail}\n".encode()
    fields = [
        (b"Content-Type", b"text/plain; charset=utf-8"),
        (b"Content-Length", b"%d" % len(content)),
        (b"X-Content-Type-Options", b"nosniff"),
        (b"Connection", b"close"),
    ]
    return response_head(refusal.reason.status, phrase, fields) + content


def prefers_html(accept: list[bytes]) -> bool:
    """Tell whether ``Accept`` gives text/html more weight than application/json (RFC 9110 12.5.1)."""
    weights = dict(_media_range(item) for item in b",".join(accept).split(b","))
    anything = weights.get(b"*/*", 0.0)
    html = weights.get(b"text/html", weights.get(b"text/*", anything))
    return html > weights.get(b"application/json", weights.get(b"application/*", anything))


def _media_range(item: bytes) -> tuple[bytes, float]:
    kind, *parameters = (part.strip(b" \t").lower() for part in item.split(b";"))
    weight = next((p[2:] for p in parameters if p.startswith(b"q=")), b"1")
    return kind, float(weight) if _WEIGHT.fullmatch(weight) else 0.0
