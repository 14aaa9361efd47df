"""The body of one request, as the client sends it: limits first, then octets for the origin.

Nothing is read ahead of what the origin takes, so memory does not grow with the body. A body that
comes too slowly is cut: the clock runs only while the edge waits for the client, never while the
origin makes both wait.
"""

from __future__ import annotations

from edge.config.schema import Limits
from edge.http1.body import BodyReader, body_reader
from edge.http1.headers import forwardable_trailers
from edge.http1.inbox import Inbox
from edge.http1.limits import HeadLimits, Side
from edge.http1.writer import chunk, last_chunk
from edge.model.http import Framing, RequestHead
from edge.model.refusal import MessageError, Reason
from edge.proxy.owned_headers import is_owned
from edge.proxy.patience import Patience
from edge.reactor.stream import Stream, StreamBroken


def check_length(head: RequestHead, limits: Limits) -> None:
    """Raise ``MessageError`` BODY_TOO_LARGE if the head already says so."""
    if limits.body_size and head.body.length > limits.body_size:
        raise _too_large(limits)


def _too_large(limits: Limits) -> MessageError:
    return MessageError(Reason.BODY_TOO_LARGE, f"a body may have {limits.body_size} octets on this server")


class RequestBody:
    """Reads the body from the client's stream, and what was already received from the inbox."""

    __slots__ = ("_chunked", "_inbox", "_limits", "_reader", "_stream", "begun", "octets", "patience")

    def __init__(
        self, head: RequestHead, stream: Stream, inbox: Inbox, limits: Limits, head_limits: HeadLimits
    ) -> None:
        self._stream = stream
        self._inbox = inbox
        self._limits = limits
        self._chunked = head.body.framing is Framing.CHUNKED
        self._reader: BodyReader = body_reader(head.body, head_limits, Side.CLIENT)
        self.patience = Patience(limits)
        """What is left of it; whoever waits for the client counts the time here."""
        self.begun = False
        """Whether something of it was handed out, if only its last chunk: it cannot be sent again."""
        self.octets = 0

    @property
    def done(self) -> bool:
        """Whether the body was received to its end."""
        return self._reader.done

    def try_next(self) -> bytes | None:
        """Return octets for the origin, framed as the head says; None if nothing is there now.

        One read at most: ``b""`` if it brought framing alone (a piece of a size line, of a trailer). To go on
        reading then would let a client that sends one octet a record have the worker for itself.

        Raises ``MessageError`` for a malformed or oversized body and ``StreamBroken`` if the client left.
        """
        if self.done:
            return None
        octets: bytes | None = self._inbox.take() or self._stream.try_read()
        if octets is None:
            return None
        if not octets:
            raise StreamBroken("the client ended in the middle of its body")
        reader = self._reader
        content = reader.feed(octets)
        self.octets += len(content)
        self.patience.moved(len(content))
        if self._limits.body_size and self.octets > self._limits.body_size:
            raise _too_large(self._limits)
        if reader.excess:
            self._inbox.feed(reader.excess)  # the next request, pipelined
        framed = self._framed(content)
        self.begun = self.begun or bool(framed)
        return framed

    def _framed(self, content: bytes) -> bytes:
        if not self._chunked:
            return content
        out = chunk(content)
        if self._reader.done:
            # An origin that merges trailers into headers must not learn there who the client is.
            trailers = [field for field in self._reader.trailers if not is_owned(field[0])]
            out += last_chunk(forwardable_trailers(trailers))
        return out
