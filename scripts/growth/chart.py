"""Draws one table as lines over its steps: an SVG without scripts, readable in light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from comparison.numbers import Spread

Line = tuple[str, Sequence[Spread | None]]

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 400, 76, 190, 64, 50
_LEAST_BETWEEN_NAMES = 15.0
_COLOURS = 4
_STYLE = """
    svg { background: var(--paper); color-scheme: light dark; --paper: #fff; --ink: #1c2430; --faint: #d5dbe3;
      --soft: #5b6675; --c0: #1f6fd6; --c1: #c2410c; --c2: #15803d; --c3: #7e22ce; }
    @media (prefers-color-scheme: dark) {
      svg { --paper: #12161c; --ink: #e6eaf0; --faint: #303844; --soft: #9aa6b5;
        --c0: #6db1ff; --c1: #ff9d5c; --c2: #5fd38a; --c3: #c792ff; }
    }
    text { font: 12px system-ui, sans-serif; fill: var(--soft); }
    .title { font-size: 15px; font-weight: 600; fill: var(--ink); }
    .grid { stroke: var(--faint); }
    .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
"""


def draw(title: str, unit: str, quantity: str, steps: Sequence[int], lines: Sequence[Line]) -> str:
    """Return the SVG. The axis of the values is logarithmic; bars span smallest and largest."""
    values = [value for _, spreads in lines for each in spreads if each for value in (each.low, each.high)]
    low, high = decades(values)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"  <title>{escape(title)}</title>",
        f"  <style>{_STYLE}  </style>",
        f'  <rect width="{_WIDTH}" height="{_HEIGHT}" fill="var(--paper)"/>',
        _text(_LEFT, 26, title, "title"),
        _text(_LEFT, 48, unit),
        *_grid(low, high),
        *(
            _text(_x(index, len(steps)), _HEIGHT - _BOTTOM + 20, f"{step:,}", anchor="middle")
            for index, step in enumerate(steps)
        ),
        _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, quantity, anchor="middle"),
        *_lines(lines, low, high),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def decades(values: Sequence[float]) -> tuple[int, int]:
    """Return the powers of ten between which all positive values lie.

    >>> decades([20.0, 1500.0])
    (1, 4)
    """
    positive = [value for value in values if value > 0] or [1.0]
    low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    return low, max(high, low + 1)


def _grid(low: int, high: int) -> list[str]:
    parts = []
    for power in range(low, high + 1):
        y = _y(10.0**power, low, high)
        parts.append(f'  <path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(_text(_LEFT - 8, y + 4, f"{10.0**power:,g}", anchor="end"))
    return parts


def _lines(lines: Sequence[Line], low: int, high: int) -> list[str]:
    parts, ends = [], []
    for number, (name, spreads) in enumerate(lines):
        colour = f"var(--c{number % _COLOURS})"
        places = []
        for index, each in enumerate(spreads):
            if each is None or each.low <= 0:
                continue
            x, y = _x(index, len(spreads)), _y(each.median, low, high)
            places.append((x, y))
            top, bottom = _y(each.high, low, high), _y(each.low, low, high)
            parts.append(f'  <path stroke="{colour}" d="M{x:.1f} {top:.1f}V{bottom:.1f}"/>')
            parts.append(f'  <circle fill="{colour}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>')
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'  <polyline class="line" stroke="{colour}" points="{points}"/>')
        if places:
            ends.append((places[-1][1], name, colour))
    y_before = -math.inf
    for y, name, colour in sorted(ends):
        y_before = max(y, y_before + _LEAST_BETWEEN_NAMES)
        place = f'x="{_WIDTH - _RIGHT + 12}" y="{y_before + 4:.1f}"'
        parts.append(f'  <text {place} style="fill: {colour}">{escape(name)}</text>')
    return parts


def _x(index: int, count: int) -> float:
    width = _WIDTH - _LEFT - _RIGHT
    return _LEFT + width * (index + 0.5) / count


def _y(value: float, low: int, high: int) -> float:
    share = (math.log10(value) - low) / (high - low)
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'  <text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'
