"""A new PKI: what it consists of, and what is never replaced unasked."""

from __future__ import annotations

import os
import secrets
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge.pki.directory import reading, writing
from edge.pki.errors import PkiError
from edge.pki.initialise import InitOrder, init
from edge.pki.keys import read_key
from edge.pki.revocation import CRL_LIFETIME, revoke
from edge.trust.crl import split_crls
from tests.unit.pki.directories import DAY, NOW, issue, make, stopped_before_files

FILES = {
    "root.pem": 0o644,
    "root-key.pem": 0o600,
    "intermediate.pem": 0o644,
    "intermediate-key.pem": 0o600,
    "ca.pem": 0o644,
    "crl.pem": 0o644,
    "index.db": 0o600,
}


def modes(path: Path) -> dict[str, int]:
    return {each.name: each.stat().st_mode & 0o777 for each in path.iterdir()}


def contents(path: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in path.iterdir() if each.is_file()}


@pytest.mark.parametrize("name", [name for name in FILES if name != "index.db"])
def test_nothing_of_a_ca_that_is_there_is_replaced_unasked(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"somebody's")
    with pytest.raises(PkiError, match=rf"{name}: a CA lives here.*--force"):
        make(tmp_path)
    assert contents(tmp_path) == {name: b"somebody's"}


def test_a_second_init_leaves_the_first_alone(tmp_path: Path) -> None:
    make(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(PkiError, match=r"index\.db: a CA lives here"):
        make(tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["x" * 54, " ", "a\nb", " a"])
def test_a_name_that_makes_no_common_name_is_refused_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(PkiError):
        make(tmp_path / "pki", name)
    assert list(tmp_path.iterdir()) == []


def test_with_force_the_old_pki_is_moved_aside_whole_and_works_there(tmp_path: Path) -> None:
    make(tmp_path)
    with writing(tmp_path) as directory:
        record = issue(directory)
    (tmp_path / "James-Royal.h").write_bytes(b"made of it")
    (tmp_path / "notes.txt").write_bytes(b"somebody's")
    before = contents(tmp_path)
    del before["notes.txt"]
    done = make(tmp_path, "Another", force=True)
    assert done.moved_to == tmp_path / "replaced-20270115T080000Z"
    assert contents(done.moved_to) == before
    assert set(done.moved) == set(before)
    assert done.moved_to.stat().st_mode & 0o777 == 0o700
    assert set(contents(tmp_path)) == {*FILES, "notes.txt"}
    with writing(done.moved_to) as directory:
        assert revoke(directory, record, None, None, NOW).revoked is not None
    with reading(tmp_path) as directory:
        assert [each.role for each in directory.inventory.records()] == ["root", "intermediate"]


def test_the_key_of_an_interrupted_command_survives_an_init_in_its_directory(tmp_path: Path) -> None:
    make(tmp_path)
    with writing(tmp_path) as directory:
        record = stopped_before_files(directory)
    with pytest.raises(PkiError):
        make(tmp_path)
    moved_to = make(tmp_path, force=True).moved_to
    assert moved_to is not None
    assert not list(tmp_path.glob(".*"))
    with writing(moved_to) as directory:
        key = directory.file(record.name, "-key.pem").read_bytes()
    assert read_key(key).public_key() == record.certificate.public_key()


def test_forcing_twice_in_one_second_keeps_both(tmp_path: Path) -> None:
    make(tmp_path)
    moved = [make(tmp_path, force=True).moved_to for _ in range(2)]
    assert all(path is not None and (path / "root-key.pem").exists() for path in moved)
    assert moved[0] != moved[1]


def test_what_a_killed_init_left_is_moved_aside_too(tmp_path: Path) -> None:
    for name in ("root-key.pem", ".index.db.new", ".index.db.new-journal", ".root.pem.abcdefgh"):
        (tmp_path / name).write_bytes(b"half")
    done = make(tmp_path, force=True)
    assert done.moved == ("root-key.pem",)
    assert set(contents(tmp_path)) == set(FILES)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        make(tmp_path / "pki")
    finally:
        os.umask(before)
    assert modes(tmp_path / "pki") == FILES
    assert (tmp_path / "pki").stat().st_mode & 0o777 == 0o700


def test_an_empty_directory_is_closed_and_one_in_use_is_not(tmp_path: Path) -> None:
    for name, files, mode in (("empty", (), 0o700), ("used", ("notes.txt",), 0o755)):
        path = tmp_path / name
        path.mkdir(mode=0o755)
        path.chmod(0o755)
        for file in files:
            (path / file).write_bytes(b"")
        done = make(path)
        assert path.stat().st_mode & 0o777 == mode
        assert bool(done.notes) == bool(files)


def test_the_authorities_are_what_was_ordered(tmp_path: Path) -> None:
    make(tmp_path, "Widgetcorp", root_lifetime=20 * DAY, intermediate_lifetime=10 * DAY)
    intermediate, root = x509.load_pem_x509_certificates((tmp_path / "ca.pem").read_bytes())
    for certificate, name, days in ((root, "Root", 20), (intermediate, "Issuing", 10)):
        (attribute,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        assert attribute.value == f"Widgetcorp {name} CA"
        assert certificate.not_valid_after_utc == NOW + days * DAY
    intermediate.verify_directly_issued_by(root)
    for role, certificate in (("root", root), ("intermediate", intermediate)):
        key = read_key((tmp_path / f"{role}-key.pem").read_bytes())
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        assert key.public_key() == certificate.public_key()


def test_the_intermediate_never_outlives_the_root(tmp_path: Path) -> None:
    make(tmp_path, root_lifetime=timedelta(days=30))
    intermediate, root = x509.load_pem_x509_certificates((tmp_path / "ca.pem").read_bytes())
    assert intermediate.not_valid_after_utc == root.not_valid_after_utc


def test_two_pkis_without_a_name_have_different_ones(tmp_path: Path) -> None:
    first, second = (init(tmp_path / name, InitOrder(), NOW, secrets.randbits).name for name in "ab")
    assert first != second
    assert first.startswith("Private ")


def test_every_authority_has_a_first_crl(tmp_path: Path) -> None:
    make(tmp_path)
    lists = [x509.load_der_x509_crl(der) for der in split_crls((tmp_path / "crl.pem").read_bytes())]
    intermediate, root = x509.load_pem_x509_certificates((tmp_path / "ca.pem").read_bytes())
    assert [crl.issuer for crl in lists] == [root.subject, intermediate.subject]
    for crl in lists:
        assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 1
        assert (crl.last_update_utc, crl.next_update_utc) == (NOW, NOW + CRL_LIFETIME)
        assert list(crl) == []
