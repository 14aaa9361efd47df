"""The other commands of ``edge cfssl``: certinfo, gencrl, print-defaults, version."""

from __future__ import annotations

import base64
import platform
import sys
from datetime import timedelta
from pathlib import Path

import edge
from edge.cli.cfssl_terminal import Terminal, UsageError, words
from edge.cli.go_flags import Flags
from edge.cli.options import current_time
from edge.pki.cfssl import gencrl as crl
from edge.pki.cfssl.certinfo import certificate_info, certificate_rows, expiry_warning, read_certificate
from edge.pki.cfssl.csrinfo import request_info, request_rows
from edge.pki.cfssl.defaults import DEFAULTS
from edge.pki.cfssl.go_json import dumps
from edge.pki.cfssl.messages import CfsslError, shown
from edge.pki.cfssl.request import read_csr


def certinfo(flags: Flags, terminal: Terminal) -> None:
    """Tell what is in a certificate or a request: JSON for programs, a table on a terminal."""
    words(flags)
    as_json = flags.is_on("json") or not sys.stdout.isatty()
    if flags.text("cert"):
        certificate = terminal.load(flags.text("cert"), read_certificate)
        now = current_time()
        warning = expiry_warning(certificate, now)
        if warning:
            terminal.warning(warning)
        info, rows = certificate_info(certificate), certificate_rows(certificate, now)
    elif flags.text("csr"):
        csr = terminal.load(flags.text("csr"), read_csr)
        info, rows = request_info(csr), request_rows(csr)
    else:
        raise UsageError("Must specify certinfo target through -cert or -csr")
    terminal.print(dumps(info, indent=2) if as_json else _table(rows))


def gencrl(flags: Flags, terminal: Terminal) -> None:
    """Make a CRL of a list of serial numbers, in base64 on one line."""
    given = words(flags, "INPUTFILE", "CERT", "KEY", "TIME", optional=1)
    lifetime = _lifetime(given[3]) if len(given) > 3 else crl.DEFAULT_LIFETIME
    serials = terminal.load(given[0], lambda data: crl.read_serials(_text(data), terminal))
    authority = terminal.authority(given[1], given[2])
    der = crl.gencrl(authority, serials, current_time(), lifetime)
    terminal.print(base64.b64encode(der).decode())


def print_defaults(flags: Flags, terminal: Terminal) -> None:
    """Print a file to begin with."""
    given = words(flags, "TYPE", optional=1)
    if not given:
        names = "".join(f"\n\t{name}" for name in DEFAULTS)
        terminal.plain(f"Default configurations are available for:{names}")
    elif given[0] in DEFAULTS:
        terminal.print(DEFAULTS[given[0]])
    else:
        raise UsageError(f"{given[0]} is not one of {', '.join(DEFAULTS)}")


def version(flags: Flags, terminal: Terminal) -> None:
    """Tell which toolkit this is."""
    words(flags)
    terminal.print(f"Version: mtls-edge {edge.__version__}\nRuntime: Python {platform.python_version()}")


def _lifetime(text: str) -> timedelta:
    try:
        return crl.read_lifetime(text)
    except CfsslError:
        if not Path(text).exists():
            raise
        raise CfsslError(
            f"TIME is a number of seconds, not a file as in cfssl 1.2; write $(cat {text})"
        ) from None


def _text(data: bytes) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise CfsslError("it is no list of serial numbers: not ASCII") from None


def _table(rows: list[tuple[str, str]]) -> str:
    width = max(len(title) for title, _ in rows)
    return "\n".join(f"{title:<{width}}  {shown(value)}" for title, value in rows)
