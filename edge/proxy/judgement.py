"""Asks the policy room about one request, and makes the token that tells the origin the outcome."""

from __future__ import annotations

from dataclasses import replace

from edge.access.application import Application, Decision
from edge.access.cookies import find_cookie, set_cookie
from edge.access.evaluate import Verdict, evaluate, evaluate_session, softened
from edge.access.rules import RequestFacts
from edge.access.token import TokenClaims
from edge.model.http import RequestHead
from edge.model.network import Address
from edge.model.record import record
from edge.model.refusal import Reason
from edge.proxy.services import Services
from edge.proxy.view import View
from edge.reactor.strand import NEVER
from edge.tls.context import ClientCertificateMode
from edge.trust.revocation import judge_revocation


@record
class Judgement:
    """A verdict and what it was made from."""

    verdict: Verdict
    facts: RequestFacts
    good_until: float
    """Seconds since the epoch: until then the verdict stays as it is, unless the configuration changes."""


@record
class Credentials:
    """What a request that passed carries on: a token for the origin, a cookie for the client."""

    assertion: str | None = None
    cookie: bytes | None = None
    """The value of Set-Cookie; None if the client already has one that is good."""
    good_until: float = NEVER
    """Seconds since the epoch: until then a request like this would be given the same."""


def judge(services: Services, view: View, head: RequestHead, client_ip: Address) -> Judgement:
    """Judge a request by the certificate, and else by a token where the application lets one stand in.

    An application that only reports softens what its policies say, and never what the handshake of a
    host that requires certificates would have refused.
    """
    application = view.table.find(head.target.path)
    facts = RequestFacts(view.auth, client_ip, head.method)
    missed = _missed_by_handshake(view, application)
    if missed is not None:
        return Judgement(missed, facts, view.auth.good_until)
    verdict = evaluate(
        application,
        facts,
        unmatched_pass=view.site.host.unmatched_pass,
        certificate_requested=view.site.host.asks_for_certificate,
    )
    if not verdict.allowed and application is not None and application.token_stands_in:
        claims = _claims(services, view, head, application.aud)
        if claims is not None:
            session = evaluate_session(application, claims, facts, view.bundle)
            if session.allowed:
                if verdict.reported is not None:
                    session = replace(session, reported=verdict.reported)
                return _unless_revoked(session, facts, claims, view, services.clock())
    return Judgement(softened(verdict), facts, view.auth.good_until)


def _missed_by_handshake(view: View, application: Application | None) -> Verdict | None:
    """Refuse, on a host that requires a certificate, one that is good no more; whatever the policies say.

    The handshake refuses every other bad one. But it knows no CRLs, and a certificate may end, or its
    CA be taken away, while the connection lives.
    """
    auth = view.auth
    if auth.verified is not None or view.site.host.mode is not ClientCertificateMode.REQUIRE:
        return None
    reason = auth.failure or Reason.CLIENT_CERTIFICATE_INVALID
    text = auth.verify.removeprefix("FAILED:")
    detail = f"{text}: {auth.detail}" if auth.detail else text
    return Verdict(False, reason, application, None, detail)


def _unless_revoked(
    session: Verdict, facts: RequestFacts, claims: TokenClaims, view: View, now: float
) -> Judgement:
    """A token falls with its certificate: whoever was revoked does not come back by an earlier answer."""
    until = min(claims.expires_at, view.auth.good_until)
    verifier = view.site.host.verifier
    if claims.certificate_sha256 is None or verifier is None:
        return Judgement(session, facts, until)
    revocation = judge_revocation(claims.links, verifier.bundle, view.snapshot.revocation, now)
    finding = revocation.finding
    if finding is None:
        return Judgement(session, facts, min(until, revocation.good_until))
    detail = f"{finding.text}: {finding.detail}"
    fallen = replace(session, allowed=False, reason=finding.reason, policy=None, detail=detail)
    return Judgement(softened(fallen), facts, until)


def credentials(services: Services, view: View, head: RequestHead, judgement: Judgement) -> Credentials:
    """Return what goes with a request that a Service Auth policy let pass; nothing for any other."""
    verdict, facts = judgement.verdict, judgement.facts
    policy, application = verdict.policy, verdict.application
    if policy is None or application is None or policy.decision is not Decision.NON_IDENTITY:
        return Credentials()
    if verdict.session:
        # The certificate is not there to make a new token from; the one that was sent is good.
        sent = find_cookie(head.values(b"cookie"))
        return Credentials(None if sent is None else sent.decode("ascii"))
    mint = services.tokens.mint(view.snapshot)
    token, fresh_until = mint.token(application, policy, facts, view.bundle, services.clock())
    if application.session_seconds:
        claims = _claims(services, view, head, application.aud)
        certificate = view.auth.verified
        mine = None if certificate is None else certificate.sha256
        if claims is not None and claims.certificate_sha256 == mine:
            return Credentials(token, good_until=min(fresh_until, claims.expires_at))
    return Credentials(token, set_cookie(token, application), fresh_until)


def _claims(services: Services, view: View, head: RequestHead, aud: str) -> TokenClaims | None:
    """Return what the request's cookie says, if it is a good token of this application."""
    token = find_cookie(head.values(b"cookie"))
    if token is None:
        return None
    read = services.tokens.reader(view.snapshot).read(token, aud, services.clock())
    return read if isinstance(read, TokenClaims) else None
