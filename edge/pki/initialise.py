"""Make a PKI in a directory: two authorities, their CRLs and an empty index.

The index takes its name last, and a directory without one is no PKI: a killed ``init`` leaves files that
the next one asks about and nothing that works by half.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from edge.pki import issue
from edge.pki.directory import (
    AUTHORITY_FILES,
    CRL_FILE,
    DEVICE_SUFFIXES,
    INDEX_FILE,
    LEAF_SUFFIXES,
    Directory,
    locked,
    remove_left_behind,
    staged_keys,
)
from edge.pki.errors import PkiError
from edge.pki.hierarchy import Hierarchy, Plan, make_hierarchy
from edge.pki.inventory import Inventory
from edge.pki.issue import Authority, RandomBits
from edge.pki.keys import key_pem
from edge.pki.names import MAX_COMMON_NAME, read_common_name, read_subject
from edge.pki.record import INTERMEDIATE, ROOT, NewRecord
from edge.pki.revocation import CRL_LIFETIME, sign_crls
from edge.state import files

ROOT_LIFETIME = timedelta(days=3652)
INTERMEDIATE_LIFETIME = timedelta(days=1826)

_JOURNAL = f"{INDEX_FILE}-journal"
_NEW_INDEX = f".{INDEX_FILE}.new"
_ROOT_SUFFIX, _INTERMEDIATE_SUFFIX = " Root CA", " Issuing CA"
_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class InitOrder:
    """What kind of PKI to make. ``name`` is the beginning of both common names; empty: one is made up."""

    name: str = ""
    root_lifetime: timedelta = ROOT_LIFETIME
    intermediate_lifetime: timedelta = INTERMEDIATE_LIFETIME
    password: bytes | None = field(default=None, repr=False)
    force: bool = False


@dataclass(frozen=True, slots=True)
class Initialised:
    """What was made. ``moved_to`` has the PKI that was there before, whole and usable."""

    name: str
    directory: Path
    moved_to: Path | None
    moved: tuple[str, ...]
    notes: tuple[str, ...]


def init(path: Path, order: InitOrder, now: datetime, random_bits: RandomBits) -> Initialised:
    """Make a PKI. Raises ``PkiError`` if something is in the way, ``OSError`` as the disk does."""
    # Two PKIs whose authorities have the same names are easily mistaken for each other.
    name = order.name or f"Private {random_bits(32):08X}"
    plan = _plan(name, order, now)
    notes = _make_directory(path)
    with locked(path):
        in_the_way = _in_the_way(path)
        if in_the_way and not order.force:
            raise PkiError(
                f"{path / in_the_way[-1]}: a CA lives here and is not replaced; choose another directory, "
                "or move it aside with --force"
            )
        moved_to = _move_aside(path, in_the_way, now) if in_the_way else None
        remove_left_behind(path)  # not before: of a PKI that stays, it may be the only copy of a key
        _write(path, make_hierarchy(plan, random_bits), order.password, now)
    return Initialised(name, path, moved_to, tuple(in_the_way), notes)


def _plan(name: str, order: InitOrder, now: datetime) -> Plan:
    read_common_name(name)
    most = MAX_COMMON_NAME - len(_INTERMEDIATE_SUFFIX)
    if len(name) > most:
        raise PkiError(f"the name has {len(name)} characters; choose one of at most {most}")
    root = issue.valid_for(now, order.root_lifetime)
    intermediate = issue.valid_for(now, min(order.intermediate_lifetime, order.root_lifetime))
    return Plan(
        read_subject(name + _ROOT_SUFFIX),
        root,
        read_subject(name + _INTERMEDIATE_SUFFIX),
        intermediate,
    )


def _make_directory(path: Path) -> tuple[str, ...]:
    """Make the directory its owner's alone; one with other things in it is not ours to close."""
    if not path.exists():
        path.mkdir(mode=0o700, parents=True)
    elif not any(path.iterdir()):
        path.chmod(0o700)
    elif path.stat().st_mode & _OTHERS:
        return (f"{path}: others can look into this directory; the keys are yours alone all the same",)
    return ()


def _in_the_way(path: Path) -> list[str]:
    """Return the names of all files of the PKI that is there, the index last."""
    own = [name for name in (*AUTHORITY_FILES, CRL_FILE, _JOURNAL, INDEX_FILE) if (path / name).exists()]
    try:
        with closing(Inventory.open(path / INDEX_FILE)) as inventory:
            names = {record.name for record in inventory.records() if record.is_leaf}
    except (PkiError, OSError):
        names = set()
    leaves = (f"{name}{suffix}" for name in sorted(names) for suffix in (*LEAF_SUFFIXES, *DEVICE_SUFFIXES))
    return [*(name for name in leaves if (path / name).exists()), *own]


def _move_aside(path: Path, names: list[str], now: datetime) -> Path:
    """Move a whole PKI into a directory of its own below ``path``, where it can still be used."""
    stem, number = f"replaced-{now:%Y%m%dT%H%M%SZ}", 1
    while (aside := path / (stem if number == 1 else f"{stem}-{number}")).exists():
        number += 1
    aside.mkdir(mode=0o700)
    for name in (*names, *staged_keys(path)):
        if (path / name).exists():  # the journal goes when the index is opened
            (path / name).rename(aside / name)
    return aside


def _write(path: Path, made: Hierarchy, password: bytes | None, now: datetime) -> None:
    for role, authority in ((ROOT, made.root), (INTERMEDIATE, made.intermediate)):
        files.write_key(path / f"{role}-key.pem", key_pem(authority.key, password))
        files.write_public(path / f"{role}.pem", issue.certificate_pem(authority.certificate))
    files.write_public(path / "ca.pem", made.chain)
    new_index = path / _NEW_INDEX
    for leftover in (new_index, path / f"{_NEW_INDEX}-journal"):
        leftover.unlink(missing_ok=True)
    with closing(Inventory.create(new_index)) as inventory:
        _record(inventory, made.root, made.intermediate)
        sign_crls(inventory, made, CRL_LIFETIME, now)
        new_index.rename(path / INDEX_FILE)
        Directory(path, inventory).write_crl_file()  # which flushes the new name of the index, too


def _record(inventory: Inventory, root: Authority, intermediate: Authority) -> None:
    above = inventory.add(NewRecord(root.certificate, ROOT, None, ROOT, written=True))
    inventory.add(NewRecord(intermediate.certificate, INTERMEDIATE, above.id, INTERMEDIATE, written=True))
