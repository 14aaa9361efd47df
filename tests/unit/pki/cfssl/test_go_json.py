from __future__ import annotations

import pytest

from edge.pki.cfssl.go_json import Fields, JsonError, dumps, loads


def fields(value: object, *known: str, place: str = "", unknown: list[str] | None = None) -> Fields:
    return Fields(value, place, known, [] if unknown is None else unknown)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"nul",
        b'{"a":1,}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1} {"b":2}',
        b'{"a":"\xff"}',
        b'{"a":"\\ud800"}',
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b"[" * 900 + b"]" * 900 + b"x",
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_not_json_is_refused(data: bytes) -> None:
    with pytest.raises(JsonError):
        loads(data)


def test_the_error_says_where() -> None:
    with pytest.raises(JsonError, match=r"^line 2, column 6: not JSON: \w"):
        loads(b'{\n"a": ,')


def test_a_key_that_stands_twice_is_refused_at_any_depth() -> None:
    with pytest.raises(JsonError, match="'CN' stands twice"):
        loads(b'{"CN":"a","CN":"b"}')
    with pytest.raises(JsonError, match="'O' stands twice"):
        loads(b'{"names":[{"O":"a","O":"b"}]}')


def test_a_key_that_stands_twice_in_two_cases_is_refused() -> None:
    with pytest.raises(JsonError, match=r"^ca\.expiry stands twice"):
        fields({"Expiry": "1h", "EXPIRY": "2h"}, "expiry", place="ca")


def test_keys_match_in_any_case() -> None:
    assert fields({"cn": "x"}, "CN").text("CN") == "x"
    assert fields({"HOSTS": ["a"]}, "hosts").texts("hosts") == ("a",)


def test_null_is_absent() -> None:
    read = fields(dict.fromkeys("abcdef"), *"abcdef")
    assert read.text("a") == ""
    assert read.texts("b") is None
    assert read.whole("c", 7) == 7
    assert read.flag("d") is False
    assert list(read.items("e")) == []
    assert read.mapping("f") == {}


@pytest.mark.parametrize("value", [1, True, ["a"], {"a": "b"}, 1.5])
def test_only_a_string_is_a_string(value: object) -> None:
    with pytest.raises(JsonError, match=r"^a must be a string"):
        fields({"a": value}, "a").text("a")


@pytest.mark.parametrize("value", ["1", True, 1.0, [1]])
def test_only_a_whole_number_is_one(value: object) -> None:
    with pytest.raises(JsonError, match=r"^a must be a whole number"):
        fields({"a": value}, "a").whole("a")


@pytest.mark.parametrize("value", ["true", 1, 0, []])
def test_only_true_and_false_are_flags(value: object) -> None:
    with pytest.raises(JsonError, match=r"^a must be true or false"):
        fields({"a": value}, "a").flag("a")


@pytest.mark.parametrize("value", ["a", {"a": "b"}, 1])
def test_only_a_list_is_a_list(value: object) -> None:
    with pytest.raises(JsonError, match=r"^p.a must be a list"):
        fields({"a": value}, "a", place="p").texts("a")


def test_an_entry_of_the_wrong_kind_is_named_by_its_number() -> None:
    with pytest.raises(JsonError, match=r"^a\[1\] must be a string"):
        fields({"a": ["x", 2]}, "a").texts("a")


@pytest.mark.parametrize("value", [[], "x", None, 1])
def test_only_an_object_has_fields(value: object) -> None:
    with pytest.raises(JsonError, match=r"^the file must be an object"):
        fields(value, "a")
    with pytest.raises(JsonError, match=r"^ca must be an object"):
        fields(value, "a", place="ca")


def test_a_mapping_must_be_an_object() -> None:
    with pytest.raises(JsonError, match=r"^a must be an object"):
        fields({"a": []}, "a").mapping("a")


def test_an_unknown_key_is_told_with_what_it_may_have_meant() -> None:
    unknown: list[str] = []
    fields({"host": [], "zzz": 1}, "hosts", place="x", unknown=unknown)
    assert unknown == [
        "x.'host' is not known and has no effect; did you mean 'hosts'?",
        "x.'zzz' is not known and has no effect",
    ]


def test_json_is_written_as_go_writes_it() -> None:
    assert dumps({"b": "<é&>", "a": [1, None, True]}) == '{"b":"\\u003cé\\u0026\\u003e","a":[1,null,true]}'
    assert dumps("\u2028\u2029") == '"\\u2028\\u2029"'
    assert dumps({"a": {"b": []}}, indent=2) == '{\n  "a": {\n    "b": []\n  }\n}'


def test_a_strangers_text_in_json_cannot_steer_a_terminal() -> None:
    text = "\x1b[31m\x9b31m\x7f\u202e\U000e0001"
    written = dumps({text: [text]}, indent=2)
    assert written.replace("\n", "").isprintable()
    assert loads(written.encode()) == {text: [text]}
