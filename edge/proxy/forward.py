"""Moves one request to an origin and its answer back, in both directions at once, with backpressure.

One strand moves both directions: it tries everything that can be tried, and parks when nothing
moved. What was read and not yet written is one piece each way, so memory does not grow with a body;
nothing is read from a side whose other side does not take it.

    client --RequestBody--> to_origin --> origin
    client <-- to_client <--Answer-- origin
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from edge.config.schema import Limits
from edge.http1.inbox import Inbox
from edge.model.refusal import Reason
from edge.origin.connection import OriginConnection, OriginError
from edge.proxy.answer import Answer
from edge.proxy.cuts import (
    CLIENT_BODY,
    CLIENT_BODY_RATE,
    CLIENT_WRITE,
    CLIENT_WRITE_RATE,
    ORIGIN_FIRST_BYTE,
    ORIGIN_IDLE,
    ORIGIN_WRITE,
)
from edge.proxy.patience import Patience
from edge.proxy.permit import Permit
from edge.proxy.request_body import RequestBody
from edge.reactor.strand import NEVER, Expired, Strand
from edge.reactor.stream import StreamBroken
from edge.tls.stream import TlsStream

_Octets = TypeVar("_Octets", bytes | None, bytes | memoryview | None)
_TURNS_WITHOUT_REST = 32
"""Pieces moved in a row before other connections get their turn: 2 to 8 MiB of a download."""
_CLIENT_TAKES = (CLIENT_WRITE, CLIENT_WRITE_RATE)


class StaleConnection(Exception):
    """A connection from the pool died before an octet of the answer: the origin never began."""


class ClientGone(Exception):
    """The client closed its connection while the origin worked."""


class Forwarding:
    """One request and its answer between one client and one origin."""

    __slots__ = (
        "_answer",
        "_body",
        "_client",
        "_client_ended",
        "_inbox",
        "_limits",
        "_origin",
        "_origin_deaf",
        "_origin_ended",
        "_patience",
        "_request_moved_at",
        "_strand",
        "_taken",
        "_to_client",
        "_to_origin",
        "answer_moved_at",
        "began",
        "octets_out",
    )

    def __init__(
        self,
        strand: Strand,
        client: TlsStream,
        inbox: Inbox,
        origin: OriginConnection,
        body: RequestBody,
        answer: Answer,
        limits: Limits,
    ) -> None:
        self._strand = strand
        self._client = client
        self._inbox = inbox
        self._origin = origin
        self._body = body
        self._answer = answer
        self._limits = limits
        self._to_origin = memoryview(b"")
        self._to_client = memoryview(b"")
        self._patience = Patience(limits)
        """With a client that takes its answer slowly."""
        self._taken = 0
        """How much of it the client has, as far as that was looked at."""
        self._client_ended = False
        self._origin_ended = False
        self._origin_deaf = False
        """The origin takes no more of the request; its answer may still come."""
        self._request_moved_at = self.answer_moved_at = strand.reactor.now()
        self.began = False
        """Whether an octet of the final answer was written: from then on nothing else can be said."""
        self.octets_out = 0

    def begin_with(self, received: bytes, written: int) -> None:
        """Go on with an answer of which so much was read, and so much of it written already.

        Raises as ``run`` does.
        """
        self._take_answer(received)
        self._to_client = self._to_client[written:]
        self.octets_out = written
        self.began = written > 0

    async def run(self, head: bytes, permit: Permit) -> None:
        """Move everything. Returns when the answer was written, or became a tunnel.

        Raises ``StaleConnection``, ``ClientGone``, ``MessageError`` (the client's fault, or reason
        ORIGIN_BAD_RESPONSE), ``OriginError``, ``Expired``, ``Withdrawn`` (``permit`` ended meanwhile) and
        ``StreamBroken`` (the client is gone).
        """
        self._to_origin = memoryview(head)
        turns = 0
        while True:
            moved = self._move_request()
            moved = self._move_answer() or moved
            if self._answer.switched and not self._to_client:
                return
            if self._answer.done and not self._to_client:
                return
            if not moved:
                await self._wait()
                turns = 0
                permit.check()
            else:
                turns += 1
                if turns >= _TURNS_WITHOUT_REST:
                    turns = 0
                    await self._strand.breathe()
                    permit.check()

    def _move_request(self) -> bool:
        if not self._to_origin:
            if not self._sends_body:
                return False
            piece = self._body.try_next()
            if not piece:
                return piece is not None
            self._to_origin = memoryview(piece)
        try:
            written = self._origin.stream.try_write(self._to_origin)
        except StreamBroken as error:
            return self._request_cannot_be_written(error)
        if written:
            self._to_origin = self._to_origin[written:]
            self._request_moved_at = self._strand.reactor.now()
        return written > 0

    def _request_cannot_be_written(self, error: StreamBroken) -> bool:
        """Give up the request; an answer may be waiting all the same (an early 413, for one)."""
        self._to_origin = memoryview(b"")
        self._origin_deaf = True
        if self._answer.untouched:
            try:
                early = self._origin.stream.try_read()
            except StreamBroken:
                early = b""
            if not early:
                self._raise_ended_early(str(error))
            else:
                self._take_answer(early)
        return True

    def _move_answer(self) -> bool:
        if not self._to_client:
            if self._answer.done or self._answer.switched:
                return False
            verbatim = self._answer.verbatim
            if verbatim:
                return self._hand_on(verbatim)
            octets = self._read_origin(self._origin.stream.try_read)
            if octets is None:
                return False
            self._take_answer(octets)
            if not self._to_client:
                return True
        written = self._client.try_write(self._to_client)
        if written:
            self._to_client = self._to_client[written:]
            self.octets_out += written
            self.began = self.began or self._answer.head is not None or len(self._to_client) > 0
            self.answer_moved_at = self._strand.reactor.now()
        return written > 0

    def _hand_on(self, most: int) -> bool:
        """Move a piece of a body that nobody has to read; only what the client does not take is kept."""
        octets = self._read_origin(lambda: self._origin.stream.try_read_shared(most))
        if not octets:
            if octets is not None:
                self._take_answer(b"")
            return octets is not None
        self._answer.skip(len(octets))
        written = self._client.try_write(octets)
        self._to_client = memoryview(bytes(octets[written:]))
        self.octets_out += written
        self.began = True
        self.answer_moved_at = self._strand.reactor.now()
        return written > 0

    def _read_origin(self, read: Callable[[], _Octets]) -> _Octets:
        try:
            return read()
        except StreamBroken as error:
            if self._answer.untouched:
                self._raise_ended_early(str(error))
            raise OriginError(Reason.ORIGIN_BAD_RESPONSE, f"{self._origin.endpoint}: {error}") from None

    def _take_answer(self, octets: bytes) -> None:
        if octets:
            self.answer_moved_at = self._strand.reactor.now()
            self._to_client = memoryview(self._answer.feed(octets))
            return
        if self._answer.untouched:
            self._raise_ended_early("closed without an answer")
        self._origin_ended = True
        self._to_client = memoryview(self._answer.finish())

    def _raise_ended_early(self, detail: str) -> None:
        if self._origin.served and not self._body.begun:
            raise StaleConnection
        raise OriginError(Reason.ORIGIN_BAD_RESPONSE, f"{self._origin.endpoint}: {detail}")

    async def _wait(self) -> None:
        if self._client.readiness.unwanted or self._client_ended:
            # Also what happened while a connection to the origin was made: nobody will be woken for it again.
            self._look_at_client()
        now = self._strand.reactor.now()
        waits = [self._want_answer(now)]
        request = self._want_request(now)
        if request is not None:
            waits.append(request)
        elif not len(self._inbox):
            # A client whose octets were always there already was never waited for, so nobody watches it.
            self._client.readiness.watch()
        deadline, what = min(waits)
        try:
            await self._strand.parked(deadline, what)
        except Expired:
            self._count_wait(now, request)
            if what not in _CLIENT_TAKES or not self._client_took_more() or not self._patience.seconds:
                raise
        else:
            self._count_wait(now, request)

    def _count_wait(self, since: float, request: tuple[float, str] | None) -> None:
        """Hold the time that passed against the client, in each direction in which it was waited for."""
        waited = self._strand.reactor.now() - since
        if self._to_client:
            self._patience.waited(waited)
        if request is not None and request[1] is not ORIGIN_WRITE:
            self._body.patience.waited(waited)

    def _look_at_client(self) -> None:
        """The client did something nobody waited for: it sent the next request early, or it left."""
        if self._sends_body and not self._to_origin:
            return  # it was tried a moment ago, and is waited for
        octets = None if self._client_ended else self._client.try_read()
        if octets:
            # One record, once: the descriptor stays disarmed until it is wanted. Looking again at every
            # wake-up would collect whatever a client sends while its answer is on its way.
            self._client.readiness.unwanted = False
            self._inbox.feed(octets)
            return
        self._client_ended = self._client_ended or octets == b""
        if self._client_ended and self._client.peer_has_left():
            raise ClientGone
        self._client.want_read()

    def _want_answer(self, now: float) -> tuple[float, str]:
        if self._to_client:
            self._client.want_write()
            self._client_took_more()
            idle_at = self.answer_moved_at + self._limits.body_idle_timeout
            rate_at = now + self._patience.seconds if self._patience.is_rate else NEVER
            return min((idle_at, CLIENT_WRITE), (rate_at, CLIENT_WRITE_RATE))
        self._origin.stream.want_read()
        if self._answer.head is not None:
            return self.answer_moved_at + self._limits.origin_idle_timeout, ORIGIN_IDLE
        # The origin's time begins when it has the whole request.
        since = max(self._request_moved_at, self.answer_moved_at)
        if self._sends_body:
            return NEVER, ORIGIN_FIRST_BYTE
        return since + self._limits.origin_first_byte_timeout, ORIGIN_FIRST_BYTE

    def _client_took_more(self) -> bool:
        """Tell whether the client took something since the last look. What our kernel holds is not taken."""
        taken = self.octets_out - self._client.unacknowledged()
        if taken <= self._taken:
            return False
        self._patience.moved(taken - self._taken)
        self._taken = taken
        self.answer_moved_at = self._strand.reactor.now()
        return True

    def _want_request(self, now: float) -> tuple[float, str] | None:
        if self._to_origin:
            self._origin.stream.want_write()
            return self._request_moved_at + self._limits.origin_idle_timeout, ORIGIN_WRITE
        if not self._sends_body:
            return None
        self._client.want_read()
        patience = self._body.patience
        return now + patience.seconds, CLIENT_BODY_RATE if patience.is_rate else CLIENT_BODY

    @property
    def _sends_body(self) -> bool:
        return not (self._body.done or self._answer.done or self._origin_deaf)

    @property
    def complete(self) -> bool:
        """Whether the request was sent and the answer read to the end, so that nothing is left over."""
        return self._body.done and not self._to_origin and self._answer.done and not self._origin_ended


def refusal_reason(expired: Expired) -> Reason:
    """Return what a client is told when a limit ran out before its answer began."""
    is_clients = expired.what in (CLIENT_BODY, CLIENT_BODY_RATE)
    return Reason.REQUEST_TIMEOUT if is_clients else Reason.ORIGIN_TIMEOUT
