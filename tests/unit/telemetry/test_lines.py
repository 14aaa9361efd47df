"""A line of the log is written at once and whole, or it is lost; nobody is kept from serving by it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import structlog

from edge.telemetry.logging import _Lines, configure, logger

LEVELS = ("debug", "info", "warning", "error", "critical", "exception", "msg")


@contextmanager
def descriptor(kind: str) -> Iterator[int]:
    """A descriptor that takes nothing."""
    if kind == "full":
        reading, writing = os.open("/dev/null", os.O_RDONLY), os.open("/dev/full", os.O_WRONLY)
    else:
        reading, writing = os.pipe()
    if kind == "closed":
        os.close(reading)
    if kind == "slow":
        os.set_blocking(writing, False)
        with suppress(BlockingIOError):
            while True:
                os.write(writing, bytes(65536))
    yield writing
    os.close(writing)
    if kind != "closed":
        os.close(reading)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", ["closed", "full", "slow"])
def test_a_line_that_nobody_takes_is_lost_and_no_error(kind: str, level: str) -> None:
    with descriptor(kind) as writing:
        lines = _Lines(writing)
        for _ in range(3):
            getattr(lines, level)(b"line")


def test_a_descriptor_that_is_gone_is_no_error() -> None:
    with descriptor("full") as writing:
        lines = _Lines(os.dup(writing))
        os.close(lines._descriptor)
    lines.info(b"line")


@pytest.mark.parametrize("level", LEVELS)
def test_a_line_is_written_whole_with_its_end(tmp_path: Path, level: str) -> None:
    path = tmp_path / "log"
    with path.open("wb") as stream:
        getattr(_Lines(stream.fileno()), level)(b"line")
        assert path.read_bytes() == b"line\n"


@pytest.mark.parametrize("kind", ["closed", "full"])
def test_an_event_that_nobody_takes_is_no_error(kind: str) -> None:
    with descriptor(kind) as writing, os.fdopen(os.dup(writing), "w") as stream:
        configure(stream)
        try:
            logger().info("request", path="/")
            logger().error("defect", exc_info=ValueError("x"))
        finally:
            structlog.reset_defaults()
