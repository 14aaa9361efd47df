"""Builds a snapshot from a configuration: a whole generation, or every error at once.

Total by design: nothing is published, nothing is changed and nothing is served until every
certificate, key, CA and policy of every host was loaded and fits. What looks dangerous but can be
meant becomes a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from edge.access.path_table import ApplicationTable
from edge.access.token import KeyRing
from edge.config.caution import find_warnings
from edge.config.errors import ConfigError, ConfigErrors, ConfigWarning
from edge.config.schema import Configuration
from edge.http1.limits import HeadLimits
from edge.origin.endpoint import Endpoint
from edge.snapshot import snapshot as model
from edge.snapshot.applications import Applications, build_applications, compile_applications
from edge.snapshot.client_cas import (
    bundle_of,
    crl_sources_of,
    read_ca_entries,
    read_first_revocation,
    read_other_revocation,
)
from edge.snapshot.findings import Findings
from edge.snapshot.hosts import HostBuilder, OriginSide, ServerSide
from edge.snapshot.material import forget_material
from edge.snapshot.revocation import CrlSource, Stamp, stamps_of


def find_further_errors(sound: Configuration, now: datetime) -> tuple[ConfigError, ...]:
    """Return what is wrong with the files and rules of a configuration whose shape is not right either.

    ``sound`` is what is left of it. Nothing is said about what is missing there: it may only be broken.
    """
    findings = Findings()
    read_first_revocation(crl_sources_of(sound, read_ca_entries(sound, now, findings)), sound, now, findings)
    builder = HostBuilder(sound, now, findings)
    for index in range(len(sound.hosts)):
        builder.examine(index)
    forget_material()
    compile_applications(sound, findings.errors)
    return tuple(findings.errors)


@dataclass(frozen=True, slots=True)
class Built:
    """A snapshot and what its operator should know about it."""

    snapshot: model.Snapshot
    warnings: tuple[ConfigWarning, ...]
    crl_sources: tuple[CrlSource, ...]
    """Where the CRLs of the snapshot came from, and newer ones will."""
    crl_stamps: Mapping[Path, Stamp]
    """What the files of the CRLs looked like before they were read."""
    crls_read: frozenset[str]
    """The entries whose CRLs were read; those of the others are as they were in the generation before."""
    applications: Applications = field(repr=False)
    servers: Mapping[str, ServerSide] = field(repr=False)
    """By the name of the host."""
    origins: Mapping[str, OriginSide] = field(repr=False)
    """By the name of the host; those that have an ``https://`` origin."""


def build(
    config: Configuration,
    key_ring: Callable[[], KeyRing],
    now: datetime,
    *,
    generation: int = 0,
    demo_origin: Endpoint | None = None,
    previous: Built | None = None,
) -> Built:
    """Build one generation. ``demo_origin`` is where ``origin = "demo:"`` leads.

    ``key_ring`` is asked last, and only if everything else is right: it may make keys. What is as it
    was in ``previous`` is taken from there, the same object: contexts, verifiers, hosts, applications.

    Raises ``ConfigErrors`` with everything that is wrong.
    """
    findings = Findings(warnings=list(find_warnings(config)))
    entries = read_ca_entries(config, now, findings)
    bundles = [bundle_of(config, index, host, entries, findings) for index, host in enumerate(config.hosts)]
    crl_sources = crl_sources_of(config, entries)
    crl_stamps = stamps_of(crl_sources)
    if previous is None:
        crls_read = frozenset(source.entry for source in crl_sources)
        revocation = read_first_revocation(crl_sources, config, now, findings)
    else:
        others = tuple(source for source in crl_sources if source not in previous.crl_sources)
        crls_read = frozenset(source.entry for source in others)
        revocation = read_other_revocation(
            crl_sources, others, previous.snapshot.revocation, config, now, findings
        )
    builder = HostBuilder(
        config, now, findings, demo_origin, *((previous.servers, previous.origins) if previous else ({}, {}))
    )
    hosts = [builder.build(index, bundles[index]) for index in range(len(config.hosts))]
    forget_material()
    applications = build_applications(config, findings.errors, findings.warnings)
    built = [host for host in hosts if host is not None]
    if findings.errors or len(built) != len(hosts) or applications is None:
        raise ConfigErrors(tuple(findings.errors))
    if previous is not None:
        before = previous.snapshot.hosts
        built = [known if (known := before.get(host.name)) == host else host for host in built]
    if previous is not None and applications == previous.applications:
        applications, table = previous.applications, previous.snapshot.applications
    else:
        table = ApplicationTable(applications)
    snapshot = _assemble(config, built, table, key_ring(), generation)
    return Built(
        snapshot.with_revocation(revocation),
        tuple(findings.warnings),
        crl_sources,
        crl_stamps,
        crls_read,
        applications,
        MappingProxyType(builder.servers),
        MappingProxyType(builder.origins),
    )


def _assemble(
    config: Configuration,
    hosts: list[model.Host],
    applications: ApplicationTable,
    key_ring: KeyRing,
    generation: int,
) -> model.Snapshot:
    exact: dict[str, model.Host] = {}
    wildcard: dict[str, model.Host] = {}
    default = None
    for host, said in zip(hosts, config.hosts, strict=True):
        if host.name.startswith("*."):
            wildcard[host.name[2:]] = host
        else:
            exact[host.name] = host
        exact.update(dict.fromkeys(host.aliases, host))
        if said.default:
            default = host
    limits = config.server.limits
    return model.Snapshot(
        generation=generation,
        exact=MappingProxyType(exact),
        wildcard=MappingProxyType(wildcard),
        default=default,
        applications=applications,
        issuer=config.issuer,
        key_ring=key_ring,
        limits=limits,
        head_limits=HeadLimits(limits.header_size, limits.header_count, limits.target_size),
        trusted_proxies=config.server.trusted_proxies,
    )
