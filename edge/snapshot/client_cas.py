"""Loads what clients are verified against: the CAs of each host, and the CRLs of these CAs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from types import MappingProxyType

from edge.config.errors import ConfigErrors, KeyPath
from edge.config.schema import Configuration, Host
from edge.snapshot.findings import Findings
from edge.snapshot.revocation import CrlProblem, CrlSource, crl_warnings, read_revocation
from edge.trust.ca_bundle import (
    CaBundle,
    CaBundleError,
    CaEntry,
    combine,
    read_ca_entry,
    validity_warnings,
)
from edge.trust.revocation import Revocation


def read_ca_entries(config: Configuration, now: datetime, findings: Findings) -> dict[int, CaEntry]:
    """Return the CAs of each ``mtls_certificates`` entry that can be read, by its index."""
    entries: dict[int, CaEntry] = {}
    for index, said in enumerate(config.mtls_certificates):
        path: KeyPath = ("mtls_certificates", index, "certificate")
        if said.certificate.is_stand_in:
            continue
        try:
            entries[index] = read_ca_entry(said.name, said.certificate.read(), strict=said.strict)
        except ConfigErrors as errors:
            findings.errors += errors.errors
        except CaBundleError as error:
            findings.errors.append(said.certificate.error(str(error), error.hint))
        else:
            for text in validity_warnings(entries[index].certificates, now):
                findings.warnings.append(config.warning(path, text))
    return entries


def bundle_of(
    config: Configuration, index: int, host: Host, entries: dict[int, CaEntry], findings: Findings
) -> CaBundle | None:
    """Return the bundle of a host; None where no CA is associated, or one cannot be read."""
    associated = config.cas_of(host)
    mine = tuple(entries[number] for number in associated if number in entries)
    if not mine or len(mine) != len(associated):
        return None
    try:
        return combine(mine)
    except CaBundleError as error:
        findings.errors.append(config.error(("hosts", index), str(error), error.hint))
        return None


def crl_sources_of(config: Configuration, entries: dict[int, CaEntry]) -> tuple[CrlSource, ...]:
    """Return where the CRLs of the entries come from."""
    return tuple(
        CrlSource(said.name, entries[index].certificates, said.crl, said.crl_stale == "allow")
        for index, said in enumerate(config.mtls_certificates)
        if said.crl and index in entries
    )


def read_first_revocation(
    sources: tuple[CrlSource, ...], config: Configuration, now: datetime, findings: Findings
) -> Revocation:
    """Read every CRL for the first time: what cannot be taken up is an error."""
    revocation, problems = read_revocation(sources, now)
    _note_problems(problems, findings)
    _note_doubts(sources, revocation, config, now, findings)
    return revocation


def read_other_revocation(
    sources: tuple[CrlSource, ...],
    others: tuple[CrlSource, ...],
    previous: Revocation,
    config: Configuration,
    now: datetime,
    findings: Findings,
) -> Revocation:
    """Read the CRLs of ``others`` for the first time; of the other sources, what is in force stays.

    A list never gives way to an older one of the same CA, wherever the configuration finds that now.
    Returns ``previous`` itself if nothing is different.
    """
    read, problems = read_revocation(others, now)
    _note_problems(problems, findings)
    for source in others:
        for issuer, crl in read[source.entry].crls.items():
            known = previous[source.entry].crls.get(issuer) if source.entry in previous else None
            if known is not None and crl.is_older_than(known):
                findings.errors.append(
                    source.named[0].error(
                        f"{crl.title} is older than {known.title}, which is in force",
                        "put a newer one there; to go back on purpose, restart the edge",
                    )
                )
    names = {source.entry for source in sources}
    revocation = previous
    if others or names != previous.keys():
        revocation = MappingProxyType(
            {name: read[name] if name in read else previous[name] for name in (s.entry for s in sources)}
        )
    _note_doubts(sources, revocation, config, now, findings)
    return revocation


def _note_problems(problems: Iterable[CrlProblem], findings: Findings) -> None:
    for problem in problems:
        named = problem.pem.shown.strip('"') == problem.file
        message = problem.message if named else f"{problem.file}: {problem.message}"
        findings.errors.append(problem.pem.error(message, problem.hint))


def _note_doubts(
    sources: Iterable[CrlSource],
    revocation: Revocation,
    config: Configuration,
    now: datetime,
    findings: Findings,
) -> None:
    index_of = {said.name: index for index, said in enumerate(config.mtls_certificates)}
    for source in sources:
        path: KeyPath = ("mtls_certificates", index_of[source.entry], "crl")
        for text, hint in crl_warnings(source, revocation, now):
            findings.warnings.append(config.warning(path, text, hint))
