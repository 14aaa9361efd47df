from __future__ import annotations

import pytest

from edge.cli.go_flags import Flag, FlagError, Flags, HelpWanted, described, parse

KNOWN = (
    Flag("initca", "make one", is_switch=True),
    Flag("ca", "the CA"),
    Flag("ca-key", "its key"),
    Flag("f", "a file"),
)


def read(*arguments: str) -> Flags:
    return parse(arguments, KNOWN)


@pytest.mark.parametrize("arguments", [("-ca", "x.pem"), ("-ca=x.pem",), ("--ca", "x.pem"), ("--ca=x.pem",)])
def test_a_value_is_given_in_four_ways(arguments: tuple[str, ...]) -> None:
    assert read(*arguments, "w") == Flags({"ca": "x.pem"}, ("w",))


def test_a_switch_takes_no_separate_word() -> None:
    flags = read("-initca", "csr.json")
    assert flags.is_on("initca")
    assert flags.words == ("csr.json",)


@pytest.mark.parametrize("value", ["1", "t", "T", "TRUE", "true", "True"])
def test_a_switch_is_turned_on(value: str) -> None:
    assert read(f"-initca={value}").is_on("initca")


@pytest.mark.parametrize("value", ["0", "f", "F", "FALSE", "false", "False"])
def test_a_switch_is_turned_off(value: str) -> None:
    assert not read(f"-initca={value}").is_on("initca")


@pytest.mark.parametrize("value", ["", "yes", "on", "tRUE", "2", "x y"])
def test_a_switch_is_nothing_else(value: str) -> None:
    with pytest.raises(FlagError, match="invalid boolean value"):
        read(f"-initca={value}")


def test_flags_end_at_the_first_word() -> None:
    assert read("csr.json", "-initca") == Flags({}, ("csr.json", "-initca"))


def test_flags_end_at_two_dashes() -> None:
    assert read("-ca", "x", "--", "-initca") == Flags({"ca": "x"}, ("-initca",))


def test_one_dash_is_a_word() -> None:
    assert read("-initca", "-") == Flags({"initca": "true"}, ("-",))


def test_a_value_may_look_like_a_flag() -> None:
    assert read("-ca", "-initca", "--", "x") == Flags({"ca": "-initca"}, ("x",))
    assert read("-f", "-").text("f") == "-"
    assert read("-ca==x=y").text("ca") == "=x=y"
    assert read("-ca=").text("ca") == ""


def test_the_last_one_counts() -> None:
    assert read("-ca", "a", "-ca=b").text("ca") == "b"
    assert not read("-initca", "-initca=false").is_on("initca")


def test_a_flag_without_its_value_is_refused() -> None:
    with pytest.raises(FlagError, match="flag needs an argument: -ca"):
        read("-ca")


@pytest.mark.parametrize("word", ["-x", "--x=1", "-cakey", "-CA", "-caa=1"])
def test_an_unknown_flag_is_refused(word: str) -> None:
    with pytest.raises(FlagError, match="flag provided but not defined"):
        read(word)


@pytest.mark.parametrize("word", ["---ca", "-=x", "--=x", "---"])
def test_bad_syntax_is_refused(word: str) -> None:
    with pytest.raises(FlagError, match="bad flag syntax"):
        read(word)


@pytest.mark.parametrize("word", ["-h", "-help", "--help", "--h", "-help=x"])
def test_help_is_wanted(word: str) -> None:
    with pytest.raises(HelpWanted):
        read("-initca", word)


def test_what_was_not_given_is_empty_and_off() -> None:
    assert read().text("ca") == ""
    assert not read().is_on("initca")
    assert read().words == ()


def test_flags_are_described_with_their_defaults() -> None:
    assert described(KNOWN[:2]) == '  -initca=false: make one\n  -ca="": the CA\n'
