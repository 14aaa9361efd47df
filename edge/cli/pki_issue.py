"""``edge pki issue`` and ``edge pki renew``."""

from __future__ import annotations

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
    force_option,
    opened,
    read_password,
)
from edge.pki import export
from edge.pki.directory import LEAF_SUFFIXES, Directory
from edge.pki.enrol import Order, Renewal, issue_leaf, read_request, renew_leaf
from edge.pki.issue import Profile
from edge.pki.leaf import KeyType, Leaf, describe
from edge.pki.lookup import find
from edge.pki.names import file_name_of, read_alternative_name, read_file_name
from edge.pki.password import new_password
from edge.pki.record import Record

_PROFILES = {profile.name.lower(): profile for profile in Profile}


@click.command()
@click.argument("common_name", metavar="CN")
@directory_option
@click.option("--san", "names", multiple=True, help="IP address, e-mail, URI or host name.")
@click.option("--subject", "rest", default="", help="More of the subject, as OU=Sensors,O=Widgetcorp.")
@click.option("--profile", default="client", show_default=True, type=click.Choice(list(_PROFILES)))
@click.option("--days", type=DAYS, help="How long it is good for; 365, for servers 397.")
@click.option("--key-type", type=click.Choice([key.value for key in KeyType]), help="p256 by default.")
@click.option("--csr", type=PATH, help="A signing request; only the public key is taken from it.")
@click.option("--out", help="The name of its files, without .pem; made of CN by default.")
@click.option("--curl", "url", help="Print a curl line for this URL.")
@click.option("--esp32", is_flag=True, help="Write a C header as well.")
@click.option("--mobileconfig", is_flag=True, help="Write an Apple profile as well.")
@ca_password_option
@force_option
def issue(  # noqa: PLR0913 - one parameter an option
    *,
    common_name: str,
    directory_path: Path,
    names: tuple[str, ...],
    rest: str,
    profile: str,
    days: int | None,
    key_type: str | None,
    csr: Path | None,
    out: str | None,
    url: str | None,
    ca_password_file: Path | None,
    esp32: bool,
    mobileconfig: bool,
    force: bool,
) -> None:
    """Issue a certificate for CN: NAME.pem, NAME-key.pem, NAME-chain.pem."""
    if csr is not None and (key_type or esp32 or mobileconfig or url):
        raise click.UsageError(
            "with --csr the key stays where it is; --key-type, --curl and exports need it here"
        )
    exports = {".h": esp32, ".mobileconfig": mobileconfig}
    with explained():
        leaf = _describe(common_name, profile, names, rest)
        order = Order(
            leaf,
            file_name_of(common_name) if out is None else read_file_name(out),
            KeyType(key_type or "p256").make() if csr is None else read_request(csr),
            None if days is None else timedelta(days=days),
            force,
            tuple(suffix for suffix, wanted in exports.items() if wanted),
        )
        password = read_password(ca_password_file)
    with opened(directory_path, to_write=True) as directory:
        issuer = directory.authority(directory.intermediate, password)
        record = issue_leaf(directory, order, issuer, current_time(), secrets.randbits)
        if csr is not None:
            directory.notes.append("subject and names of the request were not used, only its public key")
        _tell(directory, record)
        _export(directory, record, order)
        if url is not None:
            print(f"\n{_curl(directory, record, url)}")


@click.command()
@click.argument("which", metavar="NAME|SERIAL|FILE")
@directory_option
@click.option("--same-key", is_flag=True, help="Certify the same key again instead of making a new one.")
@click.option("--days", type=DAYS, help="How long it is good for; as long as the old one by default.")
@ca_password_option
def renew(
    which: str, directory_path: Path, days: int | None, ca_password_file: Path | None, *, same_key: bool
) -> None:
    """Issue a certificate that says the same, in the files of the old one."""
    how = Renewal(same_key, None if days is None else timedelta(days=days))
    with opened(directory_path, to_write=True) as directory:
        issuer = directory.authority(directory.intermediate, read_password(ca_password_file))
        old = find(directory, which)
        record = renew_leaf(directory, old, how, issuer, current_time(), secrets.randbits)
        _tell(directory, record)
        print(
            f"The old certificate, serial 0x{old.serial}, stays valid until "
            f"{old.certificate.not_valid_after_utc:%Y-%m-%d}, or until `edge pki revoke 0x{old.serial}`."
        )


def _describe(common_name: str, profile: str, names: tuple[str, ...], rest: str) -> Leaf:
    return describe(common_name, _PROFILES[profile], [read_alternative_name(name) for name in names], rest)


def _tell(directory: Directory, record: Record) -> None:
    ends = record.certificate.not_valid_after_utc
    what = f"{record.common_name!r}, {record.role}, serial 0x{record.serial}"
    print(f"Issued {what}, valid until {ends:%Y-%m-%d}.")
    for title, suffix in zip(("certificate", "key", "chain"), LEAF_SUFFIXES, strict=True):
        if suffix != "-key.pem" or record.key_made_here:
            _wrote(title, directory.file(record.name, suffix))


def _export(directory: Directory, record: Record, order: Order) -> None:
    for suffix in order.exports:
        path = directory.file(record.name, suffix)
        if suffix == ".h":
            octets, password = export.export_esp32(directory, record), ""
        else:
            password = new_password(secrets.randbits)
            octets = export.export_mobileconfig(directory, record, password)
        _wrote("for devices", export.write_export(path, octets, force=order.force))
        if password:
            print(f"  its password    {password}  (shown this once)")


def _wrote(title: str, path: Path) -> None:
    print(f"  {title:<14}  {path}")


def _curl(directory: Directory, record: Record, url: str) -> str:
    chain, key = (directory.file(record.name, suffix).absolute() for suffix in ("-chain.pem", "-key.pem"))
    return shlex.join(["curl", "--cert", str(chain), "--key", str(key), url])
