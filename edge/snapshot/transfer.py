"""Carries a new generation to a worker that lives: what it has already stays, the rest it is told.

Contexts cannot travel, and need not: a worker that lives goes on shaking hands as it did when it was
forked (it is soon relieved, if that is not right any more). What it must learn is how to judge. So
what is new is told in full, and what is as before by its name: every worker has the generation that
was in force.

A host that is new or has changed is judged by its new CAs. But a handshake that is under way in this
moment was verified by the old context against the old CAs, and is taken down as that. Whoever looks at
it sees that it was made under another bundle, and verifies again (``edge.proxy.view``).

The octets are a pickle. They go from the parent to its own children, and never the other way.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cryptography import x509

from edge.access.path_table import ApplicationTable
from edge.access.token import Algorithm, KeyRing, SigningKey
from edge.config.schema import Limits
from edge.http1.limits import HeadLimits
from edge.model.network import Network
from edge.origin.endpoint import Endpoint, OriginTls
from edge.snapshot.build import Built
from edge.snapshot.hosts import OriginMaterial, OriginSide
from edge.snapshot.snapshot import Host, Snapshot
from edge.tls.context import ClientCertificateMode, TlsContext
from edge.tls.relief import refusing_context, relieve
from edge.tls.verification import Verifier
from edge.trust.ca_bundle import CaBundle, CaEntry, combine, der
from edge.trust.revocation import Revocation


class TransferError(Exception):
    """The worker lacks what the parent believes it to have."""


@dataclass(frozen=True, slots=True)
class _Origin:
    host: str
    port: int
    tls: tuple[str, bool] | None
    """The name its certificate must be for, and whether that is checked."""


@dataclass(frozen=True, slots=True)
class _Host:
    name: str
    aliases: frozenset[str]
    mode: ClientCertificateMode
    cas: tuple[tuple[str, bytes], ...]
    """Entry and DER of every CA; none where no certificate is asked for."""
    strict: bool
    origins: tuple[_Origin, ...]
    origin_material: OriginMaterial | None
    """None: as before, or without TLS."""
    unmatched_pass: bool
    forward_client_certificate: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Key:
    kid: str
    algorithm: Algorithm
    pem: bytes
    certificate: str


@dataclass(frozen=True, slots=True)
class _Told:
    generation: int
    issuer: str
    limits: Limits
    head_limits: HeadLimits
    trusted_proxies: tuple[Network, ...]
    hosts: tuple[_Host, ...]
    """Those that are new or have changed; all others are as before."""
    exact: dict[str, str]
    wildcard: dict[str, str]
    default: str | None
    applications: ApplicationTable | None
    """None: as before."""
    keys: tuple[_Key, ...] | None


# --- in the parent -----------------------------------------------------------------------------


def pack(built: Built, before: Built) -> bytes:
    """Return what a worker has to be told that has ``before``; all of it but the CRLs."""
    new, old = built.snapshot, before.snapshot
    known = old.hosts
    told = _Told(
        generation=new.generation,
        issuer=new.issuer,
        limits=new.limits,
        head_limits=new.head_limits,
        trusted_proxies=new.trusted_proxies,
        hosts=tuple(
            _host(host, built.origins.get(name), before.origins.get(name))
            for name, host in new.hosts.items()
            if known.get(name) is not host
        ),
        exact={name: host.name for name, host in new.exact.items()},
        wildcard={parent: host.name for parent, host in new.wildcard.items()},
        default=None if new.default is None else new.default.name,
        applications=None if new.applications is old.applications else new.applications,
        keys=None if new.key_ring is old.key_ring else tuple(_key(key) for key in new.key_ring),
    )
    return pickle.dumps(told, pickle.HIGHEST_PROTOCOL)


def _host(host: Host, side: OriginSide | None, side_before: OriginSide | None) -> _Host:
    return _Host(
        name=host.name,
        aliases=host.aliases,
        mode=host.mode,
        cas=() if host.verifier is None else tuple(_cas(host.verifier.bundle)),
        strict=host.verifier is not None and host.verifier.bundle.strict,
        origins=tuple(
            _Origin(
                each.host, each.port, None if each.tls is None else (each.tls.server_name, each.tls.verify)
            )
            for each in host.origins
        ),
        origin_material=None if side is None or side is side_before else side.material,
        unmatched_pass=host.unmatched_pass,
        forward_client_certificate=host.forward_client_certificate,
    )


def _cas(bundle: CaBundle) -> list[tuple[str, bytes]]:
    names = iter(bundle.names.values())  # in the order of the certificates
    return [(next(names), der(certificate)) for certificate in bundle.certificates]


def _key(key: SigningKey) -> _Key:
    return _Key(key.kid, key.algorithm, key.key.as_pem(private=key.key.is_private), key.certificate)


# --- in the worker -----------------------------------------------------------------------------


def unpack(octets: bytes | memoryview, before: Snapshot, revocation: Revocation | None) -> Snapshot:
    """Return the new generation for a worker that has ``before``; no ``revocation`` means as before.

    Raises ``TransferError``.
    """
    told: _Told = pickle.loads(octets)  # noqa: S301 - from our own parent, in memory that nobody else has
    hosts = before.hosts
    for host in told.hosts:
        hosts[host.name] = _learn(host, before)
    try:
        return Snapshot(
            generation=told.generation,
            exact=_by_name(told.exact, hosts),
            wildcard=_by_name(told.wildcard, hosts),
            default=None if told.default is None else hosts[told.default],
            applications=told.applications or before.applications,
            issuer=told.issuer,
            key_ring=before.key_ring if told.keys is None else _key_ring(told.keys),
            limits=told.limits,
            head_limits=told.head_limits,
            trusted_proxies=told.trusted_proxies,
            revocation=before.revocation if revocation is None else revocation,
        )
    except KeyError as error:
        raise TransferError(f"the host {error} is not known here") from None


def _by_name(told: dict[str, str], hosts: Mapping[str, Host]) -> Mapping[str, Host]:
    return MappingProxyType({key: hosts[name] for key, name in told.items()})


def _learn(told: _Host, before: Snapshot) -> Host:
    own = before.hosts.get(told.name)
    served = own or before.exact.get(told.name) or before.wildcard.get(told.name.partition(".")[2])
    return Host(
        name=told.name,
        aliases=told.aliases,
        context=refusing_context() if served is None else served.context,
        mode=told.mode,
        verifier=_verifier(told, None if served is None else served.verifier),
        origins=_origins(told, own),
        unmatched_pass=told.unmatched_pass,
        forward_client_certificate=told.forward_client_certificate,
    )


def _verifier(told: _Host, served: Verifier | None) -> Verifier | None:
    if not told.cas:
        return None
    by_entry: dict[str, list[x509.Certificate]] = {}
    for entry, octets in told.cas:
        by_entry.setdefault(entry, []).append(x509.load_der_x509_certificate(octets))
    entries = [CaEntry(name, tuple(cas), told.strict) for name, cas in by_entry.items()]
    return relieve(combine(tuple(entries)), served)


def _origins(told: _Host, own: Host | None) -> tuple[Endpoint, ...]:
    context: TlsContext | None = None
    if told.origin_material is not None:
        context = told.origin_material.context()
    elif own is not None:
        context = next((each.tls.context for each in own.origins if each.tls is not None), None)
    endpoints = []
    for origin in told.origins:
        tls = None
        if origin.tls is not None:
            if context is None:
                raise TransferError(f"the origins of {told.name} speak TLS, but nothing is known of it here")
            tls = OriginTls(context, *origin.tls)
        endpoints.append(Endpoint(origin.host, origin.port, tls))
    return tuple(endpoints)


def _key_ring(keys: tuple[_Key, ...]) -> KeyRing:
    current, *previous = (
        SigningKey.from_pem(key.kid, key.algorithm, key.pem, key.certificate) for key in keys
    )
    return KeyRing(current, tuple(previous))
