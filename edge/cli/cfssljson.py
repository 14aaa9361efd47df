"""``edge cfssljson``: write what ``edge cfssl`` printed to files, named and guarded as cfssljson does.

As with cfssljson, files that are there are replaced: whoever repeats a guide means that. A private
key that goes lost by this is told.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

import click

import edge
from edge.cli.cfssl import GoCommand
from edge.cli.cfssl_terminal import Terminal
from edge.cli.go_flags import Flag, FlagError, Flags, HelpWanted, described, parse
from edge.cli.options import fail, warn
from edge.pki.cfssl.messages import CfsslError
from edge.pki.cfssl.output import OutputFile, read_output
from edge.state.files import write_key, write_public

_FLAGS = (
    Flag("bare", "the input is what a command printed, not an API's response around it", is_switch=True),
    Flag("f", "JSON input; standard input by default"),
    Flag("stdout", "output the response instead of saving to a file", is_switch=True),
    Flag("version", "print version and exit", is_switch=True),
)


@click.command(cls=GoCommand, add_help_option=False)
def cfssljson(arguments: tuple[str, ...]) -> None:
    """Write the output of `edge cfssl` to NAME.pem, NAME-key.pem and NAME.csr."""
    try:
        flags = parse(arguments, _FLAGS)
    except HelpWanted:
        click.echo(_usage(), nl=False)
        return
    except FlagError as error:
        _wrong(str(error))
    if len(flags.words) > 1:
        _wrong(f"one NAME is enough, and flags go before it: {flags.words[1]}")
    if flags.is_on("version"):
        click.echo(f"Version: mtls-edge {edge.__version__}")
        return
    try:
        _write(flags)
    except CfsslError as error:
        fail([error])


def _write(flags: Flags) -> None:
    terminal = Terminal()
    data = terminal.read(flags.text("f") or "-")
    files = read_output(data, bare=flags.is_on("bare"))
    name = flags.words[0] if flags.words else "cert"
    for file in files:
        if flags.is_on("stdout"):
            terminal.print(file.as_text)
        else:
            _write_file(Path(name + file.suffix), file)


def _write_file(path: Path, file: OutputFile) -> None:
    try:
        if file.is_key:
            _tell_lost_key(path, file)
            write_key(path, file.data, overwrite=True)
        else:
            write_public(path, file.data)
            path.chmod(file.mode & ~_umask())
    except OSError as error:
        raise CfsslError(f"{path}: {error.strerror}") from None


def _tell_lost_key(path: Path, file: OutputFile) -> None:
    if path.exists() and path.read_bytes() != file.data:
        warn([f"{path}: another private key was there, and is now replaced"])


def _umask() -> int:
    mask = os.umask(0o077)  # it can only be read by setting it
    os.umask(mask)
    return mask


def _usage() -> str:
    return f"Usage: edge cfssljson [-bare] [-stdout] [-f FILE] [NAME]\n{described(_FLAGS)}"


def _wrong(reason: str) -> NoReturn:
    print(f"edge cfssljson: {reason}\n{_usage()}", end="", file=sys.stderr)
    sys.exit(2)
