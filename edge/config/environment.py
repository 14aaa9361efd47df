"""Put environment variables in place of ``${NAME}`` in the strings of a document; ``$${`` is ``${``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edge.config.errors import ConfigError, Findable, KeyPath, quoted
from edge.config.text import Text

MAX_DEPTH = 16
"""Tables within tables; the schema needs six. It bounds every recursion over a document."""

LEAST_CHARACTERS = 3
"""A shorter value is no secret, and striking every "1" out of a message leaves no message."""
STRUCK_CHARACTERS = 12
"""A message may have cut the value: a beginning of this length is enough to strike it."""

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Substitution:
    """One walk over the document of one file; errors and the values taken are collected on the way."""

    environ: Mapping[str, str]
    directory: Path
    place: Callable[[KeyPath], Findable]
    errors: list[ConfigError] = field(default_factory=list)
    taken: dict[str, str] = field(default_factory=dict)
    """Name and value of every variable that was used, for keeping the values out of messages."""

    def apply(self, value: object, path: KeyPath = ()) -> object:
        """Return a copy of the value whose strings are ``Text``."""
        if isinstance(value, (dict, list)) and len(path) > MAX_DEPTH:
            self._complain(path[:2], "tables are nested too deeply", f"use at most {MAX_DEPTH} levels")
            return {}
        if isinstance(value, dict):
            return {key: self.apply(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.apply(item, (*path, index)) for index, item in enumerate(value)]
        return self._text(value, path) if isinstance(value, str) else value

    def _text(self, written: str, path: KeyPath) -> Text:
        before = len(self.errors)
        value = _REFERENCE.sub(lambda match: self._replacement(match, path), written)
        unset = len(self.errors) > before
        return Text.at(self.place(path), self.directory, written, None if unset else value)

    def _replacement(self, match: re.Match[str], path: KeyPath) -> str:
        name, close = match[1], match[2]
        if name is None:
            return "${"
        if not close or not _NAME.fullmatch(name):
            shown = quoted(match[0])
            self._complain(
                path, f"{shown} names no environment variable", 'write "${NAME}", or "$${" for "${"'
            )
        elif name not in self.environ:
            self._complain(
                path, f"the environment variable {name} is not set", "set it, or remove ${" + name + "}"
            )
        elif not _is_unicode(self.environ[name]):
            self._complain(path, f"the environment variable {name} is not valid UTF-8", "set it to text")
        else:
            self.taken[name] = self.environ[name]
            return self.environ[name]
        return ""

    def _complain(self, path: KeyPath, message: str, hint: str) -> None:
        file, key, line = self.place(path).found()
        self.errors.append(ConfigError(file, key, message, hint, line))


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)  # what os.environ makes of junk


def conceal(message: str, taken: Mapping[str, str]) -> str:
    """Return the message with ``${NAME}`` in place of every value, or beginning of one, that was taken."""
    for name, value in taken.items():
        message = "".join(_conceal(message, name, value))
    return message


def _conceal(message: str, name: str, value: str) -> Iterator[str]:
    """Yield the pieces between the hits."""
    start, needle = 0, value[:STRUCK_CHARACTERS]
    while len(value) >= LEAST_CHARACTERS and (found := message.find(needle, start)) >= 0:
        yield message[start:found] + "${" + name + "}"
        start = found + _common_length(message[found:], value)
    yield message[start:]


def _common_length(left: str, right: str) -> int:
    pairs = zip(left, right, strict=False)
    return next((length for length, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))
