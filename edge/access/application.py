"""Applications and policies: what governs a request once its destination is known.

Policies stand in the order they are executed in: Bypass and Service Auth as listed, then Block and
Allow as listed (Cloudflare's order of execution). A Block can therefore never override an earlier
Bypass or Service Auth match.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from edge.access.destination import Destination
from edge.access.rules import Condition, RequestFacts, Rule, numbered

__all__ = ["Application", "Condition", "Decision", "Policy", "SameSite", "application_aud", "execution_order"]

SameSite = Literal["none", "lax", "strict"]

_SAME_SITE = {"none": b"None", "lax": b"Lax", "strict": b"Strict"}


class Decision(Enum):
    """What a matching policy does; the words of the Cloudflare API."""

    ALLOW = "allow"
    """Needs an identity from a login provider, of which there is none: never matches."""
    DENY = "deny"
    NON_IDENTITY = "non_identity"
    """Service Auth: the certificate is the identity."""
    BYPASS = "bypass"
    """No enforcement at all, and no token."""


_FIRST_PHASE = frozenset({Decision.BYPASS, Decision.NON_IDENTITY})


@dataclass(frozen=True, slots=True)
class Policy:
    """A condition and what follows if it holds.

    ``digest`` is hex SHA-256 over decision and rules with groups expanded. It changes whenever the
    meaning may have changed, or the numbers of the certificate rules: a token that refers to it was
    made under exactly these rules. Renaming a policy or a group does not change it.
    """

    name: str
    decision: Decision
    condition: Condition
    report_only: bool = False
    """It decides nothing; what it would have decided is told. See ``edge.access.evaluate``."""
    digest: str = field(init=False)
    certificate_rules: tuple[Rule, ...] = field(init=False, repr=False)
    """The rules about the certificate by index; see ``edge.access.rules``."""

    def __post_init__(self) -> None:
        condition, rules = numbered(self.condition)
        meaning = json.dumps([self.decision.value, condition.canonical], separators=(",", ":"))
        object.__setattr__(self, "condition", condition)
        object.__setattr__(self, "certificate_rules", rules)
        object.__setattr__(self, "digest", hashlib.sha256(meaning.encode("ascii")).hexdigest())

    def certificate_outcomes(self, facts: RequestFacts) -> int:
        """Return one bit for each certificate rule, judged by the certificate that is presented now."""
        outcomes = 0
        for index, rule in enumerate(self.certificate_rules):
            if rule.matches(facts):
                outcomes |= 1 << index
        return outcomes


@dataclass(frozen=True, slots=True)
class Application:
    """One Access application: its destinations, its policies in execution order, its session.

    Policies are put into execution order here, whatever order they come in. Raises ``ValueError``
    without a domain: such an application would govern nothing.
    """

    name: str
    aud: str
    """64 hex digits, the audience of its tokens; see ``application_aud``."""
    domains: tuple[Destination, ...]
    policies: tuple[Policy, ...]
    session_seconds: float = 86400.0
    """0: no duration, expires immediately."""
    recheck_certificate: bool = True
    same_site: SameSite = "none"
    http_only: bool = True
    path_cookie: bool = False
    report_only: bool = False
    """What its policies refuse passes, and is told. See ``edge.access.evaluate``."""
    cookie_attributes: bytes = field(init=False, repr=False)
    """``Path=/; Secure; ...``: what follows the value in every Set-Cookie of this application."""

    def __post_init__(self) -> None:
        if not self.domains:
            raise ValueError(f'the application "{self.name}" has no domain')
        object.__setattr__(self, "policies", execution_order(self.policies))
        object.__setattr__(self, "cookie_attributes", self._cookie_attributes())

    @property
    def token_stands_in(self) -> bool:
        """Whether, within a session, a token is accepted in place of the certificate."""
        return not self.recheck_certificate and self.session_seconds > 0

    def _cookie_attributes(self) -> bytes:
        parts = [b"Path=" + (_cookie_path(self.domains) if self.path_cookie else b"/"), b"Secure"]
        if self.http_only:
            parts.append(b"HttpOnly")
        parts.append(b"SameSite=" + _SAME_SITE[self.same_site])
        return b"; ".join(parts)


def execution_order(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    """Put Bypass and Service Auth before Block and Allow, each as listed."""
    return tuple(sorted(policies, key=lambda policy: policy.decision not in _FIRST_PHASE))


def application_aud(issuer: str, destination: Destination) -> str:
    """Return an application's audience: the same on every node and after a restart or a renaming.

    ``destination`` is the application's first. An audience never depends on order or chance, so that
    an origin can have it in its own configuration.
    """
    named = f"mtls-edge application\0{issuer}\0{destination.text}"
    return hashlib.sha256(named.encode()).hexdigest()


def _cookie_path(domains: tuple[Destination, ...]) -> bytes:
    """Return the path all the destinations share, or ``/``: a narrower one would lose the cookie."""
    paths = {destination.cookie_path for destination in domains}
    return paths.pop() if len(paths) == 1 else b"/"
