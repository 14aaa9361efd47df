from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.config import files
from edge.config.files import UnreadableFileError, is_directory, read_file


def reason(path: Path) -> str:
    with pytest.raises(UnreadableFileError) as caught:
        read_file(path)
    assert caught.value.hint
    return caught.value.message


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\x00a\r\n")
    assert read_file(tmp_path / "f") == b"\x00a\r\n"


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    assert reason(tmp_path / "f") == "there is no such file"


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert reason(tmp_path) == "this is a directory"


def test_a_fifo_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "f")
    assert reason(tmp_path / "f") == "this is not a regular file"


def test_a_device_is_refused() -> None:
    assert reason(Path("/dev/zero")) == "this is not a regular file"


def test_a_file_in_place_of_a_directory_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    assert reason(tmp_path / "f" / "g") == "it cannot be read (Not a directory)"


def test_a_path_with_a_nul_is_refused(tmp_path: Path) -> None:
    assert reason(tmp_path / "a\x00b") == "this is no path of this system"
    assert not is_directory(tmp_path / "a\x00b")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_said_to_be_unreadable(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    (tmp_path / "f").chmod(0)
    assert reason(tmp_path / "f") == "permission denied"


def test_denied_permission_has_words_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert reason(tmp_path / "f") == "permission denied"


def test_a_file_of_the_largest_size_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    with (tmp_path / "f").open("wb") as file:
        file.truncate(files.MAX_FILE_BYTES)
    assert len(read_file(tmp_path / "f")) == files.MAX_FILE_BYTES
    with (tmp_path / "f").open("ab") as file:
        file.write(b"x")
    assert reason(tmp_path / "f") == "the file is larger than 10 MiB"


def test_no_descriptor_is_left_open_by_refusals(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        reason(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
