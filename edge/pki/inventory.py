"""The index of a PKI: which certificates were issued and revoked, and the newest CRL of each authority.

One SQLite file with a rollback journal: while no command is at work the file alone is the whole index,
so a directory can be copied as it stands. A killed command leaves a journal beside it, and the next one
to open the index rolls it back. Nothing secret is in it.

Certificates are never deleted. ``written`` says that the files of a certificate are in place: a
certificate is recorded first and gets its files then, and whoever was killed between is found by it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from edge.model.client_auth import serial_hex
from edge.pki.crl import Revoked
from edge.pki.errors import PkiError
from edge.pki.leaf import common_name_of
from edge.pki.record import NewRecord, Record, StoredCrl
from edge.trust.certificate import load_der

SCHEMA_VERSION = 1
_BUSY_SECONDS = 30.0

_SCHEMA = """
CREATE TABLE certificates (
    id INTEGER PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('root', 'intermediate', 'client', 'server')),
    issuer INTEGER NOT NULL REFERENCES certificates (id),
    serial TEXT NOT NULL,
    common_name TEXT NOT NULL,
    name TEXT NOT NULL,
    key_made_here INTEGER NOT NULL,
    renews INTEGER REFERENCES certificates (id),
    written INTEGER NOT NULL DEFAULT 0,
    der BLOB NOT NULL,
    UNIQUE (issuer, serial)
);
CREATE INDEX certificates_by_name ON certificates (name);
CREATE INDEX certificates_by_common_name ON certificates (common_name);
CREATE INDEX certificates_by_predecessor ON certificates (renews);
CREATE TABLE revocations (
    certificate INTEGER PRIMARY KEY REFERENCES certificates (id),
    at INTEGER NOT NULL,
    reason TEXT
);
CREATE TABLE crls (
    issuer INTEGER PRIMARY KEY REFERENCES certificates (id),
    number INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    next_update INTEGER NOT NULL,
    der BLOB NOT NULL
);
"""

_COLUMNS = """
    SELECT c.id, c.role, c.issuer, c.name, c.key_made_here, c.renews, c.written, c.der, r.at, r.reason,
           EXISTS (SELECT 1 FROM certificates AS later WHERE later.renews = c.id)
    FROM certificates AS c LEFT JOIN revocations AS r ON r.certificate = c.id
