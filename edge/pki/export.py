"""Write a leaf with its key for other programs: PKCS#12, C header, Apple profile. All hold the key."""

from __future__ import annotations

from pathlib import Path

from edge.pki import esp32, mobileconfig, pkcs12
from edge.pki.directory import Directory, read_key_file
from edge.pki.errors import PkiError
from edge.pki.issue import certificate_pem
from edge.pki.keys import PrivateKey, key_pem
from edge.pki.record import Record
from edge.state import files


def export_pkcs12(directory: Directory, record: Record, password: str, *, legacy: bool) -> bytes:
    """Return the leaf, its key and the intermediate. Raises ``PkiError`` if the key is not here."""
    return pkcs12.pack(
        record.common_name,
        _key_of(directory, record),
        record.certificate,
        directory.intermediate.certificate,
        password.encode(),
        legacy=legacy,
    )


def export_mobileconfig(directory: Directory, record: Record, password: str) -> bytes:
    """Return a profile for iOS and macOS, which read the legacy form. Raises ``PkiError``."""
    packed = export_pkcs12(directory, record, password, legacy=True)
    return mobileconfig.profile(record.common_name, record.certificate, packed)


def export_esp32(directory: Directory, record: Record) -> bytes:
    """Return a C header. Raises ``PkiError`` if the key is not here."""
    return esp32.header(
        record.name,
        directory.chain_pem(record),
        key_pem(_key_of(directory, record)),
        certificate_pem(directory.root.certificate),
    )


def write_export(path: Path, octets: bytes, *, force: bool) -> Path:
    """Write what was exported, mode 0600. Raises ``PkiError`` if the file is there and must not go."""
    if path.exists() and not path.is_file():
        raise PkiError(f"{path}: it is no regular file, and is not replaced; name another with --out")
    try:
        files.write_key(path, octets, overwrite=force)
    except FileExistsError:
        raise PkiError(f"{path}: it is there already; write elsewhere with --out, or use --force") from None
    return path


def _key_of(directory: Directory, record: Record) -> PrivateKey:
    if not record.is_leaf:
        raise PkiError(f"{directory.file(record.name)}: the key of an authority is not exported")
    path = directory.file(record.name, "-key.pem")
    if not record.key_made_here and not path.exists():
        raise PkiError(f"{path}: the key of {record.serial} never was here; pack it where it was made")
    key = read_key_file(path, None, "the key of a leaf is stored without a password")
    if key.public_key() != record.certificate.public_key():
        raise PkiError(
            f"{path}: this is the key of another certificate than {record.serial}; name the newest one"
        )
    return key
