"""Compiles the rule lists of a policy or group: expands groups, collects every error with its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edge.access.rules import Condition, GroupRule, Rule
from edge.access.selectors import (
    SELECTORS,
    RuleError,
    single_text,
    split_rule,
    suggestion,
    unknown_selector,
)

__all__ = [
    "MAX_GROUP_DEPTH",
    "MAX_RULES_PER_POLICY",
    "ConditionError",
    "GroupDefinition",
    "RuleError",
    "check_group",
    "compile_condition",
    "compile_rule",
]

MAX_RULES_PER_POLICY = 1000
"""Groups expanded; Cloudflare's limit for an application. Nested groups could multiply without bound."""

MAX_GROUP_DEPTH = 16
"""Deeper nesting is a mistake, and judging a request must not recurse far."""


class ConditionError(ValueError):
    """All that is wrong with one condition."""

    def __init__(self, errors: Sequence[RuleError]) -> None:
        super().__init__("; ".join(str(error) for error in errors))
        self.errors = tuple(errors)


@dataclass(frozen=True, slots=True)
class GroupDefinition:
    """A reusable rule list as it was written: the rules are still plain data."""

    id: str
    include: tuple[object, ...]
    require: tuple[object, ...] = ()
    exclude: tuple[object, ...] = ()


def compile_rule(raw: object, groups: Mapping[str, GroupDefinition]) -> Rule:
    """Compile one rule with the groups it may name. Raises ``RuleError``."""
    return _Compiler(groups).rule(raw, ())


def compile_condition(
    include: Iterable[object],
    require: Iterable[object],
    exclude: Iterable[object],
    groups: Mapping[str, GroupDefinition],
) -> Condition:
    """Compile the three lists of one policy. Raises ``ConditionError`` with every error and its place."""
    compiler = _Compiler(groups)
    errors: list[RuleError] = []
    compiled: dict[str, tuple[Rule, ...]] = {}
    for name, rules in (("include", include), ("require", require), ("exclude", exclude)):
        compiled[name] = tuple(compiler.rules(name, rules, errors))
    if not compiled["include"] and not errors:
        errors.append(
            RuleError("include is empty", "it would match nobody; name at least one rule", ("include",))
        )
    if errors:
        raise ConditionError(errors)
    return Condition(**compiled)


def check_group(group: GroupDefinition, groups: Mapping[str, GroupDefinition]) -> tuple[RuleError, ...]:
    """Return what is wrong with a group, also one that no policy uses yet."""
    if groups.get(group.id) is not group:
        groups = {**groups, group.id: group}
    try:
        compile_condition(group.include, group.require, group.exclude, groups)
    except ConditionError as error:
        return error.errors
    return ()


class _Compiler:
    """One policy's compilation: it knows the groups, and how many rules may still come."""

    def __init__(self, groups: Mapping[str, GroupDefinition]) -> None:
        self._groups = groups
        self._rules_left = MAX_RULES_PER_POLICY

    def rules(self, name: str, raw: Iterable[object], errors: list[RuleError]) -> Iterable[Rule]:
        for index, each in enumerate(raw):
            try:
                yield self.rule(each, ())
            except RuleError as error:
                errors.append(_placed(error, name, index))
                if self._rules_left < 0:  # the same would be said of every rule that follows
                    return

    def rule(self, raw: object, inside: tuple[str, ...]) -> Rule:
        self._rules_left -= 1
        if self._rules_left < 0:
            raise RuleError(
                f"the policy has more than {MAX_RULES_PER_POLICY} rules with its groups expanded", "split it"
            )
        selector, value = split_rule(raw)
        if selector == "group":
            return self._group(single_text("group", value, "id"), inside)
        build = SELECTORS.get(selector)
        if build is None:
            raise unknown_selector(selector)
        return build(value)

    def _group(self, name: str, inside: tuple[str, ...]) -> GroupRule:
        if name in inside:
            raise RuleError(
                f'the group "{name}" contains itself: {" > ".join((*inside, name))}', "break the cycle"
            )
        if len(inside) == MAX_GROUP_DEPTH:
            raise RuleError(
                f"groups are nested more than {MAX_GROUP_DEPTH} deep: {' > '.join(inside)}", "flatten them"
            )
        group = self._groups.get(name)
        if group is None:
            raise RuleError(
                f'there is no group "{name[:80]}"',
                suggestion(name, self._groups) or "define it in [[groups]]",
            )
        if not group.include:
            raise RuleError(
                f'the group "{name}" has an empty include', "it would match nobody; name at least one rule"
            )
        inside = (*inside, name)
        return GroupRule(
            Condition(
                include=self._group_rules("include", group.include, inside),
                require=self._group_rules("require", group.require, inside),
                exclude=self._group_rules("exclude", group.exclude, inside),
            ),
            name,
        )

    def _group_rules(self, name: str, raw: tuple[object, ...], inside: tuple[str, ...]) -> tuple[Rule, ...]:
        compiled = []
        for index, each in enumerate(raw):
            try:
                compiled.append(self.rule(each, inside))
            except RuleError as error:
                raise _placed(error, inside[-1], name, index) from None
        return tuple(compiled)


def _placed(error: RuleError, *place: str | int) -> RuleError:
    return RuleError(error.message, error.hint, (*place, *error.place))
