"""The shape of a policy: what rules see, the rules about the request itself, and how rules combine.

A *condition* is three lists of rules (Cloudflare's include, require, exclude) and a *group* is a
condition that is used as a rule. Rules about the certificate are in ``certificate_rules``.

Recorded outcomes. Within a session a token may stand in for the certificate. The token then carries
one bit for each certificate rule of the policy, in a fixed order: include, require, exclude, groups
expanded depth first. ``numbered`` puts each of those rules into an ``Indexed``, which answers from
that bit when the facts carry one (``RequestFacts.recorded``), and from the certificate otherwise.
Everything else (address, method) is judged on the request at hand in both cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

from edge.model.client_auth import ClientAuth
from edge.model.network import Address, Network
from edge.model.record import record

Canonical = tuple[object, ...]
"""Nested tuples of strings that are equal for two rules only if the rules mean the same."""


@record
class RequestFacts:
    """What rules may look at. ``client_ip`` is the client's address after any PROXY header."""

    auth: ClientAuth
    client_ip: Address
    method: bytes
    recorded: int | None = None
    """Outcomes of one policy's certificate rules, by index, from that policy's token; None: judge now."""


class Rule(Protocol):
    """One question with a yes or no; immutable, and it never raises."""

    @property
    def about_certificate(self) -> bool:
        """Whether the answer depends on the client's certificate."""

    @property
    def canonical(self) -> Canonical:
        """The rule's meaning, for digests and for people."""

    def matches(self, facts: RequestFacts) -> bool:
        """Answer for one request."""


@dataclass(frozen=True, slots=True)
class Everyone:
    """Every request, with a certificate or without."""

    about_certificate: ClassVar[bool] = False
    canonical: ClassVar[Canonical] = ("everyone",)

    def matches(self, facts: RequestFacts) -> bool:  # noqa: ARG002 - every rule has this signature
        """Always."""
        return True


@dataclass(frozen=True, slots=True)
class Ip:
    """The client's address is in a network.

    A dual-stack listener shows IPv4 clients as ``::ffff:a.b.c.d`` (RFC 4291 2.5.5.2): such an address
    is judged as the IPv4 address it is, or an IPv4 exclude would silently not apply.
    """

    about_certificate: ClassVar[bool] = False

    network: Network

    @property
    def canonical(self) -> Canonical:
        """Selector and network."""
        return ("ip", str(self.network))

    def matches(self, facts: RequestFacts) -> bool:
        """Whether the address is inside; an address of the other family never is."""
        address = facts.client_ip
        if address.version == 6:
            address = address.ipv4_mapped or address
        return address in self.network


@dataclass(frozen=True, slots=True)
class Method:
    """The request method, octet for octet: methods are case-sensitive (RFC 9110 9.1)."""

    about_certificate: ClassVar[bool] = False

    method: bytes

    @property
    def canonical(self) -> Canonical:
        """Selector and method."""
        return ("method", self.method.decode("ascii"))

    def matches(self, facts: RequestFacts) -> bool:
        """Whether the method is this one."""
        return facts.method == self.method


@dataclass(frozen=True, slots=True)
class Condition:
    """``any(include) and all(require) and no(exclude)``; an empty include never holds."""

    include: tuple[Rule, ...]
    require: tuple[Rule, ...] = ()
    exclude: tuple[Rule, ...] = ()

    def holds(self, facts: RequestFacts) -> bool:
        """Judge one request. Plain loops: this runs for every request, and generators cost."""
        for rule in self.include:
            if rule.matches(facts):
                break
        else:
            return False
        for rule in self.require:
            if not rule.matches(facts):
                return False
        for rule in self.exclude:  # noqa: SIM110 - a loop, as above
            if rule.matches(facts):
                return False
        return True

    @property
    def rules(self) -> tuple[Rule, ...]:
        """All rules in the fixed order: include, require, exclude."""
        return self.include + self.require + self.exclude

    @property
    def canonical(self) -> Canonical:
        """The three lists, in order."""
        return tuple(
            tuple(rule.canonical for rule in rules) for rules in (self.include, self.require, self.exclude)
        )


@dataclass(frozen=True, slots=True)
class GroupRule:
    """A reusable condition as one rule. The group's id is for people and has no part in the meaning."""

    condition: Condition
    id: str = ""

    @property
    def about_certificate(self) -> bool:
        """Whether any rule inside is about the certificate."""
        return any(rule.about_certificate for rule in self.condition.rules)

    @property
    def canonical(self) -> Canonical:
        """The group expanded."""
        return ("group", *self.condition.canonical)

    def matches(self, facts: RequestFacts) -> bool:
        """Whether the group's condition holds."""
        return self.condition.holds(facts)


@dataclass(frozen=True, slots=True)
class Indexed:
    """A certificate rule with its place among the certificate rules of its policy."""

    about_certificate: ClassVar[bool] = True

    index: int
    rule: Rule

    @property
    def canonical(self) -> Canonical:
        """That of the rule: the index follows from the order."""
        return self.rule.canonical

    def matches(self, facts: RequestFacts) -> bool:
        """Answer from the recorded bit if there is one, else from the certificate."""
        if facts.recorded is None:
            return self.rule.matches(facts)
        return facts.recorded >> self.index & 1 == 1


def numbered(condition: Condition) -> tuple[Condition, tuple[Rule, ...]]:
    """Return the condition with its certificate rules numbered, and those rules by index."""
    found: list[Rule] = []
    return _number(condition, found), tuple(found)


def every_rule(condition: Condition) -> Iterator[Rule]:
    """Yield the rules of a condition depth first, groups replaced by what they hold."""
    for rule in condition.rules:
        if isinstance(rule, GroupRule):
            yield from every_rule(rule.condition)
        else:
            yield rule.rule if isinstance(rule, Indexed) else rule


def _number(condition: Condition, found: list[Rule]) -> Condition:
    return Condition(
        include=tuple(_number_rule(rule, found) for rule in condition.include),
        require=tuple(_number_rule(rule, found) for rule in condition.require),
        exclude=tuple(_number_rule(rule, found) for rule in condition.exclude),
    )


def _number_rule(rule: Rule, found: list[Rule]) -> Rule:
    if isinstance(rule, GroupRule):
        return GroupRule(_number(rule.condition, found), rule.id)
    if isinstance(rule, Indexed):  # numbered for another policy, or before: its number means nothing here
        rule = rule.rule
    if not rule.about_certificate:
        return rule
    found.append(rule)
    return Indexed(len(found) - 1, rule)
