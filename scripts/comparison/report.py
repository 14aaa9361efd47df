"""Writes the results as Markdown, which is readable in a terminal as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from comparison import numbers
from comparison.contest import Results, Scale
from comparison.numbers import Spread
from comparison.rows import ROWS, Row

NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the figures depend on beside the servers."""

    machine: str
    python: str
    cores: str
    origin: str


def choose_base(names: Sequence[str], wanted: str) -> str | None:
    """Return the server that all are divided by: the wanted one, else the first that was measured."""
    return wanted if wanted in names else next(iter(names), None)


def markdown(results: Results, base: str, scale: Scale, around: Surroundings) -> str:
    """Return the whole report."""
    return "\n\n".join(
        (
            *(f"**NOT MEASURED: {name}**: {why}." for name, why in results.not_measured.items()),
            f"Ratios to {base}: median (smallest–largest); rounds: {scale.rounds}, {scale.seconds:g} s each.",
            table(results, [_ratio(results, row, base) for row in ROWS], memory=True),
            "Operations per second, median.",
            table(results, [_rate(results, row) for row in ROWS]),
            "CPU time of the server for one operation, median, and its share of its core: where that is far"
            " below 100 %, the client or the origin was the limit, and the CPU time compares better.",
            table(results, [_cost(results, row) for row in ROWS]),
            "\n".join(f"- {line}" for line in (*_conditions(results, around), *results.notes)),
        )
    )


def table(results: Results, columns: Sequence[dict[str, str]], *, memory: bool = False) -> str:
    """Return a Markdown table: a line a server, a column a row of the measurement."""
    titles = ["server", *(row.title for row in ROWS)]
    lines = [[name, *(column[name] for column in columns)] for name in results.names]
    if memory:
        titles.append("KiB for an idle connection")
        for line in lines:
            grown = results.idle_bytes.get(line[0])
            line.append(NOTHING if grown is None else f"{grown / 1024:.1f}")
    widths = [max(map(len, column)) for column in zip(titles, *lines, strict=True)]
    rows = [titles, ["-" * width for width in widths], *lines]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    )


def significant(value: float) -> str:
    """Return a number as people read it: three digits, none behind the point of big ones."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(results: Results, row: Row, base: str) -> dict[str, str]:
    samples = results.samples[row.key]
    spreads = {name: numbers.ratios(samples[name], samples[base]) for name in results.names}
    texts = {name: NOTHING if s is None else spread_text(s) for name, s in spreads.items()}
    return texts if texts[base] == NOTHING else {**texts, base: "1"}


def spread_text(spread: Spread) -> str:
    """Return ``1.52 (1.41–1.60)``."""
    return f"{spread.median:.2f} ({spread.low:.2f}–{spread.high:.2f})"


def _rate(results: Results, row: Row) -> dict[str, str]:
    spreads = {name: numbers.rates(results.samples[row.key][name]) for name in results.names}
    return {
        name: NOTHING if s is None else f"{significant(s.median)}{row.unit}" for name, s in spreads.items()
    }


def _cost(results: Results, row: Row) -> dict[str, str]:
    cells = {}
    for name in results.names:
        cost, busy = (f(results.samples[row.key][name]) for f in (numbers.costs, numbers.busy))
        cells[name] = (
            NOTHING
            if cost is None or busy is None
            else f"{significant(cost.median * 1e6)} µs ({busy.median:.0%})"
        )
    return cells


def _conditions(results: Results, around: Surroundings) -> list[str]:
    return [
        *(f"{name}: {software}" for name, software in results.software.items()),
        f"edge runs on {around.python}",
        f"{around.machine}; {around.cores}; origin: {around.origin}",
        "TLS 1.3, TLS_AES_128_GCM_SHA256, X25519, P-256 certificates signed by their roots; the client's is"
        " verified; access logs go to files",
    ]
