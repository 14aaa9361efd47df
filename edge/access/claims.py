"""What a token says, read strictly: the claims, their types, and what binds them to a policy.

A payload gets here only after its signature was checked. It is read as if it were a stranger's all the
same: a repeated member, a number with a fraction or a text where a list belongs is no token of ours.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from edge.model.client_auth import ChainLink

MAX_TIME = 253402300799
"""9999-12-31T23:59:59Z, in seconds since the epoch: what a certificate can say at most."""

_HEX_BITS = re.compile(r"[0-9a-f]{1,512}", re.ASCII)
_LINK = re.compile(r"([0-9a-f]{64}):(-?[0-9A-F]{1,128})", re.ASCII)
_MOST_LINKS = 8
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


class ClaimsError(ValueError):
    """The payload is none of ours; the message says which claim and why."""


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """The claims of an application token. Times are whole seconds since the epoch."""

    audience: str
    issuer: str
    issued_at: int
    not_before: int
    expires_at: int
    common_name: str
    policy: str
    """Name of the Service Auth policy that let the request pass."""
    certificate_sha256: bytes | None = None
    """``cnf`` ``x5t#S256`` (RFC 8705 3.1); None if there was no certificate."""
    serial: str = ""
    """Upper-case hex."""
    issuer_dn: str = ""
    binding: str | None = None
    """See ``token_binding``; None in a token that is never accepted back."""
    outcomes: int | None = None
    """See ``edge.access.rules``; None in a token that is never accepted back."""
    links: tuple[ChainLink, ...] = ()
    """The certificate and its chain as CRLs name them; none in a token that is never accepted back."""


def token_binding(policy_digest: str, bundle: bytes) -> str:
    """Return what ties a token to a policy's exact rules and to a host's exact CA bundle, in hex."""
    return hashlib.sha256(policy_digest.encode("ascii") + b"\0" + bundle).hexdigest()


def link_texts(links: Iterable[ChainLink]) -> list[str]:
    """Return the links of a chain as the claim ``certificate_path`` has them."""
    return [f"{link.issuer.hex()}:{link.serial:X}" for link in links]


def thumbprint(sha256: bytes) -> str:
    """Return a certificate's SHA-256 as ``x5t#S256`` has it: base64url without padding."""
    return base64.urlsafe_b64encode(sha256).rstrip(b"=").decode("ascii")


def decode_segment(segment: bytes) -> bytes:
    """Decode base64url without padding (RFC 7515 2). Raises ``ClaimsError``.

    Only the one canonical spelling is taken: unused bits that are not zero would make many tokens of one.
    """
    try:
        decoded = base64.b64decode(segment + b"=" * (-len(segment) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ClaimsError("a part of the token is not base64url") from None
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != segment:
        raise ClaimsError("a part of the token is not canonical base64url")
    return decoded


def read_object(text: bytes) -> dict[str, object]:
    """Read a JSON object in UTF-8 with unique names and whole numbers. Raises ``ClaimsError``."""
    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_float=_no_fraction,
            parse_constant=_no_fraction,
        )
    except (ValueError, RecursionError):  # too deep a nesting is junk as well
        raise ClaimsError("a part of the token is no strict JSON object") from None
    if not isinstance(value, dict):
        raise ClaimsError("a part of the token is no JSON object")
    return value


def read_claims(payload: bytes) -> TokenClaims:
    """Read the payload of a token whose signature is good. Raises ``ClaimsError``."""
    members = read_object(payload)
    if members.get("type") != "app":
        raise ClaimsError("type is not app")
    audience = members.get("aud")
    if not isinstance(audience, list) or len(audience) != 1 or not isinstance(audience[0], str):
        raise ClaimsError("aud is not a list of one text")
    return TokenClaims(
        audience=audience[0],
        issuer=_text(members, "iss"),
        issued_at=_time(members, "iat"),
        not_before=_time(members, "nbf"),
        expires_at=_time(members, "exp"),
        common_name=_text(members, "common_name"),
        policy=_text(members, "policy"),
        certificate_sha256=_confirmation(members),
        serial=_text(members, "serial", ""),
        issuer_dn=_text(members, "issuer_dn", ""),
        binding=_binding(members),
        outcomes=_outcomes(members),
        links=_links(members),
    )


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ClaimsError("a member is repeated")
    return members


def _no_fraction(text: str) -> object:
    raise ClaimsError(f"{text[:20]} is no whole number")


def _text(members: dict[str, object], name: str, default: str | None = None) -> str:
    value = members.get(name, default)
    if not isinstance(value, str):
        raise ClaimsError(f"{name} is not a text")
    return value


def _time(members: dict[str, object], name: str) -> int:
    value = members.get(name)
    # bool is a subclass of int: "exp": true is no time.
    if type(value) is not int or not 0 <= value <= MAX_TIME:
        raise ClaimsError(f"{name} is not a time in whole seconds")
    return value


def _confirmation(members: dict[str, object]) -> bytes | None:
    if "cnf" not in members:
        return None
    confirmation = members["cnf"]
    if not isinstance(confirmation, dict) or set(confirmation) != {"x5t#S256"}:
        raise ClaimsError("cnf is not a certificate's thumbprint")
    value = confirmation["x5t#S256"]
    if not isinstance(value, str) or not value.isascii():
        raise ClaimsError("cnf is not a certificate's thumbprint")
    digest = decode_segment(value.encode("ascii"))
    if len(digest) != 32:
        raise ClaimsError("cnf is not a certificate's thumbprint")
    return digest


def _binding(members: dict[str, object]) -> str | None:
    if "policy_binding" not in members:
        return None
    value = _text(members, "policy_binding")
    if not _HEX_DIGEST.fullmatch(value):
        raise ClaimsError("policy_binding is not a digest")
    return value


def _outcomes(members: dict[str, object]) -> int | None:
    if "certificate_outcomes" not in members:
        return None
    value = _text(members, "certificate_outcomes")
    if not _HEX_BITS.fullmatch(value):
        raise ClaimsError("certificate_outcomes are not bits in hex")
    return int(value, 16)


def _links(members: dict[str, object]) -> tuple[ChainLink, ...]:
    value = members.get("certificate_path", [])
    if not isinstance(value, list) or len(value) > _MOST_LINKS:
        raise ClaimsError("certificate_path is not a list")
    links = []
    for text in value:
        found = _LINK.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise ClaimsError("certificate_path does not name certificates")
        links.append(ChainLink(bytes.fromhex(found[1]), int(found[2], 16)))
    return tuple(links)
