"""An explanation for programs: plain data, whose names are public."""

from __future__ import annotations

from collections.abc import Iterable

from edge.access.evaluate import Reported
from edge.config.errors import Place
from edge.explain.explanation import Explanation
from edge.explain.places import Written
from edge.explain.recorded import Recorded
from edge.explain.text import time_text
from edge.explain.trace import ConditionTrace, Part, RuleTrace
from edge.model.client_auth import CertificateFacts

Plain = dict[str, object]


def document_of(explanation: Explanation, written: Written, recorded: Recorded | None = None) -> Plain:
    """Return everything that an explanation says. ``allowed`` is null where it cannot be told."""
    outcome, known = explanation.outcome, explanation.is_known
    document: Plain = {
        "allowed": outcome.allowed if known else None,
        "status": outcome.status if known else None,
        "reason": (outcome.reason or None) if known else None,
        "detail": outcome.detail if known else "the certificate is not known",
        "in_handshake": outcome.in_handshake if known else None,
        "answered_by_edge": outcome.own_answer if known else None,
        "request": _request(explanation),
        "host": _host(explanation, written),
        **_client(explanation),
        "applications": [
            {
                "name": application.name,
                "covers": list(domains),
                "governs": governs,
                "report_only": application.report_only,
                **_place(written.application(application)),
            }
            for application, domains, governs in explanation.applications
        ],
        "policies": _policies(explanation, written),
        "token": explanation.way.token or None,
        "origin": None,
        "set_cookie": explanation.set_cookie or None,
        "report_only": _report(outcome.reported) if known and outcome.reported else None,
    }
    head = explanation.way.head
    if known and outcome.allowed and not outcome.own_answer and head is not None:
        document["origin"] = {
            "method": head.method.decode("ascii"),
            "target": head.target.wire.decode("latin-1"),
            "headers": [list(field) for field in explanation.origin_fields],
        }
    if recorded is not None:
        document["recorded"] = _recorded(recorded, explanation)
    return document


def _request(explanation: Explanation) -> Plain:
    question, head = explanation.question, explanation.way.head
    return {
        "method": question.method,
        "url": question.url.text,
        "path": None if head is None else head.target.path.decode("ascii"),
        "server_name": question.server_name,
        "client": str(question.client),
        "at": time_text(question.at),
    }


def _report(reported: Reported) -> Plain:
    return {
        "would_be": reported.word,
        "policy": None if reported.policy is None else reported.policy.name,
        "detail": reported.detail,
    }


def _host(explanation: Explanation, written: Written) -> Plain | None:
    site, bundle = explanation.way.site, explanation.bundle
    if site is None:
        return None
    found: Plain = {
        "name": site.host.name,
        "identity": site.identity,
        "client_certificate": site.host.mode.value,
        **_place(written.host(site.host.name)),
        "client_cas": [],
        "bundle_sha256": None,
    }
    if bundle is not None:
        entries = dict.fromkeys(bundle.names.values())
        found["client_cas"] = [{"name": entry, **_place(written.ca(entry))} for entry in entries]
        found["bundle_sha256"] = bundle.digest.hex()
    return found


def _client(explanation: Explanation) -> Plain:
    view = explanation.way.view
    if view is None or not explanation.is_known:
        return {"certificate": None, "chain": [], "verify_errors": [], "crls": [], "flag": None}
    auth, verification = view.auth, view.verification
    return {
        "certificate": None if auth.certificate is None else _certificate(auth.certificate),
        "chain": [each.subject for each in verification.chain] if verification else [],
        "verify_errors": [
            {"depth": error.depth, "code": error.code, "text": error.text}
            for error in (verification.errors if verification else ())
        ],
        "crls": [
            {
                "entry": use.entry,
                **use.crl.facts(),
                "stale": use.stale,
                "concerns": use.concerns,
                "names": list(use.revoked),
            }
            for use in explanation.crls
        ],
        "flag": {
            "presented": auth.presented,
            "mtls_authenticated": auth.mtls_authenticated,
            "verify": auth.verify,
            "failure": None if auth.failure is None else auth.failure.value,
            "detail": auth.detail,
        },
    }


def _certificate(certificate: CertificateFacts) -> Plain:
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "common_names": list(certificate.common_names),
        "serial": certificate.serial_hex,
        "sha256": certificate.sha256.hex(),
        "not_before": time_text(certificate.not_before),
        "not_after": time_text(certificate.not_after),
    }


def _policies(explanation: Explanation, written: Written) -> list[Plain]:
    governing = explanation.way.application
    if governing is None:
        return []
    known = explanation.is_known
    places = written.policies(governing) if explanation.policies else ()
    return [
        {
            "name": trace.policy.name,
            "decision": trace.policy.decision.value,
            "report_only": trace.policy.report_only,
            "matches": trace.condition.holds if known else None,
            "decides": trace.part is Part.DECIDES if known else None,
            **_place(place),
            **_lists(trace.condition, known=known),
        }
        for trace, place in zip(explanation.policies, places, strict=True)
    ]


def _lists(condition: ConditionTrace, *, known: bool) -> Plain:
    return {
        name: _rules(rules, known=known)
        for name, rules in (
            ("include", condition.include),
            ("require", condition.require),
            ("exclude", condition.exclude),
        )
    }


def _rules(rules: Iterable[RuleTrace], *, known: bool) -> list[Plain]:
    return [
        {
            "rule": rule.rule,
            "hit": rule.hit if known else None,
            "seen": rule.seen if known else "",
            **({"group": _lists(rule.inside, known=known)} if rule.inside else {}),
        }
        for rule in rules
    ]


def _recorded(recorded: Recorded, explanation: Explanation) -> Plain:
    return {
        "status": recorded.status,
        "reason": recorded.reason or None,
        "detail": recorded.detail,
        "application": recorded.application or None,
        "policy": recorded.policy or None,
        "would_be": recorded.would_be or None,
        "session": recorded.session,
        "verify": recorded.verify,
        "certificate_sha256": recorded.certificate_sha256 or None,
        "same": recorded.agrees_with(explanation) if explanation.is_known else None,
    }


def _place(place: Place) -> Plain:
    return {"file": place.file, "line": place.line}
