"""The directory: one writer at a time, and the end of what a killed command began."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from edge.pki import directory as module
from edge.pki.directory import reading, writing
from edge.pki.errors import PkiError
from edge.pki.keys import key_pem, new_key, read_key
from tests.unit.pki.directories import issue, made, make, order, renew, stopped_before_files


def names(path: Path) -> set[str]:
    return {each.name for each in path.iterdir()}


def fits(path: Path, name: str) -> bool:
    certificate = x509.load_pem_x509_certificate((path / f"{name}.pem").read_bytes())
    chain = x509.load_pem_x509_certificates((path / f"{name}-chain.pem").read_bytes())
    key = read_key((path / f"{name}-key.pem").read_bytes())
    return chain[0] == certificate and key.public_key() == certificate.public_key()


@pytest.mark.parametrize("opening", [reading, writing])
def test_a_directory_without_an_index_is_no_pki(tmp_path: Path, opening: object) -> None:
    for path in (tmp_path, tmp_path / "none", Path(__file__)):
        with pytest.raises(PkiError, match="there is no PKI here"), opening(path):  # type: ignore[operator]
            pass
    assert names(tmp_path) == set()


def test_a_key_that_is_not_the_authoritys_is_refused(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        path = tmp_path / "intermediate-key.pem"
        path.write_bytes(key_pem(new_key()))
        with pytest.raises(PkiError, match=r"intermediate-key\.pem: the key of the authority does not fit"):
            directory.authority(directory.intermediate, None)
        path.write_bytes(b"")
        with pytest.raises(PkiError, match="no private key in it"):
            directory.authority(directory.intermediate, None)
        path.unlink()
        with pytest.raises(PkiError, match="the key is not here"):
            directory.authority(directory.intermediate, None)


def test_a_key_that_others_can_read_is_told(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        directory.authority(directory.intermediate, None)
        assert directory.notes == []
        (tmp_path / "intermediate-key.pem").chmod(0o640)
        directory.authority(directory.intermediate, None)
        assert "others can read this key" in directory.notes[0]


def test_an_encrypted_key_needs_its_password(tmp_path: Path) -> None:
    make(tmp_path, password=b"open sesame")
    assert b"ENCRYPTED" in (tmp_path / "root-key.pem").read_bytes()
    with writing(tmp_path) as directory:
        assert directory.authority(directory.root, b"open sesame").certificate == directory.root.certificate
        for wrong in (None, b"", b"open"):
            with pytest.raises(PkiError, match="--ca-password-file"):
                directory.authority(directory.root, wrong)


def test_two_writers_wait_for_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOCK_SECONDS", 0.1)
    second = (
        "import sys, pathlib; from edge.pki.directory import writing\n"
        "with writing(pathlib.Path(sys.argv[1])): pass"
    )
    with made(tmp_path), pytest.raises(PkiError, match="another command is at work"), writing(tmp_path):
        pass
    subprocess.run([sys.executable, "-c", second, str(tmp_path)], check=True, timeout=30)


def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        record = issue(directory)
        with reading(tmp_path) as other:
            assert other.inventory.by_id(record.id) == record


def test_an_issue_that_was_cut_short_after_the_record_is_completed(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        record = stopped_before_files(directory)
        assert not directory.files_of(record.name)
    with reading(tmp_path) as directory:
        assert not directory.inventory.by_id(record.id).written
        assert not directory.files_of(record.name), "who reads changes nothing"
    with writing(tmp_path) as directory:
        assert directory.inventory.by_id(record.id).written
        assert any("interrupted" in note for note in directory.notes)
    assert fits(tmp_path, record.name)
    assert (tmp_path / f"{record.name}-key.pem").stat().st_mode & 0o777 == 0o600
    assert not [name for name in names(tmp_path) if name.startswith(".")]


@pytest.mark.parametrize("there", [("-key.pem",), ("-key.pem", ".pem"), ("-key.pem", ".pem", "-chain.pem")])
def test_a_renewal_that_was_cut_short_between_its_files_is_completed(
    tmp_path: Path, there: tuple[str, ...]
) -> None:
    with made(tmp_path) as directory:
        old = issue(directory)
        before = {suffix: directory.file(old.name, suffix).read_bytes() for suffix in module.LEAF_SUFFIXES}
        new = renew(directory, old)
        staged = (tmp_path / f"{old.name}-key.pem").read_bytes()
        # As a kill between the files leaves it: some are new, the others old, and the staged key is there.
        for suffix, octets in before.items():
            if suffix not in there:
                directory.file(old.name, suffix).write_bytes(octets)
        directory.stage_key(new.certificate, staged)
        directory.inventory._connection.execute("UPDATE certificates SET written = 0 WHERE id = ?", (new.id,))
    with writing(tmp_path):
        assert fits(tmp_path, old.name)
    certificate = x509.load_pem_x509_certificate((tmp_path / f"{old.name}.pem").read_bytes())
    assert certificate == new.certificate


def test_hidden_files_of_killed_commands_are_removed_and_nothing_else(tmp_path: Path) -> None:
    make(tmp_path)
    ours = [".James.pem.ab12_x9z", "..0A1B-key.pem.abcdefgh", ".0A1B-key.pem", ".x.mobileconfig.abcdefgh"]
    theirs = [
        ".gitignore",
        ".env",
        ".James.pem.swp",
        ".x.txt.abcdefgh",
        "x.pem.abcdefgh",
        ".index.db-journal",
    ]
    for name in (*ours, *theirs):
        (tmp_path / name).write_bytes(b"x")
    with writing(tmp_path):
        assert names(tmp_path).isdisjoint(ours)
        assert names(tmp_path).issuperset(theirs)


def test_a_lost_crl_file_is_written_again(tmp_path: Path) -> None:
    make(tmp_path)
    before = (tmp_path / "crl.pem").read_bytes()
    for damage in (b"", before[:100]):
        (tmp_path / "crl.pem").write_bytes(damage)
        with writing(tmp_path) as directory:
            assert any("crl.pem" in note for note in directory.notes)
        assert (tmp_path / "crl.pem").read_bytes() == before
    (tmp_path / "crl.pem").unlink()
    with writing(tmp_path):
        assert (tmp_path / "crl.pem").read_bytes() == before


def test_opening_a_whole_directory_changes_nothing(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        issue(directory, order("other"))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with writing(tmp_path) as directory:
        assert directory.notes == []
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
