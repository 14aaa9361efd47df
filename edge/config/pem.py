"""PEM that the operator gave: as text in the configuration, or as the path of a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edge.config.errors import ConfigError, ConfigErrors, Findable, Place
from edge.config.files import UnreadableFileError, read_file
from edge.config.text import Problem, Text, directory_of, shown
from edge.config.values import read_text

_BEGIN = "-----BEGIN"

STAND_IN_PEM = _BEGIN
"""In the place of PEM that is missing or broken, so that the rest can be judged; said so elsewhere."""


@dataclass(frozen=True, slots=True)
class Pem:
    """Exactly one of ``path`` (absolute) and ``text`` is not None.

    Two are equal if they name the same PEM, wherever in a file they are written.
    """

    where: Findable = field(compare=False)
    path: Path | None = None
    text: str | None = field(default=None, repr=False)
    shown: str = field(default="the PEM text", compare=False)
    """What a message calls it: never the PEM text, and never a value from the environment."""

    @property
    def place(self) -> Place:
        """Where it was named."""
        return self.where.found()

    @property
    def is_stand_in(self) -> bool:
        """Whether the real value is missing or broken, and was already complained of."""
        return self.text == STAND_IN_PEM

    def read(self) -> bytes:
        """Return the PEM. Raises ``ConfigErrors`` with one error, placed at the key that names it."""
        if self.path is None:
            return (self.text or "").encode()
        try:
            data = read_file(self.path)
        except UnreadableFileError as problem:
            raise ConfigErrors((self.error(problem.message, problem.hint),)) from None
        if not data.strip():
            raise ConfigErrors((self.error("the file is empty", "write the PEM into it"),))
        return data

    def error(self, message: str, hint: str = "") -> ConfigError:
        """Return an error about the file or its contents, at the place where it was named."""
        file, key, line = self.place
        return ConfigError(file, key, f"{self.shown}: {message}", hint, line)


def read_pem(value: object) -> Pem:
    """Return PEM text or the path of it. Raises ``Problem``."""
    if isinstance(value, Pem):
        return value
    text = read_text(value)
    where = value.where if isinstance(value, Text) else Place("", "")
    if text.startswith(_BEGIN):
        return Pem(where, text=text)
    if _BEGIN in text:
        raise Problem("has text in front of the PEM", f"PEM text must begin with {_BEGIN}")
    if not text or "\x00" in text or "\n" in text:
        raise Problem("is neither a path nor PEM text", f"write a path, or text that begins with {_BEGIN}")
    return Pem(where, path=directory_of(value) / text, shown=shown(value))
