"""Options that several commands share, and how errors reach people: one line each, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import NoReturn, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., object])


def json_option(command: _Command) -> _Command:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def current_time() -> datetime:
    """Return the time; the command line is where the clock is read."""
    return datetime.fromtimestamp(time.time(), UTC)  # noqa: TID251 - a shell


def warn(findings: Iterable[object]) -> None:
    """Print warnings."""
    for finding in findings:
        print(f"warning: {finding}", file=sys.stderr)


def fail(errors: Iterable[object]) -> NoReturn:
    """Print errors and end with status 1."""
    for error in errors:
        print(f"error: {error}", file=sys.stderr)
    sys.exit(1)
