"""Mints and reads the CF_Authorization token, a signed JWT.

A token tells the origin who passed. Where an application says so (``recheck_certificate = false``) it
is also accepted back from the client, within the session, in place of the certificate. Whether it is
worth anything then is judged in two steps: here its signature, issuer, audience and time, and in
``evaluate.evaluate_session`` what it stands for.

A token is minted once for each combination of all that goes into it, and handed out again while more
than half of its life is left: an RSA signature costs far more than the rest of a request.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from edge.access.application import Application, Policy
from edge.access.claims import (
    ClaimsError,
    TokenClaims,
    decode_segment,
    link_texts,
    read_claims,
    read_object,
    thumbprint,
    token_binding,
)
from edge.access.rules import RequestFacts
from edge.access.signing_keys import Algorithm, KeyRing, SigningKey, SigningKeyError
from edge.model.client_auth import ClientAuth

__all__ = [
    "Algorithm",
    "KeyRing",
    "SigningKey",
    "SigningKeyError",
    "TokenClaims",
    "TokenMint",
    "TokenReader",
    "TokenRefused",
    "mint",
    "read",
]

MAX_TOKEN_SIZE = 4096
"""Octets; browsers keep no larger cookie, and what is larger is refused before anything is decoded."""

ASSERTION_SECONDS = 60
"""Life of a token that only tells the origin who passed: where there is no session."""

_MAX_TEXT = 512
"""Octets of JSON for one text from a certificate or a name, so that a token stays below its size."""

_HEADER_MEMBERS = frozenset({"alg", "kid", "typ"})


@dataclass(frozen=True, slots=True)
class TokenRefused:
    """Why a token is not believed: a short fixed text, without anything the sender chose."""

    reason: str


def mint(
    key: SigningKey,
    issuer: str,
    application: Application,
    policy: Policy,
    facts: RequestFacts,
    bundle: bytes,
    now: float,
) -> str:
    """Return a new token for a request that a Service Auth policy let pass.

    ``bundle`` is the digest of the host's CA bundle, ``now`` seconds since the epoch. The token ends
    with the session or with the first certificate of the chain, whichever is first. The claims by
    which it can be accepted back are left out where it never will be.
    """
    auth = facts.auth
    issued_at = int(now)
    claims: dict[str, object] = {
        "type": "app",
        "aud": [application.aud],
        "iss": issuer,
        "iat": issued_at,
        "nbf": issued_at,
        "exp": int(min(issued_at + _lifetime(application), _certificates_end(auth))),
        "sub": "",
        "common_name": "",
    }
    certificate = auth.verified
    if certificate is not None:
        claims["common_name"] = _bounded(certificate.common_name)
        claims["cnf"] = {"x5t#S256": thumbprint(certificate.sha256)}
        claims["serial"] = certificate.serial_hex
        claims["issuer_dn"] = _bounded(certificate.issuer)
    claims["policy"] = _bounded(policy.name)
    if application.token_stands_in:
        claims["policy_binding"] = token_binding(policy.digest, bundle)
        claims["certificate_outcomes"] = f"{policy.certificate_outcomes(facts):x}"
        claims["certificate_path"] = link_texts(auth.links)
    return key.sign(json.dumps(claims, separators=(",", ":")).encode("ascii"))


class TokenMint:
    """Mints tokens with the current key, and remembers a bounded number of them."""

    def __init__(self, key_ring: KeyRing, issuer: str, entries: int = 8192) -> None:
        self._key = key_ring.current
        self._issuer = issuer
        self._entries = entries
        self._minted: dict[tuple[object, ...], _Minted] = {}

    def token(
        self, application: Application, policy: Policy, facts: RequestFacts, bundle: bytes, now: float
    ) -> tuple[str, float]:
        """Return a token, and until when it is the one that is handed out, in seconds since the epoch.

        More than half of its life is left, if such a token can be made at all.
        """
        auth = facts.auth
        certificate = auth.verified
        # Everything that goes into a token, but for the time; the names of certificate and issuer
        # follow from the fingerprint.
        key = (
            None if certificate is None else certificate.sha256,
            auth.links,
            _certificates_end(auth),
            policy.certificate_outcomes(facts),
            application.aud,
            _lifetime(application),
            application.token_stands_in,
            policy.name,
            policy.digest,
            bundle,
        )
        minted = self._minted.get(key)
        if minted is not None and minted.issued_at <= now < minted.half_life:
            return minted.token, minted.half_life
        token = mint(self._key, self._issuer, application, policy, facts, bundle, now)
        minted = _minted(token, application, auth, now)
        self._remember(key, minted)
        return token, minted.half_life

    def _remember(self, key: tuple[object, ...], minted: _Minted) -> None:
        self._minted.pop(key, None)  # so that the new one is the youngest
        if len(self._minted) >= self._entries:
            del self._minted[next(iter(self._minted))]
        self._minted[key] = minted


@dataclass(frozen=True, slots=True)
class _Minted:
    token: str
    issued_at: int
    half_life: float


def _minted(token: str, application: Application, auth: ClientAuth, now: float) -> _Minted:
    issued_at = int(now)
    life = min(_lifetime(application), _certificates_end(auth) - issued_at)
    return _Minted(token, issued_at, issued_at + life / 2)


def read(
    token: str | bytes, key_ring: KeyRing, issuer: str, aud: str, now: float
) -> TokenClaims | TokenRefused:
    """Read a token that came back, for the application ``aud``. Never raises."""
    return TokenReader(key_ring, issuer, entries=0).read(token, aud, now)


class TokenReader:
    """Reads tokens, and remembers which ones had a good signature.

    Only the signature and what it signs are remembered, by the token's octets. Issuer, audience and
    time are judged on every reading.
    """

    def __init__(self, key_ring: KeyRing, issuer: str, entries: int = 8192) -> None:
        self._key_ring = key_ring
        self._issuer = issuer
        self._entries = entries
        self._verified: dict[bytes, TokenClaims] = {}

    def read(self, token: str | bytes, aud: str, now: float) -> TokenClaims | TokenRefused:
        """Read a token for the application ``aud`` at ``now``. Never raises."""
        if len(token) > MAX_TOKEN_SIZE:
            return TokenRefused("the token is too long")
        if isinstance(token, str):
            if not token.isascii():
                return TokenRefused("the token is not ASCII")
            token = token.encode("ascii")
        claims = self._verified.get(token)
        if claims is None:
            try:
                claims = _open(token, self._key_ring)
            except ClaimsError as error:
                return TokenRefused(str(error))
            self._remember(token, claims)
        return _judge(claims, self._issuer, aud, now)

    def _remember(self, token: bytes, claims: TokenClaims) -> None:
        if self._entries == 0:
            return
        if len(self._verified) >= self._entries:
            del self._verified[next(iter(self._verified))]
        self._verified[token] = claims


def _open(token: bytes, key_ring: KeyRing) -> TokenClaims:
    """Check form, header and signature, then read the claims. Raises ``ClaimsError``."""
    parts = token.split(b".")
    if len(parts) != 3:
        raise ClaimsError("the token has not three parts")
    header, payload, _ = (decode_segment(part) for part in parts)
    members = read_object(header)
    # No list of dangerous members (crit, b64, jwk, jku, x5c, x5u ...): ours has three, so others have not.
    if members.keys() != _HEADER_MEMBERS or members["typ"] != "JWT":
        raise ClaimsError("the header is none of this edge's")
    key = key_ring.find(members["kid"])
    if key is None:
        raise ClaimsError("the key is not known")
    if members["alg"] != key.algorithm:
        raise ClaimsError("the algorithm is not the key's")
    if not key.verifies(token):
        raise ClaimsError("the signature does not verify")
    return read_claims(payload)


def _judge(claims: TokenClaims, issuer: str, aud: str, now: float) -> TokenClaims | TokenRefused:
    if claims.issuer != issuer:
        return TokenRefused("the token is of another issuer")
    if claims.audience != aud:
        return TokenRefused("the token is for another application")
    if now < claims.not_before:
        return TokenRefused("the token is not valid yet")
    if not now < claims.expires_at:  # also refuses a clock that is not a number
        return TokenRefused("the token has expired")
    return claims


def _lifetime(application: Application) -> int:
    """Whole seconds; a session of less than one second still lasts one."""
    if application.session_seconds <= 0:
        return ASSERTION_SECONDS
    return max(1, int(application.session_seconds))


def _certificates_end(auth: ClientAuth) -> float:
    if auth.verified is None:
        return float("inf")
    return min(certificate.not_after for certificate in (auth.verified, *auth.chain))


def _bounded(text: str) -> str:
    """Return the text, or nothing if it is very long: half a name is another name."""
    return text if len(json.dumps(text)) <= _MAX_TEXT else ""
