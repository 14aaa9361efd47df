"""The way of one request, from top to bottom: the conductor that asks each room in turn.

    read -> same host? -> HTTP/3? -> one path? -> reserved path? -> verdict -> forward -> answer

Everything that can be answered is answered here, and whatever happens ends as one ``request`` event.
The snapshot is taken once, by the caller; nothing here looks at a newer one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.http1.http3_hints import refuse_upgrade_hint
from edge.http1.request_parser import read_request_head
from edge.http1.websocket import is_websocket_upgrade
from edge.model.http import RequestHead
from edge.model.refusal import MessageError, Reason, Refusal
from edge.origin.connection import OriginConnection, OriginError
from edge.proxy import reserved_paths
from edge.proxy.access_log import RequestRecord
from edge.proxy.answer import Answer, AnswerFields
from edge.proxy.forward import ClientGone, Forwarding, StaleConnection, refusal_reason
from edge.proxy.judgement import Credentials, Judgement, credentials, judge
from edge.proxy.origin_request import binds_connection, is_idempotent, origin_request
from edge.proxy.path_readings import second_reading
from edge.proxy.permit import Permit, Withdrawn
from edge.proxy.request_body import RequestBody
from edge.proxy.responses import refusal_answer
from edge.proxy.tunnel import Tunnel, keep_alive
from edge.proxy.view import View
from edge.reactor.strand import Cancelled, Expired
from edge.reactor.stream import StreamBroken
from edge.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    from edge.proxy.connection import ClientConnection

_CLIENT_CLOSED = 499
"""nginx's status for a client that left before its answer; only ever in the log."""


