"""Revoke certificates of a PKI directory, and write the CRLs that say so.

Root and intermediate have a CRL each, and one file holds both: whoever checks a chain needs the list of
every authority in it. The root's key may be kept elsewhere; its last list serves until it ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from edge.pki.crl import Revoked, make_crl
from edge.pki.directory import Directory
from edge.pki.errors import PkiError
from edge.pki.hierarchy import Hierarchy
from edge.pki.inventory import Inventory
from edge.pki.issue import Authority
from edge.pki.record import ROOT, Record, StoredCrl

CRL_LIFETIME = timedelta(days=30)

REASONS = {
    reason.value: reason
    for reason in (
        x509.ReasonFlags.key_compromise,
        x509.ReasonFlags.superseded,
        x509.ReasonFlags.cessation_of_operation,
        x509.ReasonFlags.affiliation_changed,
        x509.ReasonFlags.privilege_withdrawn,
        x509.ReasonFlags.ca_compromise,
        x509.ReasonFlags.aa_compromise,
        x509.ReasonFlags.unspecified,
    )
}
"""Why a certificate can be revoked here, by its word (RFC 5280 5.3.1).

Not ``certificateHold``: there is no way back.
"""


@dataclass(frozen=True, slots=True)
class WrittenCrls:
    """The lists that are in the file now; ``root_signed`` is false if the root's is the one from before."""

    path: Path
    root: StoredCrl
    intermediate: StoredCrl
    root_signed: bool


def revoke(
    directory: Directory, record: Record, reason: x509.ReasonFlags | None, at: datetime | None, now: datetime
) -> Record:
    """Record that a certificate is revoked since ``at``. One that was revoked before keeps time and reason.

    No reader knows of it before the next CRL. Raises ``PkiError``.
    """
    if record.role == ROOT:
        raise PkiError("a root cannot be revoked: nobody is above it; remove it where it is trusted")
    when = at or now
    if when > now:
        raise PkiError(
            f"the time of revocation, {when:%Y-%m-%dT%H:%M:%SZ}, is in the future; it must be past"
        )
    if when < record.certificate.not_valid_before_utc:
        raise PkiError(
            f"the time of revocation, {when:%Y-%m-%dT%H:%M:%SZ}, is before the certificate was made"
        )
    directory.inventory.revoke(record, when, reason)
    return directory.inventory.by_id(record.id)


def write_crls(
    directory: Directory, lifetime: timedelta, password: bytes | None, now: datetime
) -> WrittenCrls:
    """Sign the next CRLs and write ``crl.pem``. Raises ``PkiError``."""
    inventory, above, below = directory.inventory, directory.root, directory.intermediate
    intermediate = directory.authority(below, password)
    root: Authority | None = None
    if directory.file(ROOT, "-key.pem").exists():
        root = directory.authority(above, password)
    roots = _sign(inventory, above, root, lifetime, now) if root else _last_list_of_root(directory, now)
    issued = _sign(inventory, below, intermediate, lifetime, now)
    return WrittenCrls(directory.write_crl_file(), roots, issued, root is not None)


def sign_crls(inventory: Inventory, hierarchy: Hierarchy, lifetime: timedelta, now: datetime) -> None:
    """Sign and record the next CRL of both authorities."""
    for authority in (hierarchy.root, hierarchy.intermediate):
        record = inventory.by_certificate(authority.certificate)
        if record is None:
            raise PkiError("the index does not know its own authorities; this is no index of a PKI")
        _sign(inventory, record, authority, lifetime, now)


def unpublished(inventory: Inventory, issuer: Record) -> int:
    """Return how many revocations of an authority are in no CRL yet."""
    newest = inventory.newest_crl(issuer)
    return len(inventory.revocations(issuer)) - (0 if newest is None else newest.entries)


def _sign(
    inventory: Inventory, record: Record, authority: Authority, lifetime: timedelta, now: datetime
) -> StoredCrl:
    def sign(number: int, revoked: list[Revoked]) -> bytes:
        return make_crl(authority, revoked, number, now, now + lifetime)

    return inventory.add_crl(record, now + lifetime, sign)


def _last_list_of_root(directory: Directory, now: datetime) -> StoredCrl:
    path, last = directory.file(ROOT, "-key.pem"), directory.inventory.newest_crl(directory.root)
    if last is None or last.next_update <= now or unpublished(directory.inventory, directory.root):
        raise PkiError(
            f"{path}: the root's CRL has to be signed anew, and the key is not here; bring it back for this"
        )
    directory.notes.append(
        f"{path}: the key is not here, so the root's CRL stays as it is, until {last.next_update:%Y-%m-%d}"
    )
    return last
