"""Judges one request: a value with its reason, never an exception.

``evaluate`` is the policy decision for the certificate on the connection. ``evaluate_session`` is the
same question when a token of an earlier answer stands in for the certificate.
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
    first policy that matches decides; without a match the request is refused.
    """
    if application is None:
        return _UNCOVERED_PASS if unmatched_pass else _UNCOVERED_DENY
    if facts.recorded is not None:
        # The bits belong to one policy of one token; here they would answer for every policy.
        facts = replace(facts, recorded=None)
    for policy in application.policies:
        decision = policy.decision
        if decision is Decision.ALLOW or not policy.condition.holds(facts):
            continue
        if decision is Decision.DENY:
            return Verdict(
                False,
                Reason.POLICY_DENIED,
                application,
                policy,
                "a policy of the application denies this request",
            )
        return Verdict(True, None, application, policy, "")
    return _no_match(application, facts, certificate_requested=certificate_requested)


def evaluate_session(
    application: Application, claims: TokenClaims, facts: RequestFacts, bundle: bytes
) -> Verdict:
    """Judge a request whose token stands in for the certificate. Never raises.

    ``claims`` come from ``token.read`` for this application, ``bundle`` is the digest of the host's CA
    bundle now. The token counts if the application lets tokens stand in, still has the very Service
    Auth policy the token was given under, with the same rules, on a host with the same CAs, and that
    policy holds: its certificate rules as they were answered when the token was made, everything else
    judged now. A certificate that is presented must be the token's, and still verify: a token never
    outvotes a certificate that was revoked, nor lends one identity to another (RFC 8705 3).
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
        if policy.decision is Decision.NON_IDENTITY and claims.binding == token_binding(
            policy.digest, bundle
        ):
            if policy.condition.holds(recorded):
                return Verdict(True, None, application, policy, "", session=True)
            return _session_refused(application, facts, "the policy of the session does not match any more")
    return _session_refused(application, facts, "the policies or CAs have changed since the session began")


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
