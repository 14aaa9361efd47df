"""Turns the outcome of a measurement into a table for people and a document for programs."""

from __future__ import annotations

from typing import Any

from loadgen.plan import Plan
from loadgen.processes import Outcome, Second
from loadgen.tally import Tally

PERCENTILES = {"p50_us": 0.5, "p90_us": 0.9, "p99_us": 0.99, "p999_us": 0.999}
_BUSY = 0.95


def as_document(plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """Return everything that was measured. Latencies are microseconds, a MB is a million octets."""
    total = outcome.total
    idle = plan.mode == "idle"
    seconds = outcome.held if idle else outcome.seconds
    document: dict[str, Any] = {
        "mode": plan.mode,
        "tls": plan.tls,
        "connections": plan.connections,
        "processes": plan.processes,
        "seconds": round(seconds, 3),
        "answers": total.answers,
        "per_second": 0.0 if idle else _rate(total.answers, seconds),
        "mb_per_second": 0.0 if idle else round(total.octets / 1e6 / seconds, 3) if seconds else 0.0,
        **_latencies(total),
        "handshakes": total.handshakes,
        "resumed": total.resumed,
        "statuses": dict(sorted(total.statuses.items())),
        "errors": total.errors,
        "interrupted": outcome.interrupted,
        "generator_busy": round(total.processor_seconds / (total.wall_seconds or 1.0), 3),
    }
    if plan.mode == "rate":
        document |= {"rate": plan.rate, "queued": total.queued, "unanswered": total.unanswered}
    if idle:
        document |= _idle(outcome)
    else:
        document["series"] = [_second(number, second) for number, second in series(plan, outcome)]
    if outcome.server_processor_seconds is not None:
        used = outcome.server_processor_seconds
        document["server_processor_seconds"] = round(used, 2)
        document["server_us_per_answer"] = round(used / total.answers * 1e6, 1) if total.answers else None
    return document


def series(plan: Plan, outcome: Outcome) -> list[tuple[int, Second]]:
    """Return the seconds that were measured, with their numbers; late answers belong to none of them."""
    return [
        (index, second)
        for index, second in sorted(outcome.seconds_told.items())
        if 0 <= index < plan.seconds and second.seconds > 0.05
    ]


def as_table(document: dict[str, Any]) -> str:
    """Return the same for a person, without the series, and with what to beware of."""
    rows = {name: value for name, value in document.items() if name not in {"series", "interrupted"}}
    width = max(map(len, rows)) + 2
    lines = [f"{name:<{width}}{_cell(value)}" for name, value in rows.items()]
    return "\n".join([*lines, *(f"note: {text}" for text in warnings(document))])


def warnings(document: dict[str, Any]) -> list[str]:
    """Return what makes the figures mean something else than they seem to."""
    found = []
    if document["interrupted"]:
        found.append("interrupted: the figures are of the time until then")
    if document["generator_busy"] > _BUSY:
        found.append("the load generator itself was busy all the time: add --processes, or believe it less")
    if document["mode"] == "resumed" and document["resumed"] < document["handshakes"]:
        full = document["handshakes"] - document["resumed"]
        found.append(
            f"{full} of {document['handshakes']} handshakes were full ones: the server did not resume"
        )
    if document.get("unanswered"):
        found.append(
            f"{document['unanswered']} requests had no answer at the end; their wait until then counts"
        )
    return found


def _rate(count: int, seconds: float) -> float:
    return round(count / seconds, 1) if seconds else 0.0


def _latencies(tally: Tally) -> dict[str, int]:
    histogram = tally.latencies
    found = {name: round(histogram.percentile(share) / 1e3) for name, share in PERCENTILES.items()}
    return {"mean_us": round(histogram.mean / 1e3), **found, "max_us": round(histogram.largest / 1e3)}


def _second(number: int, second: Second) -> dict[str, Any]:
    tally = second.tally
    return {
        "second": number,
        "per_second": _rate(tally.answers, second.seconds),
        "mb_per_second": round(tally.octets / 1e6 / second.seconds, 3),
        "p50_us": round(tally.latencies.percentile(0.5) / 1e3),
        "p99_us": round(tally.latencies.percentile(0.99) / 1e3),
        "errors": sum(tally.errors.values()),
    }


def _idle(outcome: Outcome) -> dict[str, Any]:
    found: dict[str, Any] = {
        "open_at_end": outcome.opened,
        "closed_while_idle": outcome.total.closed_while_idle,
    }
    before, after = outcome.memory_before, outcome.memory_after
    if before is not None and after is not None:
        found["server_memory_before"] = before
        found["server_memory_after"] = after
        found["octets_per_connection"] = round((after - before) / outcome.opened) if outcome.opened else None
    return found


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {count:,}" for name, count in value.items()) or "none"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)
