"""Read the configuration's files into documents: bytes, UTF-8, TOML, environment variables."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.config.environment import Substitution
from edge.config.errors import ConfigError, printable
from edge.config.files import UnreadableFileError, is_directory, read_file
from edge.config.places import SourceFile

_AT_LINE = re.compile(r" \(at line (\d+), column (\d+)\)$", re.ASCII)
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Document:
    """One file after its environment variables were put in; its strings are ``Text``."""

    source: SourceFile
    tree: Mapping[str, object]
    taken: Mapping[str, str]
    """The environment variables that were used."""
    errors: tuple[ConfigError, ...]


class DocumentError(Exception):
    """A file that is no document. ``error`` says why."""

    def __init__(self, error: ConfigError) -> None:
        super().__init__(str(error))
        self.error = error


def files_of(path: Path) -> tuple[Path, ...]:
    """Return the file itself, or the ``*.toml`` of a directory in name order, without hidden ones.

    Raises ``DocumentError`` for a directory that cannot be listed or has none.
    """
    if not is_directory(path):
        return (path,)
    try:
        names = sorted(entry.name for entry in path.iterdir())
    except OSError as error:
        message = f"the directory cannot be listed ({error.strerror})"
        raise DocumentError(
            ConfigError(str(path), "", message, "let the user that runs the edge read it")
        ) from None
    # editors leave hidden copies like ".#edge.toml" and ".edge.toml.swp" behind
    files = tuple(path / name for name in names if name.endswith(".toml") and not name.startswith("."))
    if not files:
        raise DocumentError(ConfigError(str(path), "", "there is no *.toml in this directory", "name a file"))
    return files


def read_document(path: Path, environ: Mapping[str, str]) -> Document:
    """Return the document of one file. Raises ``DocumentError``."""
    text = _decode(path, _read(path))
    tree = _parse(path, text)
    source = SourceFile(str(path), text)
    substitution = Substitution(environ, path.absolute().parent, source.written)
    substituted = {key: substitution.apply(value, (key,)) for key, value in tree.items()}
    return Document(source, substituted, substitution.taken, tuple(substitution.errors))


def _read(path: Path) -> bytes:
    try:
        data = read_file(path)
    except UnreadableFileError as problem:
        raise DocumentError(ConfigError(str(path), "", problem.message, problem.hint)) from None
    if not data.strip():
        raise DocumentError(ConfigError(str(path), "", "the file is empty", "see docs/configuration.md"))
    return data


def _decode(path: Path, data: bytes) -> str:
    try:
        # TOML 1.0 asks for "\n" or "\r\n"; the mark that Windows editors put in front is no part of it
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        what = "UTF-16" if data.startswith(_UTF16_MARKS) else "not UTF-8"
        line = None if data.startswith(_UTF16_MARKS) else data.count(b"\n", 0, error.start) + 1
        raise DocumentError(
            ConfigError(str(path), "", f"the file is {what}", "save it as UTF-8", line)
        ) from None


def _parse(path: Path, text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DocumentError(_syntax_error(path, str(error), text)) from None
    except (ValueError, OverflowError):  # an integer of thousands of digits passes tomllib's own checks
        hint = "write a smaller number"
        raise DocumentError(ConfigError(str(path), "", "a number is too long", hint)) from None
    except RecursionError:
        message = "tables or lists are nested too deeply"
        raise DocumentError(ConfigError(str(path), "", message, "write fewer levels")) from None


def _syntax_error(path: Path, message: str, text: str) -> ConfigError:
    place = _AT_LINE.search(message)
    line = int(place[1]) if place else text.rstrip().count("\n") + 1
    said = _AT_LINE.sub("", message).removesuffix(" (at end of document)")
    column = f" at column {place[2]}" if place else " at the end"
    return ConfigError(str(path), "", f"not valid TOML{column}: {printable(said)[:200]}", "", line)
