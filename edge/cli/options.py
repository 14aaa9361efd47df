"""Options that several commands share, and how errors reach people: one line each, on standard error."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, TypeVar

import click

from edge.config.errors import ConfigErrors
from edge.config.schema import Configuration
from edge.runtime.prepare import read_configuration

_Command = TypeVar("_Command", bound=Callable[..., object])


def config_option(command: _Command) -> _Command:
    """Add ``-c/--config``."""
    return click.option(
        "-c",
        "--config",
        "config_path",
        required=True,
        type=click.Path(path_type=Path),
        help="The TOML file, or a directory of *.toml files.",
    )(command)


def json_option(command: _Command) -> _Command:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def current_time() -> datetime:
    """Return the time; the command line is where the clock is read."""
    return datetime.fromtimestamp(time.time(), UTC)  # noqa: TID251 - a shell


def configuration(path: Path) -> Configuration:
    """Read the configuration, or tell every error and end with status 1."""
    try:
        return read_configuration(path, os.environ, current_time())
    except ConfigErrors as errors:
        fail(errors.errors)


def warn(findings: Iterable[object]) -> None:
    """Print warnings."""
    for finding in findings:
        print(f"warning: {finding}", file=sys.stderr)


def fail(errors: Iterable[object]) -> NoReturn:
    """Print errors and end with status 1."""
    for error in errors:
        print(f"error: {error}", file=sys.stderr)
    sys.exit(1)
