"""Read one file that the operator named: bounded, and with its troubles in plain words."""

from __future__ import annotations

import os
import stat
from pathlib import Path

MAX_FILE_BYTES = 10 * 1024 * 1024
"""No configuration and no bundle of CAs is that long; a disk image, named by mistake, is."""
MAX_CRL_BYTES = 512 * 1024 * 1024
"""Ten million certificates."""


class UnreadableFileError(Exception):
    """Why a file could not be read, and what to do. The path is for the caller to name."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def is_directory(path: Path) -> bool:
    """Tell whether the path is a directory; what cannot be looked at is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def files_in(directory: Path) -> list[Path]:
    """Return the files of a directory in the order of their names, without those that begin with a dot.

    Atomic writers keep their unfinished files under such names. Raises ``UnreadableFileError``.
    """
    try:
        return sorted(path for path in directory.iterdir() if path.name[0] != "." and not path.is_dir())
    except OSError as error:
        raise _in_words(error) from None


def read_file(path: Path, most: int = MAX_FILE_BYTES) -> bytes:
    """Return the contents. Raises ``UnreadableFileError`` for all but a regular file of sane size."""
    try:
        data = _read_regular(path, most)
    except OSError as error:
        raise _in_words(error) from None
    except ValueError:  # a NUL, or a character that the file system's encoding has not
        raise UnreadableFileError("this is no path of this system", "check the path") from None
    if len(data) > most:
        size = f"{most // 2**20} MiB"
        raise UnreadableFileError(f"the file is larger than {size}", "check that it is the right file")
    return data


def _read_regular(path: Path, most: int) -> bytes:
    # O_NONBLOCK: opening a FIFO would otherwise wait for somebody to write, for ever
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        _refuse_all_but_regular(os.fstat(descriptor).st_mode)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(most + 1)
    finally:
        os.close(descriptor)


def _refuse_all_but_regular(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise UnreadableFileError("this is a directory", "name a file")
    if not stat.S_ISREG(mode):
        raise UnreadableFileError("this is not a regular file", "name a file")


def _in_words(error: OSError) -> UnreadableFileError:
    if isinstance(error, FileNotFoundError):
        return UnreadableFileError("there is no such file", "check the path")
    if isinstance(error, PermissionError):
        return UnreadableFileError("permission denied", "let the user that runs the edge read it")
    return UnreadableFileError(f"it cannot be read ({error.strerror})", "check the path")
