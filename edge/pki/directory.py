"""The PKI directory: its files, one writer at a time, and the end of what was interrupted.

::

    root.pem          root-key.pem            self-signed; signs the intermediate and its own CRL
    intermediate.pem  intermediate-key.pem    signs the leaves and their CRL
    ca.pem            crl.pem                 both certificates, and both CRLs
    index.db                                  what was issued and revoked
    NAME.pem  NAME-key.pem  NAME-chain.pem    one leaf; the chain is the leaf with the intermediate

The index is the truth, and every file but the keys can be made from it. A leaf comes into being in this
order: its key in a hidden file, the certificate in the index, then key, certificate and chain under their
names. Whoever is killed before the second step leaves a key that belongs to nothing; after it, the next
command that writes here takes the remaining steps. So key and certificate of one name fit together
again, also when a renewal was cut short, and no serial is ever lost.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from cryptography import x509

from edge.pki.crl import crl_pem
from edge.pki.errors import PkiError
from edge.pki.inventory import Inventory
from edge.pki.issue import Authority, IssueError, certificate_pem
from edge.pki.keys import KeyMaterialError, PrivateKey, read_key
from edge.pki.record import INTERMEDIATE, ROOT, Record
from edge.state import files

AUTHORITY_FILES = ("root.pem", "root-key.pem", "intermediate.pem", "intermediate-key.pem", "ca.pem")
CRL_FILE = "crl.pem"
INDEX_FILE = "index.db"
LEAF_SUFFIXES = (".pem", "-key.pem", "-chain.pem")
DEVICE_SUFFIXES = (".p12", ".h", ".mobileconfig")
"""Made of a leaf and its key for other programs; these hold the key."""

_LOCK_SECONDS = 30.0
_OTHERS = 0o077
_TEMPORARY = re.compile(r"\..+\.(pem|p12|h|mobileconfig)\.[a-z0-9_]{8}", re.ASCII)
"""Files of ``edge.state.files`` that did not come to their names."""
_STAGED = re.compile(r"\.[0-9A-F]+-key\.pem", re.ASCII)
"""Keys whose certificate was recorded next, or never."""


class Directory:
    """An open PKI directory. ``notes`` collects what the caller should tell people."""

    def __init__(self, path: Path, inventory: Inventory) -> None:
        self.path = path
        self.inventory = inventory
        self.notes: list[str] = []

    @property
    def root(self) -> Record:
        """The certificate that signs itself."""
        return self.inventory.authority(ROOT)

    @property
    def intermediate(self) -> Record:
        """The certificate that issues leaves."""
        return self.inventory.authority(INTERMEDIATE)

    def file(self, name: str, suffix: str = ".pem") -> Path:
        """Return the path of ``<name><suffix>``."""
        return self.path / f"{name}{suffix}"

    def files_of(self, name: str, suffixes: Sequence[str] = LEAF_SUFFIXES) -> list[Path]:
        """Return the files of that name that are there."""
        return [path for suffix in suffixes if (path := self.file(name, suffix)).exists()]

    def authority(self, record: Record, password: bytes | None) -> Authority:
        """Return the root or the intermediate with its key. Raises ``PkiError``."""
        path = self.file(record.role, "-key.pem")
        key = read_key_file(path, password, "give its password with --ca-password-file")
        if path.stat().st_mode & _OTHERS:
            self.notes.append(f"{path}: others can read this key; chmod 600 it, and ask who did")
        try:
            return Authority(record.certificate, key)
        except IssueError as error:
            raise PkiError(f"{path}: {error}; put the right key back") from None

    def chain_pem(self, record: Record) -> bytes:
        """Return a leaf with the intermediate, or an authority with what is above it, as PEM."""
        chain = [record.certificate]
        if record.is_leaf:
            chain.append(self.intermediate.certificate)
        elif record.role == INTERMEDIATE:
            chain.append(self.root.certificate)
        return certificate_pem(*chain)

    def crl_pem(self) -> bytes:
        """Return the newest CRLs of root and intermediate as PEM."""
        newest = (self.inventory.newest_crl(issuer) for issuer in (self.root, self.intermediate))
        return b"".join(crl_pem(crl.der) for crl in newest if crl is not None)

    def stage_key(self, certificate: x509.Certificate, key_pem: bytes) -> None:
        """Put the key of a certificate that will be recorded next on the disk, out of sight."""
        files.write_key(self._staged_key(certificate), key_pem)

    def install(self, record: Record) -> None:
        """Write the files of a recorded leaf, the key first, over those that are there."""
        staged = self._staged_key(record.certificate)
        if staged.exists():
            files.write_key(self.file(record.name, "-key.pem"), staged.read_bytes(), overwrite=True)
        files.write_public(self.file(record.name), certificate_pem(record.certificate))
        files.write_public(self.file(record.name, "-chain.pem"), self.chain_pem(record))
        staged.unlink(missing_ok=True)
        self.inventory.mark_written(record)

    def write_crl_file(self) -> Path:
        """Write ``crl.pem`` as the index has it."""
        path = self.path / CRL_FILE
        files.write_public(path, self.crl_pem())
        return path

    def finish_what_was_interrupted(self) -> None:
        """Take the steps that a killed command did not come to."""
        for record in self.inventory.unwritten():
            self.install(record)
            self.notes.append(f"{self.file(record.name)}: an interrupted command was completed")
        if not _has(self.path / CRL_FILE, self.crl_pem()):
            self.notes.append(f"{self.write_crl_file()}: it did not hold the newest CRL and does now")
        remove_left_behind(self.path)

    def _staged_key(self, certificate: x509.Certificate) -> Path:
        return self.path / f".{certificate.serial_number:X}-key.pem"


@contextmanager
def reading(path: Path) -> Iterator[Directory]:
    """Open a PKI directory and change nothing in it. Raises ``PkiError``."""
    try:
        inventory = Inventory.open(path / INDEX_FILE)
    except (FileNotFoundError, NotADirectoryError):
        raise PkiError(
            f"{path}: there is no PKI here; make one with `edge pki init`, or name its directory with --dir"
        ) from None
    with closing(inventory):
        yield Directory(path, inventory)


@contextmanager
def writing(path: Path) -> Iterator[Directory]:
    """Open a PKI directory alone, and finish what a killed command began. Raises ``PkiError``."""
    with reading(path):  # so that a directory without a PKI is told as such
        pass
    with locked(path), reading(path) as directory:
        directory.finish_what_was_interrupted()
        yield directory


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other writers out of a directory. The lock ends with the process, however that ends."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def remove_left_behind(path: Path) -> None:
    """Remove the hidden files of killed commands. Only for whoever holds the lock: nobody else writes."""
    for each in path.iterdir():
        if each.is_file() and (_TEMPORARY.fullmatch(each.name) or _STAGED.fullmatch(each.name)):
            each.unlink()


def staged_keys(path: Path) -> list[str]:
    """Return the names of keys that may wait for a killed command to be completed."""
    return [each.name for each in path.iterdir() if _STAGED.fullmatch(each.name)]


def read_key_file(path: Path, password: bytes | None, hint: str) -> PrivateKey:
    """Read a private key. ``hint`` is what to do if that fails. Raises ``PkiError``."""
    try:
        return read_key(path.read_bytes(), password)
    except FileNotFoundError:
        raise PkiError(f"{path}: the key is not here; put it back") from None
    except KeyMaterialError as error:
        raise PkiError(f"{path}: {error}; {hint}") from None


def _lock(descriptor: int, path: Path) -> None:
    end = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise PkiError(f"{path}: another command is at work here; wait for its end") from None
            time.sleep(0.02)
        else:
            return


def _has(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except FileNotFoundError:
        return False
