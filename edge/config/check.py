"""Judge what needs more than one key: names that must be unique, fit together, or not contradict.

Nothing here opens a file. What depends on certificates, or on how the paths of applications cover a
host, is judged where those are built.
"""

from __future__ import annotations

import difflib
from collections.abc import Container, Hashable, Iterable, Iterator

from edge.config.domains import HostNames, host_of_domain
from edge.config.endpoints import ListenAddress
from edge.config.errors import ConfigError, KeyPath
from edge.config.own_addresses import meets, overlap
from edge.config.schema import Configuration, Host

_ONE_HOST = "every name and alias belongs to one host"


def find_errors(config: Configuration, incomplete: Container[str] = ()) -> Iterator[ConfigError]:
    """Yield every contradiction.

    ``incomplete`` names arrays of tables from which broken entries were left out: what is not found
    there may well be in what was left out, so nothing is said about it.
    """
    yield from _listen_twice(config)
    yield from _admin_twice(config)
    yield from _used_twice(config, _host_names(config), _ONE_HOST)
    yield from _used_twice(config, _defaults(config), "at most one host has default = true")
    for index, host in enumerate(config.hosts):
        yield from _origins(config, index, host)
        yield from _origin_tls(config, index, host)
    yield from _used_twice(config, _certificate_names(config), "every CA has a name of its own")
    yield from _used_twice(config, _group_ids(config), "every group has an id of its own")
    yield from _repeated_associations(config)
    yield from _crls(config)
    if "hosts" not in incomplete:
        yield from _unknown_associations(config)
        yield from _uncovered_domains(config)
    yield from _client_certificates(config, ca_may_be_missing="mtls_certificates" in incomplete)
    yield from _useless_sessions(config)
    yield from _useless_reports(config)
    yield from _policy_tests(config, incomplete)


def _listen_twice(config: Configuration) -> Iterator[ConfigError]:
    seen: set[ListenAddress] = set()
    for index, address in enumerate(config.server.listen):
        path = ("server", "listen", index)
        if address in seen:
            yield config.error(path, f"{config.shown(*path)} is listed twice", "keep one of them")
        elif any(_is_part(address, other) for other in seen):
            message = f"{config.shown(*path)} overlaps another address in this list"
            yield config.error(path, message, "an address without a host is every address")
        seen.add(address)


def _is_part(left: ListenAddress, right: ListenAddress) -> bool:
    return left.port == right.port != 0 and "" in (left.host, right.host)


def _admin_twice(config: Configuration) -> Iterator[ConfigError]:
    address, path = config.server.admin_listen, ("server", "admin_listen")
    if address is not None and any(overlap(address, other) for other in config.server.listen):
        message = f"{config.shown(*path)} is an address that clients are served on"
        yield config.error(path, message, "choose another port")


def _host_names(config: Configuration) -> Iterator[tuple[str, KeyPath]]:
    for index, host in enumerate(config.hosts):
        yield host.name, ("hosts", index, "name")
        for number, alias in enumerate(host.aliases):
            yield alias, ("hosts", index, "aliases", number)


def _defaults(config: Configuration) -> Iterator[tuple[str, KeyPath]]:
    return (("", ("hosts", index, "default")) for index, host in enumerate(config.hosts) if host.default)


def _certificate_names(config: Configuration) -> Iterator[tuple[str, KeyPath]]:
    entries = enumerate(config.mtls_certificates)
    return ((entry.name, ("mtls_certificates", index, "name")) for index, entry in entries)


def _group_ids(config: Configuration) -> Iterator[tuple[str, KeyPath]]:
    return ((group.id, ("groups", index, "id")) for index, group in enumerate(config.groups))


def _used_twice(
    config: Configuration, used: Iterable[tuple[str, KeyPath]], rule: str
) -> Iterator[ConfigError]:
    """Of two entries for one thing, the order of the file would choose. Neither does."""
    seen: dict[str, KeyPath] = {}
    for value, path in used:
        if value in seen:
            file, key, line = config.place(*seen[value])
            where = file if line is None else f"{file}:{line}"
            yield config.error(path, f"{config.shown(*path)} is already used by {key} ({where})", rule)
        seen.setdefault(value, path)


def _origins(config: Configuration, index: int, host: Host) -> Iterator[ConfigError]:
    for number, origin in enumerate(host.origin):
        if origin.scheme == "demo":
            continue
        path, target = ("hosts", index, "origin", number), ListenAddress(origin.host, origin.port)
        if any(meets(target, address) for address in config.server.listen):
            message = f"{config.shown(*path)} is an address the edge itself listens on"
            yield config.error(path, message, "requests would go round for ever; name the server behind it")
        admin = config.server.admin_listen
        if admin is not None and meets(target, admin):
            message = f"{config.shown(*path)} is the edge's own admin_listen"
            yield config.error(
                path, message, "clients would see what only its operator may; name the server behind it"
            )


def _origin_tls(config: Configuration, index: int, host: Host) -> Iterator[ConfigError]:
    tls, path = host.origin_tls, ("hosts", index, "origin_tls")
    if tls is None:
        return
    if not any(origin.scheme == "https" for origin in host.origin):
        yield config.error(path, "no origin of this host speaks TLS", 'write the origin as "https://…"')
    if (tls.certificate is None) != (tls.private_key is None):
        hint = "write both certificate and private_key, or neither"
        yield config.error(path, "half of the client certificate for the origin is missing", hint)
    if tls.ca is not None and not tls.verify:
        message = "the origin's certificate is not verified, so ca has no effect"
        yield config.error((*path, "verify"), message, "remove one of the two")


