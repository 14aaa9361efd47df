"""Decides what becomes of a request: everything that follows from its head, its connection and the policies.

    same host? -> HTTP/3? -> one path? -> reserved path? -> verdict -> what the origin gets

A plan is made without waiting for anything, and says nothing that is new for each request: neither its
identifier nor the date. So a client that sends the same head again, on the same connection, under the
same configuration and before ``good_until``, is served by the same plan (see ``plans``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from edge.access.cookies import find_cookie
from edge.http1.http3_hints import refuse_upgrade_hint
from edge.http1.request_parser import read_request_head
from edge.http1.websocket import is_websocket_upgrade
from edge.http1.writer import field_lines
from edge.model.http import Framing, RequestHead
from edge.model.record import record
from edge.model.refusal import MessageError, Reason, Refusal
from edge.proxy import reserved_paths
from edge.proxy.access_log import NO_AUTH_FIELDS, refused_event, request_fields
from edge.proxy.counts import HostCounts
from edge.proxy.judgement import Judgement, credentials, judge
from edge.proxy.origin_request import binds_connection, is_idempotent, origin_request_front
from edge.proxy.path_readings import second_reading
from edge.proxy.request_body import check_length
from edge.proxy.responses import PreparedRefusal, prepare_refusal
from edge.proxy.view import View
from edge.snapshot.snapshot import Snapshot
from edge.telemetry import families
from edge.telemetry.metrics import Cell

if TYPE_CHECKING:
    from edge.origin.endpoint import Endpoint
    from edge.origin.pool import TakeRested
    from edge.proxy.connection import ClientConnection

_NEVER = float("-inf")


@record
class Passage:
    """What a request that may pass takes along."""

    head: RequestHead
    origins: tuple[Endpoint, ...]
    take_rested: TakeRested
    """Gives a connection that is open already to one of them."""
    request_front: bytes
    """The head for the origin, up to the request's identifier."""
    own_fields: tuple[tuple[bytes, bytes], ...]
    """What the edge adds to the answer, but for the request's identifier."""
    own_lines: bytes
    """The same as octets."""
    wants_websocket: bool
    patience: float
    """Seconds until the origin must have begun to answer."""
    judged_until: float
    """Seconds since the epoch: until then the verdict stays as it is."""
    is_simple: bool
    """No body, sent again without harm, on a connection that stays: what ``short_way`` is for."""


@record
class Plan:
    """What becomes of a request. With neither a refusal nor a passage the edge answers it itself."""

    snapshot: Snapshot
    view: View | None
    head: RequestHead | None
    """None if it could not be read."""
    event: bytes
    """What the log says of every request like this."""
    refusal: Refusal | None
    prepared: PreparedRefusal | None
    """The refusal's answer where the connection stays open."""
    refused_event: bytes
    """What the log says of it."""
    refused: Cell
    """Counts the refusal; nobody reads it if there is none."""
    counts: HostCounts
    passage: Passage | None
    keeps_connection: bool
    """Whether another request may follow an answer of the edge itself: no octets of a body could be one."""
    good_since: float
    """Seconds since the epoch, when it was made: to a clock set back, its token would be of the future."""
    good_until: float
    """Seconds since the epoch; what must be planned anew for every request ends before it begins."""
    reported: Cell | None
    """Counts the requests that ``report_only`` had a say in; None if this is none of them."""


def make_plan(connection: ClientConnection, snapshot: Snapshot, block: bytes) -> Plan:
    """Return what becomes of the request with this head. Never raises what a client can cause."""
    return _Planning(connection, snapshot).run(block)


