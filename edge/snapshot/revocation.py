"""Reads the CRLs that the configuration names, and keeps the last good one of each CA in force.

At the start every problem is an error. Later a problem changes nothing: what was in force stays, until
it is stale, and the operator is told. A list never gives way to an older one: whoever can put back last
week's file would bring back what was revoked since.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from cryptography import x509

from edge.config.files import MAX_CRL_BYTES, UnreadableFileError, files_in, is_directory, read_file
from edge.config.pem import Pem
from edge.trust.certificate import ca_identity
from edge.trust.crl import Crl, CrlError, read_crl, split_crls
from edge.trust.revocation import NO_REVOCATION, EntryRevocation, Revocation


@dataclass(frozen=True, slots=True)
class CrlSource:
    """One ``[[mtls_certificates]]`` entry that names CRLs."""

    entry: str
    cas: tuple[x509.Certificate, ...]
    """Whose lists are believed here."""
    named: tuple[Pem, ...]
    """Files, directories of files, or PEM text."""
    stale_allowed: bool


@dataclass(frozen=True, slots=True)
class CrlProblem:
    """Why a list is not taken up; ``pem`` is where the configuration names it."""

    pem: Pem
    file: str
    message: str
    hint: str
    heals: bool = True
    """Whether the same file may be good later: a clock comes right, a disk comes back."""


Stamp = tuple[int, ...]
"""What changes when a file does: inode, size, times of its contents and of its inode; empty if it is gone."""


def read_revocation(
    sources: Sequence[CrlSource],
    now: datetime,
    previous: Revocation = NO_REVOCATION,
    changed: Container[Path] | None = None,
) -> tuple[Revocation, list[CrlProblem]]:
    """Return what is in force, beginning with ``previous``, and what could not be taken up.

    ``changed`` are the only files that need to be read; None is all of them, and PEM text.
    """
    problems: list[CrlProblem] = []
    entries = {}
    for source in sources:
        before = previous.get(source.entry)
        in_force = dict(before.crls) if before else {}
        for pem, crl in _newest(_read_source(source, now, changed, problems), problems):
            known = in_force.get(crl.issuer)
            if known is None or not crl.is_older_than(known):
                in_force[crl.issuer] = crl
            else:
                message = f"{crl.title} is older than {known.title}, which is in force"
                hint = "put a newer one there; to go back on purpose, restart the edge"
                problems.append(CrlProblem(pem, crl.source, message, hint, heals=False))
        entries[source.entry] = EntryRevocation(MappingProxyType(in_force), source.stale_allowed)
    return MappingProxyType(entries), problems


def files_of(pem: Pem) -> list[Path]:
    """Return the files that one value of ``crl`` means now. Raises ``UnreadableFileError``."""
    if pem.path is None:
        return []
    return files_in(pem.path) if is_directory(pem.path) else [pem.path]


def stamps_of(sources: Sequence[CrlSource]) -> dict[Path, Stamp]:
    """Return what all files look like now, without opening one."""
    stamps: dict[Path, Stamp] = {}
    for source in sources:
        for pem in source.named:
            try:
                files = files_of(pem)
            except UnreadableFileError:
                files = [] if pem.path is None else [pem.path]
            for file in files:
                stamps[file] = _stamp(file)
    return stamps


def _stamp(file: Path) -> Stamp:
    try:
        found = file.stat()
    except OSError:
        return ()
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def crl_warnings(source: CrlSource, revocation: Revocation, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield what an operator should look at twice, each with what to do."""
    entry = revocation[source.entry]
    for crl in entry.crls.values():
        if crl.is_stale(now.timestamp()):
            meaning = "still counts" if source.stale_allowed else "all certificates of this CA are refused"
            yield f"{crl.title} is stale, {meaning}", "put a newer one there"
        elif crl.is_due(now.timestamp()):
            until = crl.facts()["next_update"]
            yield f"{crl.title} is good only until {until}", "put a newer one there before"
    for ca in source.cas:
        if ca_identity(ca) not in entry.crls:
            # As OpenSSL with -crl_check_all: whether its certificates are revoked, nobody can tell.
            subject = ca.subject.rfc4514_string()
            yield f"there is no CRL of {subject!r}: all its certificates are refused", "put one there"


def _newest(read: Iterable[tuple[Pem, Crl]], problems: list[CrlProblem]) -> list[tuple[Pem, Crl]]:
    """Keep the newest list of each CA. An older one is never asked, not even if the newest is stale."""
    by_issuer: dict[bytes, tuple[Pem, Crl]] = {}
    doubtful = set()
    for pem, crl in read:
        known = by_issuer.get(crl.issuer)
        if known is not None and crl.contradicts(known[1]):
            message = f"{crl.title} and {known[1].title}: of the two, the one with the higher number is older"
            problems.append(
                CrlProblem(pem, crl.source, message, "remove the one that is not true", heals=False)
            )
            doubtful.add(crl.issuer)
        if known is None or known[1].is_older_than(crl) or _revokes_more(crl, known[1]):
            by_issuer[crl.issuer] = (pem, crl)
    return [each for issuer, each in by_issuer.items() if issuer not in doubtful]


def _revokes_more(crl: Crl, known: Crl) -> bool:
    """Decide between two lists of one moment, which differ all the same: nobody is let in by the doubt."""
    return not crl.is_older_than(known) and len(crl.serials) > len(known.serials)


def _read_source(
    source: CrlSource, now: datetime, changed: Container[Path] | None, problems: list[CrlProblem]
) -> Iterator[tuple[Pem, Crl]]:
    for pem in source.named:
        if pem.is_stand_in:
            continue
        for file, octets in _read_named(pem, changed, problems):
            try:
                lists = split_crls(octets)
            except CrlError as error:
                problems.append(CrlProblem(pem, file, str(error), error.hint))
                continue
            for der in lists:
                try:
                    yield pem, read_crl(der, source.cas, now, file)
                except CrlError as error:
                    problems.append(CrlProblem(pem, file, str(error), error.hint))


def _read_named(
    pem: Pem, changed: Container[Path] | None, problems: list[CrlProblem]
) -> Iterator[tuple[str, bytes]]:
    """Yield what one value of ``crl`` means: the name of a file, for people, and its octets."""
    if pem.path is None:
        if changed is None:
            yield _shown(pem), (pem.text or "").encode()
        return
    try:
        files = files_of(pem)
    except UnreadableFileError as error:
        problems.append(CrlProblem(pem, _shown(pem), error.message, error.hint))
        return
    if not files:
        problems.append(CrlProblem(pem, _shown(pem), "there is no CRL in this directory", "put one there"))
    for file in files:
        shown = _shown(pem) if file == pem.path else f"{_shown(pem)}/{file.name}"
        if changed is not None and file not in changed:
            continue
        try:
            octets = read_file(file, MAX_CRL_BYTES)
        except UnreadableFileError as error:
            problems.append(CrlProblem(pem, shown, error.message, error.hint))
            continue
        if octets.strip():
            yield shown, octets
        else:
            problems.append(CrlProblem(pem, shown, "the file is empty", "write the CRL into it"))


def _shown(pem: Pem) -> str:
    """Return the path as the configuration has it, without quotes; nothing from the environment is in it."""
    return pem.shown.strip('"')
