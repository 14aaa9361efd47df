"""Where a certificate stands now, and what of a PKI needs somebody's attention."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import Enum

from edge.pki.directory import Directory
from edge.pki.record import Record
from edge.pki.revocation import unpublished

SOON = timedelta(days=30)


class Standing(Enum):
    """``value`` is the word for programs. Revoked wins over expired: it is what people look for."""

    VALID = "valid"
    NOT_YET = "not_yet_valid"
    EXPIRED = "expired"
    REVOKED = "revoked"


def standing(record: Record, now: datetime) -> Standing:
    """Return where the certificate stands."""
    if record.revoked is not None:
        return Standing.REVOKED
    if record.certificate.not_valid_after_utc < now:
        return Standing.EXPIRED
    return Standing.NOT_YET if now < record.certificate.not_valid_before_utc else Standing.VALID


def expires_within(record: Record, now: datetime, ahead: timedelta) -> bool:
    """Tell whether a certificate works now and ends within that time."""
    return standing(record, now) is Standing.VALID and record.certificate.not_valid_after_utc <= now + ahead


def days_left(record: Record, now: datetime) -> int:
    """Return how many whole days are left."""
    return (record.certificate.not_valid_after_utc - now).days


def in_words(record: Record, now: datetime) -> str:
    """Return where the certificate stands, for people."""
    if record.revoked is not None:
        reason = f" ({record.revoked.reason.value})" if record.revoked.reason else ""
        return f"revoked {record.revoked.at:%Y-%m-%dT%H:%M:%SZ}{reason}"
    found = standing(record, now)
    if found is Standing.NOT_YET:
        return "not valid yet"
    left = days_left(record, now)
    if expires_within(record, now, SOON):
        words = f"expires in {left} day{'' if left == 1 else 's'}" if left else "expires within a day"
    else:
        words = found.value
    return f"{words}, renewed" if record.renewed else words


def attention(directory: Directory, now: datetime) -> Iterator[str]:
    """Yield what will stop working soon, or does not do yet what people believe it does."""
    for record in directory.inventory.records():
        if expires_within(record, now, SOON) and not record.renewed:
            yield f"{record.common_name!a} (0x{record.serial}) {in_words(record, now)}"
        if not record.written:
            yield (
                f"{directory.file(record.name)}: a command was interrupted before it wrote the files; "
                "the next one that writes here does"
            )
    for issuer in (directory.root, directory.intermediate):
        if number := unpublished(directory.inventory, issuer):
            what = "revocation is" if number == 1 else "revocations are"
            yield f"{number} {what} in no CRL of the {issuer.role} yet; run `edge pki crl`"
        newest = directory.inventory.newest_crl(issuer)
        if newest is not None and newest.is_due(now):
            end = "ended" if newest.next_update <= now else "ends"
            when = f"{newest.next_update:%Y-%m-%dT%H:%M:%SZ}"
            yield f"the CRL of the {issuer.role} {end} at {when}; run `edge pki crl`"
