"""Lines of the log are written whole or lost; nobody is kept from serving by who reads them."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import structlog

from edge.telemetry import logging
from edge.telemetry.lines import _KEPT, MAX_WAITING, Lines

LEVELS = ("debug", "info", "warning", "error", "critical", "exception", "msg")
PIPE = 65536
"""What a pipe of Linux holds."""


@contextmanager
def descriptor(kind: str) -> Iterator[int]:
    """A descriptor that takes nothing, for who takes it over."""
    if kind == "full":
        reading, writing = os.open("/dev/null", os.O_RDONLY), os.open("/dev/full", os.O_WRONLY)
    else:
        reading, writing = os.pipe()
    if kind == "slow":
        fill(writing)
    if kind == "closed":
        os.close(reading)
    try:
        yield writing
    finally:
        if kind != "closed":
            os.close(reading)


def fill(writing: int) -> None:
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)


def drain(reading: int) -> bytes:
    os.set_blocking(reading, False)
    octets = b""
    with suppress(BlockingIOError):
        while piece := os.read(reading, PIPE):
            octets += piece
    return octets


class Turns:
    """A loop's call_later, run by hand."""

    def __init__(self) -> None:
        self.later: list[Callable[[], None]] = []

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        assert seconds > 0
        self.later.append(callback)

    def turn(self) -> None:
        callbacks, self.later = self.later, []
        for callback in callbacks:
            callback()


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", ["closed", "full", "slow"])
def test_a_line_that_nobody_takes_is_no_error_and_not_waited_for(kind: str, level: str) -> None:
    with descriptor(kind) as writing:
        lines = Lines(writing)
        for _ in range(3):
            getattr(lines, level)(b"line")


def test_a_descriptor_that_is_gone_is_no_error() -> None:
    with descriptor("full") as writing:
        os.close(writing)
        lines = Lines(writing)
    lines.info(b"line")
    assert lines.lost == 1


@pytest.mark.parametrize("level", LEVELS)
def test_a_line_is_written_whole_with_its_end(tmp_path: Path, level: str) -> None:
    path = tmp_path / "log"
    getattr(Lines(os.open(path, os.O_WRONLY | os.O_CREAT)), level)(b"line")
    assert path.read_bytes() == b"line\n"


def test_a_socket_is_written_to_as_well() -> None:
    ours, theirs = socket.socketpair()
    lines = Lines(ours.detach())
    lines.info(b"line")
    assert theirs.recv(100) == b"line\n"
    theirs.setblocking(False)
    for _ in range(100):
        lines.info(b"x" * 100_000)  # never waits for who reads
    theirs.close()
    _KEPT.pop().close()


def test_what_a_pipe_shares_with_others_is_left_as_it_is() -> None:
    reading, writing = os.pipe()
    shared = os.dup(writing)
    Lines(writing).info(b"line")
    assert os.get_blocking(shared)
    os.close(shared)
    assert drain(reading) == b"line\n"
    os.close(reading)


def test_lines_wait_for_a_slow_reader_in_order_and_whole() -> None:
    reading, writing = os.pipe()
    fill(writing)
    lines, turns = Lines(writing), Turns()
    lines.defer(turns.after)
    said = [b"%05d " % number + b"x" * (number % 300) for number in range(2000)]
    for line in said:
        lines.info(line)
    turns.turn()
    assert turns.later
    got = drain(reading)
    while turns.later:
        turns.turn()
        got += drain(reading)
    assert got.lstrip(b"\0").splitlines() == said
    assert lines.lost == 0
    os.close(reading)


