"""The status page for people: one template, filled from the same facts as the JSON.

Names of certificates, paths and hosts in it are strangers' text: the template engine escapes everything.
The page asks for itself once a second and takes over what has changed, so there is one place that writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FILES = Path(__file__).parent / "page"
"""The template, and what it loads."""
_WIDTH, _HEIGHT = 160.0, 36.0
_DAY_SECONDS = 86400
_SOON_DAYS = 30


class Page:
    """The page; its template is read once."""

    def __init__(self) -> None:
        environment = Environment(
            loader=FileSystemLoader(FILES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        environment.filters.update(utc=utc, span=span, line=line, rate=rate)
        self._template = environment.get_template("status.html")

    def render(self, status: Mapping[str, Any]) -> bytes:
        """Return the page for what ``/status`` tells as JSON."""

        def since(moment: float) -> str:
            return span(status["time"] - moment)

        def until(moment: float) -> str:
            return span(moment - status["time"])

        def ends(moment: float) -> str:
            """How urgent the end of something is: a class of the style sheet."""
            days = (moment - status["time"]) / _DAY_SECONDS
            return "bad" if days <= 0 else "soon" if days < _SOON_DAYS else "good"

        page = self._template.render(s=status, since=since, until=until, ends=ends)
        return page.encode("utf-8", "backslashreplace")


def utc(moment: float) -> str:
    """Return a time as people read it, to the second, in UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """Return a length of time in its largest unit; what is negative is over."""
    size = abs(seconds)
    for unit, length in (("d", _DAY_SECONDS), ("h", 3600), ("min", 60)):
        if size >= 2 * length:
            return f"{'−' if seconds < 0 else ''}{int(size // length)} {unit}"
    return f"{'−' if seconds < 0 else ''}{int(size)} s"


def rate(number: float) -> str:
    """Return a rate with as many digits as say something."""
    return f"{number:.0f}" if number >= 100 or number == 0 else f"{number:.1f}"


def line(values: Sequence[float]) -> str:
    """Return the points of a small graph, the newest value at its right end."""
    if len(values) < 2:
        return ""
    top = max(*values, 1e-9)
    step = _WIDTH / 59
    left = _WIDTH - step * (len(values) - 1)
    return " ".join(
        f"{left + step * number:.1f},{_HEIGHT - 2 - (_HEIGHT - 4) * value / top:.1f}"
        for number, value in enumerate(values)
    )
