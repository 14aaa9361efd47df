"""Draws a measurement as SVG: answers over time, and the latency at every percentile. Light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from loadgen.histogram import Histogram

Point = tuple[float, float]

_WIDTH, _HEIGHT = 760, 620
_LEFT, _RIGHT = 76, 24
_PANEL = 190
_TOPS = (84, 366)
_MAX_POINTS = 600
_STYLE = """
    svg { background: var(--paper); color-scheme: light dark; --paper: #fff; --ink: #1c2430; --faint: #d5dbe3;
      --soft: #5b6675; --line: #1f6fd6; --second: #c2410c; }
    @media (prefers-color-scheme: dark) {
      svg { --paper: #12161c; --ink: #e6eaf0; --faint: #303844; --soft: #9aa6b5;
        --line: #6db1ff; --second: #ff9d5c; }
    }
    text { font: 12px system-ui, sans-serif; fill: var(--soft); }
    .title { font-size: 15px; font-weight: 600; fill: var(--ink); }
    .name { fill: var(--ink); font-weight: 600; }
    .grid { stroke: var(--faint); fill: none; }
    .throughput { stroke: var(--line); fill: none; stroke-width: 2; stroke-linejoin: round; }
    .latency { stroke: var(--second); fill: none; stroke-width: 2; stroke-linejoin: round; }
"""


def draw(title: str, unit: str, throughput: Sequence[Point], latencies: Histogram) -> str:
    """Return the SVG. ``throughput`` is (second, value in ``unit``)."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"  <title>{escape(title)}</title>",
        f"  <style>{_STYLE}  </style>",
        f'  <rect width="{_WIDTH}" height="{_HEIGHT}" fill="var(--paper)"/>',
        _text(_LEFT, 34, title, "title"),
        *_throughput(unit, throughput),
        *_latency(latencies),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def nice_ceiling(value: float) -> tuple[float, float]:
    """Return the end of an axis that holds a value, and the step of its marks: 1, 2 or 5 times 10^n."""
    if value <= 0:
        return 1.0, 0.5
    rough = value / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * (1 - 1e-9))
    return step * math.ceil(value / step * (1 - 1e-9)), step


def percentile_position(share: float) -> float:
    """Return where a share lies on the logarithmic axis: 0 for 0, 1 for 90 %, 2 for 99 %, 3 for 99.9 %."""
    return -math.log10(1 - share)


def latency_points(latencies: Histogram) -> list[Point]:
    """Return (position on the axis, milliseconds) of every bucket; the largest value is last.

    A share of 1 is infinitely far away: the last point stands where one in twice as many would.
    """
    count = latencies.count
    if not count:
        return []
    farthest = 1 - 1 / (2 * count)
    points = [
        (percentile_position(min(reached / count, farthest)), value / 1e6)
        for reached, value in latencies.curve()
    ]
    return [*points, (percentile_position(farthest), latencies.largest / 1e6)]


def _throughput(unit: str, points: Sequence[Point]) -> list[str]:
    top = _TOPS[0]
    highest, step = nice_ceiling(max((value for _, value in points), default=0))
    last = max((second for second, _ in points), default=1.0) or 1.0
    end, second_step = nice_ceiling(last)
    parts = [_text(_LEFT, top - 12, unit, "name"), *_horizontal(top, highest, step)]
    for number in range(round(end / second_step) + 1):
        second = number * second_step
        if second <= last:
            parts.append(_text(_x(second / last), top + _PANEL + 18, f"{second:g} s", anchor="middle"))
    places = [(_x(second / last), _y(top, value / highest)) for second, value in points]
    return [*parts, _line(places, "throughput")]


def _latency(latencies: Histogram) -> list[str]:
    top = _TOPS[1]
    points = latency_points(latencies)
    highest, step = nice_ceiling(max((value for _, value in points), default=0))
    farthest = max((position for position, _ in points), default=1.0) or 1.0
    parts = [_text(_LEFT, top - 12, "latency in ms, by percentile", "name"), *_horizontal(top, highest, step)]
    for label, position in [("0", 0.0), ("50", percentile_position(0.5)), *_nines()]:
        if position <= farthest:
            x = _x(position / farthest)
            parts.append(f'  <path class="grid" d="M{x:.1f} {top}V{top + _PANEL}"/>')
            parts.append(_text(x, top + _PANEL + 18, f"{label} %", anchor="middle"))
    every = max(len(points) // _MAX_POINTS, 1)
    kept = points[::every] + points[-1:]
    return [*parts, _line([(_x(p / farthest), _y(top, value / highest)) for p, value in kept], "latency")]


def _nines() -> list[tuple[str, float]]:
    return [("90", 1.0), ("99", 2.0), *((f"99.{'9' * nines}", 2.0 + nines) for nines in range(1, 7))]


def _horizontal(top: int, highest: float, step: float) -> list[str]:
    parts = []
    for number in range(round(highest / step) + 1):
        y = _y(top, number * step / highest)
        parts.append(f'  <path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(_text(_LEFT - 8, y + 4, f"{number * step:,.6g}", anchor="end"))
    return parts


def _x(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(top: int, share: float) -> float:
    return top + (1 - share) * _PANEL


def _line(places: Sequence[Point], kind: str) -> str:
    return f'  <polyline class="{kind}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in places)}"/>'


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'  <text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'
