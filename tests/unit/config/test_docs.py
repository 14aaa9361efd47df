"""``docs/configuration.md`` has every key with its default, and no other, and its examples load."""

from __future__ import annotations

import re
import tomllib
import typing
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from edge.access.compile import GroupDefinition, compile_rule
from edge.config.errors import ConfigErrors
from edge.config.explain import TABLES, Shape
from edge.config.load import load
from edge.config.pem import Pem

PAGE = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \|$", re.MULTILINE)
BLOCK = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DOCUMENTED = [shape for shape in TABLES if shape]


def section(heading: str) -> str:
    """Return the text under a heading, up to the next one."""
    assert PAGE.count(f"\n{heading}\n") == 1
    return re.split(r"^##+ ", PAGE.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def heading_of(shape: Shape) -> str:
    annotation = TABLES[shape[:-1]].model_fields[shape[-1]].annotation
    name = ".".join(shape)
    return f"### `[[{name}]]`" if typing.get_origin(annotation) is tuple else f"### `[{name}]`"


def own_keys(shape: Shape) -> list[str]:
    """Return the keys of a table that are not tables with a section of their own."""
    return [key for key in TABLES[shape].model_fields if (*shape, key) not in TABLES]


def rows_of(shape: Shape) -> dict[str, str]:
    """Return the keys of a section's table with the text of the default."""
    return {row[1]: row[3] for row in ROW.finditer(section(heading_of(shape)))}


def example_values(model: type[BaseModel]) -> dict[str, Any]:
    required = {key: field for key, field in model.model_fields.items() if field.is_required()}
    return {key: tomllib.loads(f"x = {(field.examples or [])[0]}")["x"] for key, field in required.items()}


@pytest.mark.parametrize("shape", DOCUMENTED, ids=".".join)
def test_every_key_of_a_table_is_documented_and_no_other(shape: Shape) -> None:
    assert sorted(rows_of(shape)) == sorted(own_keys(shape))


@pytest.mark.parametrize("shape", DOCUMENTED, ids=".".join)
def test_every_default_is_the_one_of_the_schema(shape: Shape) -> None:
    model = TABLES[shape]
    for key, written in rows_of(shape).items():
        field = model.model_fields[key]
        if field.is_required():
            assert written == "required", key
        elif field.default is None:
            assert written == "none", key
        else:
            value = tomllib.loads(f"x = {written.strip('`')}")["x"]
            read = getattr(model.model_validate(example_values(model) | {key: value}), key)
            expected = Path.cwd() / field.default if isinstance(field.default, Path) else field.default
            assert read == expected, key


@pytest.mark.parametrize("shape", DOCUMENTED, ids=".".join)
def test_every_key_without_default_that_may_be_absent_says_what_holds_then(shape: Shape) -> None:
    for row in ROW.finditer(section(heading_of(shape))):
        assert row[3] != "none" or "Absent" in row[4] or "Both or neither" in row[4], row[1]


@pytest.mark.parametrize("shape", DOCUMENTED, ids=".".join)
def test_the_example_of_a_section_has_every_key_and_is_accepted(shape: Shape) -> None:
    value: Any = tomllib.loads(BLOCK.findall(section(heading_of(shape)))[0])
    for name in shape:
        value = value[0] if isinstance(value, list) else value
        value = value[name]
    tables = value if isinstance(value, list) else [value]
    assert sorted({key for table in tables for key in table}) == sorted(own_keys(shape))
    for table in tables:
        missing = {key: item for key, item in example_values(TABLES[shape]).items() if key not in table}
        TABLES[shape].model_validate(table | missing)


def test_every_section_of_keys_is_a_table_of_the_schema() -> None:
    headings = set(re.findall(r"^### .*$", PAGE.partition("\n## Keys\n")[2], re.MULTILINE))
    assert headings == {heading_of(shape) for shape in DOCUMENTED}


def pem_values(value: object) -> list[Pem]:
    if isinstance(value, Pem):
        return [value]
    if isinstance(value, BaseModel):
        return [pem for _, item in value for pem in pem_values(item)]
    return [pem for item in value for pem in pem_values(item)] if isinstance(value, tuple) else []


@pytest.mark.parametrize("heading", ["## A small example", "## A complete example"])
def test_a_whole_example_loads_and_its_files_are_where_it_says(folder: Path, heading: str) -> None:
    (folder / "edge.toml").write_text(BLOCK.findall(section(heading))[0], encoding="utf-8")
    config = load(Path("edge.toml"), {"EDGE_SECRETS": str(folder / "secrets")})
    found = pem_values(config)
    assert len(found) >= 3
    for pem in found:
        assert pem.path is not None
        pem.path.parent.mkdir(exist_ok=True)
        pem.path.write_text("-----BEGIN CERTIFICATE-----\n", encoding="utf-8")
        assert pem.read() == b"-----BEGIN CERTIFICATE-----\n"


def test_every_rule_that_the_page_shows_means_something() -> None:
    rules = re.findall(r"`(\{ .*? \}|\"\w+\")`", section("## Rules of policies"))
    assert len(rules) >= 13
    groups = {"ops": GroupDefinition(id="ops", include=("everyone",))}
    for rule in rules:
        compile_rule(tomllib.loads(f"x = {rule.replace('…', 'ab' * 32)}")["x"], groups)


def test_the_errors_that_the_page_shows_are_the_real_ones(folder: Path) -> None:
    shown = [line for line in PAGE.splitlines() if line.startswith("edge.toml:")]
    assert len(shown) == 2
    text = "\n" * 9 + (
        '[[hosts]]\ncertifcate = "x"\n' + "\n" * 13 + '[[applications]]\nsession_duration = "5 minutes"\n'
    )
    (folder / "edge.toml").write_text(text)
    with pytest.raises(ConfigErrors) as caught:
        load(Path("edge.toml"), {})
    assert set(shown) <= {str(error) for error in caught.value.errors}
