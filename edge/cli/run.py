"""``edge run``: serve until SIGTERM or SIGINT; SIGHUP reloads."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import NoReturn

import click

from edge.cli.configuration import config_option
from edge.cli.options import fail
from edge.config.errors import ConfigErrors
from edge.runtime.demo_process import demo_origin
from edge.runtime.prepare import needs_demo_origin
from edge.runtime.sockets import ListenError
from edge.runtime.source import Source
from edge.runtime.supervisor import serve
from edge.state.signing_keys import KeyStoreError
from edge.telemetry.logging import configure, logger


@click.command()
@config_option
def run(config_path: Path) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP, and changed files, reload."""
    signal.signal(signal.SIGTERM, _give_up)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to reload
    source = Source(
        config_path,
        os.environ,
        time.time,  # noqa: TID251 - a shell
        time.monotonic,
    )
    try:
        config = source.read()
        with demo_origin() if needs_demo_origin(config) else nullcontext() as source.demo_origin:
            built = source.build(config)
            configure()
            for warning in built.warnings:  # the log is JSON lines from its first line on
                logger().warning("configuration_warning", detail=str(warning))
            status = serve(config, built, source=source)
    except ConfigErrors as errors:
        fail(errors.errors)
    except (KeyStoreError, ListenError) as error:
        fail([error])
    sys.exit(status)


def _give_up(_number: int, _frame: object) -> NoReturn:
    """End before anything is served. As PID 1 of a container nobody would end us otherwise."""
    sys.exit(128 + signal.SIGTERM)
