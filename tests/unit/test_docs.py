"""The documents agree with the product: links, reasons, headers, claims, files, floors, examples."""

from __future__ import annotations

import base64
import json
import re
import tomllib
import typing
from pathlib import Path

import click
import pytest

from edge.access.token import mint
from edge.cli.main import main
from edge.config.load import load
from edge.config.schema import Host
from edge.http1.headers import HOP_BY_HOP
from edge.model.refusal import Reason
from edge.proxy.owned_headers import OWNED, OWNED_FAMILIES, TWINS
from edge.telemetry.catalogue import BY_NAME
from edge.telemetry.metrics import Kind
from tests.unit.access.builders import BUNDLE, ISSUER, NOW, application, facts, policy, signing_key, verified

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
FENCED = re.compile(r"^```(.*)\n((?:.*\n)*?)^```$", re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HAS_ITS_OWN_TEST = ROOT / "docs" / "configuration.md"
"""Its blocks are parts of tables; ``tests/unit/config/test_docs.py`` knows which."""


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks whose whole info string is ``language``."""
    return [block[2] for block in FENCED.finditer(page.read_text(encoding="utf-8")) if block[1] == language]


def relative_links(page: Path) -> list[str]:
    found = LINK.findall(FENCED.sub("", page.read_text(encoding="utf-8")))
    return [link for link in found if not link.startswith(("https://", "http://"))]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, made as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def section(name: str, heading: str) -> str:
    """Return the text under a heading, up to the next one."""
    text = text_of(name)
    assert text.count(f"\n{heading}\n") == 1
    return re.split(r"^#+ ", text.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def first_column(table: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)


def quoted(text: str) -> set[str]:
    """Return everything between backquotes, in lower case."""
    return set(re.findall(r"`([^`]+)`", text.lower()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_of_a_page_resolves(page: Path) -> None:
    for link in relative_links(page):
        name, _, anchor = link.partition("#")
        target = page if not name else (page.parent / name).resolve()
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / link).resolve() for link in relative_links(index)}
    assert listed == set(PAGES) - {index}


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page != HAS_ITS_OWN_TEST], ids=lambda page: page.name
)
def test_every_whole_configuration_on_a_page_loads(page: Path, tmp_path: Path) -> None:
    """A block that is not a whole configuration is marked ``toml fragment``, and is TOML all the same."""
    for number, block in enumerate(blocks(page, "toml")):
        path = tmp_path / f"{number}.toml"
        path.write_text(block, encoding="utf-8")
        assert load(path, {}).applications
    for block in blocks(page, "toml fragment"):
        tomllib.loads(block)


def test_the_readme_has_the_two_configurations_it_promises() -> None:
    assert len(blocks(ROOT / "README.md", "toml")) == 2


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_in_json_or_python_is_well_formed(page: Path) -> None:
    for block in blocks(page, "json"):
        json.loads(block)
    for block in blocks(page, "python"):
        compile(block, page.name, "exec")


def test_every_reason_is_documented_with_its_status_and_no_other() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", section("docs/http.md", "## Refusals"), re.MULTILINE)
    assert sorted(rows) == sorted((reason.value, str(reason.status)) for reason in Reason)


def test_every_header_that_is_kept_from_origins_is_documented() -> None:
    words = quoted(section("docs/http.md", "### Removed from the request"))
    names = {name.decode() for name in OWNED | TWINS | HOP_BY_HOP}
    families = {f"{family.decode()}*" for family in OWNED_FAMILIES}
    assert names | families <= words


def test_every_form_of_the_forwarded_certificate_is_documented_and_no_other() -> None:
    annotation = Host.model_fields["forward_client_certificate"].annotation
    forms = typing.get_args(typing.get_args(annotation)[0])
    assert forms
    assert sorted(first_column(section("docs/http.md", "### Forms of the certificate"))) == sorted(forms)


def test_every_claim_of_a_token_is_documented_and_no_other() -> None:
    session = application(
        "a.test",
        policies=[policy("p", include=["certificate"])],
        session_seconds=60.0,
        recheck_certificate=False,
    )
    token = mint(signing_key(), ISSUER, session, session.policies[0], facts(verified()), BUNDLE, NOW)
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    documented: set[str] = set()
    for row in re.findall(r"^\| (`.*?`) \|", section("docs/tokens.md", "## Claims"), re.MULTILINE):
        documented |= quoted(row)
    assert documented == set(claims)


def test_every_metric_is_documented_as_it_is_and_no_other() -> None:
    rows = re.findall(
        r"^\| `(edge_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", text_of("docs/metrics.md"), re.MULTILINE
    )
    told = [(name, kind, re.findall(r"`(\w+)`", labels), meaning) for name, kind, labels, meaning in rows]
    assert told == [
        (
            family.name,
            "gauge" if family.kind is Kind.TIME else family.kind.value,
            list(family.labels),
            family.description,
        )
        for family in BY_NAME.values()
    ]
    named = set(re.findall(r"\bedge_[a-z_]+[a-z]\b", text_of("docs/metrics.md")))
    known = {*BY_NAME, *(f"{name}_bucket" for name in BY_NAME)}
    assert named <= known


def test_every_make_target_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", text_of("Makefile"), re.MULTILINE))
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named = set(re.findall(r"(?:^|`|EDGE_PORT=\d+ )make ([a-z0-9-]+)", text, re.MULTILINE))
        assert named <= targets, page.name
    assert {"run", "test", "check"} <= set(re.findall(r"make ([a-z0-9-]+)", text_of("README.md")))


def test_every_command_in_a_shell_example_exists() -> None:
    lines = [line for page in PAGES for block in blocks(page, "sh") for line in block.splitlines()]
    commands = [line.split()[1:] for line in lines if line.startswith("edge ")]
    assert commands
    for words in commands:
        command: click.Command = main
        for word in words:
            if not isinstance(command, click.Group):
                break
            found = command.get_command(click.Context(command), word)
            assert found is not None, words
            command = found


def test_every_file_that_the_architecture_names_exists() -> None:
    named = set(re.findall(r"`((?:edge|tests|scripts)/[\w./]+)`", text_of("docs/architecture.md")))
    assert len(named) > 30
    assert {name for name in named if not (ROOT / name).is_file()} == set()


def test_the_drawing_of_the_floors_is_the_import_contract() -> None:
    contracts = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    [drawing] = blocks(ROOT / "docs" / "architecture.md", "text")
    assert [re.split(r" {2,}", line)[0] for line in drawing.splitlines()] == layers
