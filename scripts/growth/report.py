"""Writes what was measured as Markdown, which is readable in a terminal as well."""

from __future__ import annotations

from collections.abc import Sequence

from comparison import numbers
from comparison.numbers import Spread
from comparison.report import NOTHING, significant

from growth.trial import MEASURED, Outcome, Started

Cells = list[str]


def markdown(outcome: Outcome, picture: str | None = None) -> str:
    """Return one table with its heading, what must be known to read it, and the chart at that address."""
    table = outcome.table
    counts = [f"{count:,}" for count, _ in table.steps]
    columns = [(table.quantity, counts), *_columns(outcome)]
    notes = "".join(f"\n\n{note}" for note in outcome.notes)
    shown = "" if picture is None else f"\n\n![{table.title}]({picture})"
    return f"### {table.title}\n\n{_as_table(columns)}{notes}{shown}\n"


def costs(outcome: Outcome, key: str) -> list[Spread | None]:
    """Return the CPU microseconds of the server for one answer, a spread for each step."""
    return [_times(numbers.costs(samples), 1e6) for samples in outcome.samples[key]]


def rates(outcome: Outcome, key: str) -> list[Spread | None]:
    """Return the answers of a second, a spread for each step."""
    return [numbers.rates(samples) for samples in outcome.samples[key]]


def compares_rates(outcome: Outcome) -> bool:
    """Tell whether it is the throughput that is asked for: more workers do not make an answer cheaper."""
    return outcome.table.key == "workers"


def _columns(outcome: Outcome) -> list[tuple[str, Cells]]:
    started = outcome.started
    columns = [
        ("start, s (CPU)", [_start(each) for each in started]),
        ("parent, MiB", [_mebibytes(each.parent) for each in started]),
        ("worker, MiB", [_mebibytes(each.worker) for each in started]),
        ("together, MiB", [_mebibytes(each.together) for each in started]),
    ]
    if any(each is not None for each in outcome.idle_octets):
        cells = [NOTHING if each is None else f"{each / 1024:.1f}" for each in outcome.idle_octets]
        columns.append(("KiB for an idle connection", cells))
    columns += [(f"{row.title}, µs", _cells(costs(outcome, row.key))) for row in MEASURED]
    if compares_rates(outcome):
        columns += [(f"{row.title}, /s", _cells(rates(outcome, row.key))) for row in MEASURED]
    return columns


def _start(started: Started) -> str:
    used = NOTHING if started.cpu_seconds is None else f"{started.cpu_seconds:.1f}"
    return f"{started.seconds:.1f} ({used})"


def _cells(spreads: Sequence[Spread | None]) -> Cells:
    return [
        NOTHING
        if each is None
        else f"{significant(each.median)} ({significant(each.low)}–{significant(each.high)})"
        for each in spreads
    ]


def _mebibytes(octets: int) -> str:
    return f"{octets / 2**20:,.0f}"


def _times(spread: Spread | None, factor: float) -> Spread | None:
    return None if spread is None else Spread(*(factor * v for v in (spread.median, spread.low, spread.high)))


def _as_table(columns: Sequence[tuple[str, Cells]]) -> str:
    lines = [[title for title, _ in columns], ["---"] * len(columns)]
    lines += [list(line) for line in zip(*(cells for _, cells in columns), strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
