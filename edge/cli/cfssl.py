"""``edge cfssl``: cfssl's own commands, flags and output, so that its guides run as they are written."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

import click

from edge.cli import cfssl_make, cfssl_read
from edge.cli.cfssl_terminal import Terminal, UsageError, log_level
from edge.cli.go_flags import Flag, FlagError, Flags, HelpWanted, described, parse
from edge.cli.options import fail
from edge.pki.cfssl.messages import CfsslError

_INITCA = Flag("initca", "initialise new CA", is_switch=True)
_RENEWCA = Flag("renewca", "re-generate a CA certificate from existing CA certificate/key", is_switch=True)
_CA = Flag("ca", "CA used to sign the new certificate; a file, file:NAME or env:VARIABLE")
_CA_KEY = Flag("ca-key", "CA private key; a file, file:NAME or env:VARIABLE")
_CONFIG = Flag("config", "path to configuration file")
_PROFILE = Flag("profile", "signing profile to use")
_HOSTNAME = Flag("hostname", "Hostname for the cert, could be a comma-separated hostname list")
_CN = Flag("cn", "certificate common name (CN)")
_CERT = Flag("cert", "Client certificate that contains the public key, '-' for standard input")
_CSR = Flag("csr", "Certificate signature request file for new public key, '-' for standard input")
_JSON = Flag("json", "JSON on a terminal too", is_switch=True)
_LOGLEVEL = Flag("loglevel", "Log level (0 = DEBUG, 5 = FATAL); 1 by default")

_ELSEWHERE = {
    "remote": "this toolkit signs with local keys only",
    "label": "this toolkit signs with local keys only",
    "tls-remote-ca": "this toolkit signs with local keys only",
    "mutual-tls-cert": "this toolkit signs with local keys only",
    "mutual-tls-key": "this toolkit signs with local keys only",
    "mutual-tls-cn": "this toolkit signs with local keys only",
    "db-config": "there is no certificate database; `edge pki` keeps an index of what it issued",
    "serial": "there is no certificate database; `edge pki list` shows what was issued",
    "aki": "there is no certificate database; `edge pki list` shows what was issued",
    "domain": "fetch the certificate first: openssl s_client -connect HOST:443 -servername HOST",
}
"""Flags of cfssl that are not here, and why."""


@dataclass(frozen=True, slots=True)
class _Command:
    about: str
    usages: tuple[str, ...]
    flags: tuple[Flag, ...]
    run: Callable[[Flags, Terminal], None]


_COMMANDS = {
    "gencert": _Command(
        "generate a new key and signed certificate",
        (
            "-initca CSRJSON",
            "-ca cert -ca-key key [-config config] [-profile profile] [-hostname hostname] CSRJSON",
            "-initca -ca-key key CSRJSON",
            "-renewca -ca cert -ca-key key",
        ),
        (_INITCA, _RENEWCA, _CA, _CA_KEY, _CONFIG, _HOSTNAME, _PROFILE, _CN),
        cfssl_make.gencert,
    ),
    "genkey": _Command(
        "generate a new key and CSR",
        ("[-initca] CSRJSON",),
        (_INITCA, _CONFIG, _CN),
        cfssl_make.genkey,
    ),
    "sign": _Command(
        "sign a certificate request",
        ("-ca cert -ca-key key [-config config] [-profile profile] [-hostname hostname] CSR [SUBJECT]",),
        (_HOSTNAME, _CSR, _CA, _CA_KEY, _CONFIG, _PROFILE),
        cfssl_make.sign,
    ),
    "selfsign": _Command(
        "generate a new self-signed key and certificate, for tests only",
        ("HOSTNAME CSRJSON",),
        (_CONFIG, _PROFILE, _HOSTNAME),
        cfssl_make.selfsign,
    ),
    "certinfo": _Command(
        "output certinfo about the given cert",
        ("-cert file", "-csr file"),
        (_CERT, _CSR, _JSON),
        cfssl_read.certinfo,
    ),
    "gencrl": _Command(
        "generate a new Certificate Revocation List",
        ("INPUTFILE CERT KEY [TIME]",),
        (),
        cfssl_read.gencrl,
    ),
    "print-defaults": _Command(
        "print default configurations that can be used as a template",
        ("[config|csr]",),
        (),
        cfssl_read.print_defaults,
    ),
    "version": _Command("print the version", ("",), (), cfssl_read.version),
}


class GoCommand(click.Command):
    """A command that reads its words itself: click knows no ``-initca``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Leave every word as it is."""
        ctx.params["arguments"] = tuple(args)
        return []


@click.command(cls=GoCommand, add_help_option=False)
def cfssl(arguments: tuple[str, ...]) -> None:
    """Make certificates and CRLs with cfssl's commands, flags and JSON."""
    name, *rest = arguments or ("",)
    if name in ("-h", "-help", "--help", "help"):
        click.echo(_overview(), nl=False)
    elif name in _COMMANDS:
        _run(name, rest)
    else:
        print(f"Command {name} is not defined." if name else "No command is given.", file=sys.stderr)
        _show_usage(_overview())


def _run(name: str, arguments: Sequence[str]) -> None:
    command = _COMMANDS[name]
    try:
        flags = _flags(command, arguments)
        terminal = Terminal(log_level(flags.text("loglevel") or "1"))
        with warnings.catch_warnings():
            # What a library thinks of a certificate is not for whoever asked for it.
            warnings.simplefilter("ignore")
            command.run(flags, terminal)
    except HelpWanted:
        click.echo(_usage(name), nl=False)
    except (FlagError, UsageError) as error:
        print(f"edge cfssl {name}: {error}", file=sys.stderr)
        _show_usage(_usage(name))
    except CfsslError as error:
        if error.code is None:
            fail([error])
        print(error, file=sys.stderr)
        sys.exit(1)


def _flags(command: _Command, arguments: Sequence[str]) -> Flags:
    elsewhere = [Flag(name, "") for name in _ELSEWHERE]
    flags = parse(arguments, (*command.flags, _LOGLEVEL, *elsewhere))
    for name, reason in _ELSEWHERE.items():
        if flags.text(name):
            raise UsageError(f"-{name} is not supported: {reason}")
    return flags


def _show_usage(text: str) -> NoReturn:
    print(text, end="", file=sys.stderr)
    sys.exit(2)


def _overview() -> str:
    names = "".join(f"\t{name:<16}{command.about}\n" for name, command in _COMMANDS.items())
    return f"Usage: edge cfssl COMMAND [-flags] ARGUMENTS\nAvailable commands:\n{names}"


def _usage(name: str) -> str:
    command = _COMMANDS[name]
    lines = "".join(f"        edge cfssl {name} {usage}\n" for usage in command.usages)
    flags = described((*command.flags, _LOGLEVEL))
    return f"edge cfssl {name} -- {command.about}\n\nUsage:\n{lines}\nFlags:\n{flags}"
