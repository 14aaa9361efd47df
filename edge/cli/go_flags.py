"""Read flags as Go's flag package does: ``-flag``, ``--flag``, ``-flag=x``, ``-flag x``.

A flag that is a switch takes no separate word (``-initca csr.json`` is a switch and a file, and
``-initca=false`` turns it off). The first word that is no flag ends the flags, so does ``--``, and
``-`` alone is a word: standard input.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


class FlagError(Exception):
    """The words cannot be read as flags; the message says which."""


class HelpWanted(Exception):
    """Somebody wrote ``-h`` or ``-help``."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag. ``is_switch``: it is on or off and takes no value."""

    name: str
    help: str
    is_switch: bool = False


@dataclass(frozen=True, slots=True)
class Flags:
    """What was given: flags by name, and the words after them."""

    values: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()

    def text(self, name: str) -> str:
        """Return the value; empty if the flag was not given."""
        return self.values.get(name, "")

    def is_on(self, name: str) -> bool:
        """Tell whether a switch is on."""
        return self.values.get(name, "false") in _TRUE


def parse(arguments: Sequence[str], known: Iterable[Flag]) -> Flags:
    """Return the flags and the words behind them; of a flag given twice the last one counts.

    Raises ``FlagError`` and ``HelpWanted``.
    """
    flags = {flag.name: flag for flag in known}
    values: dict[str, str] = {}
    left = list(arguments)
    while left and left[0].startswith("-") and left[0] != "-":
        word = left.pop(0)
        if word == "--":
            break
        name, equals, value = word.removeprefix("-").removeprefix("-").partition("=")
        if not name or name.startswith("-"):
            raise FlagError(f"bad flag syntax: {word}")
        flag = flags.get(name)
        if flag is None:
            if name in ("h", "help"):
                raise HelpWanted
            raise FlagError(f"flag provided but not defined: -{name}")
        if flag.is_switch:
            values[name] = _switch(name, value if equals else "true")
        elif equals or left:
            values[name] = value if equals else left.pop(0)
        else:
            raise FlagError(f"flag needs an argument: -{name}")
    return Flags(values, tuple(left))


def described(flags: Iterable[Flag]) -> str:
    """Return the lines that explain the flags, with their defaults, as cfssl prints them."""
    defaults = {True: "false", False: '""'}
    return "".join(f"  -{flag.name}={defaults[flag.is_switch]}: {flag.help}\n" for flag in flags)


def _switch(name: str, value: str) -> str:
    if value not in _TRUE and value not in _FALSE:
        raise FlagError(f'invalid boolean value "{value}" for -{name}: write true or false')
    return value
