"""Verdicts never raise, and never allow what no policy lets pass."""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from edge.access.application import Application, Decision, Policy
from edge.access.claims import TokenClaims, token_binding
from edge.access.compile import ConditionError, RuleError, compile_condition, compile_rule
from edge.access.evaluate import evaluate, evaluate_session, softened
from edge.access.rules import RequestFacts, numbered
from edge.model.client_auth import NO_CERTIFICATE, ClientAuth
from edge.model.refusal import Reason
from tests.unit.access.builders import BUNDLE, application, ca, leaf, policy

NAMES = st.sampled_from(["alice", "bob", ""])
RULES = st.sampled_from(
    [
        "everyone",
        "certificate",
        {"common_name": "alice"},
        {"common_name": "bob"},
        {"certificate_san": {"dns": "*.test"}},
        {"certificate_subject": {"ou": "Ops"}},
        {"certificate_issuer": {"name": "CA"}},
        {"certificate_issuer": {"fingerprint": "ca" * 32}},
        {"certificate_fingerprint": "11" * 32},
        {"certificate_serial": "0a"},
        {"ip": "192.0.2.0/24"},
        {"ip": "2001:db8::/32"},
        {"method": "GET"},
    ]
)
CERTIFICATES = st.builds(
    lambda names, dns, serial: leaf(common_names=tuple(names), san_dns=tuple(dns), serial=serial),
    st.lists(NAMES, max_size=2),
    st.lists(st.sampled_from(["a.test", "*.test", "", "\u212a.test"]), max_size=2),
    st.integers(0, 20),
)
AUTHS: st.SearchStrategy[ClientAuth] = st.one_of(
    st.just(NO_CERTIFICATE),
    st.builds(
        lambda presented, good, certificate, failure, chain: ClientAuth(
            presented, good, "FAILED:x", failure, certificate, chain, "CA"
        ),
        st.booleans(),
        st.booleans(),
        st.none() | CERTIFICATES,
        st.none() | st.sampled_from(Reason),
        st.lists(CERTIFICATES | st.just(ca()), max_size=3).map(tuple),
    ),
)
FACTS = st.builds(
    RequestFacts,
    AUTHS,
    st.sampled_from(["192.0.2.1", "203.0.113.1", "::ffff:192.0.2.1", "2001:db8::1"]).map(
        ipaddress.ip_address
    ),
    st.sampled_from([b"GET", b"POST", b"", b"\xff"]),
    st.none() | st.integers(0, 255),
)
POLICIES = st.builds(
    policy,
    st.sampled_from("pqr"),
    st.sampled_from([decision.value for decision in Decision]),
    st.lists(RULES, min_size=1, max_size=3),
    st.lists(RULES, max_size=2),
    st.lists(RULES, max_size=2),
    report_only=st.booleans(),
)
APPLICATIONS = st.builds(
    lambda policies, seconds, recheck, reports: application(
        "a.test",
        policies=policies,
        session_seconds=seconds,
        recheck_certificate=recheck,
        report_only=reports,
    ),
    st.lists(POLICIES, max_size=4),
    st.sampled_from([0.0, 60.0]),
    st.booleans(),
    st.booleans(),
)
OPENING = (Decision.BYPASS, Decision.NON_IDENTITY)


def without_record(facts: RequestFacts) -> RequestFacts:
    return RequestFacts(facts.auth, facts.client_ip, facts.method)


@given(st.none() | APPLICATIONS, FACTS, st.booleans(), st.booleans())
def test_nothing_is_allowed_that_no_policy_lets_pass(
    app: Application | None, facts: RequestFacts, unmatched_pass: bool, requested: bool
) -> None:
    verdict = evaluate(app, facts, unmatched_pass=unmatched_pass, certificate_requested=requested)
    assert verdict.allowed is (verdict.reason is None)
    assert not verdict.session
    if verdict.application is None:
        assert verdict.allowed is unmatched_pass
        return
    now = without_record(facts)
    holding = [each for each in verdict.application.policies if each.condition.holds(now)]
    decisive = [each for each in holding if each.decision is not Decision.ALLOW and not each.report_only]
    assert verdict.policy is (decisive[0] if decisive else None)
    assert verdict.allowed is bool(decisive and decisive[0].decision in OPENING)


