"""Keys and certificates reach the disk whole, with the right mode, and never over another key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.state.files import write_key, write_public


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_an_existing_key_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "ca-key.pem"
    write_key(path, b"old")
    with pytest.raises(FileExistsError):
        write_key(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_is_not_written_through_a_dangling_link(tmp_path: Path) -> None:
    path = tmp_path / "ca-key.pem"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_key(path, b"new")
    assert not (tmp_path / "elsewhere").exists()


def test_a_key_is_overwritten_when_told(tmp_path: Path) -> None:
    path = tmp_path / "ca-key.pem"
    write_key(path, b"old")
    write_key(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_overwriting_replaces_a_link_and_not_what_it_points_to(tmp_path: Path) -> None:
    target = tmp_path / "somebody-elses"
    target.write_bytes(b"precious")
    path = tmp_path / "ca-key.pem"
    path.symlink_to(target)
    write_key(path, b"new", overwrite=True)
    assert target.read_bytes() == b"precious"
    assert mode(path) == 0o600


@pytest.mark.usefixtures("umask")
def test_a_key_belongs_to_its_owner_whatever_the_umask(tmp_path: Path) -> None:
    write_key(tmp_path / "key.pem", b"key")
    assert mode(tmp_path / "key.pem") == 0o600


def test_a_key_that_was_open_to_others_is_closed_when_it_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(b"old")
    path.chmod(0o644)
    write_key(path, b"new", overwrite=True)
    assert mode(path) == 0o600


@pytest.mark.usefixtures("umask")
def test_a_certificate_is_readable_by_all_whatever_the_umask(tmp_path: Path) -> None:
    write_public(tmp_path / "ca.pem", b"certificate")
    assert mode(tmp_path / "ca.pem") == 0o644


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    directory = tmp_path / "ca.pem"
    (directory / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match=r"ca\.pem"):
        write_public(directory, b"certificate")
    assert list(tmp_path.iterdir()) == [directory]


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_key(tmp_path / "nowhere" / "key.pem", b"key")
