"""``edge pki list`` and ``edge pki show``: they change nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import click
import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from edge.cli.options import current_time, json_option, warn
from edge.cli.pki_options import DAYS, directory_option, opened
from edge.pki.directory import DEVICE_SUFFIXES, LEAF_SUFFIXES, Directory
from edge.pki.lookup import find
from edge.pki.names import text_of
from edge.pki.record import Record
from edge.pki.standing import Standing, attention, days_left, expires_within, in_words, standing


@click.command("list")
@directory_option
@json_option
@click.option("--expiring", "expiring_days", type=DAYS, help="Only what works and ends within so many days.")
@click.option("--revoked", is_flag=True, help="Only what was revoked.")
def list_command(directory_path: Path, expiring_days: int | None, *, as_json: bool, revoked: bool) -> None:
    """List every certificate that was issued."""
    now = current_time()
    with opened(directory_path, to_write=False) as directory:
        records = directory.inventory.records()
        if expiring_days is not None:
            ahead = timedelta(days=expiring_days)
            records = [record for record in records if expires_within(record, now, ahead)]
        if revoked:
            records = [record for record in records if record.revoked is not None]
        if as_json:
            _print_json([_summary(record, now) for record in records])
        else:
            _print_table(records, now)
        warn(attention(directory, now))


@click.command()
@click.argument("which", metavar="NAME|SERIAL|FILE")
@directory_option
@json_option
@click.option("--pem", is_flag=True, help="Print the certificate with its chain, and nothing else.")
def show(which: str, directory_path: Path, *, as_json: bool, pem: bool) -> None:
    """Show everything that is known about a certificate."""
    if pem and as_json:
        raise click.UsageError("--pem and --json are two forms; choose one")
    now = current_time()
    with opened(directory_path, to_write=False) as directory:
        record = find(directory, which)
        if pem:
            print(directory.chain_pem(record).decode("ascii"), end="")
        elif as_json:
            _print_json(_details(directory, record, now))
        else:
            _print_details(_details(directory, record, now), in_words(record, now))


def _summary(record: Record, now: datetime) -> dict[str, object]:
    revoked = None
    if record.revoked is not None:
        reason = record.revoked.reason
        revoked = {"at": _time(record.revoked.at), "reason": reason.value if reason else None}
    return {
        "common_name": record.common_name,
        "serial": record.serial,
        "profile": record.role,
        "not_after": _time(record.certificate.not_valid_after_utc),
        "state": standing(record, now).value,
        "days_left": days_left(record, now) if standing(record, now) is Standing.VALID else None,
        "renewed": record.renewed,
        "revoked": revoked,
        "name": record.name,
    }


def _details(directory: Directory, record: Record, now: datetime) -> dict[str, object]:
    certificate, inventory = record.certificate, directory.inventory
    holder = inventory.by_name(record.name)[-1]
    suffixes = (*LEAF_SUFFIXES, *DEVICE_SUFFIXES) if record.is_leaf else (".pem", "-key.pem")
    files = directory.files_of(record.name, suffixes) if holder.id == record.id else []
    return {
        **_summary(record, now),
        "subject": certificate.subject.rfc4514_string(),
        "alternative_names": _alternative_names(certificate),
        "issuer": certificate.issuer.rfc4514_string(),
        "issuer_serial": inventory.by_id(record.issuer).serial,
        "serial_decimal": str(certificate.serial_number),
        "not_before": _time(certificate.not_valid_before_utc),
        "fingerprint_sha256": certificate.fingerprint(hashes.SHA256()).hex().upper(),
        "renews": None if record.renews is None else inventory.by_id(record.renews).serial,
        "replaced_by": None if holder.id == record.id else holder.serial,
        "key_made_here": record.key_made_here,
        "files": [str(path) for path in files],
    }


def _alternative_names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [text_of(name) for name in names]


def _print_table(records: list[Record], now: datetime) -> None:
    rows = [
        (
            record.common_name,
            record.serial,
            record.role,
            f"{record.certificate.not_valid_after_utc:%Y-%m-%d}",
            in_words(record, now),
        )
        for record in records
    ]
    head = ("COMMON NAME", "SERIAL", "PROFILE", "NOT AFTER", "STATE")
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(4)]
    for row in (head, *rows):
        print("  ".join((*(text.ljust(width) for text, width in zip(row[:4], widths, strict=True)), row[4])))


def _print_details(details: dict[str, object], state: str) -> None:
    shown = {**details, "state": state}
    for key in ("days_left", "revoked", "renewed", "key_made_here"):
        del shown[key]
    for key, value in shown.items():
        lines = [str(each) for each in value] if isinstance(value, list) else [str(value)]
        if value not in (None, []):
            print(f"{key.replace('_', ' '):<18}  " + f"\n{'':<18}  ".join(lines))
    if not details["key_made_here"]:
        print(f"{'key':<18}  never was here; the certificate was made from a request")


def _time(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


def _print_json(value: object) -> None:
    print(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
