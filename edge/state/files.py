"""Puts files on disk, whole or not at all; keys are their owner's alone.

A reader sees the old file or the new one, never a half: the octets go to a temporary file in the
same directory, are flushed to the disk, and take their name in one step. A key is readable by its
owner from its first octet on, so that no moment exists in which somebody else could copy it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

PUBLIC_MODE = 0o644
KEY_MODE = 0o600


def write_public(path: Path, data: bytes) -> None:
    """Write what everybody may read; an existing file is replaced. Raises ``OSError``."""
    _write(path, data, PUBLIC_MODE, overwrite=True)


def write_key(path: Path, data: bytes, *, overwrite: bool = False) -> None:
    """Write a private key, mode 0600.

    Raises ``FileExistsError`` if the name is taken and ``overwrite`` is false: a lost CA key
    cannot be made again. Raises other ``OSError`` as the disk does.
    """
    _write(path, data, KEY_MODE, overwrite=overwrite)


def _write(path: Path, data: bytes, mode: int, *, overwrite: bool) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600, O_EXCL
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        if overwrite:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)  # unlike a rename, this fails if the name is taken
    finally:
        temporary.unlink(missing_ok=True)
    _flush_directory(path.parent)


def _flush_directory(directory: Path) -> None:
    """Make the new name survive a power cut: the name is part of the directory, not of the file."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
