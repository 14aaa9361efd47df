"""The flag: who the client proved to be, and why not. It enforces nothing.

``Verification`` is what the handshake recorded and never changes on a connection. ``ClientAuth`` is
what that record is worth at one moment, made by ``edge.trust.authenticate``: judged again for every
request, because certificates expire and are revoked while connections live.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.model.refusal import Reason


def serial_hex(serial: int) -> str:
    """Return a serial number as upper-case hex with whole octets, as Cloudflare and OpenSSL print it."""
    text = f"{abs(serial):X}"
    return ("-" if serial < 0 else "") + ("0" if len(text) % 2 else "") + text


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a certificate says of itself, decoded once. Times are seconds since the epoch."""

    der: bytes = field(repr=False)
    sha256: bytes
    serial: int
    subject: str
    """RFC 4514 text, most specific attribute first, as ``openssl -nameopt RFC2253`` prints it."""
    issuer: str
    subject_name: bytes = field(repr=False)
    """The DER of the subject, for comparing names without reading text."""
    issuer_name: bytes = field(repr=False)
    not_before: float
    not_after: float
    common_names: tuple[str, ...] = ()
    """Every CN, in order. A rule about *the* common name matches only if there is exactly one."""
    subject_attributes: tuple[tuple[str, str], ...] = ()
    """(short lower-case name, value), e.g. ``("ou", "Access Admins")``; only string types."""
    san_dns: tuple[str, ...] = ()
    san_email: tuple[str, ...] = ()
    san_uri: tuple[str, ...] = ()
    san_ip: tuple[str, ...] = ()
    subject_key_id: bytes = b""

    @property
    def common_name(self) -> str:
        """The common name if there is exactly one, else the empty string (threat: first or last wins)."""
        return self.common_names[0] if len(self.common_names) == 1 else ""

    @property
    def serial_hex(self) -> str:
        """The serial for people; see ``serial_hex``."""
        return serial_hex(self.serial)


@dataclass(frozen=True, slots=True)
class VerifyError:
    """One error OpenSSL reported: depth 0 is the leaf; code and text are OpenSSL's."""

    depth: int
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One certificate of a chain as a CRL names it: by the CA that issued it, and its serial."""

    issuer: bytes
    """See ``edge.trust.certificate.ca_identity``."""
    serial: int


@dataclass(frozen=True, slots=True)
class Verification:
    """What one connection's handshake found out about the certificate that was presented.

    ``chain`` is the verified path from the leaf to the root, empty if anything failed.
    ``bundle`` is the digest of the CA bundle it was verified against: under another bundle the
    record proves nothing.
    """

    leaf: CertificateFacts
    chain: tuple[CertificateFacts, ...]
    errors: tuple[VerifyError, ...]
    bundle: bytes
    links: tuple[ChainLink, ...] = ()
    """The chain once more, as CRLs name it."""


@dataclass(frozen=True, slots=True)
class ClientAuth:
    """The mTLS flag with its reason, immutable. ``verify`` is SUCCESS, NONE or FAILED:<text>."""

    presented: bool
    mtls_authenticated: bool
    verify: str
    failure: Reason | None
    """None if authenticated; else the reason a request that needs a certificate is refused with."""
    certificate: CertificateFacts | None = None
    """The leaf that was presented, verified or not: only for logs unless ``mtls_authenticated``."""
    chain: tuple[CertificateFacts, ...] = ()
    """Leaf to root; non-empty only if ``mtls_authenticated``."""
    issuing_ca: str = ""
    """Name of the ``mtls_certificates`` entry whose certificate the chain ends in; see above."""
    links: tuple[ChainLink, ...] = field(default=(), repr=False)
    """The chain as CRLs name it; non-empty only if ``mtls_authenticated``."""
    detail: str = ""
    """More than ``verify`` can say of a failure, for people."""
    good_until: float = float("inf")
    """Seconds since the epoch: until then the flag stays as it is, unless the configuration changes."""

    @property
    def verified(self) -> CertificateFacts | None:
        """The leaf if, and only if, the flag is true: the one predicate rules and headers use."""
        return self.certificate if self.mtls_authenticated else None


NO_CERTIFICATE = ClientAuth(
    presented=False,
    mtls_authenticated=False,
    verify="NONE",
    failure=Reason.CLIENT_CERTIFICATE_REQUIRED,
)
