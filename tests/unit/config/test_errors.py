from __future__ import annotations

import datetime

import pytest

from edge.config.errors import ConfigError, ConfigErrors, ConfigWarning, Finding, key_text, printable, quoted


def test_an_error_is_one_line_with_its_place_and_what_to_do() -> None:
    error = ConfigError("edge.toml", "hosts[0].certifcate", "unknown key", 'did you mean "certificate"?', 12)
    assert str(error) == 'edge.toml:12: hosts[0].certifcate: unknown key; did you mean "certificate"?'


def test_an_error_without_line_key_or_hint_leaves_them_out() -> None:
    assert str(ConfigError("edge.toml", "", "the file is empty")) == "edge.toml: the file is empty"


def test_an_error_stays_one_line_whatever_its_parts_hold() -> None:
    text = str(ConfigError("a\nb.toml", 'k\x1b[31m"', "m\r\nx", "h\u2028y"))
    assert text == 'a\\nb.toml: k\\x1b[31m": m\\r\\nx; h\\u2028y'
    assert text.isprintable()


def test_a_warning_is_no_error() -> None:
    warning: Finding = ConfigWarning("f", "k", "m")
    assert warning != ConfigError("f", "k", "m")
    assert not isinstance(warning, ConfigError)


def test_all_errors_are_in_the_text_of_the_exception() -> None:
    errors = (ConfigError("a", "", "one"), ConfigError("b", "", "two"))
    assert str(ConfigErrors(errors)) == "a: one\nb: two"
    assert ConfigErrors(errors).errors == errors


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a", '"a"'),
        ("a\nb\x00", '"a\\nb\\x00"'),
        ("x" * 81, '"' + "x" * 80 + '…"'),
        ("-----BEGIN PRIVATE KEY-----\nMC4CAQ", "PEM text"),
        ("oops -----BEGIN PRIVATE KEY-----", "PEM text"),
        ("x" * 200 + "-----BEGIN", "PEM text"),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        pytest.param(16**5000, "a number of that size", id="huge"),
        (1.5, "1.5"),
        (float("nan"), "nan"),
        ([], "a list"),
        ({}, "a table"),
        (datetime.date(2020, 1, 1), "a date or time"),
    ],
)
def test_a_value_is_quoted_short_on_one_line_and_never_as_pem(value: object, shown: str) -> None:
    assert quoted(value) == shown


def test_a_path_is_written_as_people_write_it() -> None:
    assert key_text(("hosts", 3, "origin", 0)) == "hosts[3].origin[0]"
    assert key_text(("a b", "c\nd")) == '"a b"."c\\nd"'
    assert key_text(()) == ""


def test_a_very_long_key_is_cut() -> None:
    assert len(key_text(("x" * 5000,))) < 100


def test_printable_text_is_left_alone() -> None:
    assert printable("grüße \\n") == "grüße \\n"