def _repeated_associations(config: Configuration) -> Iterator[ConfigError]:
    for index, certificate in enumerate(config.mtls_certificates):
        names = certificate.associated_hostnames
        for number in _repeated(names):
            path = ("mtls_certificates", index, "associated_hostnames", number)
            yield config.error(path, f"{config.shown(*path)} is listed twice", "keep one of them")


def _crls(config: Configuration) -> Iterator[ConfigError]:
    for index, certificate in enumerate(config.mtls_certificates):
        path: KeyPath = ("mtls_certificates", index)
        if "crl_stale" in certificate.model_fields_set and not certificate.crl:
            message = "without crl there is no CRL that could be stale"
            yield config.error((*path, "crl_stale"), message, "remove it, or name the CRL in crl")
        for number in _repeated(certificate.crl or ()):
            shown = config.shown(*path, "crl", number)
            yield config.error((*path, "crl", number), f"{shown} is listed twice", "keep one of them")


def _repeated(values: Iterable[Hashable]) -> Iterator[int]:
    """Yield the positions of values that were there before."""
    seen: set[Hashable] = set()
    for number, value in enumerate(values):
        if value in seen:
            yield number
        seen.add(value)


def _unknown_associations(config: Configuration) -> Iterator[ConfigError]:
    known = dict(_host_names(config))
    for index, certificate in enumerate(config.mtls_certificates):
        for number, name in enumerate(certificate.associated_hostnames):
            if name not in known:
                path = ("mtls_certificates", index, "associated_hostnames", number)
                message = f"{config.shown(*path)} is no host's name or alias"
                yield config.error(path, message, _nearest(config, name, known))


def _uncovered_domains(config: Configuration) -> Iterator[ConfigError]:
    """An application that no host serves protects nothing; most often its host is misspelt."""
    known = dict(_host_names(config))
    names = HostNames(known)
    for index, application in enumerate(config.applications):
        places: list[KeyPath] = [("domain",), *(("domains", i) for i in range(len(application.domains)))]
        for domain, end in zip(application.destinations, places, strict=True):
            host = host_of_domain(domain)
            if host is not None and not names.meant_by(host):
                path = ("applications", index, *end)
                message = f"{config.shown(*path)} is on no host of this configuration"
                yield config.error(path, message, _nearest(config, host, known))


def _nearest(config: Configuration, name: str, known: dict[str, KeyPath]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {config.shown(*known[close[0]])}?"
    return "add a [[hosts]] with this name, or correct it"


def _client_certificates(config: Configuration, *, ca_may_be_missing: bool) -> Iterator[ConfigError]:
    for index, host in enumerate(config.hosts):
        path, asks = ("hosts", index, "client_certificate"), host.client_certificate
        has_ca = bool(config.cas_of(host))
        if asks == "off" and has_ca:
            message = '"off" contradicts the CA that is associated with this host'
            yield config.error(path, message, "remove it, or remove the host from associated_hostnames")
        elif asks in ("request", "require") and not has_ca and not ca_may_be_missing:
            message = f'"{asks}" needs a CA, and none is associated with this host'
            yield config.error(
                path, message, "add the host to associated_hostnames of an [[mtls_certificates]]"
            )


def _useless_sessions(config: Configuration) -> Iterator[ConfigError]:
    for index, application in enumerate(config.applications):
        if not application.recheck_certificate and application.session_duration == 0:
            message = 'with session_duration = "0s" no token is accepted back, so this is never used'
            hint = "remove it, or write a longer session_duration"
            yield config.error(("applications", index, "recheck_certificate"), message, hint)


def _useless_reports(config: Configuration) -> Iterator[ConfigError]:
    """A bypass that bypasses nothing, or one that does and says so? Two meanings, so neither."""
    for index, application in enumerate(config.applications):
        for number, policy in enumerate(application.policies):
            if policy.report_only and policy.decision == "bypass":
                path = ("applications", index, "policies", number, "report_only")
                message = "a bypass policy enforces nothing, so there is nothing to only report"
                yield config.error(path, message, "remove report_only, or remove the policy")


def _policy_tests(config: Configuration, incomplete: Container[str]) -> Iterator[ConfigError]:
    """A test of a host that nobody serves, or of a certificate that nobody asks for, tests nothing."""
    known = dict(_host_names(config))
    hosts = {name: host for host in config.hosts for name in (host.name, *host.aliases)}
    for index, test in enumerate(config.tests):
        path: KeyPath = ("tests", index)
        if test.certificate is not None and test.common_name is not None:
            message = "certificate and common_name are two answers to one question"
            yield config.error((*path, "common_name"), message, "keep one of them")
        name = test.url.host
        host = hosts.get(name) or hosts.get("*." + name.partition(".")[2])
        if host is None:
            if "hosts" not in incomplete:
                message = f"{config.shown(*path, 'url')} is on no host of this configuration"
                yield config.error((*path, "url"), message, _nearest(config, name, known))
            continue
        key = "common_name" if test.certificate is None else "certificate"
        shows = test.certificate is not None or test.common_name is not None
        if shows and not config.cas_of(host) and "mtls_certificates" not in incomplete:
            message = f'"{host.name}" has no client CA, so no certificate is asked for'
            yield config.error((*path, key), message, "remove it, or associate a CA with the host")
