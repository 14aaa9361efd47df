from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.config.errors import Place
from edge.config.text import Problem, Text
from edge.config.values import (
    read_directory,
    read_drain_timeout,
    read_duration,
    read_host,
    read_host_pattern,
    read_name,
    read_rule,
    read_session_duration,
    read_text,
    read_timeout,
)

READERS: list[Callable[[object], object]] = [
    read_directory, read_drain_timeout, read_duration, read_host, read_host_pattern, read_name,
    read_session_duration, read_text, read_timeout,
]  # fmt: skip


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("value", [None, 3, 1.5, True, [], {}, b"a"])
def test_what_is_not_text_is_refused_everywhere(read: Callable[[object], object], value: object) -> None:
    with pytest.raises(Problem):
        read(value)


@pytest.mark.parametrize(
    ("read", "good", "bad"),
    [
        (read_duration, {"0s": 0, "0": 0, "1h30m": 5400, "500ms": 0.5}, ["", "5", "5 s", "-1s", "1d", "٣s"]),
        (read_timeout, {"1ms": 0.001, "24h": 86400}, ["0s", "1us", "24h1s", "9" * 400 + "h"]),
        (read_drain_timeout, {"0s": 0, "24h": 86400}, ["25h"]),
        (read_session_duration, {"0s": 0, "1s": 1, "744h": 2678400}, ["1ms", "999ms", "745h"]),
    ],
)  # fmt: skip
def test_durations_are_seconds_within_their_range(
    read: Callable[[object], float], good: dict[str, float], bad: list[str]
) -> None:
    assert {text: read(text) for text in good} == good
    for text in bad:
        with pytest.raises(Problem):
            read(text)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("WWW.Example.com.", "www.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("192.0.2.1", "192.0.2.1"),
        ("[0:0::1]", "::1"),
        ("::1", "::1"),
    ],
)
def test_a_host_name_becomes_canonical(text: str, canonical: str) -> None:
    assert read_host(text) == read_host_pattern(text) == canonical


def test_only_a_pattern_may_be_a_wildcard() -> None:
    assert read_host_pattern("*.Example.com") == "*.example.com"
    with pytest.raises(Problem, match="is a wildcard"):
        read_host("*.example.com")


@pytest.mark.parametrize(
    "text",
    ["", ".", "a..b", "a b", "a:80", "https://a", "a/b", "*", "*.", "a.*.b", "*a.b", "*.1.2.3.4", "1.2.3",
     "[a]", "a\n", "-a.b", "x" * 64, "::1%eth0"],
)  # fmt: skip
def test_what_is_no_host_name_is_refused(text: str) -> None:
    with pytest.raises(Problem):
        read_host_pattern(text)
    with pytest.raises(Problem):
        read_host(text)


@pytest.mark.parametrize("text", ["", " ", " a", "a ", "a\nb", "a\x00", "a\u2028b", "x" * 351])
def test_a_name_is_visible_and_not_too_long(text: str) -> None:
    with pytest.raises(Problem):
        read_name(text)


def test_a_name_may_be_in_any_language() -> None:
    assert read_name("Geräte 設備") == "Geräte 設備"
    assert read_name("x" * 350) == "x" * 350


def test_a_directory_begins_at_the_file_that_names_it() -> None:
    text = Text.at(Place("f", "k"), Path("/etc/edge"), "state", "state")
    assert read_directory(text) == Path("/etc/edge/state")


@pytest.mark.parametrize("text", ["", "a\x00b", "a\nb"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(Problem):
        read_directory(text)


@pytest.mark.parametrize("rule", ["certificate", {"certificate": {}}, {"common_name": {"common_name": "a"}}])
def test_a_rule_is_a_word_or_a_table_of_one(rule: object) -> None:
    assert read_rule(rule) == rule


@pytest.mark.parametrize("rule", ["", {}, {"a": 1, "b": 2}, [], ["certificate"], 3, None, True])
def test_what_is_no_rule_is_refused(rule: object) -> None:
    with pytest.raises(Problem):
        read_rule(rule)


def test_a_rule_is_plain_data_without_places() -> None:
    text = Text.at(Place("f", "k"), Path("/"), "${A}", "b")
    rule = read_rule({"x": {"y": [text]}})
    assert isinstance(rule, dict)
    assert type(rule["x"]["y"][0]) is str