class Exchange:
    """One request and its answer on one client connection."""

    __slots__ = ("_body", "_connection", "_head", "_origin", "_record", "_services", "_snapshot")

    def __init__(self, connection: ClientConnection, snapshot: Snapshot) -> None:
        self._connection = connection
        self._services = connection.services
        self._snapshot = snapshot
        self._record: RequestRecord = connection.new_record()
        self._head: RequestHead | None = None
        self._body: RequestBody | None = None
        self._origin: OriginConnection | None = None

    async def run(self, block: bytes) -> bool:
        """Serve the request whose head is ``block``; tell whether the connection may serve another."""
        record = self._record
        try:
            return await self._serve(block)
        except MessageError as error:
            self._note_unreadable(block)
            return await self._refuse(error.refusal)
        except OriginError as error:
            return await self._refuse(Refusal(error.reason, error.detail))
        except Withdrawn as withdrawn:
            return await self._refuse(withdrawn.refusal)
        except Expired as expired:
            return await self._refuse(Refusal(refusal_reason(expired), f"{expired.what} ran out"))
        except ClientGone:
            record.status = record.status or _CLIENT_CLOSED
            record.aborted = "the client left"
            return False
        except StreamBroken as error:
            record.aborted = str(error)
            raise
        except Cancelled:
            record.aborted = "the edge is stopping"
            raise
        except Exception as defect:  # noqa: BLE001 - nothing that fails here may let a request pass
            return await self._defect(defect)
        finally:
            if self._origin is not None:
                self._origin.close()
            if self._body is not None:
                record.octets_in = max(record.octets_in, self._body.octets)
            record.log(self._services.write_event, self._services.reactor.now())

    async def _defect(self, defect: Exception) -> bool:
        """Something nobody foresaw: report it, and refuse if nothing was said yet."""
        self._services.reactor.on_defect(defect)
        if self._record.octets_out:
            self._record.aborted = "internal error"
            self._connection.abort()
            return False
        await self._refuse(Refusal(Reason.INTERNAL_ERROR))
        return False

    def _note_unreadable(self, block: bytes) -> None:
        """Keep for the log what a refused head began with: never a query, nor a target with a user."""
        if self._head is None:
            method, _, rest = block.partition(b"\r\n")[0].partition(b" ")
            path = rest.partition(b" ")[0].partition(b"?")[0]
            self._record.method = method.decode("ascii", "backslashreplace")
            if path.startswith(b"/"):
                self._record.path = path.decode("ascii", "backslashreplace")

    # --- may it pass? --------------------------------------------------------------------------

    async def _serve(self, block: bytes) -> bool:
        record, snapshot = self._record, self._snapshot
        view = self._connection.view(snapshot)
        if view is not None:  # first of all, so that the log has it whatever the request turns out to be
            record.host, record.client_auth = view.site.identity, view.log_fields
        head = self._head = read_request_head(block, snapshot.head_limits)
        record.method = head.method.decode("ascii")
        record.path = head.target.path.decode("ascii")
        record.host = head.host or record.host
        self._body = RequestBody(
            head,
            self._connection.stream,
            self._connection.inbox,
            snapshot.limits,
            snapshot.head_limits,
        )
        if view is None or (head.host and snapshot.identity_of(head.host) != view.site.identity):
            return await self._refuse(
                Refusal(Reason.MISDIRECTED_REQUEST, "the request is for another host than the connection")
            )
        hint = refuse_upgrade_hint(head)
        if hint is not None:
            return await self._refuse(hint)
        doubt = second_reading(head.target.path, view.table)
        if doubt is not None:
            return await self._refuse(Refusal(Reason.BAD_REQUEST, doubt))
        wants_websocket = is_websocket_upgrade(head)
        if view.table.has_applications and reserved_paths.is_reserved(head.target.path):
            return await self._answer_reserved(head, view)
        judgement = judge(self._services, view, head, self._connection.client_ip)
        verdict = judgement.verdict
        record.application = verdict.application.name if verdict.application else ""
        record.policy = verdict.policy.name if verdict.policy else ""
        record.session = verdict.session
        if not verdict.allowed:
            return await self._refuse(Refusal(verdict.reason or Reason.POLICY_DENIED, verdict.detail))
        return await self._pass_on(head, view, judgement, wants_websocket=wants_websocket)

    # --- it may: to the origin and back --------------------------------------------------------

    async def _pass_on(
        self, head: RequestHead, view: View, judgement: Judgement, *, wants_websocket: bool
    ) -> bool:
        fallback_host = head.host or self._connection.named(view.site)
        if fallback_host is None:
            return await self._refuse(Refusal(Reason.BAD_REQUEST, "Host is missing"))
        given = credentials(self._services, view, head, judgement)
        outgoing = origin_request(
            head,
            identity=view.identity,
            assertion=given.assertion,
            client=self._connection.address,
            fallback_host=fallback_host,
            request_id=self._record.request_id,
            websocket=wants_websocket,
        )
        fields = self._answer_fields(view, given)
        permit = Permit(self._connection, head, self._snapshot, judgement.good_until)
        try:
            return await self._forward(outgoing, head, view, fields, permit, wants_websocket=wants_websocket)
        except StaleConnection:
            if self._origin is not None:
                self._origin.close()  # before its descriptor is forgotten, and the loop left watching it
            if not self._may_repeat(head):
                raise OriginError(
                    Reason.ORIGIN_BAD_RESPONSE, "the origin closed a connection in use"
                ) from None
        return await self._forward(
            outgoing, head, view, fields, permit, wants_websocket=wants_websocket, fresh=True
        )

    def _answer_fields(self, view: View, given: Credentials) -> AnswerFields:
        """Return what the edge adds to the answer."""
        own = [(b"X-Request-Id", self._record.request_id.encode("ascii")), *view.alt_svc]
        if given.cookie is not None:
            own.append((b"Set-Cookie", given.cookie))
        return AnswerFields(self._services.date.at(self._services.clock()), tuple(own))

    async def _forward(
        self,
        outgoing: bytes,
        head: RequestHead,
        view: View,
        fields: AnswerFields,
        permit: Permit,
        *,
        wants_websocket: bool,
        fresh: bool = False,
    ) -> bool:
        connection, services, record = self._connection, self._services, self._record
        body = self._body
        if body is None:
            raise OriginError(Reason.INTERNAL_ERROR, "a request without a body reader")
        record.origin_started = services.reactor.now()
        origin = self._origin = await services.pool.acquire(
            view.site.host.origins, connection.strand, fresh=fresh
        )
        record.origin = str(origin.endpoint)
        answer = Answer(
            head,
            self._snapshot.head_limits,
            fields,
            lambda: body.done and head.keep_alive and not services.draining,
            wants_websocket=wants_websocket,
        )
        moving = Forwarding(
            connection.strand,
            connection.stream,
            connection.inbox,
            origin,
            body,
            answer,
            self._snapshot.limits,
        )
        try:
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
        refusal = error.refusal if isinstance(error, MessageError) else None
        self._record.aborted = refusal.detail if refusal else str(error)
        self._connection.abort()
        return False

    def _may_repeat(self, head: RequestHead) -> bool:
        """RFC 9110 9.2.2: only what is idempotent, and has no body to be sent twice."""
        return is_idempotent(head) and self._body is not None and self._body.done

    async def _tunnel(self, origin: OriginConnection, answer: Answer, permit: Permit) -> None:
        connection, record = self._connection, self._record
        keep_alive(connection.stream.sock)
        tunnel = Tunnel(
            connection.strand,
            connection.stream,
            origin.stream,
            to_origin=connection.inbox.take(),
            to_client=answer.take_tunnel_octets(),
        )
        try:
            await tunnel.run(permit.until)
        except (StreamBroken, Expired, Withdrawn) as error:
            record.aborted = str(error)
        finally:
            record.octets_in += tunnel.octets_in
            record.octets_out += tunnel.octets_out

    # --- it may not ----------------------------------------------------------------------------

    async def _answer_reserved(self, head: RequestHead, view: View) -> bool:
        close = self._must_close(head)
        answer = reserved_paths.answer(
            head,
            view.table,
            view.auth,
            key_ring=self._snapshot.key_ring,
            client=self._connection.address,
            now=self._services.clock(),
        )
        if isinstance(answer, Refusal):
            return await self._refuse(answer)
        octets = answer.render(
            head,
            request_id=self._record.request_id,
            date=self._services.date.at(self._services.clock()),
            close=close,
            extra=view.alt_svc,
        )
        self._record.status = answer.status
        self._record.octets_out = len(octets)
        await self._connection.send(octets)
        return not close

    async def _refuse(self, refusal: Refusal) -> bool:
        """Answer with a refusal; a body that was not read ends the connection."""
        view = self._connection.current_view
        close = self._must_close(self._head)
        record = self._record
        record.refusal = refusal
        record.status = refusal.reason.status
        public = refusal
        if refusal.reason in _DETAIL_FOR_THE_LOG_ONLY:
            public = Refusal(refusal.reason)  # an origin's address is nobody's business
        octets = refusal_answer(
            public,
            self._head,
            request_id=record.request_id,
            date=self._services.date.at(self._services.clock()),
            close=close,
            extra=view.alt_svc if view else (),
        )
        record.octets_out = len(octets)
        await self._connection.send(octets)
        return not close

    def _must_close(self, head: RequestHead | None) -> bool:
        """Octets that were not read as the body would be read as the next request."""
        if head is None or self._body is None or not self._body.done:
            return True
        return not head.keep_alive or self._services.draining


_DETAIL_FOR_THE_LOG_ONLY = frozenset(
    (
        Reason.ORIGIN_UNREACHABLE,
        Reason.ORIGIN_BAD_RESPONSE,
        Reason.ORIGIN_TIMEOUT,
        Reason.OVERLOADED,
        Reason.INTERNAL_ERROR,
    )
)
