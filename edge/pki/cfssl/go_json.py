"""Read and write JSON as Go's encoding/json does, because cfssl's files are read by that.

A key stands for a field in any case of its letters, ``null`` means absent, and an unknown key has
no effect. Two things Go lets through are refused here, because they have two meanings: a key that
stands twice in one object, and text that is not UTF-8. Unknown keys are told, not swallowed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

import orjson


class JsonError(ValueError):
    """The text is not the JSON that was expected; the message says where and why."""


def loads(data: bytes) -> object:
    """Return the value. Raises ``JsonError``."""
    try:
        orjson.loads(data)  # strict: no NaN, no half of a surrogate pair, no invalid UTF-8
        return json.loads(data, object_pairs_hook=_without_repeats)
    except orjson.JSONDecodeError as error:
        reason = error.msg.partition(": line ")[0]
        raise JsonError(f"line {error.lineno}, column {error.colno}: not JSON: {reason}") from None
    except JsonError:
        raise
    except (ValueError, RecursionError):
        raise JsonError("a number with thousands of digits, or nested too deeply") from None


def dumps(value: object, *, indent: int | None = None) -> str:
    """Return JSON in Go's spelling: Unicode as it is, ``<``, ``>`` and ``&`` escaped.

    What cannot be printed is escaped as well: it may be shown on a terminal, and is a stranger's.
    """
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
    return "".join(_spelled(character) for character in text)


def _spelled(character: str) -> str:
    if character == "\n" or (character.isprintable() and character not in "<>&"):
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


class Fields:
    """One JSON object, read as Go reads a struct with the fields ``known``."""

    def __init__(self, value: object, place: str, known: Iterable[str], unknown: list[str]) -> None:
        """Take the object at ``place`` (empty for the whole file).

        Every key that is not known is told in ``unknown``. Raises ``JsonError``.
        """
        if not isinstance(value, dict):
            raise JsonError(f"{place or 'the file'} must be an object")
        self._place = place
        self._values: dict[str, object] = {}
        names = {name.lower(): name for name in known}
        for key, found in value.items():
            name = names.get(key.lower())
            if name is None:
                unknown.append(self._unknown(key, names))
            elif name in self._values:
                raise JsonError(f"{self.place(name)} stands twice, in different cases")
            else:
                self._values[name] = found

    def place(self, name: str) -> str:
        """Return how errors name that field."""
        return f"{self._place}.{name}" if self._place else name

    def value(self, name: str) -> object:
        """Return whatever is there; None if nothing is."""
        return self._values.get(name)

    def has(self, name: str) -> bool:
        """Tell whether the field is there and says something: not null, false, zero or empty."""
        return bool(self._values.get(name))

    def text(self, name: str) -> str:
        """Return a string; empty if there is none."""
        value = self._values.get(name)
        if value is None:
            return ""
        return _text(value, self.place(name))

    def texts(self, name: str) -> tuple[str, ...] | None:
        """Return a list of strings; None if there is none."""
        values = self._list(name)
        if values is None:
            return None
        return tuple(_text(value, f"{self.place(name)}[{at}]") for at, value in enumerate(values))

    def whole(self, name: str, default: int = 0) -> int:
        """Return a whole number."""
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool):
            raise JsonError(f"{self.place(name)} must be a whole number")
        return value

    def flag(self, name: str) -> bool:
        """Return true or false; false if there is none."""
        value = self._values.get(name)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise JsonError(f"{self.place(name)} must be true or false")
        return value

    def items(self, name: str) -> Iterator[tuple[object, str]]:
        """Yield the values of a list with their places."""
        for at, value in enumerate(self._list(name) or ()):
            yield value, f"{self.place(name)}[{at}]"

    def mapping(self, name: str) -> Mapping[str, object]:
        """Return an object whose keys are free, and mean what they say letter by letter."""
        value = self._values.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise JsonError(f"{self.place(name)} must be an object")
        return value

    def _list(self, name: str) -> list[object] | None:
        value = self._values.get(name)
        if value is None or isinstance(value, list):
            return value
        raise JsonError(f"{self.place(name)} must be a list")

    def _unknown(self, key: str, names: Mapping[str, str]) -> str:
        close = get_close_matches(key.lower(), names, n=1)
        hint = f"; did you mean {names[close[0]]!r}?" if close else ""
        return f"{self.place(ascii(key[:64]))} is not known and has no effect{hint}"


def _text(value: object, place: str) -> str:
    if not isinstance(value, str):
        raise JsonError(f"{place} must be a string")
    return value


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise JsonError(f"the key {twice!a} stands twice in one object")
    return found
