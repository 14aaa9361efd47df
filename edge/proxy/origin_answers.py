"""Heads of origins' answers that were read before, and what a client gets for them.

An origin that is asked often answers with the same head for as long as its clock shows the same second.
What the edge makes of a head follows from its octets alone, as long as the request is simple (HTTP/1.1,
no HEAD, a connection that stays) and the answer is too: a length, no credentials, nothing to be framed
anew. All other answers go the long way, through ``answer``, which also reads the ones in here.

Shared by all connections of a worker, so nothing that is meant for one client is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.http1.limits import HeadLimits
from edge.model.http import Framing, RequestHead, ResponseHead
from edge.model.refusal import MessageError
from edge.proxy.answer import Answer, AnswerFields

_MOST_HEADS = 512
_MOST_OCTETS_OF_A_HEAD = 2048
_FOR_ONE_CLIENT = frozenset(
    (b"authentication-info", b"proxy-authenticate", b"set-cookie", b"www-authenticate")
)
"""Fields that carry credentials, or bind the origin's connection to a client."""
_NO_FIELDS = AnswerFields(b"", ())


@dataclass(frozen=True, slots=True)
class SimpleAnswer:
    """What a client gets for one head of an origin."""

    status: int
    front: bytes
    """The head for the client without what the edge adds: up to the CRLF of its last field."""
    length: int
    """Octets of the body."""


class OriginAnswers:
    """A bounded memory of simple heads; what was there longest goes first."""

    __slots__ = ("_known", "_limits")

    def __init__(self) -> None:
        self._known: dict[bytes, SimpleAnswer] = {}
        self._limits: HeadLimits | None = None

    def read(self, block: bytes, request: RequestHead, limits: HeadLimits) -> SimpleAnswer | None:
        """Return what a client gets for this head; None if it has to go the long way."""
        if limits is not self._limits:
            self._known.clear()
            self._limits = limits
        known = self._known.get(block)
        if known is not None:
            return known
        simple = _simple(block, request, limits)
        if simple is not None and len(block) <= _MOST_OCTETS_OF_A_HEAD:
            if len(self._known) >= _MOST_HEADS:
                del self._known[next(iter(self._known))]
            self._known[block] = simple
        return simple


def _simple(block: bytes, request: RequestHead, limits: HeadLimits) -> SimpleAnswer | None:
    answer = Answer(request, limits, _NO_FIELDS, lambda: True, wants_websocket=False)
    try:
        octets = answer.feed(block)
    except MessageError:
        return None  # the long way says why
    head = answer.head
    if head is None or answer.switched or answer.closes or not _is_simple(head):
        return None
    return SimpleAnswer(head.status, octets[:-2], head.body.length)


def _is_simple(head: ResponseHead) -> bool:
    names = {lower for lower, _, _ in head.fields} - head.connection_options  # these end at this hop
    return (
        head.keep_alive
        and head.body.framing in (Framing.LENGTH, Framing.NONE)
        and b"date" in names  # else the edge says it, and it is new every second
        and not names & _FOR_ONE_CLIENT
    )
