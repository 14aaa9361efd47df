"""Each rule says hit or miss by itself, and what it was held against."""

from __future__ import annotations

import pytest

from edge.access.compile import GroupDefinition
from edge.explain.trace import Part, trace_policies
from edge.model.client_auth import NO_CERTIFICATE, ClientAuth
from tests.unit.access.builders import application, ca, facts, failed, leaf, policy, verified

ALICE = verified(
    leaf(
        "alice",
        san_dns=("a.test", "b.test"),
        subject_attributes=(("ou", "Ops"), ("cn", "alice")),
    )
)

SEEN = [
    ("everyone", True, "everyone", ""),
    ("certificate", True, "certificate", "the certificate is good"),
    ({"common_name": "bob"}, False, 'common_name "bob"', 'the certificate\'s common name is "alice"'),
    (
        {"certificate_san": {"dns": "*.test"}},
        True,
        'certificate_san dns "*.test"',
        'the certificate\'s dns name is "a.test" and "b.test"',
    ),
    (
        {"certificate_san": {"email": "a@b.test"}},
        False,
        'certificate_san email "a@b.test"',
        "the certificate has no email name",
    ),
    (
        {"certificate_subject": {"ou": "Ops"}},
        True,
        'certificate_subject ou "Ops"',
        'the certificate\'s ou is "Ops"',
    ),
    (
        {"certificate_issuer": {"name": "X"}},
        False,
        'certificate_issuer name "X"',
        'the certificate is of "CA"',
    ),
    (
        {"certificate_issuer": {"fingerprint": "ca" * 32}},
        True,
        f'certificate_issuer fingerprint "{"ca" * 32}"',
        f'the certificate\'s issuer is "{"ca" * 32}"',
    ),
    (
        {"certificate_fingerprint": "11" * 32},
        True,
        f'certificate_fingerprint "{"11" * 32}"',
        f"the certificate's is {'11' * 32}",
    ),
    ({"certificate_serial": "1"}, False, 'certificate_serial "1"', "the certificate's is 0A1B"),
    ({"ip": "10.0.0.0/8"}, False, 'ip "10.0.0.0/8"', "the client is 192.0.2.1"),
    ({"method": "GET"}, True, 'method "GET"', "the method is GET"),
]


@pytest.mark.parametrize(("rule", "hit", "text", "seen"), SEEN)
def test_a_rule_tells_what_it_was_held_against(rule: object, hit: bool, text: str, seen: str) -> None:
    (traced,) = trace_policies(application("a.test", policies=[policy("p", include=[rule])]), facts(ALICE))
    (found,) = traced.condition.include
    assert (found.hit, found.rule, found.seen, found.inside) == (hit, text, seen, None)
    assert traced.part is (Part.DECIDES if hit else Part.MISSES)


@pytest.mark.parametrize(
    ("auth", "seen"),
    [(NO_CERTIFICATE, "no certificate was presented"), (failed(), "the certificate is not good")],
)
def test_without_a_good_certificate_its_names_are_not_told(auth: ClientAuth, seen: str) -> None:
    rules = ["certificate", {"common_name": "device-1"}, {"certificate_serial": "0a1b"}]
    (traced,) = trace_policies(application("a.test", policies=[policy("p", include=rules)]), facts(auth))
    assert [(each.hit, each.seen) for each in traced.condition.include] == [(False, seen)] * 3


def test_of_several_common_names_none_counts() -> None:
    auth = verified(leaf(common_names=("alice", "bob")), ca())
    app = application("a.test", policies=[policy("p", include=[{"common_name": "alice"}])])
    (traced,) = trace_policies(app, facts(auth))
    (rule,) = traced.condition.include
    assert not rule.hit
    assert rule.seen.endswith('is "alice" and "bob", of which none counts')


def test_a_group_is_opened() -> None:
    ops = GroupDefinition("ops", ({"common_name": "alice"},), exclude=({"method": "POST"},))
    app = application("a.test", policies=[policy("p", include=[{"group": "ops"}], groups=[ops])])
    for method, hit in ((b"GET", True), (b"POST", False)):
        (traced,) = trace_policies(app, facts(ALICE, method=method))
        (rule,) = traced.condition.include
        assert (rule.rule, rule.hit) == ('group "ops"', hit)
        assert rule.inside is not None
        assert [each.hit for each in rule.inside.include] == [True]
        assert [each.hit for each in rule.inside.exclude] == [not hit]


def test_the_first_match_decides_and_an_allow_never_does() -> None:
    policies = [
        policy("allow", "allow"),
        policy("late", "deny"),
        policy("miss", "bypass", include=["certificate"], exclude=["everyone"]),
        policy("first", "non_identity"),
        policy("second", "bypass"),
    ]
    traced = trace_policies(application("a.test", policies=policies), facts(ALICE))
    assert [(each.policy.name, each.part) for each in traced] == [
        ("miss", Part.MISSES),
        ("first", Part.DECIDES),
        ("second", Part.TOO_LATE),
        ("allow", Part.NO_IDENTITY),
        ("late", Part.TOO_LATE),
    ]


def test_recorded_outcomes_of_a_token_play_no_part() -> None:
    app = application("a.test", policies=[policy("p", include=["certificate"])])
    (traced,) = trace_policies(app, facts(NO_CERTIFICATE, recorded=1))
    assert traced.part is Part.MISSES
