"""``edge run``: serve until SIGTERM or SIGINT."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path

import click

from edge.cli.configuration import config_option, configuration
from edge.cli.options import current_time, fail
from edge.config.errors import ConfigErrors
from edge.runtime.demo_process import demo_origin
from edge.runtime.prepare import needs_demo_origin, prepare
from edge.runtime.sockets import ListenError
from edge.runtime.supervisor import serve
from edge.state.signing_keys import KeyStoreError
from edge.telemetry.logging import configure, logger


@click.command()
@config_option
def run(config_path: Path) -> None:
    """Serve until SIGTERM or SIGINT."""
    config = configuration(config_path)
    with demo_origin() if needs_demo_origin(config) else nullcontext() as origin:
        try:
            built = prepare(config, current_time(), origin)
        except ConfigErrors as errors:
            fail(errors.errors)
        except KeyStoreError as error:
            fail([error])
        configure()
        for warning in built.warnings:  # the log is JSON lines from its first line on
            logger().warning("configuration_warning", detail=str(warning))
        try:
            status = serve(config, built)
        except ListenError as error:
            fail([error])
    sys.exit(status)
