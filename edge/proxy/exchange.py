"""The way of one request that needs more than the short way: it may wait, be long, break off, or be a tunnel.

    refuse, or answer, or forward -> one event in the log

What becomes of the request was decided in ``plan``. Here it is carried out from where the short way
left it, and whatever happens ends as one ``request`` event. The snapshot is the plan's; nothing here
looks at a newer one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.model.refusal import MessageError, Reason, Refusal
from edge.origin.connection import OriginConnection, OriginError
from edge.proxy import reserved_paths
from edge.proxy.access_log import RequestRecord
from edge.proxy.answer import Answer, AnswerFields
from edge.proxy.cuts import count_cut
from edge.proxy.forward import ClientGone, Forwarding, StaleConnection, refusal_reason
from edge.proxy.origin_request import binds_connection, is_idempotent, origin_request
from edge.proxy.permit import Permit, Withdrawn
from edge.proxy.plan import Passage, Plan
from edge.proxy.request_body import RequestBody
from edge.proxy.responses import refusal_answer
from edge.proxy.short_way import Begun
from edge.proxy.telling import tell
from edge.proxy.tunnel import Tunnel, keep_alive
from edge.reactor.strand import Cancelled, Expired
from edge.reactor.stream import StreamBroken

if TYPE_CHECKING:
    from edge.proxy.connection import ClientConnection

_CLIENT_CLOSED = 499
"""nginx's status for a client that left before its answer; only ever in the log."""


