"""Whatever the operator writes gives a configuration or errors with places, and nothing else."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.config.caution import find_warnings
from edge.config.errors import ConfigError, ConfigErrors
from edge.config.explain import TABLES
from edge.config.lines import key_lines
from edge.config.load import load
from edge.config.schema import Configuration

KEYS = sorted({key for model in TABLES.values() for key in model.model_fields} | {"tests", "crl", "x"})
SCALARS = [
    '""', '"certificate"', '"request"', '"off"', '"*.example.com"', '"a.example"', '"b.example/x"', "true",
    '"${A}"', '"${NO}"', '"$${"', '"-----BEGIN"', '"demo:"', '"https://a:8443"', '":8443"', '"0s"', '"5 m"',
    "0", "-1", "8443", "0x" + "f" * 400, "1.5", "nan", "1979-05-27", "[]", "{}", '"\\u0000\\u2028"',
    "'''\n[x]\n'''",
]  # fmt: skip

scalar = st.sampled_from(SCALARS)
inline = st.one_of(
    scalar,
    st.lists(scalar, max_size=3).map(lambda items: "[" + ", ".join(items) + "]"),
    st.dictionaries(st.sampled_from(KEYS), scalar, max_size=3).map(
        lambda table: "{" + ", ".join(f"{key} = {value}" for key, value in table.items()) + "}"
    ),
)
header = st.sampled_from(
    [name for shape in TABLES if shape for name in (f"[{'.'.join(shape)}]", f"[[{'.'.join(shape)}]]")]
)
assignment = st.builds(lambda key, value: f"{key} = {value}", st.sampled_from(KEYS), inline)
documents = st.lists(st.one_of(header, assignment, assignment), max_size=14).map("\n".join)
GOOD = """[server]
listen = [":8443"]
[[hosts]]
name = "a.example"
certificate = "c"
private_key = "k"
origin = "demo:"
"""


def outcome(data: bytes) -> Configuration | tuple[ConfigError, ...]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "edge.toml"
        path.write_bytes(data)
        try:
            return load(path, {"A": "hunter2-hunter2"})
        except ConfigErrors as found:
            return found.errors


def check(data: bytes) -> None:
    found = outcome(data)
    if isinstance(found, Configuration):
        assert found.hosts
        assert all(str(warning).isprintable() for warning in find_warnings(found))
        return
    assert found
    for error in found:
        line = str(error)
        assert line.startswith(error.file)
        assert line.isprintable()
        assert "hunter2" not in line


@given(st.text(max_size=200))
@example("[" * 5000)
@example("a = " + "[" * 5000)
@example("a = " + "{a=" * 3000)
@example("a." * 5000 + "a = 1")
@example("a = " + "9" * 5000)
@example('"\\u0000\\n" = 1')
@example("\ufeff")
@settings(max_examples=100, deadline=None)
def test_any_text_is_a_configuration_or_errors(text: str) -> None:
    check(text.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=100))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_a_configuration_or_errors(data: bytes) -> None:
    check(data)


@given(documents)
@settings(max_examples=150, deadline=None)
def test_any_mixture_of_known_keys_is_a_configuration_or_errors(text: str) -> None:
    check(text.encode())


@given(documents)
@settings(max_examples=150, deadline=None)
def test_a_good_beginning_with_any_mixture_after_it_is_a_configuration_or_errors(text: str) -> None:
    check((GOOD + text).encode())


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_the_scanner_of_lines_ends_on_any_text(text: str) -> None:
    last = text.count("\n") + 1
    assert all(1 <= line <= last for line in key_lines(text).values())
