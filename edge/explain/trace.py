"""Every rule of an application's policies, each asked by itself: hit or miss, and what it was held against.

The answers are those of the rules' own ``matches``; which policy decides follows from them as in
``edge.access.evaluate``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from edge.access.application import Application, Decision, Policy
from edge.access.certificate_rules import (
    CertificateFingerprint,
    CertificateIssuer,
    CertificateSan,
    CertificateSerial,
    CertificateSubject,
    CommonName,
)
from edge.access.rules import Condition, GroupRule, Indexed, Ip, Method, RequestFacts, Rule
from edge.model.client_auth import CertificateFacts


@dataclass(frozen=True, slots=True)
class RuleTrace:
    """One rule and its answer."""

    rule: str
    """The selector and its value."""
    hit: bool
    seen: str
    """What the request has there; empty where there is nothing to compare with."""
    inside: ConditionTrace | None = None
    """Of a group."""


@dataclass(frozen=True, slots=True)
class ConditionTrace:
    """The three lists of a policy or a group."""

    include: tuple[RuleTrace, ...]
    require: tuple[RuleTrace, ...]
    exclude: tuple[RuleTrace, ...]

    @property
    def holds(self) -> bool:
        """``any(include) and all(require) and no(exclude)``."""
        return (
            any(each.hit for each in self.include)
            and all(each.hit for each in self.require)
            and not any(each.hit for each in self.exclude)
        )


class Part(Enum):
    """What a policy has to do with the verdict."""

    DECIDES = "decides"
    MISSES = "does not match"
    TOO_LATE = "matches, but an earlier one decided"
    REPORTS = "matches, but only reports"
    NO_IDENTITY = "needs an identity, and there is no login provider"


@dataclass(frozen=True, slots=True)
class PolicyTrace:
    """One policy in its place in the order of execution."""

    policy: Policy
    condition: ConditionTrace
    part: Part


def trace_policies(application: Application, facts: RequestFacts) -> tuple[PolicyTrace, ...]:
    """Ask every rule of every policy, in the order in which policies are executed."""
    facts = replace(facts, recorded=None)
    traced = []
    decided = False
    for policy in application.policies:
        condition = _condition(policy.condition, facts)
        if policy.decision is Decision.ALLOW:
            part = Part.NO_IDENTITY
        elif not condition.holds:
            part = Part.MISSES
        elif policy.report_only:
            part = Part.TOO_LATE if decided else Part.REPORTS
        else:
            part = Part.TOO_LATE if decided else Part.DECIDES
            decided = True
        traced.append(PolicyTrace(policy, condition, part))
    return tuple(traced)


def _condition(condition: Condition, facts: RequestFacts) -> ConditionTrace:
    def traced(rules: Iterable[Rule]) -> tuple[RuleTrace, ...]:
        return tuple(_rule(rule, facts) for rule in rules)

    return ConditionTrace(traced(condition.include), traced(condition.require), traced(condition.exclude))


def _rule(rule: Rule, facts: RequestFacts) -> RuleTrace:
    hit = rule.matches(facts)
    if isinstance(rule, GroupRule):
        return RuleTrace(f'group "{rule.id}"', hit, "", _condition(rule.condition, facts))
    bare = rule.rule if isinstance(rule, Indexed) else rule
    return RuleTrace(_text(bare), hit, _seen(bare, facts))


def _text(rule: Rule) -> str:
    selector, *words = map(str, rule.canonical)
    return " ".join((selector, *words[:-1], *(f'"{word}"' for word in words[-1:])))


def _seen(rule: Rule, facts: RequestFacts) -> str:
    if isinstance(rule, Ip):
        return f"the client is {facts.client_ip}"
    if isinstance(rule, Method):
        return f"the method is {facts.method.decode('ascii', 'backslashreplace')}"
    if not rule.about_certificate:
        return ""
    certificate = facts.auth.verified
    if certificate is None:
        presented = facts.auth.presented
        return "the certificate is not good" if presented else "no certificate was presented"
    return _of_certificate(rule, certificate, facts)


def _of_certificate(rule: Rule, certificate: CertificateFacts, facts: RequestFacts) -> str:
    match rule:
        case CommonName():
            return _common_name(certificate)
        case CertificateSan(kind=kind):
            names = getattr(certificate, f"san_{kind}")
            return _values(f"{kind} name", names)
        case CertificateSubject(attribute=attribute):
            values = (value for key, value in certificate.subject_attributes if key == attribute)
            return _values(attribute, tuple(values))
        case CertificateIssuer(fingerprint=fingerprint):
            if fingerprint:
                return _values("issuer", tuple(ca.sha256.hex() for ca in facts.auth.chain[1:]))
            return f'the certificate is of "{facts.auth.issuing_ca}"'
        case CertificateFingerprint():
            return f"the certificate's is {certificate.sha256.hex()}"
        case CertificateSerial():
            return f"the certificate's is {certificate.serial_hex}"
        case _:
            return "the certificate is good"


def _common_name(certificate: CertificateFacts) -> str:
    if len(certificate.common_names) > 1:
        return _values("common name", certificate.common_names) + ", of which none counts"
    return _values("common name", certificate.common_names)


def _values(what: str, values: tuple[str, ...]) -> str:
    if not values:
        return f"the certificate has no {what}"
    return f"the certificate's {what} is " + " and ".join(f'"{value}"' for value in values)
