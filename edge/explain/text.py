"""An explanation for people, in lines that read like an argument: what is given, what follows, therefore.

Names in certificates and URLs come from strangers: every text is made printable before it is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from edge.access.evaluate import Reported
from edge.config.errors import Place, printable
from edge.explain.certificates import Unseen
from edge.explain.explanation import CrlUse, Explanation
from edge.explain.places import Written
from edge.explain.recorded import Recorded
from edge.explain.trace import ConditionTrace, Part, PolicyTrace, RuleTrace
from edge.model.client_auth import CertificateFacts

_LABEL_WIDTH = 13
_RULE_WIDTH = 44


class Tone(Enum):
    """How a line speaks."""

    PLAIN = "plain"
    GOOD = "good"
    BAD = "bad"
    ASIDE = "aside"


@dataclass(frozen=True, slots=True)
class Line:
    """One printable line."""

    text: str
    tone: Tone = Tone.PLAIN


def lines_of(explanation: Explanation, written: Written, recorded: Recorded | None = None) -> Iterator[Line]:
    """Yield the lines of an explanation, and how it compares with what a log recorded."""
    yield from _question(explanation)
    yield Line("")
    yield from _host(explanation, written)
    yield from _certificate(explanation)
    yield from _applications(explanation, written)
    yield Line("")
    yield from _outcome(explanation)
    if recorded is not None:
        yield Line("")
        yield from _recorded(recorded, explanation)


def _question(explanation: Explanation) -> Iterator[Line]:
    question = explanation.question
    yield Line(printable(f"{question.method} {question.url.text}"))
    yield _line("from", f"{question.client} at {time_text(question.at)}", Tone.ASIDE)
    if question.server_name != question.url.server_name:
        yield _line("server name", question.server_name or "none is sent", Tone.ASIDE)


def _host(explanation: Explanation, written: Written) -> Iterator[Line]:
    site, bundle = explanation.way.site, explanation.bundle
    if site is None:
        yield _line("host", "none of this configuration", Tone.BAD)
        return
    name, asked = site.host.name, explanation.question.server_name
    how = "by default" if asked is None else "by wildcard" if name.startswith("*") else "by its name"
    if site.identity == name and asked is not None and asked.lower().rstrip(".") in site.host.aliases:
        how = "by an alias"
    yield _line("host", f"{name}, {how}{_written(written.host(name))}")
    if bundle is None:
        yield _line("client CAs", "none: no certificate is asked for")
        return
    for entry in dict.fromkeys(bundle.names.values()):
        count = sum(name == entry for name in bundle.names.values())
        text = f'"{entry}", {_number(count, "certificate")}{_written(written.ca(entry))}'
        yield _line("client CA", text)
    yield _line("", f"bundle {bundle.digest.hex()}", Tone.ASIDE)


def _certificate(explanation: Explanation) -> Iterator[Line]:
    view = explanation.way.view
    if view is None or explanation.bundle is None:
        return
    auth, unseen = view.auth, explanation.question.certificate
    if isinstance(unseen, Unseen):
        yield _line("certificate", f"{unseen.subject}, which is not in the log")
        yield _line("", f"SHA-256 {unseen.sha256}", Tone.ASIDE)
        return
    if auth.certificate is None:
        yield _line("certificate", "none is presented")
    else:
        yield from _facts(auth.certificate)
        if view.verification is not None and view.verification.chain:
            chain = " <- ".join(_name(each) for each in view.verification.chain)
            yield _line("chain", f"{chain}: verifies")
        for error in view.verification.errors if view.verification else ():
            yield _line("chain", f"does not verify: {error.text} (depth {error.depth})", Tone.BAD)
        for crl in explanation.crls:
            if crl.concerns:
                yield _line("CRL", _crl(crl))
        if not explanation.crls:
            yield _line("CRL", "none is configured for these CAs")
    tone = Tone.GOOD if auth.mtls_authenticated else Tone.BAD
    flag = "true" if auth.mtls_authenticated else "false"
    detail = f" ({auth.detail})" if auth.detail else ""
    yield _line("flag", f"mtls_authenticated is {flag}, verify is {auth.verify}{detail}", tone)


def _facts(certificate: CertificateFacts) -> Iterator[Line]:
    subject = certificate.subject or "without a subject"
    yield _line("certificate", f"{subject}, serial {certificate.serial_hex}")
    dates = f"from {time_text(certificate.not_before)} to {time_text(certificate.not_after)}"
    yield _line("", dates, Tone.ASIDE)
    yield _line("", f"SHA-256 {certificate.sha256.hex()}", Tone.ASIDE)


def _crl(use: CrlUse) -> str:
    crl = use.crl
    until = f"until {time_text(crl.next_update)}{', stale' if use.stale else ''}"
    finding = f"it has {', '.join(use.revoked)}" if use.revoked else "it has none of this chain"
    return f"{crl.source} of {crl.issuer_name}, {len(crl.serials)} revoked, {until}: {finding}"


def _applications(explanation: Explanation, written: Written) -> Iterator[Line]:
    covering = [each for each in explanation.applications if each.domains]
    for application, domains, governs in covering:
        why = (
            "the most specific one that covers the path" if governs else "less specific, has no part in this"
        )
        if governs and len(covering) == 1:
            why = "the only one that covers the path"
        if governs and application.report_only:
            why += "; it refuses nothing, and only reports"
        text = (
            f'"{application.name}" ({", ".join(domains)}), {why}{_written(written.application(application))}'
        )
        yield _line("application", text, Tone.PLAIN if governs else Tone.ASIDE)
    others = len(explanation.applications) - len(covering)
    if others:
        yield _line(
            "" if covering else "application", f"{others} on this host do not cover the path", Tone.ASIDE
        )
    if explanation.way.verdict is not None and not covering and explanation.way.site is not None:
        passes = explanation.way.site.host.unmatched_pass
        yield _line("unmatched", f"paths without an application {'pass' if passes else 'are denied'}")
    if explanation.way.application is not None and explanation.way.facts is None:
        yield _line("policies", "not asked: this host requires a good certificate", Tone.BAD)
    governing = explanation.way.application
    places = written.policies(governing) if explanation.policies and governing else ()
    for number, (trace, place) in enumerate(zip(explanation.policies, places, strict=True), 1):
        yield from _policy(number, trace, place, known=explanation.is_known)
    if explanation.way.token:
        yield _line("token", f"in the cookie: {explanation.way.token}")


_TONES = {
    Part.DECIDES: Tone.GOOD,
    Part.MISSES: Tone.PLAIN,
    Part.TOO_LATE: Tone.ASIDE,
    Part.REPORTS: Tone.ASIDE,
    Part.NO_IDENTITY: Tone.ASIDE,
}


def _policy(number: int, trace: PolicyTrace, place: Place, *, known: bool) -> Iterator[Line]:
    policy = trace.policy
    part = f": {trace.part.value}" if known else ""
    text = f'  policy {number}   "{policy.name}" {policy.decision.value}{part}{_written(place)}'
    yield Line(printable(text), _TONES[trace.part] if known else Tone.PLAIN)
    yield from _lists(trace.condition, "    ", known=known)


def _lists(condition: ConditionTrace, indent: str, *, known: bool) -> Iterator[Line]:
    for name, rules in (
        ("include", condition.include),
        ("require", condition.require),
        ("exclude", condition.exclude),
    ):
        for rule in rules:
            yield Line(printable(f"{indent}{name}  {_answer(rule) if known else rule.rule}"))
            if rule.inside is not None:
                yield from _lists(rule.inside, indent + "  ", known=known)


def _answer(rule: RuleTrace) -> str:
    seen = f": {rule.seen}" if rule.seen else ""
    return f"{rule.rule:<{_RULE_WIDTH}} {'hit' if rule.hit else 'miss'}{seen}"


def _outcome(explanation: Explanation) -> Iterator[Line]:
    outcome = explanation.outcome
    if not explanation.is_known:
        yield _line("therefore", "nobody can tell without the certificate: give it with --cert", Tone.BAD)
        return
    if outcome.reported is not None:
        yield _line("report only", _report(outcome.reported), Tone.BAD)
    if not outcome.allowed:
        where = "the handshake fails" if outcome.in_handshake else f"{outcome.status}"
        yield _line("therefore", f"refused: {where}, {outcome.reason}: {outcome.detail}", Tone.BAD)
        return
    if outcome.own_answer:
        yield _line("therefore", f"answered: {outcome.status}, {outcome.detail}", Tone.GOOD)
        return
    yield _line("therefore", f"allowed{': ' + outcome.detail if outcome.detail else ''}", Tone.GOOD)
    yield Line("")
    yield Line("The origin would get:")
    head = explanation.way.head
    if head is not None:
        yield Line(printable(f"  {head.method.decode()} {head.target.wire.decode('latin-1')} HTTP/1.1"))
    for name, value in explanation.origin_fields:
        yield Line(printable(f"  {name}: {value}"))
    if explanation.set_cookie:
        yield Line("The client would get, besides the origin's answer:")
        yield Line(printable(f"  Set-Cookie: {explanation.set_cookie}"))


def _report(reported: Reported) -> str:
    by = f' by "{reported.policy.name}"' if reported.policy is not None else ""
    if reported.reason is None:
        return f"enforced, it would be allowed{by}"
    return f"enforced, it would be refused{by}: {reported.reason.status}, {reported.word}: {reported.detail}"


def _recorded(recorded: Recorded, explanation: Explanation) -> Iterator[Line]:
    reason = f", {recorded.reason}: {recorded.detail}" if recorded.reason else ""
    reason += f", report only: would be {recorded.would_be}" if recorded.would_be else ""
    yield _line("recorded", f"{recorded.status}{reason}; verify was {recorded.verify}")
    if recorded.application:
        policy = f', policy "{recorded.policy}"' if recorded.policy else ""
        yield _line("", f'application "{recorded.application}"{policy}')
    if recorded.session:
        yield _line("", "a token stood in for the certificate; no token is in the log", Tone.ASIDE)
    if not explanation.is_known:
        return
    if recorded.agrees_with(explanation):
        yield _line("compared", "the same as now", Tone.GOOD)
    else:
        why = "the configuration or a CRL is another one by now, or the request had what no log has"
        yield _line("compared", f"not the same as now: {why}", Tone.BAD)


def _line(label: str, text: str, tone: Tone = Tone.PLAIN) -> Line:
    return Line(printable(f"{label:<{_LABEL_WIDTH}}{text}"), tone)


def _written(place: Place) -> str:
    return f"  [{place.file}]" if place.line is None else f"  [{place.file}:{place.line}]"


def _name(certificate: CertificateFacts) -> str:
    return f'"{certificate.common_name}"' if certificate.common_name else certificate.subject


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def time_text(seconds: float) -> str:
    """Return a moment as RFC 3339 has it; what no calendar has is the beginning or the end of time."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return "the beginning" if seconds < 0 else "the end"
