"""An origin's answer on its way to the client: octets in, octets out, read with suspicion. No I/O.

The head is written anew from parsed parts; the body is framed anew for this client. What the edge
says itself (the session cookie, Alt-Svc, the request id) replaces what the origin says of the same
name. An answer that cannot be given one meaning is refused before a single octet of it is passed on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge.access.cookies import COOKIE_NAME, sets_cookie
from edge.http1.body import BodyReader, body_reader
from edge.http1.headers import forwardable_trailers, hop_by_hop
from edge.http1.inbox import Inbox
from edge.http1.limits import HeadLimits, Side
from edge.http1.response_parser import read_response_head
from edge.http1.websocket import accepts
from edge.http1.writer import chunk, last_chunk, response_head
from edge.model.http import Framing, HeaderField, RequestHead, ResponseHead
from edge.model.refusal import MessageError, Reason
from edge.proxy.responses import connection_field

_MAX_INTERIM_ANSWERS = 32
"""1xx answers before the final one; an origin that sends them without end is broken."""
_EDGES_OWN = frozenset((b"alt-svc", b"x-request-id", b"mtls-authenticated"))
"""Never passed on from an origin. Alt-Svc would lead clients to a service that asks for no certificate."""


@dataclass(frozen=True, slots=True)
class AnswerFields:
    """What the edge adds to the answer of one request."""

    date: bytes
    own: tuple[tuple[bytes, bytes], ...]
    """Set-Cookie, Alt-Svc and the like; the same for every answer to this request."""


class Answer:
    """The answer to one request, from the origin's octets to the client's."""

    __slots__ = (
        "_chunked",
        "_fields",
        "_inbox",
        "_interim",
        "_limits",
        "_may_keep",
        "_reader",
        "_request",
        "_wants_websocket",
        "closes",
        "head",
        "switched",
    )

    def __init__(
        self,
        request: RequestHead,
        limits: HeadLimits,
        fields: AnswerFields,
        may_keep: Callable[[], bool],
        *,
        wants_websocket: bool,
    ) -> None:
        self._request = request
        self._limits = limits
        self._fields = fields
        self._may_keep = may_keep
        """Asked when the head is written: may the client's connection serve another request?"""
        self._wants_websocket = wants_websocket
        self._inbox = Inbox(Side.ORIGIN)
        self._reader: BodyReader | None = None
        self._interim = 0
        self._chunked = False
        self.head: ResponseHead | None = None
        """The final head, once it was read."""
        self.closes = True
        """Whether the client's connection ends with this answer."""
        self.switched = False
        """101 was read and is right: from here on both sides are a tunnel."""

    @property
    def untouched(self) -> bool:
        """Whether not one octet of an answer was received."""
        return self._reader is None and self.head is None and not self._interim and not len(self._inbox)

    @property
    def done(self) -> bool:
        """Whether the answer was read to its end."""
        return self._reader is not None and self._reader.done

    @property
    def origin_reusable(self) -> bool:
        """Whether the origin's connection may serve another request: complete, kept, and no octet more."""
        reader, head = self._reader, self.head
        if reader is None or head is None:
            return False
        return reader.done and head.keep_alive and not reader.excess

    @property
    def verbatim(self) -> int:
        """How many of the origin's next octets are for the client as they are; 0 if they must be read."""
        reader = self._reader
        return 0 if reader is None or self._chunked else reader.verbatim

    def skip(self, size: int) -> None:
        """Take so many octets as read and passed on, at most ``verbatim``."""
        if self._reader is not None:
            self._reader.skip(size)

    def feed(self, octets: bytes) -> bytes:
        """Take octets of the origin; return octets for the client. Raises ``MessageError``."""
        if not self._awaits_head():
            return self._body(octets)
        self._inbox.feed(octets)
        out = b""
        while self._awaits_head():
            block = self._inbox.next_head(self._limits)
            if block is None:
                return out
            out += self._read(read_response_head(block, self._request.method, self._limits))
        return out if self.switched else out + self._body(self._inbox.take())

    def _awaits_head(self) -> bool:
        return self._reader is None and not self.switched

    def finish(self) -> bytes:
        """The origin closed: return the rest for the client. Raises ``MessageError`` if too early."""
        reader = self._reader
        if reader is None:
            raise MessageError(
                Reason.ORIGIN_BAD_RESPONSE, "the origin closed before its answer's head was complete"
            )
        if reader.done:
            return b""
        reader.finish()
        return last_chunk() if self._chunked else b""

    def take_tunnel_octets(self) -> bytes:
        """Return what the origin sent after its 101."""
        return self._inbox.take()

    def _read(self, head: ResponseHead) -> bytes:
        if head.status == 101:
            return self._switch(head)
        if head.status < 200:
            return self._interim_head(head)
        self.head = head
        self._reader = body_reader(head.body, self._limits, Side.ORIGIN)
        return self._final_head(head)

    def _switch(self, head: ResponseHead) -> bytes:
        if not self._wants_websocket or not accepts(self._request, head):
            raise MessageError(
                Reason.ORIGIN_BAD_RESPONSE, "the origin switched protocols, but not as it was asked to"
            )
        self.head = head
        self.switched = True
        passed = _without_length(self._passed(head))
        fields = [*passed, (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"), *self._fields.own]
        return response_head(101, head.phrase, fields)

    def _interim_head(self, head: ResponseHead) -> bytes:
        self._interim += 1
        if self._interim > _MAX_INTERIM_ANSWERS:
            raise MessageError(Reason.ORIGIN_BAD_RESPONSE, "the origin sends interim answers without end")
        if self._request.version == (1, 0):
            return b""  # RFC 9110 15.2: never to an HTTP/1.0 client
        return response_head(head.status, head.phrase, _without_length(self._passed(head)))

    def _final_head(self, head: ResponseHead) -> bytes:
        keep = self._may_keep()
        passed = self._passed(head)
        fields = _without_length(passed)
        fields += self._framing(head, passed)
        if not any(lower == b"date" for lower, _, _ in passed):
            fields.append((b"Date", self._fields.date))  # RFC 9110 6.6.1
        if head.body.framing is not Framing.NONE and self._request.version == (1, 0):
            keep = keep and head.body.framing is Framing.LENGTH
        self.closes = not keep
        fields += self._fields.own
        fields += connection_field(self._request, close=self.closes)
        return response_head(head.status, head.phrase, fields)

    def _framing(self, head: ResponseHead, passed: list[HeaderField]) -> list[tuple[bytes, bytes]]:
        """Frame the body for this client (RFC 9112 6.1: never chunked to HTTP/1.0)."""
        match head.body.framing:
            case Framing.LENGTH:
                return [(b"Content-Length", b"%d" % head.body.length)]
            case Framing.NONE:
                if head.status == 204:
                    return []
                # To HEAD, and in a 304, the length of what was not sent is information.
                return [(name, value) for lower, name, value in passed if lower == b"content-length"][:1]
            case _:
                self._chunked = self._request.version == (1, 1)
                return [(b"Transfer-Encoding", b"chunked")] if self._chunked else []

    def _passed(self, head: ResponseHead) -> list[HeaderField]:
        dropped = hop_by_hop(head, _EDGES_OWN)
        return [
            field
            for field in head.fields
            if field[0] not in dropped
            and field[0] not in _EDGES_OWN
            and not (field[0] == b"set-cookie" and sets_cookie(field[2], COOKIE_NAME))
        ]

    def _body(self, octets: bytes) -> bytes:
        reader = self._reader
        if reader is None:
            return b""
        was_done = reader.done
        payload = reader.feed(octets)
        if not self._chunked:
            return payload
        out = chunk(payload)
        if reader.done and not was_done:
            out += last_chunk(forwardable_trailers(reader.trailers, _EDGES_OWN))
        return out


def _without_length(fields: list[HeaderField]) -> list[tuple[bytes, bytes]]:
    """The length is the edge's to say: the body is framed anew."""
    return [(name, value) for lower, name, value in fields if lower != b"content-length"]
