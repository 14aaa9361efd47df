"""Rules about the request, and how rules combine."""

from __future__ import annotations

import itertools

import pytest

from edge.access.certificate_rules import Certificate, CommonName
from edge.access.compile import compile_rule
from edge.access.rules import Condition, Everyone, GroupRule, Indexed, Ip, Method, Rule, every_rule, numbered
from edge.model.network import parse_network
from tests.unit.access.builders import facts, failed, leaf, verified

YES: Rule = Everyone()
NO: Rule = Method(b"NEVER")


def test_everyone_is_everyone() -> None:
    assert all(Everyone().matches(facts(auth)) for auth in (facts().auth, verified(), failed()))


@pytest.mark.parametrize(
    ("network", "address", "expected"),
    [
        ("10.0.0.0/8", "10.255.0.1", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("2001:db8::/32", "2001:db8:1::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "::ffff:11.1.2.3", False),
        ("::ffff:10.0.0.0/104", "10.1.2.3", True),
        ("::ffff:10.0.0.0/104", "::ffff:10.1.2.3", True),
        ("10.0.0.0/8", "::10.1.2.3", False),
        ("10.0.0.0/8", "2001:db8::a00:1", False),
        ("::/0", "10.0.0.1", False),
        ("0.0.0.0/0", "2001:db8::1", False),
        ("0.0.0.0/0", "::ffff:192.0.2.1", True),
    ],
)
def test_ip_rules_by_table(network: str, address: str, expected: bool) -> None:
    assert Ip(parse_network(network)).matches(facts(ip=address)) is expected


@pytest.mark.parametrize(
    "method", [b"get", b"GETS", b"GE", b"HEAD", b"OPTIONS", b"POST", b"", b"GET ", b"\xff"]
)
def test_a_method_rule_matches_no_other_method(method: bytes) -> None:
    assert not Method(b"GET").matches(facts(method=method))
    assert Method(b"GET").matches(facts(method=b"GET"))


@pytest.mark.parametrize(("include", "require", "exclude"), list(itertools.product((YES, NO), repeat=3)))
def test_a_condition_is_include_and_require_and_not_exclude(
    include: Rule, require: Rule, exclude: Rule
) -> None:
    expected = include is YES and require is YES and exclude is NO
    assert Condition((include,), (require,), (exclude,)).holds(facts()) is expected


@pytest.mark.parametrize(
    ("include", "require", "exclude", "expected"),
    [
        ([], [], [], False),
        ([], [YES], [], False),
        ([YES], [], [], True),
        ([NO, YES], [], [], True),
        ([NO, NO], [], [], False),
        ([YES], [YES, NO], [], False),
        ([YES], [YES, YES], [NO, NO], True),
        ([YES], [], [NO, YES], False),
    ],
)
def test_lists_combine_by_table(
    include: list[Rule], require: list[Rule], exclude: list[Rule], expected: bool
) -> None:
    assert Condition(tuple(include), tuple(require), tuple(exclude)).holds(facts()) is expected


def test_a_group_holds_like_a_condition() -> None:
    group = GroupRule(Condition((YES,), (), (CommonName("mallory"),)), "ops")
    assert group.matches(facts(verified()))
    assert not group.matches(facts(verified(leaf("mallory"))))
    assert group.about_certificate
    assert not GroupRule(Condition((YES,))).about_certificate


def test_certificate_rules_are_numbered_depth_first() -> None:
    group = GroupRule(Condition((CommonName("g1"),), (YES, CommonName("g2")), (CommonName("g3"),)))
    condition = Condition((CommonName("a"), group), (YES, CommonName("b")), (CommonName("c"),))
    again, rules = numbered(condition)
    assert [rule.canonical[1] for rule in rules] == ["a", "g1", "g2", "g3", "b", "c"]
    assert again.canonical == condition.canonical
    assert [rule.canonical for rule in every_rule(again)] == [
        rule.canonical for rule in every_rule(condition)
    ]


def test_numbering_twice_gives_the_same_numbers() -> None:
    condition = Condition((YES, CommonName("a")), (GroupRule(Condition((CommonName("b"),))),))
    once, rules = numbered(condition)
    assert numbered(once) == (once, rules)
    assert numbered(Condition((*once.include, CommonName("c"))))[1] == (CommonName("a"), CommonName("c"))


def test_a_numbered_rule_answers_from_its_recorded_bit_alone() -> None:
    rule = Indexed(2, Certificate())
    assert rule.matches(facts(verified()))
    assert not rule.matches(facts())
    assert rule.matches(facts(recorded=0b100))
    assert not rule.matches(facts(verified(), recorded=0b011))
    assert not rule.matches(facts(verified(), recorded=0))


def test_recorded_bits_do_not_speak_for_rules_about_the_request() -> None:
    condition, _ = numbered(
        Condition((Certificate(),), (Ip(parse_network("192.0.2.0/24")),), (Method(b"PUT"),))
    )
    assert condition.holds(facts(recorded=1))
    assert not condition.holds(facts(ip="198.51.100.1", recorded=1))
    assert not condition.holds(facts(method=b"PUT", recorded=1))


def test_what_a_rule_means_is_told_in_plain_tuples() -> None:
    rules = [compile_rule({"ip": "10.0.0.0/8"}, {}), Everyone(), Method(b"GET"), GroupRule(Condition((YES,)))]
    assert [rule.canonical for rule in rules] == [
        ("ip", "10.0.0.0/8"),
        ("everyone",),
        ("method", "GET"),
        ("group", (("everyone",),), (), ()),
    ]