class Exchange:
    """One request and its answer on one client connection."""

    __slots__ = ("_begun", "_body", "_connection", "_origin", "_plan", "_record", "_services")

    def __init__(self, connection: ClientConnection, plan: Plan, begun: Begun) -> None:
        self._connection = connection
        self._services = connection.services
        self._plan = plan
        self._begun = begun
        self._record = RequestRecord(
            begun.request_id, begun.started, plan.event, status=begun.status, octets_out=begun.written
        )
        self._body: RequestBody | None = None
        self._origin = begun.origin

    async def run(self) -> bool:
        """Serve the request; tell whether the connection may serve another."""
        try:
            return await self._carry_out(self._plan)
        except (MessageError, OriginError, Withdrawn, Expired) as error:
            self._count(error)
            return await self._refuse(_refusal_of(error))
        except ClientGone:
            self._record.status = self._record.status or _CLIENT_CLOSED
            self._record.aborted = "the client left"
            return False
        except (StreamBroken, Cancelled) as error:
            self._record.aborted = str(error) or "the edge is stopping"
            raise
        except Exception as defect:  # noqa: BLE001 - nothing that fails here may let a request pass
            return await self._defect(defect)
        finally:
            self._end()

    async def _carry_out(self, plan: Plan) -> bool:
        if self._origin is not None:
            self._record.origin = self._origin.name
        if self._begun.error is not None:
            raise self._begun.error
        if self._begun.unsent:
            return await self._refuse_the_rest(self._begun)
        if plan.refusal is not None:
            return await self._refuse_with(plan.refusal, keep=plan.keeps_connection)
        if plan.passage is None:
            return await self._answer_reserved(plan)
        return await self._pass_on(plan, plan.passage)

    def _count(self, error: Exception) -> None:
        self._services.counts.origin_error(self._record.origin, error)
        if isinstance(error, Expired):
            count_cut(self._services.metrics, error.what)

    def _end(self) -> None:
        self._drop_origin()
        record = self._record
        if self._body is not None:
            record.octets_in = max(record.octets_in, self._body.octets)
        tell(self._services, record, self._plan.counts, record.refusal or self._plan.refusal)

    async def _defect(self, defect: Exception) -> bool:
        """Something nobody foresaw: report it, and refuse if nothing was said yet."""
        self._services.reactor.on_defect(defect)
        if self._record.octets_out:
            self._record.aborted = "internal error"
            self._connection.abort()
            return False
        await self._refuse(Refusal(Reason.INTERNAL_ERROR))
        return False

    # --- it may: to the origin and back --------------------------------------------------------

    async def _pass_on(self, plan: Plan, passage: Passage) -> bool:
        """Take the request to an origin and its answer back; to another one if it may be repeated."""
        head, connection, snapshot = passage.head, self._connection, plan.snapshot
        body = self._body = RequestBody(
            head, connection.stream, connection.inbox, snapshot.limits, snapshot.head_limits
        )
        permit = Permit(connection, head, snapshot, passage.judged_until, self._begun.started)
        fresh = self._begun.fresh
        while True:
            try:
                return await self._forward(plan, passage, body, permit, fresh=fresh)
            except StaleConnection:
                self._drop_origin()
                if fresh or not (is_idempotent(head) and body.done):
                    # RFC 9110 9.2.2: only what is idempotent, and has no body to be sent twice.
                    raise OriginError(
                        Reason.ORIGIN_BAD_RESPONSE, "the origin closed a connection in use"
                    ) from None
                fresh = True

    def _drop_origin(self) -> None:
        """Close the origin's connection, before its descriptor is forgotten and the poll left watching it."""
        if self._origin is not None:
            self._origin.close()
            self._origin = None

    async def _forward(
        self, plan: Plan, passage: Passage, body: RequestBody, permit: Permit, *, fresh: bool
    ) -> bool:
        connection, services, record, head = self._connection, self._services, self._record, passage.head
        request_id, received = self._begun.request_id, b""
        if self._origin is not None:  # the short way brought the request there
            outgoing, received = b"", self._begun.received
            record.origin_started = self._begun.started
            permit.check()  # perhaps that is why it was woken up
        else:
            outgoing = origin_request(passage.request_front, request_id)
            record.origin_started = services.reactor.now()
            self._origin = await services.pool.acquire(passage.origins, connection.strand, fresh=fresh)
        origin = self._origin
        record.origin = origin.name
        own = (*passage.own_fields, (b"X-Request-Id", request_id))
        fields = AnswerFields(services.date.at(services.clock()), own)
        answer = Answer(
            head,
            plan.snapshot.head_limits,
            fields,
            # What the client has of the head says already that the connection stays.
            lambda: self._begun.written > 0 or (body.done and head.keep_alive and not services.draining),
            wants_websocket=passage.wants_websocket,
        )
        moving = Forwarding(
            connection.strand,
            connection.stream,
            connection.inbox,
            origin,
            body,
            answer,
            plan.snapshot.limits,
        )
        try:
            if received:
                moving.begin_with(received, self._begun.written)
            await moving.run(outgoing, permit)
        except (MessageError, OriginError, Expired, Withdrawn) as error:
            if moving.began:
                return self._broken_off(error)
            raise
        finally:
            record.octets_out = moving.octets_out
            record.origin_ended = services.reactor.now()
            record.status = answer.head.status if answer.head is not None else 0
        if answer.switched:
            await self._tunnel(origin, answer, permit)
            return False
        if moving.complete and answer.origin_reusable and not binds_connection(head, answer.head):
            self._origin = None
            services.pool.release(origin, services.reactor.now())
        return not answer.closes and body.done

    def _broken_off(self, error: MessageError | OriginError | Expired | Withdrawn) -> bool:
        """The answer had begun: the only honest thing left is to close without ending it."""
        self._count(error)
        refusal = error.refusal if isinstance(error, MessageError) else None
        self._record.aborted = refusal.detail if refusal else str(error)
        self._connection.abort()
        return False

    async def _tunnel(self, origin: OriginConnection, answer: Answer, permit: Permit) -> None:
        connection, record, limits = self._connection, self._record, self._plan.snapshot.limits
        keep_alive(connection.stream.sock)
        tunnel = Tunnel(
            connection.strand,
            connection.stream,
            origin.stream,
            to_origin=connection.inbox.take(),
            to_client=answer.take_tunnel_octets(),
            client_patience=limits.body_idle_timeout,
            origin_patience=limits.origin_idle_timeout,
        )
        try:
            await tunnel.run(permit.until)
        except (StreamBroken, Expired, Withdrawn) as error:
            self._count(error)
            record.aborted = str(error)
        finally:
            record.octets_in += tunnel.octets_in
            record.octets_out += tunnel.octets_out

    # --- it may not, or need not ---------------------------------------------------------------

    async def _refuse_the_rest(self, begun: Begun) -> bool:
        """Go on with a planned refusal that the client did not take in one piece."""
        self._record.octets_out += len(begun.unsent)
        await self._send(begun.unsent)
        return True

    async def _answer_reserved(self, plan: Plan) -> bool:
        """Answer one of the edge's own paths."""
        services, view, head = self._services, plan.view, plan.head
        assert view is not None and head is not None  # noqa: PT018 - both follow from there being no refusal
        answer = reserved_paths.answer(
            head,
            view.table,
            view.auth,
            key_ring=plan.snapshot.key_ring,
            client=self._connection.address,
            now=services.clock(),
        )
        if isinstance(answer, Refusal):
            return await self._refuse(answer)
        keep = plan.keeps_connection and not services.draining
        octets = answer.render(
            head,
            request_id=self._begun.request_id,
            date=services.date.at(services.clock()),
            close=not keep,
            extra=view.alt_svc,
        )
        self._record.status, self._record.octets_out = answer.status, len(octets)
        await self._send(octets)
        return keep

    async def _refuse(self, refusal: Refusal) -> bool:
        """Answer with a refusal that nobody planned; a body that was not read ends the connection."""
        self._record.refusal = refusal
        body = self._body
        if body is None:
            return await self._refuse_with(refusal, keep=self._plan.keeps_connection)
        head = self._plan.head
        return await self._refuse_with(refusal, keep=body.done and head is not None and head.keep_alive)

    async def _refuse_with(self, refusal: Refusal, *, keep: bool) -> bool:
        services, plan, record = self._services, self._plan, self._record
        keep = keep and not services.draining
        record.status = refusal.reason.status
        public = refusal
        if refusal.reason in _DETAIL_FOR_THE_LOG_ONLY:
            public = Refusal(refusal.reason)  # an origin's address is nobody's business
        octets = refusal_answer(
            public,
            plan.head,
            request_id=self._begun.request_id,
            date=services.date.at(services.clock()),
            close=not keep,
            extra=plan.view.alt_svc if plan.view is not None else (),
        )
        record.octets_out = len(octets)
        await self._send(octets)
        return keep

    async def _send(self, octets: bytes) -> None:
        """Write an answer of the edge itself. A client that does not take it is gone."""
        try:
            await self._connection.send(octets)
        except Expired as expired:
            self._count(expired)
            raise StreamBroken(f"{expired.what} ran out") from None


def _refusal_of(error: MessageError | OriginError | Withdrawn | Expired) -> Refusal:
    """Say to the client what ended its request before an answer began."""
    match error:
        case OriginError():
            return Refusal(error.reason, error.detail)
        case Expired():
            return Refusal(refusal_reason(error), f"{error.what} ran out")
        case _:
            return error.refusal


_DETAIL_FOR_THE_LOG_ONLY = frozenset(
    (
        Reason.ORIGIN_UNREACHABLE,
        Reason.ORIGIN_BAD_RESPONSE,
        Reason.ORIGIN_TIMEOUT,
        Reason.OVERLOADED,
        Reason.INTERNAL_ERROR,
    )
)
