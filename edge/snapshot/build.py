"""Builds a snapshot from a configuration: a whole generation, or every error at once.

Total by design: nothing is published, nothing is changed and nothing is served until every
certificate, key, CA and policy of every host was loaded and fits. What looks dangerous but can be
meant becomes a warning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from edge.access.path_table import ApplicationTable
from edge.access.token import KeyRing
from edge.config.caution import find_warnings
from edge.config.errors import ConfigError, ConfigErrors, ConfigWarning
from edge.config.pem import Pem
from edge.config.schema import Configuration, Host, OriginTls
from edge.http1.limits import HeadLimits
from edge.origin.endpoint import Endpoint
from edge.origin.endpoint import OriginTls as EndpointTls
from edge.snapshot import snapshot as model
from edge.snapshot.applications import Applications, build_applications, compile_applications
from edge.snapshot.client_cas import bundle_of, crl_sources_of, read_ca_entries, read_first_revocation
from edge.snapshot.findings import Findings
from edge.snapshot.revocation import CrlSource, Stamp, stamps_of
from edge.tls.context import ClientCertificateMode, TlsContext, TlsMaterialError, server_context
from edge.tls.origin_context import origin_context
from edge.tls.verification import Verifier
from edge.trust.ca_bundle import (
    CaBundle,
    validity_warnings,
)


def find_further_errors(sound: Configuration, now: datetime) -> tuple[ConfigError, ...]:
    """Return what is wrong with the files and rules of a configuration whose shape is not right either.

    ``sound`` is what is left of it. Nothing is said about what is missing there: it may only be broken.
    """
    findings = Findings()
    read_first_revocation(crl_sources_of(sound, read_ca_entries(sound, now, findings)), sound, now, findings)
    for host in sound.hosts:
        chain = _certificates(host.certificate, findings)
        _private_key(host.private_key, chain, host.certificate, findings)
        _origins(host, findings, None)
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


def build(
    config: Configuration,
    key_ring: Callable[[], KeyRing],
    now: datetime,
    *,
    generation: int = 0,
    demo_origin: Endpoint | None = None,
) -> Built:
    """Build one generation. ``demo_origin`` is where ``origin = "demo:"`` leads.

    ``key_ring`` is asked last, and only if everything else is right: it may make keys.

    Raises ``ConfigErrors`` with everything that is wrong.
    """
    findings = Findings(warnings=list(find_warnings(config)))
    entries = read_ca_entries(config, now, findings)
    bundles = [bundle_of(config, index, host, entries, findings) for index, host in enumerate(config.hosts)]
    crl_sources = crl_sources_of(config, entries)
    crl_stamps = stamps_of(crl_sources)
    revocation = read_first_revocation(crl_sources, config, now, findings)
    hosts = [
        _build_host(config, index, host, bundles[index], now, findings, demo_origin)
        for index, host in enumerate(config.hosts)
    ]
    applications = build_applications(config, findings.errors, findings.warnings)
    built = [host for host in hosts if host is not None]
    if findings.errors or len(built) != len(hosts) or applications is None:
        raise ConfigErrors(tuple(findings.errors))
    snapshot = _assemble(config, built, applications, key_ring(), generation)
    return Built(snapshot.with_revocation(revocation), tuple(findings.warnings), crl_sources, crl_stamps)


def _assemble(
    config: Configuration,
    hosts: list[model.Host],
    applications: Applications,
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
        applications=ApplicationTable(applications),
        issuer=config.issuer,
        key_ring=key_ring,
        limits=limits,
        head_limits=HeadLimits(limits.header_size, limits.header_count, limits.target_size),
    )


# --- hosts -------------------------------------------------------------------------------------


def _build_host(
    config: Configuration,
    index: int,
    said: Host,
    bundle: CaBundle | None,
    now: datetime,
    findings: Findings,
    demo_origin: Endpoint | None,
) -> model.Host | None:
    before = len(findings.errors)
    chain = _certificates(said.certificate, findings)
    key = _private_key(said.private_key, chain, said.certificate, findings)
    if chain:
        for text in validity_warnings((chain[0],), now):
            findings.warnings.append(config.warning(("hosts", index, "certificate"), text))
    origins = _origins(said, findings, demo_origin)
    if len(findings.errors) != before or key is None:
        return None
    mode = _mode(said, bundle)
    session_id = hashlib.sha256(b"mtls-edge session\0" + said.name.encode("ascii")).digest()
    try:
        context = server_context(chain, key, bundle.certificates if bundle else (), mode, session_id)
        verifier = Verifier(bundle) if bundle and mode is not ClientCertificateMode.OFF else None
    except TlsMaterialError as error:
        findings.errors.append(said.certificate.error(f"OpenSSL does not take it: {error}"))
        return None
    return model.Host(
        name=said.name,
        aliases=frozenset(said.aliases),
        context=context,
        mode=mode,
        verifier=verifier,
        origins=origins,
        unmatched_pass=said.unmatched == "pass",
        forward_client_certificate=tuple(dict.fromkeys(said.forward_client_certificate)),
    )


def _mode(said: Host, bundle: CaBundle | None) -> ClientCertificateMode:
    if bundle is None:
        return ClientCertificateMode.OFF
    return ClientCertificateMode(said.client_certificate or "request")


def _certificates(pem: Pem, findings: Findings) -> list[x509.Certificate]:
    """Read a chain, leaf first."""
    if pem.is_stand_in:
        return []
    try:
        octets = pem.read()
    except ConfigErrors as errors:
        findings.errors += errors.errors
        return []
    if b"-----BEGIN CERTIFICATE-----" not in octets:
        findings.errors.append(pem.error("there is no certificate in it", "name a PEM file, the leaf first"))
        return []
    try:
        chain = x509.load_pem_x509_certificates(octets)
        chain[0].public_key()  # parsed only when it is asked for
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        findings.errors.append(pem.error(f"the certificate cannot be read: {error}", "copy the file again"))
        return []
    if len(chain) != octets.count(b"-----BEGIN CERTIFICATE-----"):
        # The reader skips a block without its end: a chain would be served that breaks at the clients.
        findings.errors.append(pem.error("a certificate in it is cut off", "copy the file again"))
        return []
    return chain


def _private_key(
    pem: Pem, chain: list[x509.Certificate], certificate: Pem, findings: Findings
) -> PrivateKeyTypes | None:
    if pem.is_stand_in:
        return None
    try:
        octets = pem.read()
        key = load_pem_private_key(octets, password=None)
    except ConfigErrors as errors:
        findings.errors += errors.errors
        return None
    except TypeError:
        findings.errors.append(
            pem.error("the key is encrypted", "decrypt it: openssl pkey -in … -out …, mode 0600")
        )
        return None
    except (ValueError, UnsupportedAlgorithm):
        findings.errors.append(
            pem.error("there is no private key in it that can be read", "name the PEM file of the key")
        )
        return None
    if chain and _spki(chain[0]) != key.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    ):
        findings.errors.append(
            pem.error(
                f"the key does not belong to the certificate in {certificate.shown}", "name its own key"
            )
        )
        return None
    return key


def _spki(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


# --- origins -----------------------------------------------------------------------------------


def _origins(said: Host, findings: Findings, demo_origin: Endpoint | None) -> tuple[Endpoint, ...]:
    context = _origin_context(said.origin_tls or OriginTls(), said, findings)
    endpoints: list[Endpoint] = []
    for origin in said.origin:
        if origin.scheme == "demo":
            endpoints.append(demo_origin or Endpoint("127.0.0.1", 0))
        elif origin.scheme == "https" and context is not None:
            options = said.origin_tls or OriginTls()
            tls = EndpointTls(context, options.server_name or origin.host, options.verify)
            endpoints.append(Endpoint(origin.host, origin.port, tls))
        else:
            endpoints.append(Endpoint(origin.host, origin.port))
    return tuple(endpoints)


def _origin_context(options: OriginTls, said: Host, findings: Findings) -> TlsContext | None:
    if not any(origin.scheme == "https" for origin in said.origin):
        return None
    before = len(findings.errors)
    cas = None if options.ca is None else _certificates(options.ca, findings)
    chain: list[x509.Certificate] = []
    key: PrivateKeyTypes | None = None
    if options.certificate is not None and options.private_key is not None:
        chain = _certificates(options.certificate, findings)
        key = _private_key(options.private_key, chain, options.certificate, findings)
    if len(findings.errors) != before:
        return None
    try:
        return origin_context(cas, chain, key, verify=options.verify)
    except TlsMaterialError as error:
        culprit = options.certificate or options.ca or said.certificate
        findings.errors.append(culprit.error(f"OpenSSL does not take it: {error}"))
        return None
