"""``edge pki export``: a leaf with its key, in the form a device takes."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from edge.cli.pki_options import PATH, directory_option, force_option, opened, read_password
from edge.pki.directory import Directory
from edge.pki.errors import PkiError
from edge.pki.export import export_esp32, export_mobileconfig, export_pkcs12, write_export
from edge.pki.lookup import find
from edge.pki.password import new_password
from edge.pki.record import Record


@click.command()
@click.argument("which", metavar="NAME|SERIAL|FILE")
@directory_option
@click.option("--p12", "form", flag_value=".p12", help="PKCS#12, for browsers, phones and keychains.")
@click.option("--mobileconfig", "form", flag_value=".mobileconfig", help="A profile for iPhone and Mac.")
@click.option("--esp32", "form", flag_value=".h", help="A C header with certificate and key.")
@click.option(
    "--legacy", is_flag=True, help="With --p12: 3DES and SHA-1, for old phones and the macOS keychain."
)
@click.option("--out", type=PATH, help="The file to write; NAME with its suffix in the directory by default.")
@click.option("--password-file", type=PATH, help="A file whose first line is the password.")
@click.option("--ask-password", is_flag=True, help="Ask for the password; otherwise one is made and printed.")
@force_option
def export(  # noqa: PLR0913 - one parameter an option
    which: str,
    directory_path: Path,
    form: str | None,
    out: Path | None,
    password_file: Path | None,
    *,
    legacy: bool,
    ask_password: bool,
    force: bool,
) -> None:
    """Write a certificate with its key into one file, mode 0600."""
    if form is None:
        raise click.UsageError("say in which form: --p12, --mobileconfig or --esp32")
    if legacy and form != ".p12":
        raise click.UsageError("--legacy only means something with --p12")
    if form == ".h" and (password_file or ask_password):
        raise click.UsageError("a header has no password")
    if password_file and ask_password:
        raise click.UsageError("--password-file and --ask-password give the same; choose one")
    asked = click.prompt("Password", hide_input=True, confirmation_prompt=True) if ask_password else None
    with opened(directory_path, to_write=True) as directory:
        record = find(directory, which)
        password = _given(password_file) or asked
        made = password or new_password(secrets.randbits)
        octets = _octets(directory, record, form, made, legacy=legacy)
        path = write_export(out or directory.file(record.name, form), octets, force=force)
        print(f"Wrote {path}.")
        if form != ".h" and password is None:
            print(f"Its password is shown this once: {made}")


def _given(path: Path | None) -> str | None:
    password = read_password(path)
    try:
        return None if password is None else password.decode()
    except UnicodeDecodeError:
        raise PkiError(f"{path}: the password is not UTF-8, and devices could not be told it") from None


def _octets(directory: Directory, record: Record, form: str, password: str, *, legacy: bool) -> bytes:
    if form == ".p12":
        return export_pkcs12(directory, record, password, legacy=legacy)
    if form == ".mobileconfig":
        return export_mobileconfig(directory, record, password)
    return export_esp32(directory, record)
