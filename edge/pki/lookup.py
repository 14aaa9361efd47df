"""Find the certificate that somebody means: by serial, by file, by name. Two meanings are an error."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

from cryptography import x509

from edge.pki.directory import Directory
from edge.pki.errors import PkiError
from edge.pki.record import Record
from edge.pki.serial import SerialError, read_serial

_DIGITS = re.compile(r"[0-9]+", re.ASCII)


def find(directory: Directory, text: str) -> Record:
    """Return what a serial, a file, the name of files, or a common name means; of a name, the newest.

    Raises ``PkiError`` if it means nothing, or two certificates.
    """
    inventory = directory.inventory
    holders = inventory.by_name(text)[-1:]
    holders += {record.name: record for record in inventory.by_common_name(text)}.values()
    return _the_one(directory, text, holders)


def find_revocable(directory: Directory, text: str) -> Record:
    """Return what a serial or a file means. A name does not do: it may move to another certificate.

    Raises ``PkiError`` if it means nothing, or two certificates.
    """
    return _the_one(directory, text, [])


def _the_one(directory: Directory, text: str, by_name: list[Record]) -> Record:
    found = [*by_name, *_by_serial(directory, text)]
    try:
        found += _by_file(directory, text)
    except PkiError:
        if not found:  # else it is no path, and some file happens to be called like that
            raise
    distinct = list({record.id: record for record in found}.values())
    if len(distinct) == 1:
        return distinct[0]
    if not distinct:
        raise PkiError(
            f"{text[:80]!a} is no certificate of the PKI in {directory.path}; `edge pki list` has them all"
        )
    several = ", ".join(f"0x{record.serial} ({record.common_name!a})" for record in distinct)
    raise PkiError(f"{text[:80]!a} can mean {several}; write the serial with 0x")


def _by_serial(directory: Directory, text: str) -> list[Record]:
    """Return what a serial can mean: digits alone are looked up as decimal and as hex."""
    readings = [text, f"0x{text}"] if _DIGITS.fullmatch(text) else [text]
    found: list[Record] = []
    for reading in readings:
        try:
            found += directory.inventory.by_serial(read_serial(reading).value)
        except SerialError:
            continue
    return found


def _by_file(directory: Directory, text: str) -> list[Record]:
    """Return the certificate in a file, here or in the directory. Raises ``PkiError`` if it is of no use."""
    paths = [path for path in (Path(text), directory.path / text) if path.is_file()]
    if not paths and os.sep in text:
        raise PkiError(f"{text}: there is no such file")
    return [_recorded(directory, path) for path in paths]


def _recorded(directory: Directory, path: Path) -> Record:
    record = directory.inventory.by_certificate(read_certificate(path))
    if record is None:
        raise PkiError(f"{path}: this certificate was not issued by the PKI in {directory.path}")
    return record


def read_certificate(path: Path) -> x509.Certificate:
    """Return the first certificate in a file, PEM or DER. Raises ``PkiError``."""
    octets = path.read_bytes()
    load = x509.load_pem_x509_certificate if b"-----BEGIN" in octets else x509.load_der_x509_certificate
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd about a stranger's certificate is no matter here
            return load(octets)
    except (ValueError, x509.InvalidVersion):
        raise PkiError(f"{path}: there is no certificate in it that can be read") from None
