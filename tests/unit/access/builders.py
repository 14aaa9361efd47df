"""Facts, applications and keys that the tests of the policy room are made of."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Sequence
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from edge.access.application import Application, Decision, Policy, application_aud
from edge.access.compile import GroupDefinition, compile_condition
from edge.access.path_table import parse_destination
from edge.access.rules import RequestFacts
from edge.access.token import Algorithm, KeyRing, SigningKey
from edge.model.client_auth import NO_CERTIFICATE, CertificateFacts, ClientAuth
from edge.model.refusal import Reason

ISSUER = "https://edge.example.com"
BUNDLE = b"B" * 32
NOW = 1_800_000_000.0
KID = "ab" * 32


def leaf(common_name: str | None = "device-1", **facts: Any) -> CertificateFacts:
    """A certificate's facts; every field may be given."""
    defaults: dict[str, Any] = {
        "der": b"leaf",
        "sha256": b"\x11" * 32,
        "serial": 0x0A1B,
        "subject": f"CN={common_name}",
        "issuer": "CN=Issuing CA",
        "subject_name": b"subject",
        "issuer_name": b"issuer",
        "not_before": NOW - 1000,
        "not_after": NOW + 1_000_000,
        "common_names": () if common_name is None else (common_name,),
    }
    return CertificateFacts(**(defaults | facts))


def ca(sha256: bytes = b"\xca" * 32, **facts: Any) -> CertificateFacts:
    """A CA certificate's facts."""
    return leaf("CA", sha256=sha256, **facts)


def verified(
    certificate: CertificateFacts | None = None, *above: CertificateFacts, name: str = "CA"
) -> ClientAuth:
    """The flag of a client whose certificate is good."""
    certificate = certificate or leaf()
    return ClientAuth(
        presented=True,
        mtls_authenticated=True,
        verify="SUCCESS",
        failure=None,
        certificate=certificate,
        chain=(certificate, *(above or (ca(),))),
        issuing_ca=name,
    )


def failed(
    certificate: CertificateFacts | None = None,
    reason: Reason | None = Reason.CLIENT_CERTIFICATE_INVALID,
    text: str = "unable to get local issuer certificate",
) -> ClientAuth:
    """The flag of a client whose certificate does not verify, whatever it says of itself."""
    return ClientAuth(
        presented=True,
        mtls_authenticated=False,
        verify=f"FAILED:{text}",
        failure=reason,
        certificate=certificate or leaf(),
        chain=(certificate or leaf(), ca()),
        issuing_ca="CA",
    )


def facts(
    auth: ClientAuth = NO_CERTIFICATE,
    ip: str = "192.0.2.1",
    method: bytes = b"GET",
    recorded: int | None = None,
) -> RequestFacts:
    """What rules see of a request."""
    return RequestFacts(auth, ipaddress.ip_address(ip), method, recorded)


def policy(
    name: str,
    decision: str = "non_identity",
    include: Sequence[object] = ("everyone",),
    require: Sequence[object] = (),
    exclude: Sequence[object] = (),
    groups: Sequence[GroupDefinition] = (),
    *,
    report_only: bool = False,
) -> Policy:
    """A policy from its plain form."""
    known = {group.id: group for group in groups}
    return Policy(name, Decision(decision), compile_condition(include, require, exclude, known), report_only)


def application(
    *domains: str, policies: Sequence[Policy] = (), name: str = "", **settings: Any
) -> Application:
    """An application of one or more destinations."""
    destinations = tuple(map(parse_destination, domains or ("a.test",)))
    return Application(
        name or destinations[0].text,
        settings.pop("aud", application_aud(ISSUER, destinations[0])),
        destinations,
        tuple(policies),
        **settings,
    )


def private_pem(algorithm: Algorithm = "RS256", number: int = 0) -> bytes:
    """A fresh private key, the same one for the same number."""
    return _private_pem(algorithm, number)


@functools.cache
def _private_pem(algorithm: Algorithm, number: int) -> bytes:
    key = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if algorithm == "RS256"
        else ec.generate_private_key(ec.SECP256R1())
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(algorithm: Algorithm = "RS256", number: int = 0) -> bytes:
    """The public half of ``private_pem``."""
    key = serialization.load_pem_private_key(private_pem(algorithm, number), None)
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@functools.cache
def signing_key(algorithm: Algorithm = "RS256", number: int = 0, kid: str = KID) -> SigningKey:
    """A signing key of the room."""
    return SigningKey.from_pem(kid, algorithm, private_pem(algorithm, number), f"certificate {number}")


@functools.cache
def key_ring(algorithm: Algorithm = "RS256") -> KeyRing:
    """A ring with one key."""
    return KeyRing(signing_key(algorithm))
