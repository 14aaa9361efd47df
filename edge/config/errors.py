"""What is wrong with a configuration, where, and what to do: one line for people, fields for programs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from edge.config.schema import Configuration

KeyPath = tuple[str | int, ...]
"""The way to a value from the top of a document: ``("hosts", 0, "certificate")``."""

MAX_QUOTED_CHARACTERS = 80
"""A message is read on a terminal; what does not fit helps nobody."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_PEM_MARK = "-----"


class Place(NamedTuple):
    """Where a value was written: the file as the operator named it, the key in that file, the line."""

    file: str
    key: str
    line: int | None = None

    def found(self) -> Place:
        """Return itself, as a place does that was not looked up yet."""
        return self


class Findable(Protocol):
    """A place, or what it can be found by."""

    def found(self) -> Place:
        """Return the place."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to tell the operator. ``key`` is empty where a file is meant; ``line`` counts from 1."""

    file: str
    key: str
    message: str
    hint: str = ""
    line: int | None = None

    def __str__(self) -> str:
        """One line: ``edge.toml:12: hosts[0].certifcate: unknown key; did you mean "certificate"?``."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        parts = (place, self.key, f"{self.message}; {self.hint}" if self.hint else self.message)
        return printable(": ".join(part for part in parts if part))


class ConfigError(Finding):
    """A finding that keeps the edge from starting, or a reload from taking effect."""

    __slots__ = ()


class ConfigWarning(Finding):
    """A finding that the operator should see, and that stops nothing."""

    __slots__ = ()


class ConfigErrors(Exception):
    """Everything that is wrong, at once. ``errors`` is never empty.

    ``sound`` is the configuration without its broken parts, where there is one: whoever judges more
    than its shape (files, rules) can find the rest of the errors in it. It is never to be served.
    """

    def __init__(self, errors: tuple[ConfigError, ...], sound: Configuration | None = None) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = errors
        self.sound = sound


def in_order(errors: Iterable[ConfigError]) -> tuple[ConfigError, ...]:
    """Return the errors in the order of the files and their lines, each once."""
    return tuple(sorted(dict.fromkeys(errors), key=lambda error: (error.file, error.line or 0)))


def printable(text: str) -> str:
    """Return the text on one line: control characters and the like become escapes.

    A file or key name that holds a line feed or a terminal's escape code must not forge a second line.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def quoted(value: object) -> str:
    """Return a value of a TOML document for a message: short, on one line, and never PEM text."""
    if isinstance(value, str):
        return _quoted_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # str() of an int of some thousand digits raises; TOML can spell one in hexadecimal
        return str(value) if abs(value) < 2**64 else "a number of that size"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "a date or time"


def _quoted_text(text: str) -> str:
    if _PEM_MARK in text:  # it may be a private key
        return "PEM text"
    if len(text) > MAX_QUOTED_CHARACTERS:
        text = text[:MAX_QUOTED_CHARACTERS] + "…"
    return '"' + printable(text) + '"'


def key_text(path: KeyPath) -> str:
    """Return a path as people write it: ``hosts[3].certificate``; odd keys are quoted."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            name = step if _BARE_KEY.fullmatch(step) and len(step) <= MAX_QUOTED_CHARACTERS else quoted(step)
            text += f".{name}" if text else name
    return text
