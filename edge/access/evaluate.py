"""Judges one request: a value with its reason, never an exception.

``evaluate`` is the policy decision for the certificate on the connection. ``evaluate_session`` is the
same question when a token of an earlier answer stands in for the certificate.

Dry run. A policy with ``report_only`` decides nothing: the request is judged as if the policy were not
there. An application with ``report_only`` refuses nothing: ``softened`` lets pass what its policies refuse.
Either way ``Verdict.reported`` has what would have become of the request without any ``report_only``.
Whoever forgets to ask ``softened`` refuses too much, never too little.
"""

from __future__ import annotations

from dataclasses import replace

from edge.access.application import Application, Decision, Policy
from edge.access.claims import TokenClaims, token_binding
from edge.access.rules import RequestFacts
from edge.model.client_auth import ClientAuth
from edge.model.record import record
from edge.model.refusal import Reason


@record
class Reported:
    """What would have become of a request if nothing were ``report_only``."""

    reason: Reason | None
    """None: it would have been allowed."""
    policy: Policy | None
    """The policy that would have decided; None if none would."""
    detail: str

    @property
    def word(self) -> str:
        """``allow``, or the public word of the refusal: for logs, metrics and policy tests."""
        return "allow" if self.reason is None else self.reason.value


@record
class Verdict:
    """What is to be done with a request, and why."""

    allowed: bool
    reason: Reason | None
    """None if allowed."""
    application: Application | None
    """What governs the request; None if nothing covers the path."""
    policy: Policy | None
    """The policy that decided; None if none did."""
    detail: str
    """One sentence for the person who was refused, or for the log."""
    session: bool = False
    """Whether a token stood in for the certificate."""
    reported: Reported | None = None
    """What would have become of it, where ``report_only`` had a say."""

    @property
    def is_softened(self) -> bool:
        """Whether it passes only because its application refuses nothing."""
        return self.allowed and self.policy is None and self.application is not None


_DENIES = "a policy of the application denies this request"
_UNCOVERED_PASS = Verdict(True, None, None, None, "no application covers this path, and such paths pass")
_UNCOVERED_DENY = Verdict(False, Reason.POLICY_DENIED, None, None, "no application covers this path")


def evaluate(
    application: Application | None,
    facts: RequestFacts,
    *,
    unmatched_pass: bool,
    certificate_requested: bool,
) -> Verdict:
    """Judge a request by the certificate on its connection. Never raises.

    ``application`` is what the path table found. ``unmatched_pass`` is what the host says about paths
    without one; ``certificate_requested`` whether the handshake asked for a certificate at all. The
    first policy that matches, and is not ``report_only``, decides; without one the request is refused.
    An application's own ``report_only`` has no say yet: see ``softened``.
    """
    if application is None:
        return _UNCOVERED_PASS if unmatched_pass else _UNCOVERED_DENY
    if facts.recorded is not None:
        # The bits belong to one policy of one token; here they would answer for every policy.
        facts = replace(facts, recorded=None)
    reported: Reported | None = None
    for policy in application.policies:
        if policy.decision is Decision.ALLOW or not policy.condition.holds(facts):
            continue
        denies = policy.decision is Decision.DENY
        if policy.report_only:
            reported = reported or _would_decide(policy)
        elif denies:
            return Verdict(False, Reason.POLICY_DENIED, application, policy, _DENIES, reported=reported)
        else:
            return Verdict(True, None, application, policy, "", reported=reported)
    verdict = _no_match(application, facts, certificate_requested=certificate_requested)
    return verdict if reported is None else replace(verdict, reported=reported)


def softened(verdict: Verdict) -> Verdict:
    """Return what is done with the request: where its application is ``report_only``, no refusal.

    Who passes this way passes as nobody: no policy let it in, so there is no token for it.
    """
    application = verdict.application
    if verdict.allowed or application is None or not application.report_only:
        return verdict
    reported = verdict.reported or Reported(verdict.reason, verdict.policy, verdict.detail)
    detail = "the application only reports what its policies refuse"
    return replace(verdict, allowed=True, reason=None, policy=None, detail=detail, reported=reported)


