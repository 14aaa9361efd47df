"""What the commands of ``edge pki`` share: the directory, passwords, notes, and errors in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click

from edge.cli.options import fail
from edge.pki.directory import Directory, reading, writing
from edge.pki.errors import PkiError
from edge.pki.issue import IssueError
from edge.pki.keys import KeyMaterialError

_Command = TypeVar("_Command", bound=Callable[..., object])

MAX_DAYS = 36500
DAYS = click.IntRange(1, MAX_DAYS)
PATH = click.Path(path_type=Path)


def directory_option(command: _Command) -> _Command:
    """Add ``--dir``."""
    return click.option(
        "--dir",
        "directory_path",
        default=".",
        show_default=True,
        type=PATH,
        help="The PKI directory.",
    )(command)


def ca_password_option(command: _Command) -> _Command:
    """Add ``--ca-password-file``."""
    return click.option(
        "--ca-password-file",
        "ca_password_file",
        type=PATH,
        help="A file whose first line is the password of the CA keys.",
    )(command)


def force_option(command: _Command) -> _Command:
    """Add ``--force``."""
    return click.option("--force", is_flag=True, help="Replace files that are there.")(command)


@contextmanager
def explained() -> Iterator[None]:
    """End with status 1 and one line for everything that can be wrong with a PKI directory."""
    try:
        yield
    except (PkiError, IssueError, KeyMaterialError) as error:
        fail([error])
    except OSError as error:
        where = error.filename if error.filename is not None else "the disk"
        fail([f"{where}: {error.strerror or error}; check the path and who may write there"])


@contextmanager
def opened(path: Path, *, to_write: bool) -> Iterator[Directory]:
    """Open a PKI directory; tell notes and errors on standard error."""
    with explained(), (writing if to_write else reading)(path) as directory:
        try:
            yield directory
        finally:
            note(directory.notes)


def note(lines: Iterable[str]) -> None:
    """Print what people should know, though nothing is wrong."""
    for line in lines:
        print(f"note: {line}", file=sys.stderr)


def read_password(path: Path | None) -> bytes | None:
    """Return the first line of a file. Raises ``PkiError`` if it is empty, ``OSError`` as the disk does."""
    if path is None:
        return None
    password = path.read_bytes().partition(b"\n")[0].rstrip(b"\r")
    if not password:
        raise PkiError(f"{path}: its first line is empty; write the password there")
    return password
