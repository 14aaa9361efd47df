"""One event, one line, whatever strangers put into it; and nobody writes to the terminal but us."""

from __future__ import annotations

import json
import os
import pty
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from edge.telemetry.logging import _json, configure, logger
from tests.property.http1_streams import unhurried

HOSTILE = [
    'x"}\n{"event": "forged"}',
    "a\r\nb",
    "\0",
    "\x1b[2J\x1b]0;title\x07",
    "\x85",
    "\u2028\u2029",
    "\u202egnp.exe",
    "\ud800",
    "\U0001f600",
    "\xfc",
    "",
    "x" * 100_000,
]


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


def written(tmp_path: Path, **event: Any) -> str:
    path = tmp_path / "log"
    with path.open("w", encoding="utf-8") as stream:
        configure(stream)
        logger().info("request", **event)
    return path.read_bytes().decode("utf-8")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_strangers_text_stays_in_its_line_and_its_value(tmp_path: Path, text: str) -> None:
    line = written(tmp_path, path=text, status=200)
    assert line.endswith("\n")
    assert len(line.splitlines()) == 1
    event = json.loads(line)
    assert event["event"] == "request"
    assert all(character.isprintable() for character in line[:-1])
    if text != "\ud800":
        assert event["path"] == text
        assert event["status"] == 200


@pytest.mark.parametrize(
    "value", [2**100, float("nan"), b"octets", {1: 2}, object(), ValueError("x\ny"), {"a"}]
)
def test_a_value_json_does_not_know_is_written_all_the_same(tmp_path: Path, value: object) -> None:
    line = written(tmp_path, odd=value)
    assert len(line.splitlines()) == 1
    assert "odd" in json.loads(line)


def test_an_event_has_its_level_and_its_time(tmp_path: Path) -> None:
    event = json.loads(written(tmp_path))
    assert event["level"] == "info"
    assert event["time"].endswith("Z")


def test_a_defect_is_written_with_its_traceback_in_one_line(tmp_path: Path) -> None:
    try:
        raise ZeroDivisionError("x\nforged")
    except ZeroDivisionError as defect:
        line = written(tmp_path, exc_info=defect)
    assert len(line.splitlines()) == 1
    assert "Traceback" in json.loads(line)["exception"]
    assert "test_logging.py" in json.loads(line)["exception"]


def test_what_is_below_info_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w", encoding="utf-8") as stream:
        configure(stream)
        logger().debug("noise")
    assert path.read_bytes() == b""


def test_a_line_is_written_at_once(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w", encoding="utf-8") as stream:
        configure(stream)
        logger().info("first")
        assert path.read_bytes().count(b"\n") == 1
        logger().info("second")
        assert path.read_bytes().count(b"\n") == 2


def test_lines_of_several_processes_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("a", encoding="utf-8") as stream:
        configure(stream)
        children = []
        for number in range(4):
            child = os.fork()
            if not child:
                for _ in range(50):
                    logger().info("request", number=number, filling="x" * 2000)
                os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 200
    assert all(len(json.loads(line)["filling"]) == 2000 for line in lines)


def shown(**event: Any) -> str:
    """What a person sees at a terminal."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal:
        configure(terminal)
        logger().info("request", **event)
        terminal.flush()
        octets = os.read(ours, 1 << 16)
    os.close(ours)
    return octets.decode("utf-8")


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "a\nforged", "a\r\nforged", "\x07", "\x9b2J", "\u202egnp.exe", "\0"]
)
def test_a_terminal_is_shown_control_characters_and_not_sent_them(text: str) -> None:
    seen = shown(path=text, nested=[text], octets=text.encode("utf-8"))
    assert seen.count("\n") == 1
    assert text not in seen
    assert "\x1b[2J" not in seen
    assert "\x07" not in seen


def test_plain_text_is_shown_as_it_is() -> None:
    assert "/a/\xfc" in shown(path="/a/\xfc")


@unhurried
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=5), st.one_of(st.text(), st.binary(), st.integers(), st.none())
    )
)
def test_any_event_is_one_line_of_json(event: dict[str, object]) -> None:
    line = _json(event).decode("utf-8")
    assert len((line + "\n").splitlines()) == 1
    assert json.loads(line).keys() == event.keys()
