"""Find the line of every table header and key in TOML text that ``tomllib`` has already accepted.

TOML is read statement by statement: ``[table]``, ``[[array of tables]]`` or ``key = value``. A value
is skipped as a run of strings, comments and brackets, so that nothing inside a multi-line string or
array is taken for a statement. Keys of inline tables and items of arrays have no line of their own:
they have that of the statement they are in.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping

from edge.config.errors import KeyPath

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_KEY_PATH = rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*"
_BLANK = re.compile(r"(?:[ \t\r\n]|\#[^\n]*)+")
_HEADER = re.compile(rf"(\[\[?)[ \t]*({_KEY_PATH})[ \t]*\]\]?")
_ASSIGNMENT = re.compile(rf"({_KEY_PATH})[ \t]*=")
_ONE_KEY = re.compile(_KEY)
_VALUE_PART = re.compile(
    r'''
    (?P<string> """(?:\\.|[^\\])*?"{3,5} | \'\'\'.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*' )
  | (?P<comment> \#[^\n]* )
  | (?P<open> [\[{] ) | (?P<close> [\]}] ) | (?P<end> \n ) | (?P<other> [^"'\#\[\]{}\n]+ )
    ''',
    re.VERBOSE | re.DOTALL,
)


def key_lines(text: str) -> Mapping[KeyPath, int]:
    """Return the line, from 1, of each statement; a table of an array counts as ``("hosts", 0)``."""
    lines: dict[KeyPath, int] = {}
    counts: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for line, bracket, keys in _statements(text):
        if not bracket:
            _note(lines, table, keys, line)
            continue
        table = _inside(keys[:-1], counts) + keys[-1:]
        if bracket == "[[":
            counts[table] = counts.get(table, -1) + 1
            lines.setdefault(table, line)
            table = (*table, counts[table])
        lines.setdefault(table, line)
    return lines


def nearest_line(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """Return the line of the value, or of the closest statement it is in or missing from."""
    for length in range(len(path), 0, -1):
        if path[:length] in lines:
            return lines[path[:length]]
    return None


def _note(lines: dict[KeyPath, int], table: KeyPath, keys: tuple[str, ...], line: int) -> None:
    for length in range(1, len(keys) + 1):  # "limits.header_size = 1" also begins the table "limits"
        lines.setdefault(table + keys[:length], line)


def _inside(keys: tuple[str, ...], counts: Mapping[KeyPath, int]) -> KeyPath:
    """Put the index of the latest entry after each name of an array of tables."""
    path: KeyPath = ()
    for key in keys:
        path = (*path, key)
        if path in counts:
            path = (*path, counts[path])
    return path


def _statements(text: str) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """Yield (line, bracket, keys) of each statement; the bracket of an assignment is empty."""
    position, line, counted = 0, 1, 0
    while position < len(text):
        if blank := _BLANK.match(text, position):
            position = blank.end()
            continue
        line, counted = line + text.count("\n", counted, position), position
        if header := _HEADER.match(text, position):
            yield line, header[1], _split_keys(header[2])
            position = header.end()
        elif assignment := _ASSIGNMENT.match(text, position):
            yield line, "", _split_keys(assignment[1])
            position = _value_end(text, assignment.end())
        else:
            return  # a form this scanner does not know: no line is better than a wrong one


def _split_keys(path: str) -> tuple[str, ...]:
    return tuple(
        next(iter(tomllib.loads(f"{key} = 0"))) if key[0] in "\"'" else key for key in _ONE_KEY.findall(path)
    )


def _value_end(text: str, position: int) -> int:
    depth = 0
    while part := _VALUE_PART.match(text, position):
        position = part.end()
        depth += (part.lastgroup == "open") - (part.lastgroup == "close")
        if part.lastgroup == "end" and depth == 0:
            break
    return position
