"""Builds the virtual hosts: their certificates and keys, what they show, and where they send requests.

What is expensive to build and holds secrets is kept by the octets it was made from. A host whose
octets are the same in the next generation keeps its context, and with that its ticket keys: its
clients go on resuming their sessions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from edge.config.pem import Pem
from edge.config.schema import Configuration, OriginTls
from edge.config.schema import Host as Said
from edge.origin.endpoint import Endpoint
from edge.origin.endpoint import OriginTls as EndpointTls
from edge.snapshot.findings import Findings
from edge.snapshot.material import belong_together, parse_chain, parse_key
from edge.snapshot.snapshot import Host
from edge.tls.context import ClientCertificateMode, TlsContext, TlsMaterialError, server_context
from edge.tls.origin_context import origin_context
from edge.tls.verification import Verifier
from edge.trust.ca_bundle import CaBundle, der, validity_warnings


@dataclass(frozen=True, slots=True)
class ServerSide:
    """What one host shows its clients, and verifies them with."""

    digest: bytes
    leaf: x509.Certificate = field(repr=False)
    context: TlsContext = field(repr=False)
    verifier: Verifier | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class OriginMaterial:
    """The octets (PEM) that the context for the origins of one host is made from."""

    ca: bytes | None
    """None: the roots of the system."""
    certificate: bytes | None
    private_key: bytes | None = field(repr=False)
    verify: bool

    def context(self) -> TlsContext:
        """Make the context. Raises ``TlsMaterialError``; the octets were read and parsed before."""
        cas = None if self.ca is None else x509.load_pem_x509_certificates(self.ca)
        chain = [] if self.certificate is None else x509.load_pem_x509_certificates(self.certificate)
        key = None if self.private_key is None else load_pem_private_key(self.private_key, password=None)
        return origin_context(cas, chain, key, verify=self.verify)


@dataclass(frozen=True, slots=True)
class OriginSide:
    """What one host shows its origins, and verifies them with."""

    material: OriginMaterial
    context: TlsContext = field(repr=False)


class HostBuilder:
    """Builds the hosts of one generation. ``servers`` and ``origins`` are what it made, or took over."""

    def __init__(
        self,
        config: Configuration,
        now: datetime,
        findings: Findings,
        demo_origin: Endpoint | None = None,
        servers_before: Mapping[str, ServerSide] | None = None,
        origins_before: Mapping[str, OriginSide] | None = None,
    ) -> None:
        """``demo_origin`` is where ``origin = "demo:"`` leads."""
        self._config = config
        self._now = now
        self._findings = findings
        self._demo_origin = demo_origin
        self._servers_before = servers_before or {}
        self._origins_before = origins_before or {}
        self.servers: dict[str, ServerSide] = {}
        self.origins: dict[str, OriginSide] = {}

    def build(self, index: int, bundle: CaBundle | None) -> Host | None:
        """Build one host; None if anything is wrong with it, which is then among the findings."""
        said = self._config.hosts[index]
        before = len(self._findings.errors)
        mode = _mode(said, bundle)
        server = self._server(said, bundle, mode)
        if server is not None:
            for text in validity_warnings((server.leaf,), self._now):
                self._findings.warnings.append(self._config.warning(("hosts", index, "certificate"), text))
        origins = self._endpoints(said)
        if server is None or len(self._findings.errors) != before:
            return None
        self.servers[said.name] = server
        return Host(
            name=said.name,
            aliases=frozenset(said.aliases),
            context=server.context,
            mode=mode,
            verifier=server.verifier,
            origins=origins,
            unmatched_pass=said.unmatched == "pass",
            forward_client_certificate=tuple(dict.fromkeys(said.forward_client_certificate)),
        )

    def examine(self, index: int) -> None:
        """Find what is wrong with the files of a host whose CAs may be broken."""
        said = self._config.hosts[index]
        self._server_material(
            said, self._findings.read(said.certificate), self._findings.read(said.private_key)
        )
        self._endpoints(said)

    def _server(self, said: Said, bundle: CaBundle | None, mode: ClientCertificateMode) -> ServerSide | None:
        certificate = self._findings.read(said.certificate)
        private_key = self._findings.read(said.private_key)
        digest = _server_digest(certificate or b"", private_key or b"", bundle, mode)
        known = self._servers_before.get(said.name)
        if known is not None and known.digest == digest:
            return known
        chain, key = self._server_material(said, certificate, private_key)
        if not chain or key is None:
            return None
        session_id = hashlib.sha256(b"mtls-edge session\0" + said.name.encode("ascii")).digest()
        try:
            cas, strict = (bundle.certificates, bundle.strict) if bundle else ((), False)
            context = server_context(chain, key, cas, mode, session_id, strict=strict)
            verifier = Verifier(bundle) if bundle and mode is not ClientCertificateMode.OFF else None
        except TlsMaterialError as error:
            self._findings.errors.append(said.certificate.error(f"OpenSSL does not take it: {error}"))
            return None
        return ServerSide(digest, chain[0], context, verifier)

    def _server_material(
        self, said: Said, certificate: bytes | None, private_key: bytes | None
    ) -> tuple[list[x509.Certificate], PrivateKeyTypes | None]:
        chain = _certificates(said.certificate, certificate, self._findings)
        key = _private_key(said.private_key, private_key, chain, said.certificate, self._findings)
        return chain, key

    def _endpoints(self, said: Said) -> tuple[Endpoint, ...]:
        context = self._origin_context(said)
        endpoints: list[Endpoint] = []
        for origin in said.origin:
            if origin.scheme == "demo":
                endpoints.append(self._demo_origin or Endpoint("127.0.0.1", 0))
            elif origin.scheme == "https" and context is not None:
                options = said.origin_tls or OriginTls()
                tls = EndpointTls(context, options.server_name or origin.host, options.verify)
                endpoints.append(Endpoint(origin.host, origin.port, tls))
            else:
                endpoints.append(Endpoint(origin.host, origin.port))
        return tuple(endpoints)

    def _origin_context(self, said: Said) -> TlsContext | None:
        if not any(origin.scheme == "https" for origin in said.origin):
            return None
        findings = self._findings
        before = len(findings.errors)
        options = said.origin_tls or OriginTls()
        ca = certificate = private_key = None
        if options.ca is not None:
            ca = findings.read(options.ca)
            _certificates(options.ca, ca, findings)
        if options.certificate is not None and options.private_key is not None:
            certificate, private_key = findings.read(options.certificate), findings.read(options.private_key)
            chain = _certificates(options.certificate, certificate, findings)
            _private_key(options.private_key, private_key, chain, options.certificate, findings)
        if len(findings.errors) != before:
            return None
        material = OriginMaterial(ca, certificate, private_key, options.verify)
        side = self._origins_before.get(said.name)
        if side is None or side.material != material:
            try:
                side = OriginSide(material, material.context())
            except TlsMaterialError as error:
                culprit = options.certificate or options.ca or said.certificate
                findings.errors.append(culprit.error(f"OpenSSL does not take it: {error}"))
                return None
        self.origins[said.name] = side
        return side.context


def _server_digest(
    certificate: bytes, private_key: bytes, bundle: CaBundle | None, mode: ClientCertificateMode
) -> bytes:
    """Return what differs if anything does that a handshake with a host depends on."""
    cas = () if bundle is None else (bundle.digest, *(der(each) for each in bundle.certificates))
    return _digest((mode.value.encode("ascii"), certificate, private_key, *cas))


def _digest(pieces: Iterable[bytes]) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(len(piece).to_bytes(8, "big") + piece)
    return digest.digest()


def _mode(said: Said, bundle: CaBundle | None) -> ClientCertificateMode:
    if bundle is None:
        return ClientCertificateMode.OFF
    return ClientCertificateMode(said.client_certificate or "request")


def _certificates(pem: Pem, octets: bytes | None, findings: Findings) -> list[x509.Certificate]:
    """Read a chain, leaf first; None is what could not be read."""
    if octets is None or pem.is_stand_in:
        return []
    if b"-----BEGIN CERTIFICATE-----" not in octets:
        findings.errors.append(pem.error("there is no certificate in it", "name a PEM file, the leaf first"))
        return []
    try:
        chain = list(parse_chain(octets))
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        findings.errors.append(pem.error(f"the certificate cannot be read: {error}", "copy the file again"))
        return []
    if len(chain) != octets.count(b"-----BEGIN CERTIFICATE-----"):
        # The reader skips a block without its end: a chain would be served that breaks at the clients.
        findings.errors.append(pem.error("a certificate in it is cut off", "copy the file again"))
        return []
    return chain


def _private_key(
    pem: Pem, octets: bytes | None, chain: list[x509.Certificate], certificate: Pem, findings: Findings
) -> PrivateKeyTypes | None:
    if octets is None or pem.is_stand_in:
        return None
    try:
        key = parse_key(octets)
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
    if chain and not belong_together(chain[0], key):
        findings.errors.append(
            pem.error(
                f"the key does not belong to the certificate in {certificate.shown}", "name its own key"
            )
        )
        return None
    return key
