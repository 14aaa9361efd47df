"""The keys that sign tokens, and the form in which the world sees them.

Every key has one algorithm, fixed when it is loaded. A token's own header never chooses it: it may
only agree (CVE-2022-29217: an HMAC made with the published RSA key as its secret).
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, RSAKey

Algorithm = Literal["RS256", "ES256"]

_KID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)
_MIN_RSA_BITS = 2048
_MAX_RSA_BITS = 4096
"""A larger key makes signatures that do not leave room for the claims in a cookie of 4 KiB."""

_REGISTRIES: Mapping[str, jws.JWSRegistry] = {
    name: jws.JWSRegistry(algorithms=[name]) for name in ("RS256", "ES256")
}


class SigningKeyError(ValueError):
    """The key cannot sign tokens; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class SigningKey:
    """One key with its id and algorithm. Made by ``from_pem``."""

    kid: str
    algorithm: Algorithm
    key: RSAKey | ECKey = field(repr=False)
    certificate: str = field(default="", repr=False)
    """PEM of a certificate for the same key, as Cloudflare publishes it; empty for none."""

    @classmethod
    def from_pem(cls, kid: str, algorithm: Algorithm, pem: bytes, certificate: str = "") -> SigningKey:
        """Load a key from PEM. A public key will do for one that only has to verify.

        Raises ``SigningKeyError`` if the key does not fit the algorithm or is too weak.
        """
        if not _KID.fullmatch(kid):
            raise SigningKeyError("the key id is not 1 to 128 letters, digits, - and _")
        if algorithm not in _REGISTRIES:
            raise SigningKeyError(f'the algorithm is "RS256" or "ES256", not "{algorithm}"')
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", SecurityWarning)  # what the library warns of, we refuse
                key = RSAKey.import_key(pem) if algorithm == "RS256" else ECKey.import_key(pem)
        except SecurityWarning as warning:
            raise SigningKeyError(f"key {kid}: {warning}") from None
        except (JoseError, ValueError, TypeError, AttributeError):
            raise SigningKeyError(f"key {kid}: this is no PEM of a key for {algorithm}") from None
        if isinstance(key, ECKey):
            if key.curve_name != "P-256":
                raise SigningKeyError(f"key {kid}: ES256 needs the curve P-256, not {key.curve_name}")
        elif not _MIN_RSA_BITS <= key.public_key.key_size <= _MAX_RSA_BITS:
            raise SigningKeyError(
                f"key {kid}: an RSA key has {_MIN_RSA_BITS} to {_MAX_RSA_BITS} bits here, "
                f"this one has {key.public_key.key_size}"
            )
        return cls(kid, algorithm, key, certificate)

    def sign(self, payload: bytes) -> str:
        """Return the compact JWS of a payload. The key has to be a private one."""
        header = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT"}
        return jws.serialize_compact(header, payload, self.key, registry=_REGISTRIES[self.algorithm])

    def verifies(self, token: bytes) -> bool:
        """Tell whether a compact JWS has this key's signature. Never raises."""
        try:
            jws.deserialize_compact(token, self.key, registry=_REGISTRIES[self.algorithm])
        except (JoseError, ValueError, TypeError, RecursionError):
            return False
        return True

    @property
    def public_jwk(self) -> dict[str, str]:
        """The public half as a JWK (RFC 7517), with nothing private in it."""
        public = self.key.as_dict(private=False)
        members = ("kty", "n", "e") if self.algorithm == "RS256" else ("kty", "crv", "x", "y")
        # Named one by one: what the library may add some day is not published by accident.
        return {"kid": self.kid, "alg": self.algorithm, "use": "sig"} | {
            name: str(public[name]) for name in members
        }


@dataclass(frozen=True, slots=True, eq=False)
class KeyRing:
    """The key that signs now, and those that signed before and are still believed. Immutable.

    Raises ``SigningKeyError`` if the current key is not private or two keys have one id.
    """

    current: SigningKey
    previous: tuple[SigningKey, ...] = ()
    jwks: Mapping[str, object] = field(init=False, repr=False)
    """What ``/cdn-cgi/access/certs`` shows, in Cloudflare's shape."""
    jwks_json: bytes = field(init=False, repr=False)
    _by_kid: Mapping[str, SigningKey] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.current.key.is_private:
            raise SigningKeyError(f"key {self.current.kid}: the current key has no private half")
        by_kid = {key.kid: key for key in self}
        if len(by_kid) != 1 + len(self.previous):
            raise SigningKeyError("two keys have the same id")
        jwks = {
            "keys": [key.public_jwk for key in self],
            "public_cert": {"kid": self.current.kid, "cert": self.current.certificate},
            "public_certs": [{"kid": key.kid, "cert": key.certificate} for key in self],
        }
        object.__setattr__(self, "_by_kid", by_kid)
        object.__setattr__(self, "jwks", jwks)
        object.__setattr__(self, "jwks_json", json.dumps(jwks, separators=(",", ":")).encode("ascii"))

    def __iter__(self) -> Iterator[SigningKey]:
        yield self.current
        yield from self.previous

    def find(self, kid: object) -> SigningKey | None:
        """Return the key of that id: a key of a dict and nothing else, never a path or an address."""
        return self._by_kid.get(kid) if isinstance(kid, str) else None