class _Planning:
    """One request being thought about."""

    __slots__ = ("_connection", "_head", "_judgement", "_services", "_snapshot", "_view")

    def __init__(self, connection: ClientConnection, snapshot: Snapshot) -> None:
        self._connection = connection
        self._services = connection.services
        self._snapshot = snapshot
        self._view: View | None = None
        self._head: RequestHead | None = None
        self._judgement: Judgement | None = None

    def run(self, block: bytes) -> Plan:
        try:
            return self._decide(block)
        except MessageError as error:
            return self._refused(error.refusal, block)
        except Exception as defect:  # noqa: BLE001 - nothing that fails here may let a request pass
            self._services.reactor.on_defect(defect)
            self._head = None  # whatever is wrong with it: nothing is believed of this request
            return self._refused(Refusal(Reason.INTERNAL_ERROR), block)

    def _decide(self, block: bytes) -> Plan:
        snapshot, connection = self._snapshot, self._connection
        view = self._view = connection.view(snapshot)
        head = self._head = read_request_head(block, snapshot.head_limits)
        check_length(head, snapshot.limits)
        if view is None or (head.host and snapshot.identity_of(head.host) != view.site.identity):
            return self._refused(
                Refusal(Reason.MISDIRECTED_REQUEST, "the request is for another host than the connection")
            )
        hint = refuse_upgrade_hint(head)
        if hint is not None:
            return self._refused(hint)
        doubt = second_reading(head.target.path, view.table)
        if doubt is not None:
            return self._refused(Refusal(Reason.BAD_REQUEST, doubt))
        wants_websocket = is_websocket_upgrade(head)
        if view.table.has_applications and reserved_paths.is_reserved(head.target.path):
            return self._plan(good_until=_NEVER)
        judgement = self._judgement = judge(self._services, view, head, connection.client_ip)
        verdict = judgement.verdict
        if not verdict.allowed:
            return self._refused(Refusal(verdict.reason or Reason.POLICY_DENIED, verdict.detail))
        fallback_host = head.host or connection.named(view.site)
        if fallback_host is None:
            return self._refused(Refusal(Reason.BAD_REQUEST, "Host is missing"))
        return self._passing(head, view, judgement, fallback_host, wants_websocket=wants_websocket)

    def _passing(
        self,
        head: RequestHead,
        view: View,
        judgement: Judgement,
        fallback_host: str,
        *,
        wants_websocket: bool,
    ) -> Plan:
        given = credentials(self._services, view, head, judgement)
        own = view.alt_svc if given.cookie is None else (*view.alt_svc, (b"Set-Cookie", given.cookie))
        passage = Passage(
            head=head,
            origins=view.site.host.origins,
            take_rested=self._services.pool.rested(view.site.host.origins),
            request_front=origin_request_front(
                head,
                identity=view.identity,
                assertion=given.assertion,
                client=self._connection.address,
                fallback_host=fallback_host,
                websocket=wants_websocket,
            ),
            own_fields=own,
            own_lines=field_lines(own),
            wants_websocket=wants_websocket,
            patience=self._snapshot.limits.origin_first_byte_timeout,
            judged_until=judgement.good_until,
            is_simple=(
                _is_repeatable(head)
                and not wants_websocket
                and head.method != b"HEAD"
                and is_idempotent(head)
                and not binds_connection(head, None)
            ),
        )
        good_until = min(judgement.good_until, given.good_until)
        if judgement.verdict.is_softened and find_cookie(head.values(b"cookie")) is not None:
            good_until = _NEVER  # like a refusal: a moment later the token may be good
        return self._plan(passage=passage, good_until=good_until)

    def _refused(self, refusal: Refusal, block: bytes = b"") -> Plan:
        view, head, judgement = self._view, self._head, self._judgement
        prepared = None
        good_until = _NEVER
        if head is not None and view is not None and _is_repeatable(head):
            prepared = prepare_refusal(refusal, head, close=False, extra=view.alt_svc)
            if judgement is None:
                good_until = view.auth.good_until
            elif find_cookie(head.values(b"cookie")) is None:
                good_until = judgement.good_until
            # A token that is not good now, because it is not good yet, may be good a moment later.
        return self._plan(refusal=refusal, prepared=prepared, good_until=good_until, block=block)

    def _plan(
        self,
        *,
        good_until: float,
        refusal: Refusal | None = None,
        prepared: PreparedRefusal | None = None,
        passage: Passage | None = None,
        block: bytes = b"",
    ) -> Plan:
        event = self._services.events.prepare("request", self._event(refusal, block))
        view = self._view
        counts = self._services.counts.of_host("" if view is None else view.site.host.name)
        return Plan(
            snapshot=self._snapshot,
            view=view,
            head=self._head,
            event=event,
            refused_event=refused_event(event, prepared.status, prepared.octets) if prepared else b"",
            refusal=refusal,
            prepared=prepared,
            refused=Cell() if refusal is None else counts.refusal_of(refusal.reason),
            counts=counts,
            passage=passage,
            keeps_connection=self._head is not None and _keeps_connection(self._head),
            good_since=self._services.clock(),
            good_until=good_until,
            reported=self._reported(),
        )

    def _reported(self) -> Cell | None:
        verdict = None if self._judgement is None else self._judgement.verdict
        if verdict is None or verdict.reported is None or verdict.application is None:
            return None
        name, word = verdict.application.name, verdict.reported.word
        return self._services.metrics.cell(families.REPORT_ONLY, name, word)

    def _event(self, refusal: Refusal | None, block: bytes) -> Mapping[str, object]:
        view, head, judgement = self._view, self._head, self._judgement
        host = view.site.identity if view is not None else ""
        if head is not None:
            method, path = head.method.decode("ascii"), head.target.path.decode("ascii")
            host = head.host or host
        else:
            method, path = _beginning(block)
        return request_fields(
            client=self._connection.address,
            tls=self._connection.tls,
            host=host,
            method=method,
            path=path,
            client_auth=view.log_fields if view is not None else NO_AUTH_FIELDS,
            verdict=None if judgement is None else judgement.verdict,
            refusal=refusal,
        )


def _is_repeatable(head: RequestHead) -> bool:
    """Nothing follows the head, and the connection stays: the next head may be the same."""
    return head.version == (1, 1) and _keeps_connection(head)


def _keeps_connection(head: RequestHead) -> bool:
    has_body = head.body.framing is Framing.CHUNKED or head.body.length > 0
    return head.keep_alive and not has_body


def _beginning(block: bytes) -> tuple[str, str]:
    """Return for the log what a refused head began with: never a query, nor a target with a user."""
    method, _, rest = block.partition(b"\r\n")[0].partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    shown = path.decode("ascii", "backslashreplace") if path.startswith(b"/") else ""
    return method.decode("ascii", "backslashreplace"), shown
