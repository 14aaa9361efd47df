"""Draws the ratios as bars with their spread: one SVG without scripts, readable in light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from comparison.numbers import Spread

_LEFT, _WIDTH, _RIGHT = 130.0, 520.0, 110.0
_BAR, _GAP, _HEADING, _TOP = 16.0, 6.0, 30.0, 44.0
_STYLE = """\
text { font: 12px system-ui, sans-serif; fill: #222 }
.title { font-size: 15px; font-weight: 600 } .heading { font-weight: 600 }
.back { fill: #fff } .bar { fill: #8aa8c8 } .edge { fill: #d9822b }
.spread { stroke: #222; stroke-width: 1.5 } .one { stroke: #888; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
text { fill: #ddd } .back { fill: #181a1d } .bar { fill: #4f6f92 } .spread { stroke: #ddd } }
"""


@dataclass(frozen=True, slots=True)
class Group:
    """The bars of one row: names and ratios."""

    title: str
    bars: Sequence[tuple[str, Spread]]


def draw(groups: Sequence[Group], base: str) -> str:
    """Return the SVG. Every bar ends at the median; the line through its end spans smallest and largest."""
    highest = max((spread.high for group in groups for _, spread in group.bars), default=1.0)
    scale = _WIDTH / max(highest, 1.0)
    height = _TOP + sum(_HEADING + len(group.bars) * (_BAR + _GAP) for group in groups) + _GAP
    width = _LEFT + _WIDTH + _RIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">',
        f"<title>Ratios to {escape(base)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="back" width="{width:g}" height="{height:g}"/>',
        _text(10, 24, f"Throughput divided by that of {base}; more is better", "title"),
    ]
    y = _TOP
    for group in groups:
        parts.append(_text(10, y + 16, group.title, "heading"))
        y += _HEADING
        for name, spread in group.bars:
            parts += _bar(y, name, spread, scale)
            y += _BAR + _GAP
    one = _LEFT + scale
    parts.append(f'<line class="one" x1="{one:.1f}" y1="{_TOP:g}" x2="{one:.1f}" y2="{height:g}"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bar(y: float, name: str, spread: Spread, scale: float) -> list[str]:
    middle = y + _BAR / 2
    low, high = _LEFT + spread.low * scale, _LEFT + spread.high * scale
    length = spread.median * scale
    kind = "edge" if name == "edge" else "bar"
    return [
        _text(10, middle + 4, name),
        f'<rect class="{kind}" x="{_LEFT:g}" y="{y:g}" width="{length:.1f}" height="{_BAR:g}"/>',
        f'<line class="spread" x1="{low:.1f}" y1="{middle:g}" x2="{high:.1f}" y2="{middle:g}"/>',
        _text(high + 8, middle + 4, f"{spread.median:.2f}"),
    ]


def _text(x: float, y: float, text: str, kind: str = "label") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
