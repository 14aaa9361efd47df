from __future__ import annotations

from pathlib import Path

import pytest

from edge.config.environment import MAX_DEPTH, Substitution, conceal
from edge.config.errors import Place, key_text
from edge.config.text import Text


def substitution(**environ: str) -> Substitution:
    return Substitution(environ, Path("/etc/edge"), lambda path: Place("edge.toml", key_text(path), 4))


def one(written: str, **environ: str) -> Text:
    text = substitution(**environ).apply(written, ("key",))
    assert isinstance(text, Text)
    return text


def error_of(written: str, **environ: str) -> str:
    walk = substitution(**environ)
    text = walk.apply(written, ("key",))
    assert isinstance(text, Text)
    assert text.unset
    (error,) = walk.errors
    return str(error)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("plain", "plain"),
        ("${A}", "one"),
        ("x${A}y${B}z", "xoneytwoz"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$A $ {A} }{ $", "$A $ {A} }{ $"),
        ("${EMPTY}", ""),
        ("${NESTED}", "${A}"),
        ("", ""),
    ],
)
def test_a_reference_is_replaced_once(written: str, value: str) -> None:
    text = one(written, A="one", B="two", EMPTY="", NESTED="${A}")
    assert (text, text.written, text.unset) == (value, written, False)


def test_an_unset_variable_is_an_error_with_its_place() -> None:
    assert error_of("a${NO}b") == (
        "edge.toml:4: key: the environment variable NO is not set; set it, or remove ${NO}"
    )


@pytest.mark.parametrize("written", ["${", "${}", "${A", "${ A }", "${A:-x}", "${1A}", "${Ä}", "${A\n}"])
def test_a_malformed_reference_is_an_error(written: str) -> None:
    assert "names no environment variable" in error_of(written, A="one")


def test_every_reference_that_fails_is_reported() -> None:
    walk = substitution()
    walk.apply({"a": ["${X}${Y}"], "b": "${Z}"})
    assert [(error.key, error.message.split()[3]) for error in walk.errors] == [
        ("a[0]", "X"),
        ("a[0]", "Y"),
        ("b", "Z"),
    ]


def test_a_value_that_is_not_unicode_is_an_error() -> None:
    assert "variable A is not valid UTF-8" in error_of("${A}", A="\udcff")


def test_only_strings_change() -> None:
    walk = substitution()
    assert walk.apply({"a": 1, "b": [True, 2.5], "c": {}}) == {"a": 1, "b": [True, 2.5], "c": {}}


def test_a_text_knows_its_place_and_directory() -> None:
    tree = substitution(A="one").apply({"hosts": [{"name": "${A}"}]})
    assert isinstance(tree, dict)
    text = tree["hosts"][0]["name"]
    assert (text.place, text.directory) == (Place("edge.toml", "hosts[0].name", 4), Path("/etc/edge"))


def test_tables_nested_beyond_reason_are_refused_without_recursion() -> None:
    tree: dict[str, object] = {}
    for _ in range(100_000):
        tree = {"a": tree}
    walk = substitution()
    walk.apply(tree)
    assert [str(error) for error in walk.errors] == [
        f"edge.toml:4: a.a: tables are nested too deeply; use at most {MAX_DEPTH} levels"
    ]
    while tree:  # taken apart by hand: freeing it would recurse
        tree = tree["a"]  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("message", "concealed"),
    [
        ("nothing here", "nothing here"),
        ("a hunter2-and-more b hunter2-and-more", "a ${PASSWORD} b ${PASSWORD}"),
        ("cut: hunter2-and-mo", "cut: ${PASSWORD}"),
        ("hunter2", "hunter2"),
        ("port 80", "port 80"),
        ("8443", "${PORT}"),
    ],
)
def test_values_from_the_environment_are_struck_out_of_messages(message: str, concealed: str) -> None:
    taken = {"PASSWORD": "hunter2-and-more", "SHORT": "80", "PORT": "8443", "EMPTY": ""}
    assert conceal(message, taken) == concealed
