"""The index: unique serials, numbers that never return, and files that are no index."""

from __future__ import annotations

import secrets
import shutil
import sqlite3
from pathlib import Path

import pytest
from cryptography import x509

from edge.pki.crl import Revoked
from edge.pki.errors import PkiError
from edge.pki.inventory import SCHEMA_VERSION, Inventory
from edge.pki.record import NewRecord
from tests.unit.pki.directories import DAY, NOW, issue, made, make, order


def no_index(path: Path) -> None:
    path.write_bytes(b"this is a note, not an index" * 100)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def another_program(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.close()


def from_the_future(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()


@pytest.mark.parametrize("damage", [no_index, empty, another_program, from_the_future])
def test_a_file_that_is_no_index_of_this_version_is_refused(tmp_path: Path, damage: object) -> None:
    make(tmp_path)
    damage(tmp_path / "index.db")  # type: ignore[operator]
    with pytest.raises(PkiError, match=r"index\.db: "):
        Inventory.open(tmp_path / "index.db")


def test_an_index_is_not_made_by_opening_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Inventory.open(tmp_path / "index.db")
    assert list(tmp_path.iterdir()) == []


def test_an_index_is_not_made_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "index.db").write_bytes(b"x")
    with pytest.raises(FileExistsError):
        Inventory.create(tmp_path / "index.db")


def test_an_issuer_never_has_two_certificates_of_one_serial(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        record = issue(directory)
        again = NewRecord(record.certificate, "client", record.issuer, "other")
        with pytest.raises(PkiError, match="given before"):
            directory.inventory.add(again)
        assert [each.id for each in directory.inventory.records()] == [1, 2, record.id]


def test_a_certificate_of_an_unknown_issuer_is_not_recorded(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        other = issue(directory)
        with pytest.raises(PkiError):
            directory.inventory.add(NewRecord(other.certificate, "client", 99, "other"))


def test_the_root_is_its_own_issuer(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        root, intermediate = directory.root, directory.intermediate
        assert (root.issuer, intermediate.issuer) == (root.id, root.id)


def test_a_second_revocation_changes_nothing(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        record = issue(directory)
        directory.inventory.revoke(record, NOW, x509.ReasonFlags.key_compromise)
        directory.inventory.revoke(record, NOW + DAY, x509.ReasonFlags.superseded)
        revoked = directory.inventory.by_id(record.id).revoked
        assert revoked == Revoked(record.certificate.serial_number, NOW, x509.ReasonFlags.key_compromise)


def test_a_list_that_could_not_be_signed_leaves_its_number_free_and_nothing_else(tmp_path: Path) -> None:
    def fail(number: int, revoked: list[Revoked]) -> bytes:
        raise ValueError(number)

    with made(tmp_path) as directory:
        before = directory.inventory.newest_crl(directory.root)
        with pytest.raises(ValueError, match="2"):
            directory.inventory.add_crl(directory.root, NOW + DAY, fail)
        assert directory.inventory.newest_crl(directory.root) == before
        stored = directory.inventory.add_crl(directory.root, NOW + DAY, lambda number, revoked: b"signed")
        assert (stored.number, stored.der) == (2, b"signed")


def test_numbers_rise_for_each_authority_by_itself(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        root, intermediate = directory.root, directory.intermediate
        numbers = [
            directory.inventory.add_crl(issuer, NOW, lambda number, revoked: b"x").number
            for issuer in (root, root, intermediate)
        ]
        assert numbers == [2, 3, 2]


def test_the_file_alone_is_the_whole_index(tmp_path: Path) -> None:
    with made(tmp_path / "a") as directory:
        record = issue(directory)
        directory.inventory.revoke(record, NOW, None)
    copy = tmp_path / "copy.db"
    shutil.copy(tmp_path / "a" / "index.db", copy)
    assert not (tmp_path / "a" / "index.db-journal").exists()
    inventory = Inventory.open(copy)
    assert inventory.by_id(record.id).revoked is not None
    inventory.close()


def test_the_index_is_its_owners_alone(tmp_path: Path) -> None:
    make(tmp_path)
    assert (tmp_path / "index.db").stat().st_mode & 0o777 == 0o600


def test_certificates_are_found_by_serial_name_and_common_name(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        record = issue(directory, order("James Royal", name="james"))
        inventory = directory.inventory
        assert inventory.by_serial(record.certificate.serial_number) == [record]
        assert inventory.by_name("james") == [record]
        assert inventory.by_common_name("James Royal") == [record]
        assert inventory.by_certificate(record.certificate) == record
        assert inventory.by_serial(secrets.randbits(150)) == inventory.by_name("James") == []
        assert inventory.by_common_name("james royal") == []
