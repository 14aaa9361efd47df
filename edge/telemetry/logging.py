"""One JSON line an event on standard error; pretty where a person watches.

Values come from strangers (paths, names in certificates, SNI). JSON escapes control characters, and
the pretty form uses ``repr``: nobody writes into the log but us. Secrets never get here: the events'
own code names what is logged, field by field.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import TextIO

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

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
        structlog.configure(
            processors=[*shared, _printable, structlog.dev.ConsoleRenderer()],
            wrapper_class=structlog.make_filtering_bound_logger("info"),
            logger_factory=structlog.WriteLoggerFactory(file=target),
            cache_logger_on_first_use=True,
        )
        return
    lines = _Lines(os.dup(target.fileno()))
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


class _Lines:
    """A logger of finished lines, for structlog.

    No buffer: one write a line, so that lines of several processes do not mix. No errors either: who
    reads the log may be gone, or its disk full, and the edge serves on.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def msg(self, line: bytes) -> None:
        """Write one line, or lose it."""
        with suppress(OSError):
            os.write(self._descriptor, line + b"\n")

    debug = info = warning = error = critical = exception = msg


def _printable(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Show control characters of strangers' text instead of sending them to the terminal."""
    return {
        key: value if not isinstance(value, str) or value.isprintable() else ascii(value)
        for key, value in event.items()
    }
