"""``edge pki revoke`` and ``edge pki crl``."""

from __future__ import annotations

import json
import os
import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli.options import current_time
from edge.cli.pki_options import DAYS, PATH, ca_password_option, directory_option, opened, read_password
from edge.config.errors import ConfigErrors
from edge.pki.crl_files import CrlBundle, publish, publish_where_named
from edge.pki.directory import CRL_FILE, Directory
from edge.pki.errors import PkiError
from edge.pki.lookup import find_revocable
from edge.pki.record import Record
from edge.pki.revocation import CRL_LIFETIME, REASONS, WrittenCrls, write_crls
from edge.pki.revocation import revoke as record_revocation
from edge.trust.ca_bundle import CaBundleError, read_ca_entry
from edge.trust.certificate import ca_identity

if TYPE_CHECKING:
    from edge.config.schema import Configuration, MtlsCertificate

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _read_time(_context: click.Context, _parameter: click.Parameter, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        if _RFC3339.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except ValueError:
        pass
    raise click.BadParameter("write it as 2030-12-31T23:59:59Z")


@click.command()
@click.argument("which", metavar="SERIAL|FILE")
@directory_option
@click.option("--reason", type=click.Choice(list(REASONS), case_sensitive=False), help="Why.")
@click.option("--at", callback=_read_time, metavar="RFC3339", help="Since when; now by default.")
@click.option("--now", "at_once", is_flag=True, help="Write the CRL at once.")
@click.option(
    "-c", "--config", "config_path", type=PATH, help="With --now: write the CRLs this edge reads, too."
)
@ca_password_option
def revoke(
    which: str,
    directory_path: Path,
    reason: str | None,
    at: datetime | None,
    config_path: Path | None,
    ca_password_file: Path | None,
    *,
    at_once: bool,
) -> None:
    """Revoke a certificate: the leaf of a lost device, or the intermediate."""
    if config_path is not None and not at_once:
        raise click.UsageError("-c only means something with --now")
    with opened(directory_path, to_write=True) as directory:
        record = find_revocable(directory, which)
        _tell(record, record_revocation(directory, record, REASONS.get(reason or ""), at, current_time()))
        if not at_once:
            command = shlex.join(["edge", "pki", "crl", "--dir", str(directory_path)])
            print(f"No edge knows of it before the next CRL: {command}")
            return
        try:
            _tell_crls(write_crls(directory, CRL_LIFETIME, read_password(ca_password_file), current_time()))
            if config_path is not None:
                _publish(directory, config_path)
        except (PkiError, OSError) as error:
            raise PkiError(f"{error}; the revocation itself is recorded") from None


@click.command()
@directory_option
@click.option(
    "--days", default=CRL_LIFETIME.days, show_default=True, type=DAYS, help="How long the CRLs are good for."
)
@click.option(
    "--out", type=PATH, help="Write them here as well; a directory gets a file named after the CA's key."
)
@ca_password_option
def crl(directory_path: Path, days: int, out: Path | None, ca_password_file: Path | None) -> None:
    """Sign new CRLs of root and intermediate, and write both to crl.pem."""
    with opened(directory_path, to_write=True) as directory:
        password = read_password(ca_password_file)
        _tell_crls(write_crls(directory, timedelta(days=days), password, current_time()))
        if out is not None:
            print(f"Wrote {publish(out, _bundle(directory))}.")


def _tell(before: Record, record: Record) -> None:
    assert record.revoked is not None
    reason = f" ({record.revoked.reason.value})" if record.revoked.reason else ""
    since = f"{record.revoked.at:%Y-%m-%dT%H:%M:%SZ}{reason}"
    what = f"{record.common_name!r}, serial 0x{record.serial}"
    if before.revoked is None:
        print(f"Revoked {what}, since {since}.")
    else:
        print(f"{what}, was revoked before: {since}. That stays.")


def _tell_crls(written: WrittenCrls) -> None:
    issued = written.intermediate
    print(
        f"Wrote {written.path}: CRL number {issued.number} with {issued.entries} revoked, good until "
        f"{issued.next_update:%Y-%m-%dT%H:%M:%SZ}."
    )


def _publish(directory: Directory, config_path: Path) -> None:
    """Write the CRLs to what the configuration names for this CA."""
    from edge.runtime.prepare import read_configuration  # noqa: PLC0415 - it loads half of the edge

    try:
        config = read_configuration(config_path, os.environ, current_time())
        paths = _crl_paths(directory, config, config_path)
    except ConfigErrors as errors:
        first, *others = errors.errors
        more = f" (and {len(others)} more; `edge check` shows all)" if others else ""
        raise PkiError(f"{first}{more}") from None
    own = (directory.path / CRL_FILE).resolve()
    for path in publish_where_named([path for path in paths if path.resolve() != own], _bundle(directory)):
        print(f"Wrote {path}.")
    print("The edge takes it up within two seconds.")


def _crl_paths(directory: Directory, config: Configuration, config_path: Path) -> list[Path]:
    """Return the paths in ``crl`` of the entries with this CA. Raises ``PkiError`` if there are none."""
    own = {ca_identity(record.certificate) for record in (directory.root, directory.intermediate)}
    entries = [entry for entry in config.mtls_certificates if own & _authorities_of(entry)]
    if not entries:
        raise PkiError(
            f"{config_path}: no mtls_certificates has the CA of this PKI; is it the right configuration?"
        )
    paths = [named.path for entry in entries for named in entry.crl or () if named.path is not None]
    if not paths:
        raise PkiError(
            f"{config_path}: the entry {entries[0].name!r} of mtls_certificates names no CRL file; "
            f"add crl = [{json.dumps(str((directory.path / CRL_FILE).absolute()))}]"
        )
    return list(dict.fromkeys(paths))


def _authorities_of(entry: MtlsCertificate) -> set[bytes]:
    try:
        certificates = read_ca_entry(entry.name, entry.certificate.read()).certificates
    except CaBundleError as error:
        raise ConfigErrors((entry.certificate.error(str(error), error.hint),)) from None
    return {ca_identity(ca) for ca in certificates}


def _bundle(directory: Directory) -> CrlBundle:
    return CrlBundle(directory.crl_pem(), (directory.intermediate.certificate, directory.root.certificate))
