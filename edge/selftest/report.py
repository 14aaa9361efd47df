"""A report in words and as a document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edge.selftest.case import Case, Finding, Outcome
from edge.selftest.run import Report

SCHEMA_VERSION = 1
_WORDS = {
    Outcome.HELD: "held",
    Outcome.HOLE: "HOLE",
    Outcome.NOT_APPLICABLE: "does not apply",
    Outcome.COULD_NOT_TELL: "could not tell",
}
_WIDTH = max(map(len, _WORDS.values()))


def document_of(report: Report) -> dict[str, Any]:
    """Return the report as plain values."""
    scene = report.scene
    return {
        "schema_version": SCHEMA_VERSION,
        "url": scene.aim.url.text,
        "endpoint": str(scene.aim.endpoint),
        "seconds": round(report.seconds, 1),
        "baseline": {
            "with_certificate": _status(report),
            "without_certificate": "let in"
            if scene.protected.refused is None
            else printable(str(scene.protected.refused)),
            "other_host": None if scene.other is None else scene.other.host.authority,
            "echo_target": scene.echo_target,
        },
        "totals": {outcome.value: report.count(outcome) for outcome in Outcome},
        "cases": [
            {
                "id": case.id,
                "class": case.family.value,
                "severity": case.severity.value,
                "outcome": finding.outcome.value,
                "sends": case.sends,
                "must_not": case.must_not,
                "sent": printable(finding.sent),
                "came": printable(finding.came),
                "documentation": case.link,
            }
            for case, finding in report.findings
        ],
    }


def lines_of(report: Report) -> Iterator[tuple[str, Outcome | None]]:
    """Return lines, each with the outcome it is about: the cases by class, then the holes at length."""
    scene = report.scene
    refused = "let in" if scene.protected.refused is None else f"refused: {scene.protected.refused}"
    yield f"{scene.aim.url.text} at {scene.aim.endpoint}", None
    yield f"with your certificate: {_status(report)}; without: {printable(refused)}", None
    family = None
    for case, finding in report.findings:
        if case.family is not family:
            family = case.family
            yield "", None
            yield family.value, None
        why = "" if finding.outcome in (Outcome.HELD, Outcome.HOLE) else f"  {_remark(finding)}"
        yield f"  {_WORDS[finding.outcome]:<{_WIDTH}}  {case.id}{why}", finding.outcome
    holes = [(case, finding) for case, finding in report.findings if finding.outcome is Outcome.HOLE]
    for case, finding in holes:
        yield "", None
        yield from _told(case, finding)
    yield "", None
    yield _sum(report), Outcome.HOLE if holes else Outcome.HELD


def printable(text: str) -> str:
    """Return text with everything escaped that could do something to a terminal: what came is hostile."""
    return "".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode("ascii") for c in text)


def _status(report: Report) -> int | None:
    allowed = report.scene.protected.allowed
    return None if allowed is None else allowed.status


def _remark(finding: Finding) -> str:
    return printable(f"{finding.sent}: {finding.came}" if finding.sent else finding.came)


def _told(case: Case, finding: Finding) -> Iterator[tuple[str, Outcome | None]]:
    yield f"HOLE {case.id} ({case.severity.value})", Outcome.HOLE
    yield f"  sent: {printable(finding.sent or case.sends)}", None
    yield f"  came: {printable(finding.came)}", None
    yield f"  why it matters: {case.must_not}", None
    yield f"  see {case.link}", None


def _sum(report: Report) -> str:
    parts = [f"{report.count(outcome)} {_WORDS[outcome]}" for outcome in Outcome]
    return f"{len(report.findings)} cases in {report.seconds:.1f} s: {', '.join(parts)}"
