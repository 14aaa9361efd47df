"""The way of one request through a worker, without the sockets. The one place that calls a worker's code.

The order is that of ``edge.proxy.handshake`` and ``edge.proxy.plan``; whoever changes it there has to
change it here, and the end-to-end tests hold every answer of the edge against this.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import cast

from edge.access.application import Application
from edge.access.cookies import find_cookie
from edge.access.evaluate import Reported, Verdict, evaluate_session
from edge.access.rules import RequestFacts
from edge.access.token import TokenClaims
from edge.config.request_url import ALLOW
from edge.explain.certificates import MadeUp, verification_of
from edge.explain.question import Question
from edge.http1.http3_hints import refuse_upgrade_hint
from edge.http1.request_parser import read_request_head
from edge.http1.websocket import is_websocket_upgrade
from edge.model.hostname import canonical_host
from edge.model.http import RequestHead
from edge.model.refusal import MessageError, Reason, Refusal
from edge.proxy import reserved_paths
from edge.proxy.judgement import credentials, judge
from edge.proxy.origin_request import origin_request, origin_request_front
from edge.proxy.path_readings import second_reading
from edge.proxy.services import Services, Tokens
from edge.proxy.view import View, look
from edge.snapshot.snapshot import Site, Snapshot
from edge.tls.chain_hints import ChainHints
from edge.tls.context import ClientCertificateMode
from edge.trust.revocation import NO_REVOCATION

NO_SUCH_HOST = "unrecognized_name"
"""The alert that ends a handshake for a host that nobody serves; no HTTP reason, for there is no answer."""

TOKEN = "token"  # noqa: S105 - what is shown instead of one
REQUEST_ID = b"request-id"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ends. ``status`` is None where the handshake fails, or where the answer is the origin's."""

    allowed: bool
    reason: str = ""
    """The public word of the refusal; empty if the request is allowed."""
    status: int | None = None
    detail: str = ""
    in_handshake: bool = False
    """Whether the connection is refused, before there could be a request."""
    own_answer: bool = False
    """Whether the edge itself answers, below a reserved path."""
    reported: Reported | None = None
    """What would become of it without any ``report_only``; None where that has no say."""

    @property
    def word(self) -> str:
        """``allow``, or the word of the refusal."""
        return ALLOW if self.allowed else self.reason

    @property
    def would_be(self) -> str:
        """The same, if nothing were ``report_only``."""
        return self.word if self.reported is None else self.reported.word


@dataclass(slots=True)
class Walk:
    """How far a request came, and what was found on its way."""

    snapshot: Snapshot
    site: Site | None = None
    view: View | None = None
    head: RequestHead | None = None
    application: Application | None = None
    facts: RequestFacts | None = None
    """What the policies saw; None if they were not asked."""
    verdict: Verdict | None = None
    token: str = ""
    """What became of the token in the request's cookie, where one could stand in for the certificate."""
    to_origin: tuple[tuple[str, str], ...] = ()
    """Header fields that the origin would get, with stand-ins for token and request id."""
    cookie: str = ""
    """Set-Cookie of the answer, with a stand-in for the token."""
    outcome: Outcome = field(default_factory=lambda: Outcome(allowed=False))


def walk(snapshot: Snapshot, question: Question) -> Walk:
    """Take a request as far as it comes. Raises ``CertificateUnreadable``."""
    if isinstance(question.certificate, MadeUp):
        snapshot = snapshot.with_revocation(NO_REVOCATION)
    way = Walk(snapshot)
    way.outcome = _shake_hands(way, question) or _ask(way, question)
    return way


def _shake_hands(way: Walk, question: Question) -> Outcome | None:
    site = way.site = way.snapshot.site_for_server_name(question.server_name)
    if site is None:
        detail = "no host of that name" if question.server_name else "no server name, and no default host"
        return Outcome(allowed=False, reason=NO_SUCH_HOST, detail=detail, in_handshake=True)
    verification = verification_of(question.certificate, site.host, question.at)
    way.view = look(way.snapshot, site, verification, ChainHints(), question.at)
    if site.host.mode is not ClientCertificateMode.REQUIRE or (verification and not verification.errors):
        return None
    auth = way.view.auth
    reason = auth.failure or Reason.CLIENT_CERTIFICATE_INVALID
    detail = auth.verify.removeprefix("FAILED:") if auth.presented else "no client certificate was presented"
    return Outcome(allowed=False, reason=reason.value, detail=detail, in_handshake=True)


