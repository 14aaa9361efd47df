"""The option that names the configuration, for the commands that need one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from edge.cli.options import current_time, fail
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


def configuration(path: Path) -> Configuration:
    """Read the configuration, or tell every error and end with status 1."""
    try:
        return read_configuration(path, os.environ, current_time())
    except ConfigErrors as errors:
        fail(errors.errors)
