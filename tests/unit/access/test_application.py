"""Applications and policies: order, digests, audiences, cookie attributes."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import pytest

from edge.access.application import Application, Decision, application_aud, execution_order
from edge.access.compile import GroupDefinition
from edge.access.destination import parse_destination
from tests.unit.access.builders import ISSUER, application, ca, facts, failed, leaf, policy, verified


def test_policies_run_in_the_documented_order() -> None:
    listed = [
        policy("A", "allow"),
        policy("B", "deny"),
        policy("C", "non_identity"),
        policy("D", "bypass"),
        policy("E", "allow"),
    ]
    assert "".join(each.name for each in execution_order(listed)) == "CDABE"
    assert "".join(each.name for each in application("a.test", policies=listed).policies) == "CDABE"


@pytest.mark.parametrize(
    "decisions", list(itertools.permutations(("allow", "deny", "non_identity", "bypass")))
)
def test_no_listing_puts_a_deny_before_a_service_auth(decisions: tuple[str, ...]) -> None:
    order = [each.decision for each in execution_order([policy(word, word) for word in decisions])]
    assert set(order[:2]) == {Decision.BYPASS, Decision.NON_IDENTITY}


def test_an_application_needs_a_domain() -> None:
    with pytest.raises(ValueError, match="no domain"):
        Application("x", "0" * 64, (), ())


def test_the_digest_does_not_see_names() -> None:
    rules: list[object] = [{"common_name": "alice"}]
    one = policy("one", include=[{"group": "ops"}], groups=[GroupDefinition("ops", tuple(rules))])
    two = policy("two", include=[{"group": "all"}], groups=[GroupDefinition("all", tuple(rules))])
    assert one.digest == two.digest
    assert len(one.digest) == 64


def test_the_digest_does_not_see_spelling() -> None:
    one = policy(
        "p", include=["everyone", {"certificate_serial": "0x0A"}, {"certificate_san": {"dns": "A.test"}}]
    )
    two = policy(
        "p", include=[{"everyone": {}}, {"certificate_serial": "a"}, {"certificate_san": {"dns": "a.test."}}]
    )
    assert one.digest == two.digest


def test_the_digest_sees_every_change_of_meaning() -> None:
    def group(*rules: object) -> list[GroupDefinition]:
        return [GroupDefinition("g", rules)]

    policies = [
        policy("p", include=["everyone"]),
        policy("p", "bypass", include=["everyone"]),
        policy("p", include=["certificate"]),
        policy("p", include=["everyone", "certificate"]),
        policy("p", include=["certificate", "everyone"]),
        policy("p", include=["everyone"], require=["certificate"]),
        policy("p", include=["everyone"], exclude=["certificate"]),
        policy("p", include=[{"common_name": "certificate"}]),
        policy("p", include=[{"common_name": "a"}]),
        policy("p", include=[{"common_name": "b"}]),
        policy("p", include=[{"ip": "10.0.0.0/8"}]),
        policy("p", include=[{"ip": "10.0.0.0/9"}]),
        policy("p", include=[{"group": "g"}], groups=group("everyone")),
        policy("p", include=[{"group": "g"}], groups=group("certificate")),
        policy("p", include=[{"certificate_issuer": {"name": "ab" * 32}}]),
        policy("p", include=[{"certificate_issuer": {"fingerprint": "ab" * 32}}]),
    ]
    assert len({each.digest for each in policies}) == len(policies)


def test_outcomes_are_one_bit_for_each_certificate_rule() -> None:
    group = GroupDefinition("g", ({"common_name": "alice"}, {"common_name": "bob"}))
    tested = policy(
        "p",
        include=["everyone", {"group": "g"}],
        require=["certificate"],
        exclude=[{"common_name": "x"}],
        groups=[group],
    )
    assert tested.certificate_outcomes(facts(verified(leaf("alice")))) == 0b0101
    assert tested.certificate_outcomes(facts(verified(leaf("bob")))) == 0b0110
    assert tested.certificate_outcomes(facts(verified(leaf("x")))) == 0b1100
    assert tested.certificate_outcomes(facts(failed(leaf("alice")))) == 0
    assert tested.certificate_outcomes(facts()) == 0


def test_outcomes_are_judged_now_even_if_the_facts_carry_recorded_ones() -> None:
    tested = policy("p", include=["certificate"])
    assert tested.certificate_outcomes(facts(recorded=1)) == 0
    assert tested.certificate_outcomes(facts(verified(leaf(), ca()), recorded=0)) == 1


def test_recorded_outcomes_give_the_verdict_the_certificate_gave() -> None:
    tested = policy(
        "p",
        include=[{"common_name": "alice"}, {"certificate_subject": {"ou": "Ops"}}],
        require=["certificate"],
        exclude=[{"certificate_serial": "0f"}],
    )
    for names, units, serial in itertools.product(("alice", "bob"), ("Ops", "Dev"), (0x0F, 0x10)):
        auth = verified(leaf(names, subject_attributes=(("ou", units),), serial=serial))
        bits = tested.certificate_outcomes(facts(auth))
        assert tested.condition.holds(facts(recorded=bits)) is tested.condition.holds(facts(auth))


def test_an_audience_depends_on_issuer_and_first_domain_only() -> None:
    first = parse_destination("A.test/x")
    aud = application_aud(ISSUER, first)
    assert len(bytes.fromhex(aud)) == 32
    assert aud == aud.lower() == application_aud(ISSUER, parse_destination("a.test./x/"))
    assert aud != application_aud(ISSUER + "/", first)
    assert aud != application_aud(ISSUER, parse_destination("a.test"))


@pytest.mark.parametrize(
    ("domains", "settings", "expected"),
    [
        (["a.test/x"], {}, b"Path=/; Secure; HttpOnly; SameSite=None"),
        (["a.test/x"], {"same_site": "lax"}, b"Path=/; Secure; HttpOnly; SameSite=Lax"),
        (["a.test/x"], {"same_site": "strict", "http_only": False}, b"Path=/; Secure; SameSite=Strict"),
        (["a.test"], {"path_cookie": True}, b"Path=/; Secure; HttpOnly; SameSite=None"),
        (["a.test/x/y"], {"path_cookie": True}, b"Path=/x/y; Secure; HttpOnly; SameSite=None"),
        (["a.test/x/*"], {"path_cookie": True}, b"Path=/x; Secure; HttpOnly; SameSite=None"),
        (["a.test/x/y*/z"], {"path_cookie": True}, b"Path=/x; Secure; HttpOnly; SameSite=None"),
        (["a.test/x*"], {"path_cookie": True}, b"Path=/; Secure; HttpOnly; SameSite=None"),
        (["a.test/x/y;Domain=test/z"], {"path_cookie": True}, b"Path=/x; Secure; HttpOnly; SameSite=None"),
        (["a.test/x", "b.test/x"], {"path_cookie": True}, b"Path=/x; Secure; HttpOnly; SameSite=None"),
        (["a.test/x", "b.test/y"], {"path_cookie": True}, b"Path=/; Secure; HttpOnly; SameSite=None"),
    ],
)
def test_cookie_attributes_by_table(domains: list[str], settings: dict[str, Any], expected: bytes) -> None:
    assert application(*domains, **settings).cookie_attributes == expected


@pytest.mark.parametrize(
    ("seconds", "recheck", "expected"),
    [(0.0, True, False), (0.0, False, False), (60.0, True, False), (60.0, False, True)],
)
def test_a_token_stands_in_only_within_a_session_that_says_so(
    seconds: float, recheck: bool, expected: bool
) -> None:
    assert (
        application("a.test", session_seconds=seconds, recheck_certificate=recheck).token_stands_in
        is expected
    )


def test_nothing_can_be_changed_afterwards() -> None:
    app = application("a.test", policies=[policy("p")])
    for frozen, name in (
        (app, "policies"),
        (app.policies[0], "decision"),
        (app.policies[0].condition, "include"),
    ):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(frozen, name, ())
