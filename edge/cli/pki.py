"""``edge pki``: a PKI of one's own, in a directory."""

from __future__ import annotations

import click

from edge.cli.pki_export import export
from edge.cli.pki_init import init
from edge.cli.pki_issue import issue, renew
from edge.cli.pki_read import list_command, show
from edge.cli.pki_revoke import crl, revoke


@click.group()
def pki() -> None:
    """Make a PKI, issue and renew certificates, revoke them, and hand them to devices."""


for command in (init, issue, renew, revoke, crl, list_command, show, export):
    pki.add_command(command)
