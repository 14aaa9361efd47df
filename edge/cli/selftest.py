"""``edge selftest``: known ways past a terminator, tried from outside against a server one owns."""

from __future__ import annotations

import os
import secrets
import sys
import warnings
from pathlib import Path
from typing import NoReturn

import click
import orjson
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from edge.cli.options import json_option
from edge.config.files import UnreadableFileError, read_file
from edge.config.request_url import RequestUrl, read_request_url
from edge.config.text import Problem
from edge.model.hostname import HostnameError, is_ip_literal, split_authority
from edge.selftest.aim import Aim, AimError, Endpoint, Host, find_endpoint
from edge.selftest.case import Outcome
from edge.selftest.catalogue import CASES, UnknownCase, select
from edge.selftest.report import document_of, lines_of, printable
from edge.selftest.run import MOST_PATIENCE_SECONDS, Report, run
from edge.selftest.scene import NoBaseline
from edge.tls.raw_client import ClientIdentity

_COLOURS = {Outcome.HELD: "green", Outcome.HOLE: "red", Outcome.COULD_NOT_TELL: "yellow"}
_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("url", required=False)
@click.option(
    "--cert", type=_FILE, help="A client certificate that the URL is let in with, and intermediates."
)
@click.option("--key", type=_FILE, help="Its key. Default: in the file of --cert.")
@click.option("--ca", type=_FILE, help="The CA of the server's certificate.")
@click.option("--insecure-server", is_flag=True, help="Do not judge the server's certificate.")
@click.option("--connect", help="HOST:PORT to connect to, if not that of the URL.")
@click.option("--other-host", help="Another host of the same endpoint, with another client CA or none.")
@click.option(
    "--other-cert", type=_FILE, help="A certificate that the other host accepts, and the URL must not."
)
@click.option("--other-key", type=_FILE, help="Its key. Default: in the file of --other-cert.")
@click.option("--echo-path", help="A path at the URL's host whose answer repeats the request's head.")
@click.option("--only", multiple=True, metavar="NAME", help="A case or a class; repeatable.")
@click.option("--skip", multiple=True, metavar="NAME", help="A case or a class; repeatable.")
@click.option(
    "--patience",
    type=click.FloatRange(1.0, MOST_PATIENCE_SECONDS),
    default=90.0,
    show_default=True,
    help="Seconds until what is slow for ever must be cut.",
)
@click.option("--i-own-this-host", "own", is_flag=True, help="Allow addresses that are not loopback.")
@click.option("--list", "list_cases", is_flag=True, help="List the cases, and send nothing.")
@json_option
@click.pass_context
def selftest(  # noqa: PLR0913 - one for each option
    context: click.Context,
    url: str | None,
    *,
    cert: Path | None,
    key: Path | None,
    ca: Path | None,
    insecure_server: bool,
    connect: str | None,
    other_host: str | None,
    other_cert: Path | None,
    other_key: Path | None,
    echo_path: str | None,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    patience: float,
    own: bool,
    list_cases: bool,
    as_json: bool,
) -> None:
    """Try known ways past a mutual-TLS terminator against URL, a server that you own.

    It opens at most about five hundred connections one after the other, and sixty at once. Among them are
    POSTs of a few octets to URL with your certificate: name a URL that may get them. It lasts less than
    two minutes. Ends with status 0 if nothing was let through, 1 if something was, 2 if nothing was tried.
    """
    try:
        cases = select(only, skip)
    except UnknownCase as error:
        raise click.UsageError(f"there is no case and no class {str(error)!r}; see --list") from None
    if list_cases:
        _print_list(as_json=as_json)
        return
    if url is None or cert is None:
        raise click.UsageError("give a URL and --cert; --list needs neither")
    if (ca is None) != insecure_server:
        raise click.UsageError("give either --ca or --insecure-server")
    if other_cert is not None and other_host is None:
        raise click.UsageError("--other-cert belongs to --other-host")
    target = _url(url)
    aim = Aim(
        url=target,
        endpoint=_endpoint(connect or target.authority, own=own),
        identity=_identity(cert, key or cert),
        trust=None if ca is None else tuple(_certificates(ca)),
        other=None if other_host is None else _host(other_host),
        other_identity=None if other_cert is None else _identity(other_cert, other_key or other_cert),
        echo_target=echo_path,
        patience=patience,
    )
    try:
        report = run(aim, cases, secrets.token_hex(8))
    except NoBaseline as error:
        _fail(printable(str(error)))
    _print(report, as_json=as_json)
    context.exit(1 if report.count(Outcome.HOLE) else 0)


def _fail(message: str) -> NoReturn:
    """Nothing was learned: status 2, for 1 means a hole."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def _url(text: str) -> RequestUrl:
    try:
        return read_request_url(text)
    except Problem as problem:
        raise click.UsageError(f"{text!r} {problem.says}; {problem.hint}") from None


def _endpoint(authority: str, *, own: bool) -> Endpoint:
    try:
        host, port = split_authority(authority.encode())
        return find_endpoint(host, port or 443, own=own)
    except HostnameError as error:
        raise click.UsageError(f"{authority!r} is not HOST:PORT: {error}") from None
    except AimError as error:
        raise click.UsageError(str(error)) from None


def _host(authority: str) -> Host:
    try:
        name, _ = split_authority(authority.encode())
    except HostnameError as error:
        raise click.UsageError(f"--other-host {authority!r} is no host: {error}") from None
    return Host(authority, None if is_ip_literal(name) else name.encode("ascii"))


def _identity(certificate: Path, key: Path) -> ClientIdentity:
    leaf, *chain = _certificates(certificate)
    try:
        loaded = load_pem_private_key(_octets(key), password=None)
    except (ValueError, TypeError):
        raise click.UsageError(f"{key} has no unencrypted private key in PEM") from None
    if loaded.public_key() != leaf.public_key():
        raise click.UsageError(f"the key in {key} is not that of the certificate in {certificate}")
    return ClientIdentity(leaf, loaded, tuple(chain))


def _certificates(path: Path) -> list[x509.Certificate]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd names and numbers are the server's to judge
        try:
            return x509.load_pem_x509_certificates(_octets(path))
        except ValueError:
            raise click.UsageError(f"{path} has no certificate in PEM") from None


def _octets(path: Path) -> bytes:
    try:
        return read_file(path)
    except UnreadableFileError as error:
        raise click.UsageError(f"{path}: {error.message}; {error.hint}") from None


def _print_list(*, as_json: bool) -> None:
    if as_json:
        rows = [
            {"id": case.id, "class": case.family.value, "severity": case.severity.value, "sends": case.sends}
            for case in CASES
        ]
        print(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    for case in CASES:
        print(f"{case.family.value:<12} {case.id:<36} {case.sends}")


def _print(report: Report, *, as_json: bool) -> None:
    if as_json:
        print(orjson.dumps(document_of(report), option=orjson.OPT_INDENT_2).decode())
        return
    plain = "NO_COLOR" in os.environ
    for text, outcome in lines_of(report):
        click.secho(text, fg=None if plain or outcome is None else _COLOURS.get(outcome))