def _ask(way: Walk, question: Question) -> Outcome:
    try:
        return _serve(way, question)
    except MessageError as error:
        return _refused(error.refusal)


def _serve(way: Walk, question: Question) -> Outcome:
    view, snapshot = way.view, way.snapshot
    assert view is not None
    head = way.head = read_request_head(question.head, snapshot.head_limits)
    if head.host and snapshot.identity_of(head.host) != view.site.identity:
        return _refused(
            Refusal(Reason.MISDIRECTED_REQUEST, "the request is for another host than the connection")
        )
    hint = refuse_upgrade_hint(head)
    if hint is not None:
        return _refused(hint)
    doubt = second_reading(head.target.path, view.table)
    if doubt is not None:
        return _refused(Refusal(Reason.BAD_REQUEST, doubt))
    wants_websocket = is_websocket_upgrade(head)
    if view.table.has_applications and reserved_paths.is_reserved(head.target.path):
        return _reserved(view, head, snapshot, question)
    return _judge(way, view, head, question, wants_websocket=wants_websocket)


def _reserved(view: View, head: RequestHead, snapshot: Snapshot, question: Question) -> Outcome:
    answer = reserved_paths.answer(
        head,
        view.table,
        view.auth,
        key_ring=snapshot.key_ring,
        client=str(question.client),
        now=question.at,
    )
    if isinstance(answer, Refusal):
        return _refused(answer)
    detail = "the edge itself answers on this path"
    return Outcome(allowed=True, status=answer.status, detail=detail, own_answer=True)


def _judge(way: Walk, view: View, head: RequestHead, question: Question, *, wants_websocket: bool) -> Outcome:
    services = cast("Services", _Desk(lambda: question.at))
    judgement = judge(services, view, head, question.client)
    verdict = way.verdict = judgement.verdict
    way.application = verdict.application
    if view.site.host.mode is not ClientCertificateMode.REQUIRE or view.auth.verified is not None:
        way.facts = judgement.facts
        way.token = _token(services, view, head, judgement.facts, verdict)
    if not verdict.allowed:
        refused = _refused(Refusal(verdict.reason or Reason.POLICY_DENIED, verdict.detail))
        return replace(refused, reported=verdict.reported)
    named = question.server_name or view.site.host.name
    if not head.host and named.startswith("*"):
        return _refused(Refusal(Reason.BAD_REQUEST, "Host is missing"))
    given = credentials(services, view, head, judgement)
    front = origin_request_front(
        head,
        identity=view.identity,
        assertion=None if given.assertion is None else TOKEN,
        client=str(question.client),
        fallback_host=head.host or canonical_host(named),
        websocket=wants_websocket,
    )
    way.to_origin = _fields(origin_request(front, REQUEST_ID))
    if given.cookie is not None:
        _, _, attributes = given.cookie.partition(b";")
        way.cookie = f"CF_Authorization={TOKEN};" + attributes.decode("ascii", "backslashreplace")
    return Outcome(allowed=True, detail=verdict.detail, reported=verdict.reported)


def _token(services: Services, view: View, head: RequestHead, facts: RequestFacts, verdict: Verdict) -> str:
    """Say what the cookie's token did, where the application lets one stand in for the certificate."""
    application = verdict.application
    sent = find_cookie(head.values(b"cookie"))
    if sent is None or application is None or not application.token_stands_in:
        return ""
    needed = not verdict.allowed or verdict.is_softened
    if verdict.session:
        return "it fell with its certificate" if needed else "it stands in for the certificate"
    if not needed:
        return "it is not needed: the certificate does"
    read = services.tokens.reader(view.snapshot).read(sent, application.aud, services.clock())
    if not isinstance(read, TokenClaims):
        return f"it is not accepted: {read.reason}"
    return f"it is not accepted: {evaluate_session(application, read, facts, view.bundle).detail}"


def _refused(refusal: Refusal) -> Outcome:
    reason = refusal.reason
    return Outcome(allowed=False, reason=reason.value, status=reason.status, detail=refusal.detail)


def _fields(head: bytes) -> tuple[tuple[str, str], ...]:
    _, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    return tuple((name, value) for name, _, value in (line.partition(": ") for line in lines))


@dataclass(slots=True)
class _Desk:
    """As much of a worker's services as judging needs: a clock that stands, and the keys."""

    clock: Callable[[], float]
    tokens: Tokens = field(default_factory=Tokens)