@given(APPLICATIONS, FACTS, st.booleans())
def test_a_report_is_the_verdict_without_any_report_only(
    app: Application, facts: RequestFacts, requested: bool
) -> None:
    verdict = softened(evaluate(app, facts, unmatched_pass=False, certificate_requested=requested))
    enforcing = dataclasses.replace(
        app,
        report_only=False,
        policies=tuple(dataclasses.replace(each, report_only=False) for each in app.policies),
    )
    enforced = evaluate(enforcing, facts, unmatched_pass=False, certificate_requested=requested)
    reported = verdict.reported
    if reported is None:
        assert (verdict.allowed, verdict.reason, verdict.detail) == (
            enforced.allowed,
            enforced.reason,
            enforced.detail,
        )
        return
    assert (reported.reason, reported.detail) == (enforced.reason, enforced.detail)
    assert getattr(reported.policy, "name", None) == getattr(enforced.policy, "name", None)


@given(APPLICATIONS, FACTS, st.booleans())
def test_an_application_that_only_reports_refuses_nobody_and_identifies_nobody_it_would_refuse(
    app: Application, facts: RequestFacts, requested: bool
) -> None:
    verdict = evaluate(app, facts, unmatched_pass=False, certificate_requested=requested)
    done = softened(verdict)
    assert done.allowed is (verdict.allowed or app.report_only)
    if not app.report_only or verdict.allowed:
        assert done is verdict
    else:
        assert done.is_softened
        assert done.policy is None
        assert done.reported is not None


@given(
    APPLICATIONS,
    FACTS,
    st.none() | st.sampled_from([b"\x11" * 32, b"\x22" * 32]),
    st.none() | st.integers(0, 255),
    st.integers(-1, 3),
)
def test_a_session_is_never_more_than_its_policy_with_the_recorded_bits(
    app: Application, facts: RequestFacts, sha256: bytes | None, outcomes: int | None, chosen: int
) -> None:
    bound = app.policies[chosen] if 0 <= chosen < len(app.policies) else None
    claims = TokenClaims(
        audience=app.aud,
        issuer="i",
        issued_at=0,
        not_before=0,
        expires_at=1,
        common_name="",
        policy="p",
        certificate_sha256=sha256,
        binding=token_binding(bound.digest, BUNDLE) if bound else None,
        outcomes=outcomes,
    )
    verdict = evaluate_session(app, claims, facts, BUNDLE)
    assert verdict.session
    assert verdict.allowed is (verdict.reason is None)
    if verdict.allowed:
        assert bound is not None
        assert outcomes is not None
        assert app.token_stands_in
        assert bound.decision is Decision.NON_IDENTITY
        assert not bound.report_only
        assert bound.condition.holds(RequestFacts(NO_CERTIFICATE, facts.client_ip, facts.method, outcomes))
        if facts.auth.presented:
            assert facts.auth.verified is not None
            assert facts.auth.verified.sha256 == sha256


@given(POLICIES, FACTS)
def test_recorded_outcomes_stand_for_the_certificate_exactly(tested: Policy, facts: RequestFacts) -> None:
    now = without_record(facts)
    recorded = RequestFacts(NO_CERTIFICATE, facts.client_ip, facts.method, tested.certificate_outcomes(now))
    assert tested.condition.holds(recorded) is tested.condition.holds(now)
    assert numbered(tested.condition) == (tested.condition, tested.certificate_rules)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["everyone", "group", "ip", "dns"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "group",
                    "ip",
                    "common_name",
                    "certificate_san",
                    "dns",
                    "email",
                    "uri",
                    "id",
                    "certificate_serial",
                ]
            )
            | st.text(max_size=5),
            inner,
            max_size=2,
        )
    ),
    max_leaves=6,
)


@given(JSON)
def test_any_plain_data_is_a_rule_or_an_error_of_ours(raw: object) -> None:
    try:
        rule = compile_rule(raw, {})
    except RuleError:
        return
    assert rule.canonical


@given(st.lists(JSON, max_size=3), st.lists(JSON, max_size=3))
def test_any_lists_are_a_condition_or_an_error_of_ours(include: list[object], exclude: list[object]) -> None:
    with contextlib.suppress(ConditionError):
        assert compile_condition(include, [], exclude, {}).include
