"""The command ``edge``: the list of its sub-commands and what they have in common."""

from __future__ import annotations

import click

import edge
from edge.cli.cfssl import cfssl
from edge.cli.cfssljson import cfssljson
from edge.cli.check import check
from edge.cli.demo import demo
from edge.cli.keys import keys
from edge.cli.pki import pki
from edge.cli.run import run
from edge.tls.openssl import OPENSSL_VERSION


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    edge.__version__, prog_name="mtls-edge", message=f"%(prog)s %(version)s, {OPENSSL_VERSION}"
)
def main() -> None:
    """A mutual-TLS edge: client certificates per host, Access policies per path."""


for command in (run, check, demo, keys, pki, cfssl, cfssljson):
    main.add_command(command)