def test_every_piece_that_a_pipe_takes_ends_with_a_line() -> None:
    """Else the lines of two workers would mix: only PIPE_BUF octets go in one step."""
    reading, writing = os.pipe()
    other = os.dup(writing)
    lines = Lines(writing)
    turns = Turns()
    lines.defer(turns.after)
    for number in range(PIPE // 100):
        lines.info(b"a%04d" % number + b"." * 200)
    turns.turn()
    got = drain(reading)
    assert got.endswith(b"\n")
    os.write(other, b"somebody else\n")
    while turns.later:
        turns.turn()
        got += drain(reading)
    assert all(re.fullmatch(rb"a\d{4}\.{200}|somebody else", line) for line in got.splitlines())
    os.close(other)
    os.close(reading)


def test_a_line_longer_than_a_pipe_takes_at_once_arrives_whole() -> None:
    reading, writing = os.pipe()
    lines = Lines(writing)
    lines.error(b"x" * 50_000)
    lines.info(b"next")
    assert drain(reading) == b"x" * 50_000 + b"\nnext\n"
    os.close(reading)


def test_what_is_kept_for_a_slow_reader_is_bounded_and_the_rest_is_counted() -> None:
    with descriptor("slow") as writing:
        lines = Lines(writing)
        for _ in range(3):
            lines.info(b"x" * (MAX_WAITING // 2))
        assert lines.lost == 2
        lines.info(b"short")
        assert lines.lost == 2


def test_the_lines_of_one_moment_are_one_write(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines, turns = Lines(os.open(path, os.O_WRONLY | os.O_CREAT)), Turns()
    lines.defer(turns.after)
    lines.info(b"one")
    lines.info(b"two")
    assert path.read_bytes() == b""
    assert len(turns.later) == 1
    turns.turn()
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_child_does_not_write_its_parents_lines_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    lines, turns = Lines(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)), Turns()
    lines.defer(turns.after)
    lines.info(b"once")
    pid = os.fork()
    if pid == 0:
        lines.flush()
        os._exit(0)
    os.waitpid(pid, 0)
    lines.flush()
    assert path.read_bytes() == b"once\n"


# --- events ------------------------------------------------------------------------------------


def write(name: str, fields: dict[str, object]) -> None:
    """Write an event by the short way, a part of it prepared, the rest not."""
    events = logging.EventWriter()
    names = list(fields)
    half = len(names) // 2
    prepared = events.prepare(name, {each: fields[each] for each in names[:half]})
    events.write(prepared, logging.members({each: fields[each] for each in names[half:]}))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "log"
    with path.open("w") as stream:
        logging.configure(stream)
    yield path
    structlog.reset_defaults()


@pytest.mark.parametrize("kind", ["closed", "full"])
def test_an_event_that_nobody_takes_is_no_error(kind: str) -> None:
    with descriptor(kind) as writing, os.fdopen(writing, "w") as stream:
        logging.configure(stream)
        try:
            logging.logger().info("request", path="/")
            logging.logger().error("defect", exc_info=ValueError("x"))
            write("request", {"path": "/"})
        finally:
            structlog.reset_defaults()


def test_the_short_way_writes_what_the_logger_writes(log: Path) -> None:
    fields = {"path": "/\u2028", "status": 200, "huge": 2**100}
    logging.logger().info("request", **fields)
    write("request", fields)
    long, short = (json.loads(line) for line in log.read_text().splitlines())
    shape = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
    assert shape.fullmatch(long.pop("time"))
    assert shape.fullmatch(short.pop("time"))
    assert long == short


def test_lines_that_were_lost_are_told_of(log: Path) -> None:
    events = logging.EventWriter()
    lines = logging._Sink.lines
    assert lines is not None
    lines.lost = 7
    events.write(events.prepare("request", {}), b"")
    told, _ = (json.loads(line) for line in log.read_text().splitlines())
    assert (told["event"], told["count"]) == ("log_lines_lost", 7)


def test_lines_that_were_lost_stay_counted_after_they_were_told_of() -> None:
    with descriptor("full") as writing:
        lines = Lines(writing)
        for _ in range(3):
            lines.info(b"line")
        lines.lost = 0
        lines.info(b"line")
        assert (lines.lost, lines.lost_in_all) == (1, 4)


def test_a_child_counts_its_own_lost_lines_only() -> None:
    with descriptor("full") as writing:
        lines = Lines(writing)
        lines.info(b"line")
        assert lines.lost_in_all == 1
        lines._begin_anew()
        assert lines.lost_in_all == 0
