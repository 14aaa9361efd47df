"""``edge pki init``: make a root and an intermediate."""

from __future__ import annotations

import json
import secrets
import shlex
from datetime import timedelta
from pathlib import Path

import click

from edge.cli.options import current_time
from edge.cli.pki_options import (
    DAYS,
    PATH,
    ca_password_option,
    directory_option,
    explained,
    note,
    read_password,
)
from edge.pki.initialise import INTERMEDIATE_LIFETIME, ROOT_LIFETIME, Initialised, InitOrder
from edge.pki.initialise import init as make

_NEXT = """\
Its name is {name}. The CRLs in crl.pem are good for thirty days: let a timer run `edge pki crl` every day.

To let an edge trust it, write into its configuration:

[[mtls_certificates]]
name = {toml_name}
certificate = {ca}
associated_hostnames = ["www.example.com"]
crl = [{crl}]

To issue the first client certificate:

edge pki issue "James Royal" --dir {directory}
"""


@click.command()
@click.argument("positional", metavar="[DIR]", required=False, type=PATH)
@directory_option
@click.option("--name", default="", help="The beginning of both common names; a random one otherwise.")
@click.option(
    "--days", default=ROOT_LIFETIME.days, show_default=True, type=DAYS, help="How long the root is good for."
)
@click.option(
    "--intermediate-days",
    default=INTERMEDIATE_LIFETIME.days,
    show_default=True,
    type=DAYS,
    help="The same of the intermediate; never longer than the root.",
)
@ca_password_option
@click.option("--force", is_flag=True, help="Move the PKI that is there aside.")
def init(
    positional: Path | None,
    directory_path: Path,
    name: str,
    days: int,
    intermediate_days: int,
    ca_password_file: Path | None,
    *,
    force: bool,
) -> None:
    """Make a PKI in DIR: root, intermediate, their CRLs, and the index."""
    given = click.get_current_context().get_parameter_source("directory_path")
    if positional is not None and given is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("DIR and --dir are the same; give one of them")
    path = positional or directory_path
    with explained():
        order = InitOrder(
            name,
            timedelta(days=days),
            timedelta(days=intermediate_days),
            read_password(ca_password_file),
            force,
        )
        made = make(path, order, current_time(), secrets.randbits)
    _explain(made)


def _explain(made: Initialised) -> None:
    note(made.notes)
    here = made.directory.absolute()
    if made.moved_to is not None:
        print(f"Replaced the PKI that was here. It is whole in {made.moved_to}: {', '.join(made.moved)}.")
        print(f"Its certificates stay valid where it is trusted; use it with --dir {made.moved_to}.\n")
    print(f"Made a PKI in {here}. root-key.pem and intermediate-key.pem are secret; back them up.")
    print(
        _NEXT.format(
            name=made.name,
            toml_name=json.dumps(made.name, ensure_ascii=False),
            ca=json.dumps(str(here / "ca.pem"), ensure_ascii=False),
            crl=json.dumps(str(here / "crl.pem"), ensure_ascii=False),
            directory=shlex.quote(str(here)),
        ),
        end="",
    )
