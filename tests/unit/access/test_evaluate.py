"""Verdicts: order, reasons, and sessions."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from edge.access.application import Application
from edge.access.claims import TokenClaims, token_binding
from edge.access.evaluate import Verdict, evaluate, evaluate_session
from edge.access.rules import RequestFacts
from edge.model.client_auth import NO_CERTIFICATE, ClientAuth
from edge.model.refusal import Reason
from tests.unit.access.builders import BUNDLE, application, facts, failed, leaf, policy, verified

CERTIFICATE = policy("devices", include=["certificate"])


def judge(
    app: Application | None,
    auth: ClientAuth = NO_CERTIFICATE,
    *,
    unmatched_pass: bool = False,
    requested: bool = True,
) -> Verdict:
    return evaluate(app, facts(auth), unmatched_pass=unmatched_pass, certificate_requested=requested)


@pytest.mark.parametrize(
    ("auth", "requested", "reason", "detail"),
    [
        (NO_CERTIFICATE, True, Reason.CLIENT_CERTIFICATE_REQUIRED, "no client certificate was presented"),
        (NO_CERTIFICATE, False, Reason.POLICY_DENIED, "no policy lets this request pass"),
        (failed(), True, Reason.CLIENT_CERTIFICATE_INVALID, "unable to get local issuer certificate"),
        (
            failed(reason=Reason.CLIENT_CERTIFICATE_EXPIRED, text="certificate has expired"),
            True,
            Reason.CLIENT_CERTIFICATE_EXPIRED,
            "certificate has expired",
        ),
        (
            failed(reason=Reason.CLIENT_CERTIFICATE_REVOKED, text="certificate revoked"),
            True,
            Reason.CLIENT_CERTIFICATE_REVOKED,
            "certificate revoked",
        ),
        (
            failed(reason=Reason.REVOCATION_UNKNOWN, text="CRL has expired"),
            True,
            Reason.REVOCATION_UNKNOWN,
            "CRL has expired",
        ),
        (
            failed(reason=None),
            True,
            Reason.CLIENT_CERTIFICATE_INVALID,
            "unable to get local issuer certificate",
        ),
        (verified(), True, Reason.POLICY_DENIED, "the certificate is valid, but no policy lets it pass"),
    ],
)
def test_why_no_policy_matched(auth: ClientAuth, requested: bool, reason: Reason, detail: str) -> None:
    app = application(policies=[policy("p", include=[{"common_name": "somebody else"}])])
    verdict = judge(app, auth, requested=requested)
    assert verdict == Verdict(False, reason, app, None, detail)


def test_a_certificate_with_two_common_names_is_told_why() -> None:
    app = application(policies=[policy("p", include=[{"common_name": "device-1"}])])
    verdict = judge(app, verified(leaf(common_names=("device-1", "evil"))))
    assert verdict.reason is Reason.POLICY_DENIED
    assert "common names" in verdict.detail


def test_a_flag_without_a_certificate_is_refused() -> None:
    broken = ClientAuth(presented=True, mtls_authenticated=True, verify="SUCCESS", failure=None)
    assert judge(application(policies=[CERTIFICATE]), broken).reason is Reason.CLIENT_CERTIFICATE_INVALID


def test_an_uncovered_path_is_what_the_host_says() -> None:
    assert judge(None).reason is Reason.POLICY_DENIED
    assert judge(None, verified()).reason is Reason.POLICY_DENIED
    passed = judge(None, unmatched_pass=True)
    assert passed.allowed
    assert (passed.reason, passed.application, passed.policy) == (None, None, None)


def test_unmatched_pass_says_nothing_about_covered_paths() -> None:
    assert not judge(application(policies=[CERTIFICATE]), unmatched_pass=True).allowed


def test_an_application_without_policies_denies() -> None:
    assert judge(application()).reason is Reason.CLIENT_CERTIFICATE_REQUIRED
    assert judge(application(), verified()).reason is Reason.POLICY_DENIED


@pytest.mark.parametrize("decision", ["non_identity", "bypass"])
def test_a_match_names_its_policy(decision: str) -> None:
    app = application(policies=[policy("p", decision, include=["certificate"])])
    assert judge(app, verified()) == Verdict(True, None, app, app.policies[0], "")
    assert not judge(app, failed()).allowed


def test_allow_never_matches_for_want_of_an_identity() -> None:
    app = application(policies=[policy("p", "allow"), policy("q", "allow", include=["certificate"])])
    assert judge(app).reason is Reason.CLIENT_CERTIFICATE_REQUIRED
    assert judge(app, verified()).reason is Reason.POLICY_DENIED


def test_the_first_match_in_execution_order_decides() -> None:
    listed = [
        policy(name, decision)
        for name, decision in zip("ABCDE", ("allow", "deny", "non_identity", "bypass", "allow"), strict=True)
    ]
    app = application(policies=listed)
    assert getattr(judge(app).policy, "name", None) == "C"
    without_c = application(policies=[each for each in listed if each.name != "C"])
    assert getattr(judge(without_c).policy, "name", None) == "D"
    without_d = application(policies=[each for each in listed if each.name not in "CD"])
    assert getattr(judge(without_d).policy, "name", None) == "B"
    assert judge(without_d).reason is Reason.POLICY_DENIED


def test_a_deny_does_not_override_an_earlier_match_and_decides_otherwise() -> None:
    deny = policy("deny", "deny", include=["everyone"])
    app = application(policies=[deny, CERTIFICATE])
    assert judge(app, verified()).allowed
    verdict = judge(app)
    assert (verdict.reason, verdict.policy) == (Reason.POLICY_DENIED, deny)


@pytest.mark.parametrize("method", [b"HEAD", b"OPTIONS", b"FOO", b"get", b"TRACE", b"POST"])
def test_a_policy_without_a_method_rule_is_for_every_method(method: bytes) -> None:
    app = application(policies=[CERTIFICATE])
    request = RequestFacts(NO_CERTIFICATE, facts().client_ip, method)
    assert not evaluate(app, request, unmatched_pass=True, certificate_requested=True).allowed


@pytest.mark.parametrize("method", [b"HEAD", b"OPTIONS", b"get", b"POST"])
def test_a_bypass_for_one_method_opens_no_other(method: bytes) -> None:
    app = application(policies=[policy("read", "bypass", include=[{"method": "GET"}]), CERTIFICATE])
    request = RequestFacts(NO_CERTIFICATE, facts().client_ip, method)
    assert not evaluate(app, request, unmatched_pass=True, certificate_requested=True).allowed


def test_recorded_outcomes_have_no_say_outside_a_session() -> None:
    app = application(policies=[CERTIFICATE])
    request = facts(recorded=0b1111)
    assert not evaluate(app, request, unmatched_pass=False, certificate_requested=True).allowed


# sessions

SESSION = application(
    policies=[
        policy("away", include=["certificate"], require=[{"ip": "198.51.100.0/24"}]),
        policy(
            "devices",
            include=[{"common_name": "device-1"}],
            require=["certificate"],
            exclude=[{"method": "DELETE"}, {"common_name": "mallory"}],
        ),
        policy("open", "bypass", include=[{"method": "LINK"}]),
    ],
    recheck_certificate=False,
)
DEVICES = next(each for each in SESSION.policies if each.name == "devices")


def session_claims(**changes: object) -> TokenClaims:
    claims = TokenClaims(
        audience=SESSION.aud,
        issuer="i",
        issued_at=0,
        not_before=0,
        expires_at=1,
        common_name="device-1",
        policy="devices",
        certificate_sha256=b"\x11" * 32,
        binding=token_binding(DEVICES.digest, BUNDLE),
        outcomes=DEVICES.certificate_outcomes(facts(verified())),
    )
    return dataclasses.replace(claims, **changes)  # type: ignore[arg-type]


def test_a_session_passes_without_the_certificate() -> None:
    verdict = evaluate_session(SESSION, session_claims(), facts(), BUNDLE)
    assert verdict == Verdict(True, None, SESSION, DEVICES, "", session=True)


def test_a_session_passes_with_the_same_certificate() -> None:
    assert evaluate_session(SESSION, session_claims(), facts(verified()), BUNDLE).allowed


def test_a_session_passes_under_a_renamed_policy() -> None:
    renamed = dataclasses.replace(SESSION, policies=(dataclasses.replace(DEVICES, name="other"),))
    assert evaluate_session(renamed, session_claims(), facts(), BUNDLE).allowed


@pytest.mark.parametrize(
    ("auth", "reason"),
    [
        (verified(leaf(sha256=b"\x22" * 32)), Reason.POLICY_DENIED),
        (failed(), Reason.CLIENT_CERTIFICATE_INVALID),
        (failed(reason=Reason.CLIENT_CERTIFICATE_REVOKED), Reason.CLIENT_CERTIFICATE_REVOKED),
        (failed(reason=Reason.CLIENT_CERTIFICATE_EXPIRED), Reason.CLIENT_CERTIFICATE_EXPIRED),
        (failed(reason=None), Reason.CLIENT_CERTIFICATE_INVALID),
    ],
)
def test_a_token_never_outvotes_the_certificate_that_is_presented(auth: ClientAuth, reason: Reason) -> None:
    verdict = evaluate_session(SESSION, session_claims(), facts(auth), BUNDLE)
    assert (verdict.allowed, verdict.reason, verdict.session) == (False, reason, True)


def test_a_token_without_a_certificate_does_not_go_with_one() -> None:
    claims = session_claims(certificate_sha256=None)
    assert not evaluate_session(SESSION, claims, facts(verified()), BUNDLE).allowed


@pytest.mark.parametrize(
    "changes",
    [
        {"binding": None},
        {"outcomes": None},
        {"outcomes": 0},
        {"outcomes": 0b001},
        {"outcomes": 0b010},
        {"outcomes": 0b111},
        {"binding": "0" * 64},
        {"binding": token_binding(DEVICES.digest, b"C" * 32)},
        {"binding": token_binding(SESSION.policies[0].digest, BUNDLE)},
        {"binding": token_binding(SESSION.policies[-1].digest, BUNDLE), "outcomes": 0xFF},
    ],
)
def test_a_session_needs_the_same_policy_the_same_cas_and_the_right_outcomes(
    changes: dict[str, object],
) -> None:
    verdict = evaluate_session(SESSION, session_claims(**changes), facts(), BUNDLE)
    assert (verdict.allowed, verdict.reason) == (False, Reason.CLIENT_CERTIFICATE_REQUIRED)


def test_a_session_ends_when_the_rules_change() -> None:
    stricter = policy("devices", include=[{"common_name": "device-2"}], require=["certificate"])
    changed = dataclasses.replace(SESSION, policies=(stricter,))
    assert not evaluate_session(changed, session_claims(), facts(), BUNDLE).allowed


def test_a_session_ends_when_its_policy_is_no_service_auth_any_more() -> None:
    for decision in ("deny", "bypass", "allow"):
        other = policy(
            "devices", decision, include=[{"common_name": "device-1"}], require=["certificate"],
            exclude=[{"method": "DELETE"}, {"common_name": "mallory"}],
        )  # fmt: skip
        changed = dataclasses.replace(SESSION, policies=(other,))
        claims = session_claims(binding=token_binding(other.digest, BUNDLE))
        assert not evaluate_session(changed, claims, facts(), BUNDLE).allowed


@pytest.mark.parametrize(
    "settings",
    [
        {"recheck_certificate": True},
        {"session_seconds": 0.0},
        {"recheck_certificate": True, "session_seconds": 0.0},
    ],
)
def test_where_the_certificate_is_asked_for_every_time_no_token_counts(settings: dict[str, object]) -> None:
    strict = dataclasses.replace(SESSION, **settings)  # type: ignore[arg-type]
    assert not evaluate_session(strict, session_claims(), facts(), BUNDLE).allowed


def test_rules_about_the_request_are_judged_now_within_a_session() -> None:
    deleting = RequestFacts(NO_CERTIFICATE, facts().client_ip, b"DELETE")
    assert not evaluate_session(SESSION, session_claims(), deleting, BUNDLE).allowed
    away = session_claims(
        binding=token_binding(SESSION.policies[0].digest, BUNDLE),
        outcomes=SESSION.policies[0].certificate_outcomes(facts(verified())),
    )
    assert not evaluate_session(SESSION, away, facts(), BUNDLE).allowed
    assert evaluate_session(SESSION, away, facts(ip="198.51.100.9"), BUNDLE).allowed


def test_outcomes_in_the_facts_do_not_replace_those_of_the_token() -> None:
    claims = session_claims(outcomes=0)
    for bits in itertools.chain(range(8), [0xFF]):
        assert not evaluate_session(SESSION, claims, facts(recorded=bits), BUNDLE).allowed
