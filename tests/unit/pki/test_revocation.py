"""Revoking: who, since when, and the lists that say it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from cryptography import x509

from edge.pki.directory import Directory
from edge.pki.errors import PkiError
from edge.pki.revocation import CRL_LIFETIME, REASONS, revoke, unpublished, write_crls
from edge.trust.crl import split_crls
from tests.unit.pki.directories import DAY, NOW, issue, made, make, order


def lists(directory: Directory) -> dict[str, x509.CertificateRevocationList]:
    """The CRLs in the file, by the authority whose signature they bear."""
    crls = [x509.load_der_x509_crl(der) for der in split_crls((directory.path / "crl.pem").read_bytes())]
    found = {}
    for record in (directory.root, directory.intermediate):
        key = record.certificate.public_key()
        (found[record.role],) = [crl for crl in crls if crl.is_signature_valid(key)]  # type: ignore[arg-type]
    assert len(crls) == 2
    return found


def number(crl: x509.CertificateRevocationList) -> int:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def write(directory: Directory, now: datetime = NOW) -> None:
    write_crls(directory, CRL_LIFETIME, None, now)


def test_a_root_cannot_be_revoked(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        with pytest.raises(PkiError, match="nobody is above it"):
            revoke(directory, directory.root, None, None, NOW)
        assert directory.root.revoked is None


def test_a_revocation_in_the_future_or_before_the_certificate_is_refused(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        record = issue(directory)
        for at in (NOW + DAY, NOW - DAY):
            with pytest.raises(PkiError, match="time of revocation"):
                revoke(directory, record, None, at, NOW)
        assert directory.inventory.by_id(record.id).revoked is None


def test_a_second_revocation_keeps_time_and_reason_of_the_first(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        record = issue(directory)
        first = revoke(directory, record, REASONS["keyCompromise"], None, NOW)
        again = revoke(directory, record, REASONS["superseded"], None, NOW + DAY)
        assert again.revoked == first.revoked


def test_a_leaf_is_in_the_list_of_the_intermediate_and_the_intermediate_in_the_roots(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        leaf, other = issue(directory), issue(directory, order("other"))
        revoke(directory, leaf, REASONS["keyCompromise"], NOW, NOW + DAY)
        revoke(directory, directory.intermediate, None, None, NOW + DAY)
        write(directory, NOW + 2 * DAY)
        found = lists(directory)
        assert [entry.serial_number for entry in found["root"]] == [
            directory.intermediate.certificate.serial_number
        ]
        (entry,) = found["intermediate"]
        assert entry.serial_number == leaf.certificate.serial_number != other.certificate.serial_number
        assert entry.revocation_date_utc == NOW
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
        assert reason is x509.ReasonFlags.key_compromise
        assert found["intermediate"].next_update_utc == NOW + 2 * DAY + CRL_LIFETIME


@pytest.mark.parametrize("word", list(REASONS))
def test_every_reason_reaches_the_list(tmp_path: Path, word: str) -> None:
    with made(tmp_path) as directory:
        revoke(directory, issue(directory), REASONS[word], None, NOW)
        write(directory)
        (entry,) = lists(directory)["intermediate"]
        if word == "unspecified":
            assert list(entry.extensions) == []
        else:
            assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value == word


def test_there_is_no_reason_that_could_be_taken_back() -> None:
    assert not {"certificateHold", "removeFromCRL"} & set(REASONS)


def test_numbers_rise_by_one_and_nothing_is_forgotten(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        revoke(directory, issue(directory), None, None, NOW)
        for expected in (2, 3, 4):
            write(directory)
            assert {number(crl) for crl in lists(directory).values()} == {expected}
            assert len(list(lists(directory)["intermediate"])) == 1


def test_revocations_that_no_list_has_are_counted(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        issuer, inventory = directory.intermediate, directory.inventory
        assert unpublished(inventory, issuer) == 0
        revoke(directory, issue(directory), None, None, NOW)
        assert (unpublished(inventory, issuer), unpublished(inventory, directory.root)) == (1, 0)
        write(directory)
        assert unpublished(inventory, issuer) == 0


def test_with_the_roots_key_elsewhere_its_last_list_serves_until_it_ends(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        write_crls(directory, 100 * DAY, None, NOW)
        (tmp_path / "root-key.pem").unlink()
        written = write_crls(directory, CRL_LIFETIME, None, NOW + 99 * DAY)
        assert not written.root_signed
        assert any("root-key.pem" in note for note in directory.notes)
        found = lists(directory)
        assert (number(found["root"]), number(found["intermediate"])) == (2, 3)
        with pytest.raises(PkiError, match="bring it back"):
            write_crls(directory, CRL_LIFETIME, None, NOW + 100 * DAY)


def test_with_the_roots_key_elsewhere_a_revoked_intermediate_is_not_kept_quiet(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        (tmp_path / "root-key.pem").unlink()
        revoke(directory, directory.intermediate, None, None, NOW)
        with pytest.raises(PkiError, match="bring it back"):
            write(directory)


def test_no_list_is_numbered_if_a_key_cannot_be_read(tmp_path: Path) -> None:
    make(tmp_path, password=b"secret")
    with made(tmp_path) as directory:
        before = [directory.inventory.newest_crl(each) for each in (directory.root, directory.intermediate)]
        with pytest.raises(PkiError, match="password"):
            write_crls(directory, CRL_LIFETIME, b"wrong", NOW)
        assert before == [
            directory.inventory.newest_crl(each) for each in (directory.root, directory.intermediate)
        ]
