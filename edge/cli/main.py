"""The command ``edge``: the list of its sub-commands and what they have in common."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

import edge

_COMMANDS = ("cfssl", "cfssljson", "check", "demo", "explain", "keys", "pki", "run", "selftest")
"""Each is an attribute of the module of its name beside this one."""


class _Commands(click.Group):
    """Loads the command that was asked for, and no other.

    A pipe of ``edge cfssl`` and ``edge cfssljson`` starts two processes; neither needs the data plane.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of all commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Return a command; None if there is none of that name."""
        if cmd_name not in _COMMANDS:
            return None
        with _our_openssl_conf():
            command = getattr(importlib.import_module(f"edge.cli.{cmd_name}"), cmd_name)
        return command if isinstance(command, click.Command) else None


@contextmanager
def _our_openssl_conf() -> Iterator[None]:
    """Let OpenSSL, which is loaded within, read our file. An operator's own goes first.

    OpenSSL reads it once. The variable is gone afterwards: other programs are not to read it.
    """
    if "OPENSSL_CONF" in os.environ:
        yield
        return
    os.environ["OPENSSL_CONF"] = str(Path(edge.__file__).parent / "tls" / "openssl.cnf")
    try:
        yield
    finally:
        del os.environ["OPENSSL_CONF"]


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from edge.tls.openssl import OPENSSL_VERSION  # noqa: PLC0415 - only who asks for it loads OpenSSL

        click.echo(f"mtls-edge {edge.__version__}, {OPENSSL_VERSION}")
        context.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_print_version,
    help="Show the version and exit.",
)
def main() -> None:
    """A mutual-TLS edge: client certificates per host, Access policies per path."""
