"""One JSON line an event on standard error; pretty where a person watches.

Values come from strangers (paths, names in certificates, SNI). JSON escapes control characters, and
the pretty form uses ``repr``: nobody writes into the log but us. Secrets never get here: the events'
own code names what is logged, field by field.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from typing import TextIO

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from edge.telemetry.lines import After, Lines

MAX_TEXT = 200
"""Characters of a stranger's text that are kept in an event."""


def configure(stream: TextIO | None = None) -> None:
    """Set structlog up for this process; call it once, before the first logger is used."""
    target = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    if target.isatty():
        _Sink.lines = None
        structlog.configure(
            processors=[*shared, _printable, structlog.dev.ConsoleRenderer()],
            wrapper_class=structlog.make_filtering_bound_logger("info"),
            logger_factory=structlog.WriteLoggerFactory(file=target),
            cache_logger_on_first_use=True,
        )
        return
    lines = _Sink.lines = Lines(os.dup(target.fileno()))
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.format_exc_info,  # a defect without its traceback helps nobody
            structlog.processors.JSONRenderer(serializer=_json),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )


def logger() -> FilteringBoundLogger:
    """Return the process's logger, assembled: the lazy one would assemble itself for every event."""
    log: FilteringBoundLogger = structlog.get_logger().bind()
    return log


class _Sink:
    """Where this process's lines go; None while a person watches."""

    lines: Lines | None = None


def defer(after: After) -> None:
    """Let lines go together from now on, a moment later. ``after`` is the loop's call_later."""
    if _Sink.lines is not None:
        _Sink.lines.defer(after)


def lines_lost() -> int:
    """Return how many lines of this process nobody took."""
    return 0 if _Sink.lines is None else _Sink.lines.lost_in_all


def flush() -> None:
    """Write what is waiting: this process ends."""
    if _Sink.lines is not None:
        _Sink.lines.flush()


class EventWriter:
    """The short way for the event of every request: the logger's own takes a tenth of a request.

    What an event of one kind always says is made into text once (``prepare``).
    """

    __slots__ = ("_lines", "_prefix", "_second")

    def __init__(self) -> None:
        self._lines = _Sink.lines
        self._second = -1
        self._prefix = b""
        """The member for the time of the event, up to its second, as structlog's stamper writes it."""

    def prepare(self, name: str, fields: Mapping[str, object]) -> bytes:
        """Return the beginning of an event of level info, for ``write``."""
        return _json({"event": name, "level": "info", **fields})[:-1]

    def write(self, prepared: bytes, rest: bytes) -> None:
        """Write one event. ``rest`` is what ``members`` makes, or ASCII text of the same form."""
        lines = self._lines
        if lines is None:
            event = orjson.loads(b"%b%b}" % (prepared, rest))
            del event["level"]
            logger().info(event.pop("event"), **event)
            return
        if lines.lost:
            lost, lines.lost = lines.lost, 0
            logger().warning("log_lines_lost", count=lost)
        second, fraction = divmod(time.time_ns() // 1000, 1_000_000)
        if second != self._second:
            self._second = second
            self._prefix = time.strftime(',"time":"%Y-%m-%dT%H:%M:%S.', time.gmtime(second)).encode("ascii")
        lines.add(b"".join((prepared, rest, self._prefix, b'%06dZ"}\n' % fraction)))


def members(fields: Mapping[str, object]) -> bytes:
    """Return fields as the rest of an event."""
    return b"," + _json(dict(fields))[1:-1] if fields else b""


def _json(event: EventDict, **_: object) -> bytes:
    try:
        line = orjson.dumps(event, default=str)
    except TypeError:  # an integer beyond 64 bits, a lone surrogate: the event matters more than its form
        line = orjson.dumps({key: _plain(value) for key, value in event.items()})
    return line if line.isascii() else _visible(line.decode("utf-8")).encode("utf-8")


def _plain(value: object) -> str:
    """Return text as it is but for lone surrogates: an event must still be found by its name."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return ascii(value)


def _visible(text: str) -> str:
    """Escape more than JSON asks for: U+0085 and U+2028 end a line to many readers, U+202E turns it round."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def _printable(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Show control characters of strangers' text instead of sending them to the terminal."""
    return {
        key: value if not isinstance(value, str) or value.isprintable() else ascii(value)
        for key, value in event.items()
    }
