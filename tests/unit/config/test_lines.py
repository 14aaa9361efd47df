from __future__ import annotations

import tomllib

import pytest

from edge.config.errors import KeyPath
from edge.config.lines import key_lines, nearest_line
from tests.unit.config.samples import FULL

TRICKY = '''# [not.a.table]
a = 1
"quoted key" = 2
'lit.eral'.b . "c\\u0020d" = 3

[server]   # comment with [brackets] and "quotes
text = """
[fake]
fake = 1
\\""" still inside
"""
literal = \'\'\'
fake = 2
it's \'\'\'
list = [
  "]", # ]
  { x = "}" },
  [1,
   2],
]
after = 'x'
empty = ""
quotes = """a"""""
date = 1979-05-27T07:32:00Z
limits.size = 3

[[hosts]]
name = "a"
[hosts.origin_tls]
ca = "b"
[[hosts.rules]]
id = 1
[[hosts.rules]]
id = 2
[[hosts]]
name = "c"
  [[ hosts . rules ]]
  id = 3
[last]'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 2),
        (("quoted key",), 3),
        (("lit.eral", "b", "c d"), 4),
        (("lit.eral",), 4),
        (("server",), 6),
        (("server", "text"), 7),
        (("server", "literal"), 12),
        (("server", "list"), 15),
        (("server", "after"), 21),
        (("server", "empty"), 22),
        (("server", "quotes"), 23),
        (("server", "date"), 24),
        (("server", "limits"), 25),
        (("server", "limits", "size"), 25),
        (("hosts",), 27),
        (("hosts", 0), 27),
        (("hosts", 0, "name"), 28),
        (("hosts", 0, "origin_tls"), 29),
        (("hosts", 0, "origin_tls", "ca"), 30),
        (("hosts", 0, "rules"), 31),
        (("hosts", 0, "rules", 1), 33),
        (("hosts", 0, "rules", 1, "id"), 34),
        (("hosts", 1), 35),
        (("hosts", 1, "name"), 36),
        (("hosts", 1, "rules", 0), 37),
        (("hosts", 1, "rules", 0, "id"), 38),
        (("last",), 39),
    ],
)
def test_every_statement_has_its_line(path: KeyPath, line: int) -> None:
    assert key_lines(TRICKY)[path] == line


def test_nothing_inside_strings_lists_and_comments_is_a_statement() -> None:
    tomllib.loads(TRICKY)
    found = {step for path in key_lines(TRICKY) for step in path}
    assert found.isdisjoint({"fake", "not", "x", "comment"})


def test_every_key_of_a_configuration_is_found_on_a_line_that_has_it() -> None:
    lines = FULL.split("\n")
    for path, line in key_lines(FULL).items():
        name = next(step for step in reversed(path) if isinstance(step, str))
        assert name in lines[line - 1]


def test_what_has_no_line_has_that_of_what_it_is_in() -> None:
    lines = key_lines(TRICKY)
    assert nearest_line(lines, ("server", "list", 1, "x")) == 15
    assert nearest_line(lines, ("hosts", 1, "missing")) == 35
    assert nearest_line(lines, ("hosts", 7, "name")) == 27
    assert nearest_line(lines, ("nowhere",)) is None
    assert nearest_line(lines, ()) is None


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment", "= junk", "a", "[", '"', "a = '''"])
def test_text_without_statements_or_that_is_no_toml_has_no_lines_beyond_what_was_read(text: str) -> None:
    assert set(key_lines(text)) <= {("a",)}
