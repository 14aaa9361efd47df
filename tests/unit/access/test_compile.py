"""Conditions and groups."""

from __future__ import annotations

import pytest

from edge.access.compile import (
    MAX_GROUP_DEPTH,
    MAX_RULES_PER_POLICY,
    ConditionError,
    GroupDefinition,
    RuleError,
    check_group,
    compile_condition,
    compile_rule,
)
from tests.unit.access.builders import facts, leaf, verified

OPS = GroupDefinition("ops", ({"common_name": "alice"}, {"common_name": "bob"}))
GROUPS = {"ops": OPS}


def groups(*definitions: GroupDefinition) -> dict[str, GroupDefinition]:
    return {definition.id: definition for definition in definitions}


@pytest.mark.parametrize("raw", [{"group": {"id": "ops"}}, {"group": "ops"}])
def test_a_group_stands_for_its_rules(raw: object) -> None:
    rule = compile_rule(raw, GROUPS)
    assert rule.about_certificate
    assert rule.matches(facts(verified(leaf("alice"))))
    assert rule.matches(facts(verified(leaf("bob"))))
    assert not rule.matches(facts(verified(leaf("carol"))))


def test_a_group_has_lists_of_its_own() -> None:
    outer = GroupDefinition("outer", ("certificate",), ({"group": "ops"},), ({"common_name": "bob"},))
    rule = compile_rule({"group": "outer"}, groups(OPS, outer))
    assert rule.matches(facts(verified(leaf("alice"))))
    assert not rule.matches(facts(verified(leaf("bob"))))


def test_an_unknown_group_is_an_error_with_a_close_match() -> None:
    with pytest.raises(RuleError, match=r'no group "opps"; did you mean "ops"\?'):
        compile_rule({"group": "opps"}, GROUPS)
    with pytest.raises(RuleError, match="define it"):
        compile_rule({"group": "zzz"}, {})


@pytest.mark.parametrize("raw", [{"group": ""}, {"group": {}}, {"group": {"name": "ops"}}, {"group": 1}])
def test_a_group_without_a_proper_id_is_an_error(raw: object) -> None:
    with pytest.raises(RuleError):
        compile_rule(raw, GROUPS)


def test_a_group_with_an_empty_include_is_an_error() -> None:
    with pytest.raises(RuleError, match="empty include"):
        compile_rule({"group": "ops"}, groups(GroupDefinition("ops", (), ("certificate",))))


@pytest.mark.parametrize(
    ("first", "second"),
    [(({"group": "a"},), ("everyone",)), (({"group": "b"},), ({"group": "a"},))],
)
def test_a_group_that_contains_itself_is_an_error(
    first: tuple[object, ...], second: tuple[object, ...]
) -> None:
    with pytest.raises(RuleError, match="contains itself: a > "):
        compile_rule({"group": "a"}, groups(GroupDefinition("a", first), GroupDefinition("b", second)))


def test_the_same_group_twice_is_no_cycle() -> None:
    both = GroupDefinition("both", ({"group": "ops"},), ({"group": "ops"},))
    assert compile_rule({"group": "both"}, groups(OPS, both)).matches(facts(verified(leaf("bob"))))


def test_groups_that_multiply_without_bound_are_refused() -> None:
    doubling = [GroupDefinition("g0", ("everyone", "everyone"))]
    doubling += [GroupDefinition(f"g{n}", ({"group": f"g{n - 1}"},) * 2) for n in range(1, MAX_GROUP_DEPTH)]
    with pytest.raises(RuleError, match=f"more than {MAX_RULES_PER_POLICY} rules"):
        compile_rule({"group": doubling[-1].id}, groups(*doubling))


def test_groups_nested_too_deep_are_refused() -> None:
    nested = [GroupDefinition("g0", ("everyone",))]
    nested += [GroupDefinition(f"g{n}", ({"group": f"g{n - 1}"},)) for n in range(1, MAX_GROUP_DEPTH + 1)]
    assert compile_rule({"group": f"g{MAX_GROUP_DEPTH - 1}"}, groups(*nested)).matches(facts())
    with pytest.raises(RuleError, match="deep"):
        compile_rule({"group": f"g{MAX_GROUP_DEPTH}"}, groups(*nested))


def test_a_condition_reports_every_error_with_its_place() -> None:
    bad = GroupDefinition("bad", ("everyone",), ("everyone", {"ip": "x"}))
    with pytest.raises(ConditionError) as caught:
        compile_condition([{"email": {"email": "x"}}, "everyone"], [{"group": "bad"}], ["nope"], groups(bad))
    assert [error.place for error in caught.value.errors] == [
        ("include", 0),
        ("require", 0, "bad", "require", 1),
        ("exclude", 0),
    ]


def test_an_empty_include_is_an_error() -> None:
    with pytest.raises(ConditionError, match="include is empty"):
        compile_condition([], ["everyone"], [], {})


def test_too_many_rules_are_one_error() -> None:
    with pytest.raises(ConditionError) as caught:
        compile_condition(["everyone"] * (MAX_RULES_PER_POLICY + 100), [], [], {})
    assert len(caught.value.errors) == 1


def test_a_group_nobody_uses_is_checked_as_well() -> None:
    assert check_group(OPS, GROUPS) == ()
    wrong = GroupDefinition("wrong", ("everyone", {"ip": ""}), (), ({"group": "wrong"},))
    problems = check_group(wrong, groups(wrong))
    assert [problem.place[:2] for problem in problems] == [("include", 1), ("exclude", 0)]
    assert check_group(GroupDefinition("empty", ()), {})[0].place == ("include",)