def evaluate_session(
    application: Application, claims: TokenClaims, facts: RequestFacts, bundle: bytes
) -> Verdict:
    """Judge a request whose token stands in for the certificate. Never raises.

    ``claims`` come from ``token.read`` for this application, ``bundle`` is the digest of the host's CA
    bundle now. The token counts if the application lets tokens stand in, still has the very Service
    Auth policy the token was given under, with the same rules, on a host with the same CAs, and that
    policy holds: its certificate rules as they were answered when the token was made, everything else
    judged now. A policy that is ``report_only`` by now gives no session, nor a report of one. A
    certificate that is presented must be the token's, and still verify: a token never outvotes a
    certificate that was revoked, nor lends one identity to another (RFC 8705 3).
    """
    certificate_problem = _certificate_problem(claims, facts)
    if certificate_problem is not None:
        return _session_refused(application, facts, certificate_problem)
    if not application.token_stands_in or claims.binding is None or claims.outcomes is None:
        return _session_refused(
            application, facts, "this application asks for the certificate on every request"
        )
    recorded = replace(facts, recorded=claims.outcomes)
    for policy in application.policies:
        if policy.decision is not Decision.NON_IDENTITY or policy.report_only:
            continue
        if claims.binding == token_binding(policy.digest, bundle):
            if policy.condition.holds(recorded):
                return Verdict(True, None, application, policy, "", session=True)
            return _session_refused(application, facts, "the policy of the session does not match any more")
    return _session_refused(application, facts, "the policies or CAs have changed since the session began")


def _would_decide(policy: Policy) -> Reported:
    if policy.decision is Decision.DENY:
        return Reported(Reason.POLICY_DENIED, policy, _DENIES)
    return Reported(None, policy, "")


def _no_match(application: Application, facts: RequestFacts, *, certificate_requested: bool) -> Verdict:
    auth = facts.auth
    if auth.verified is not None:
        return Verdict(False, Reason.POLICY_DENIED, application, None, _denied_detail(facts))
    if auth.presented:
        reason = auth.failure or Reason.CLIENT_CERTIFICATE_INVALID
        return Verdict(False, reason, application, None, _failure_text(auth))
    if certificate_requested:
        return Verdict(
            False,
            Reason.CLIENT_CERTIFICATE_REQUIRED,
            application,
            None,
            "no client certificate was presented",
        )
    return Verdict(False, Reason.POLICY_DENIED, application, None, "no policy lets this request pass")


def _failure_text(auth: ClientAuth) -> str:
    """Return OpenSSL's text, and what more is known."""
    text = auth.verify.removeprefix("FAILED:")
    return f"{text}: {auth.detail}" if auth.detail else text


def _denied_detail(facts: RequestFacts) -> str:
    certificate = facts.auth.verified
    if certificate is not None and len(certificate.common_names) > 1:
        return "the certificate is valid, but no policy lets it pass; of its several common names none counts"
    return "the certificate is valid, but no policy lets it pass"


def _certificate_problem(claims: TokenClaims, facts: RequestFacts) -> str | None:
    if not facts.auth.presented:
        return None
    certificate = facts.auth.verified
    if certificate is None:
        return _failure_text(facts.auth)
    if certificate.sha256 != claims.certificate_sha256:
        return "the session belongs to another certificate"
    return None


def _session_refused(application: Application, facts: RequestFacts, detail: str) -> Verdict:
    if not facts.auth.presented:
        reason = Reason.CLIENT_CERTIFICATE_REQUIRED
    elif facts.auth.verified is None:
        reason = facts.auth.failure or Reason.CLIENT_CERTIFICATE_INVALID
    else:
        reason = Reason.POLICY_DENIED
    return Verdict(False, reason, application, None, detail, session=True)
