"""Identities that nobody proved: forged headers, cookies, tokens and certificates."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from edge.selftest.case import HELD, Case, Family, Finding, Severity, could_not_tell, hole, not_applicable
from edge.selftest.intrusion import Intrusion, try_all
from edge.selftest.scene import NOBODY, Caller, Scene, request
from edge.tls.raw_client import ClientIdentity, Hello

FORGED = "selftest-forged"
_NAMES = (
    "Cf-Access-Jwt-Assertion",
    "Cf-Access-Authenticated-User-Email",
    "Cf-Client-Cert-Der-Base64",
    "Cf-Client-Cert-Sha256",
    "Mtls-Authenticated",
    "Client-Cert",
    "Client-Cert-Chain",
    "X-Forwarded-Client-Cert",
    "X-Client-Verify",
    "X-SSL-Client-Verify",
    "X-SSL-Client-S-DN",
    "X-SSL-Client-Cert",
    "SSL-Client-Verify",
    "SSL-Client-Cert",
)
"""Under which a terminator tells an origin who the client is: Cloudflare, RFC 9440, Envoy, nginx."""
_ADDRESS_NAMES = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Cf-Connecting-IP", "True-Client-IP")
_PROOFS = ("SUCCESS", "true", "CN=selftest", FORGED)
_WHY_NOT = "no answer of the origin shows what it got; name a target that repeats its head with --echo-path"


def twins(name: str) -> tuple[str, ...]:
    """Return names that CGI, WSGI and PHP do not tell from this one."""
    return (name.replace("-", "_"), name.replace("-", "."), name.replace("-", "_", 1))


def _without_certificate(scene: Scene) -> Finding:
    known = scene.protected

    def intrusions() -> Iterator[Intrusion]:
        for value in _PROOFS:
            octets = request(
                known.host.authority,
                known.target,
                *(f"{name}: {value}" for name in (*_NAMES, *_ADDRESS_NAMES)),
            )
            words = f"no certificate, and {value!r} under every name that can carry an identity"
            yield Intrusion(words, known, Hello(known.host.server_name), octets)

    return try_all(scene, intrusions())


def _forged(scene: Scene, names: tuple[str, ...]) -> Finding:
    """Send each name by itself: one that is removed must not hide another one that is not."""
    seen, told = [], 0
    for name in names:
        body = _echo(scene, f"{name}: {FORGED}")
        told += body is not None
        if body is not None and FORGED.encode() in body:
            seen.append(name)
    if seen:
        return hole(f"{seen[0]}: {FORGED}", f"the origin got it under {', '.join(seen)}")
    return HELD if told else could_not_tell(_WHY_NOT)


def _removed_by_connection(scene: Scene) -> Finding:
    names = (*_NAMES, "Host", "Cookie")
    plain = _echo(scene, "Cookie: selftest=1")
    stripped = _echo(scene, "Cookie: selftest=1", f"Connection: close, {', '.join(names)}")
    if plain is None or stripped is None:
        return could_not_tell(_WHY_NOT)
    lost = [
        name
        for name in names
        if name.lower().encode() in plain.lower() and name.lower().encode() not in stripped.lower()
    ]
    return hole(f"Connection: {', '.join(lost)}", "they did not reach the origin") if lost else HELD


def _echo(scene: Scene, *lines: str) -> bytes | None:
    if scene.echo_target is None:
        return None
    host = scene.protected.host
    came = scene.dialler.ask(
        Hello(host.server_name, scene.owner.identity),
        request(host.authority, scene.echo_target, "Accept: application/json", *lines),
    )
    return came.answers[0].body if came.answers else b""


def _forged_token(scene: Scene) -> Finding:
    known = scene.protected
    claims = {
        "iss": f"https://{known.host.authority}",
        "aud": [known.host.authority],
        "sub": "",
        "exp": 2**33,
    }

    def intrusions() -> Iterator[Intrusion]:
        for algorithm, signature in (("none", ""), ("HS256", "AA"), ("RS256", ""), ("RS256", "AA")):
            token = f"{_segment({'alg': algorithm, 'typ': 'JWT'})}.{_segment(claims)}.{signature}"
            octets = request(
                known.host.authority,
                known.target,
                f"Cookie: CF_Authorization={token}",
                f"Authorization: Bearer {token}",
                f"Cf-Access-Token: {token}",
            )
            words = f"no certificate, and a token that says {algorithm} with the signature {signature!r}"
            yield Intrusion(words, known, Hello(known.host.server_name), octets)

    return try_all(scene, intrusions())


def _cookies_alone(scene: Scene) -> Finding:
    known = scene.protected
    came = scene.dialler.ask(
        Hello(known.host.server_name, scene.owner.identity), request(known.host.authority, known.target)
    )
    given = came.answers[0].head.values(b"set-cookie") if came.answers else []
    cookies = b"; ".join(value.partition(b";")[0] for value in given).decode("latin-1")
    if not cookies:
        return not_applicable("no cookie was given to your certificate")
    octets = request(known.host.authority, known.target, f"Cookie: {cookies}")
    words = "no certificate, and the cookies that were given to your certificate"
    return try_all(scene, [Intrusion(words, known, Hello(known.host.server_name), octets)])


def _lookalike(scene: Scene, *, self_signed: bool) -> Finding:
    known, identity = scene.protected, scene.aim.identity
    caller = Caller("a forged certificate", _forge(identity.certificate, self_signed=self_signed))
    words = "your certificate's subject, signed by " + ("itself" if self_signed else "a CA of the same name")
    octets = request(known.host.authority, known.target)
    return try_all(scene, [Intrusion(words, known, Hello(known.host.server_name, caller.identity), octets)])


def _forge(model: x509.Certificate, *, self_signed: bool) -> ClientIdentity:
    """Copy the names of a certificate, with keys that nobody trusts."""
    key, ca_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = model.subject if self_signed else model.issuer
    leaf = _unsigned(model.subject, issuer, key, ca=False).sign(
        key if self_signed else ca_key, hashes.SHA256()
    )
    ca = _unsigned(model.issuer, model.issuer, ca_key, ca=True).sign(ca_key, hashes.SHA256())
    return ClientIdentity(leaf, key, () if self_signed else (ca,))


def _unsigned(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool
) -> x509.CertificateBuilder:
    # Ten years around the turn of 2025 to 2045: no clock is needed for what nobody may accept anyway.
    begin = datetime(2025, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=7300))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )


def _segment(value: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode("ascii")


def _nobody(scene: Scene) -> Finding:
    known = scene.protected
    octets = request(known.host.authority, known.target)
    return try_all(scene, [Intrusion(NOBODY.words, known, Hello(known.host.server_name), octets)])


CASES = (
    Case(
        "no-certificate",
        Family.CERTIFICATE,
        Severity.HIGH,
        "The protected URL without any certificate.",
        "no certificate is needed at all: every other case rests on this one",
        _nobody,
    ),
    Case(
        "self-signed-certificate",
        Family.CERTIFICATE,
        Severity.HIGH,
        "A certificate with the subject of yours, signed by itself.",
        "a certificate counts because it is there, not because it verifies",
        lambda scene: _lookalike(scene, self_signed=True),
    ),
    Case(
        "lookalike-issuer",
        Family.CERTIFICATE,
        Severity.HIGH,
        "A certificate with the names of yours, of a CA named like yours with another key, sent along.",
        "issuers are compared by name, or what the client sends along is trusted",
        lambda scene: _lookalike(scene, self_signed=False),
    ),
    Case(
        "forged-headers-without-certificate",
        Family.IDENTITY,
        Severity.HIGH,
        "Headers that carry an identity to origins, with plausible values, and no certificate.",
        "the origin believes the client because the terminator lets the headers in",
        _without_certificate,
    ),
    Case(
        "forged-identity-headers",
        Family.IDENTITY,
        Severity.HIGH,
        "Each header that carries an identity to origins, one at a time, with your certificate.",
        "a client sets the identity that the origin believes",
        lambda scene: _forged(scene, _NAMES),
    ),
    Case(
        "forged-header-twins",
        Family.IDENTITY,
        Severity.MEDIUM,
        "The same headers with underscores or dots for hyphens.",
        "CGI, WSGI and PHP take X_Client_Verify for X-Client-Verify",
        lambda scene: _forged(scene, tuple(twin for name in _NAMES[:8] for twin in twins(name))),
    ),
    Case(
        "forged-address-headers",
        Family.IDENTITY,
        Severity.LOW,
        "X-Forwarded-For and other headers that carry the client's address.",
        "an origin that reads the first value believes an address the client made up",
        lambda scene: _forged(scene, _ADDRESS_NAMES),
    ),
    Case(
        "connection-removes-identity",
        Family.IDENTITY,
        Severity.MEDIUM,
        "Connection: close, with the names of identity headers, Host and Cookie behind it.",
        "a client takes away what the terminator told the origin (CVE-2021-32813)",
        _removed_by_connection,
    ),
    Case(
        "forged-token",
        Family.IDENTITY,
        Severity.HIGH,
        "Tokens with the algorithm none, a guessed or an empty signature, and no certificate.",
        "a token that nobody signed stands in for the certificate (CVE-2022-29217)",
        _forged_token,
    ),
    Case(
        "cookie-without-certificate",
        Family.IDENTITY,
        Severity.MEDIUM,
        "The cookies that your certificate was given, and no certificate.",
        "a stolen cookie does what the certificate does, from any machine",
        _cookies_alone,
    ),
)
