"""Says in a line what a new configuration changes, as its operator would."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from edge.config.schema import Configuration
from edge.snapshot.build import Built
from edge.snapshot.snapshot import Host

_MOST_NAMES = 3
"""More of one kind are counted."""


def changes(config: Configuration, built: Built, before: Configuration, built_before: Built) -> str:
    """Return what is different, the most important first; "nothing that is served" for nothing."""
    said = [
        *_hosts(built, built_before),
        *_cas(config, built, before, built_before),
        *_by_name("application", _applications(built), _applications(built_before)),
        *_rest(config, built, before, built_before),
    ]
    return ", ".join(said) or "nothing that is served"


# --- hosts -------------------------------------------------------------------------------------


def _hosts(built: Built, before: Built) -> Iterator[str]:
    new, old = built.snapshot.hosts, before.snapshot.hosts
    yield from _counted("host", "added", new.keys() - old.keys())
    yield from _counted("host", "removed", old.keys() - new.keys())
    changed = {
        name: _what_of_host(name, host, old[name], built, before)
        for name, host in new.items()
        if name in old and host is not old[name]
    }
    if len(changed) > _MOST_NAMES:
        yield f"{len(changed)} hosts changed"
    else:
        yield from (f"host {name} changed ({', '.join(what)})" for name, what in sorted(changed.items()))


def _what_of_host(name: str, host: Host, old: Host, built: Built, before: Built) -> list[str]:
    what = []
    if built.servers[name].leaf != before.servers[name].leaf:
        what.append("certificate")
    if _is_strict(host) != _is_strict(old):
        what.append("strict")
    elif (host.verifier and host.verifier.bundle.digest) != (old.verifier and old.verifier.bundle.digest):
        what.append("client CAs")
    if host.mode is not old.mode:
        what.append("client_certificate")
    if host.aliases != old.aliases:
        what.append("aliases")
    if host.origins != old.origins:
        what.append("origin")
    if host.unmatched_pass != old.unmatched_pass:
        what.append("unmatched")
    if host.forward_client_certificate != old.forward_client_certificate:
        what.append("forward_client_certificate")
    return what or ["private key or chain"]


def _is_strict(host: Host) -> bool:
    return host.verifier is not None and host.verifier.bundle.strict


# --- client CAs --------------------------------------------------------------------------------


def _cas(config: Configuration, built: Built, before: Configuration, built_before: Built) -> Iterator[str]:
    new, old = _hosts_of_cas(config), _hosts_of_cas(before)
    for name in sorted(new.keys() | old.keys()):
        now, then = new.get(name, frozenset()), old.get(name, frozenset())
        if now - then:
            yield f'CA "{name}" added to {_names(now - then)}'
        if then - now:
            yield f'CA "{name}" removed from {_names(then - now)}'
    certificates, former = _certificates_of_cas(built), _certificates_of_cas(built_before)
    for name in sorted(certificates.keys() & former.keys()):
        if certificates[name] != former[name]:
            yield f'certificates of CA "{name}" changed'
    crls = [s.entry for s in built.crl_sources if s not in built_before.crl_sources]
    crls += [s.entry for s in built_before.crl_sources if s.entry not in {s.entry for s in built.crl_sources}]
    yield from (f'CRLs of CA "{name}" changed' for name in sorted(set(crls) & new.keys()))


def _hosts_of_cas(config: Configuration) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for host in config.hosts:
        for index in config.cas_of(host):
            found.setdefault(config.mtls_certificates[index].name, set()).add(host.name)
    return {name: frozenset(hosts) for name, hosts in found.items()}


def _certificates_of_cas(built: Built) -> dict[str, set[bytes]]:
    found: dict[str, set[bytes]] = {}
    for bundle in {
        id(host.verifier): host.verifier.bundle for host in built.snapshot.hosts.values() if host.verifier
    }.values():
        for fingerprint, name in bundle.names.items():
            found.setdefault(name, set()).add(fingerprint)
    return found


# --- the rest ----------------------------------------------------------------------------------


def _rest(config: Configuration, built: Built, before: Configuration, built_before: Built) -> Iterator[str]:
    limits, former = config.server.limits, before.server.limits
    fields = [name for name in type(limits).model_fields if getattr(limits, name) != getattr(former, name)]
    if fields:
        yield f"limits changed: {', '.join(fields)}"
    new, old = built.snapshot, built_before.snapshot
    if new.trusted_proxies != old.trusted_proxies:
        yield "trusted_proxies changed"
    if new.key_ring is not old.key_ring:
        yield "signing keys changed"
    if new.issuer != old.issuer:
        yield f"issuer is now {new.issuer}"
    if (new.default and new.default.name) != (old.default and old.default.name):
        yield f"default host is now {new.default.name}" if new.default else "no default host any more"


def _applications(built: Built) -> dict[str, object]:
    found: dict[str, list[object]] = {}
    for application in built.applications:
        found.setdefault(application.name, []).append(application)
    return {name: tuple(each) for name, each in found.items()}


def _by_name(kind: str, new: Mapping[str, object], old: Mapping[str, object]) -> Iterator[str]:
    yield from _counted(kind, "added", new.keys() - old.keys(), quote='"')
    yield from _counted(kind, "removed", old.keys() - new.keys(), quote='"')
    changed = [name for name, value in new.items() if name in old and old[name] != value]
    yield from _counted(kind, "changed", changed, quote='"')


def _counted(kind: str, verb: str, names: Collection[str], quote: str = "") -> Iterator[str]:
    if len(names) == 1:
        (name,) = names
        yield f"{kind} {quote}{name}{quote} {verb}"
    elif names:
        yield f"{len(names)} {kind}s {verb}"


def _names(names: Iterable[str]) -> str:
    listed = sorted(names)
    if len(listed) > _MOST_NAMES:
        return f"{len(listed)} hosts"
    return ", ".join(listed)