"""


class Inventory:
    """An open index. Every method raises ``PkiError`` if the file cannot be used."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make an empty index, mode 0600. Raises ``FileExistsError`` if the name is taken."""
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        made = cls(path, _connect(path))
        with made._writing():
            for statement in _SCHEMA.split(";"):
                made._connection.execute(statement)
            made._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        return made

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an index. Raises ``FileNotFoundError`` if there is none."""
        path.stat()
        opened = cls(path, _connect(path))
        with _explaining(path):
            (version,) = opened._connection.execute("PRAGMA user_version").fetchone()
        if version != SCHEMA_VERSION:
            opened.close()
            raise PkiError(
                f"{path}: the index has version {version}, and this edge reads version {SCHEMA_VERSION}; "
                "use the edge that made it"
            )
        return opened

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    # --- certificates

    def records(self) -> list[Record]:
        """Return all certificates in the order in which they were issued."""
        return self._records("ORDER BY c.id")

    def authority(self, role: str) -> Record:
        """Return the root or the intermediate."""
        found = self._records("WHERE c.role = ?", role)
        if len(found) != 1:
            raise PkiError(f"{self._path}: the index has no {role}; this is no index of a PKI")
        return found[0]

    def by_id(self, identity: int) -> Record:
        """Return the certificate recorded under that number."""
        return self._records("WHERE c.id = ?", identity)[0]

    def by_serial(self, serial: int) -> list[Record]:
        """Return the certificates of that serial: at most one for each issuer."""
        return self._records("WHERE c.serial = ?", serial_hex(serial))

    def by_name(self, name: str) -> list[Record]:
        """Return the certificates that have or had these files, oldest first."""
        return self._records("WHERE c.name = ? ORDER BY c.id", name)

    def by_common_name(self, common_name: str) -> list[Record]:
        """Return the certificates of that common name, oldest first."""
        return self._records("WHERE c.common_name = ? ORDER BY c.id", common_name)

    def by_certificate(self, certificate: x509.Certificate) -> Record | None:
        """Return the record of exactly this certificate."""
        found = self._records("WHERE c.der = ?", certificate.public_bytes(Encoding.DER))
        return found[0] if found else None

    def unwritten(self) -> list[Record]:
        """Return the certificates whose files somebody was kept from writing."""
        return self._records("WHERE NOT c.written ORDER BY c.id")

    def add(self, new: NewRecord) -> Record:
        """Record a certificate. Raises ``PkiError`` if its issuer has used the serial before."""
        certificate = new.certificate
        values = (
            new.role,
            serial_hex(certificate.serial_number),
            common_name_of(certificate.subject),
            new.name,
            new.key_made_here,
            new.renews,
            new.written,
            certificate.public_bytes(Encoding.DER),
            new.issuer,
        )
        with self._writing():
            (identity,) = self._connection.execute(
                "INSERT INTO certificates (role, serial, common_name, name, key_made_here, renews, written,"
                " der, id, issuer) SELECT ?, ?, ?, ?, ?, ?, ?, ?, next.id, coalesce(?, next.id)"
                " FROM (SELECT coalesce(max(id), 0) + 1 AS id FROM certificates) AS next RETURNING id",
                values,
            ).fetchone()
        return self.by_id(identity)

    def mark_written(self, record: Record) -> None:
        """Record that the files of a certificate are in place."""
        with self._writing():
            self._connection.execute("UPDATE certificates SET written = 1 WHERE id = ?", (record.id,))

    def _records(self, condition: str, *values: object) -> list[Record]:
        with _explaining(self._path):
            rows = self._connection.execute(f"{_COLUMNS} {condition}", values).fetchall()
        return [_record(row) for row in rows]

    # --- revocation

    def revoke(self, record: Record, at: datetime, reason: x509.ReasonFlags | None) -> None:
        """Record a revocation. One that is recorded already stays as it is."""
        word = None if reason is None else reason.value
        with self._writing():
            self._connection.execute(
                "INSERT INTO revocations (certificate, at, reason) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (record.id, int(at.timestamp()), word),
            )

    def newest_crl(self, issuer: Record) -> StoredCrl | None:
        """Return the newest CRL of an authority."""
        with _explaining(self._path):
            row = self._connection.execute(
                "SELECT number, entries, next_update, der FROM crls WHERE issuer = ?", (issuer.id,)
            ).fetchone()
        return None if row is None else StoredCrl(row[0], row[1], _time(row[2]), row[3])

    def revocations(self, issuer: Record) -> list[Revoked]:
        """Return what the CRL of an authority has to name."""
        revoked = (
            each.revoked for each in self._records("WHERE c.issuer = ? ORDER BY r.at, c.id", issuer.id)
        )
        return [each for each in revoked if each is not None]

    def add_crl(
        self, issuer: Record, next_update: datetime, sign: Callable[[int, list[Revoked]], bytes]
    ) -> StoredCrl:
        """Number, sign and record the next CRL of an authority, all in one step.

        ``sign`` gets the number and all revocations and returns DER. A number that was given once is
        never given to another list: before anybody can read the list it is here.
        """
        with self._writing():
            newest = self.newest_crl(issuer)
            number = 1 if newest is None else newest.number + 1
            revoked = self.revocations(issuer)
            der = sign(number, revoked)
            self._connection.execute(
                "INSERT OR REPLACE INTO crls (issuer, number, entries, next_update, der)"
                " VALUES (?, ?, ?, ?, ?)",
                (issuer.id, number, len(revoked), int(next_update.timestamp()), der),
            )
        return StoredCrl(number, len(revoked), next_update, der)

    # --- SQLite

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Do everything within or nothing of it."""
        with _explaining(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=rw"
    with _explaining(path):
        connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
        connection.execute("PRAGMA foreign_keys = ON")
        # What is committed must be on the disk before a file with it can be read, after a power cut too.
        connection.execute("PRAGMA synchronous = EXTRA")
    return connection


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    """Translate what SQLite says."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise PkiError(
            f"{path}: that serial number was given before; the source of chance is broken"
        ) from None
    except sqlite3.Error as error:
        raise PkiError(f"{path}: the index cannot be used: {error}") from None


def _record(row: tuple[Any, ...]) -> Record:
    identity, role, issuer, name, key_made_here, renews, written, der, at, reason, renewed = row
    certificate = load_der(der)
    revoked = None
    if at is not None:
        flag = None if reason is None else x509.ReasonFlags(reason)
        revoked = Revoked(certificate.serial_number, _time(at), flag)
    return Record(
        identity,
        role,
        issuer,
        name,
        bool(key_made_here),
        renews,
        bool(written),
        certificate,
        revoked,
        bool(renewed),
    )


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
