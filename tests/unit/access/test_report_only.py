"""Dry run: what only reports decides nothing, and what would have become of a request is told."""

from __future__ import annotations

import dataclasses

import pytest

from edge.access.application import Application
from edge.access.claims import TokenClaims, token_binding
from edge.access.evaluate import Reported, Verdict, evaluate, evaluate_session, softened
from edge.model.client_auth import NO_CERTIFICATE, ClientAuth
from edge.model.refusal import Reason
from tests.unit.access.builders import BUNDLE, application, facts, failed, policy, verified

WIDE = policy("wide", include=["certificate"])
NARROW = policy("narrow", include=[{"common_name": "device-1"}], report_only=True)
NOT_ME = policy("not me", "deny", include=[{"ip": "192.0.2.0/24"}], report_only=True)


def judge(app: Application | None, auth: ClientAuth = NO_CERTIFICATE) -> Verdict:
    return softened(evaluate(app, facts(auth), unmatched_pass=False, certificate_requested=True))


# --- a policy that only reports ------------------------------------------------------------------


def test_a_service_auth_policy_that_only_reports_lets_nobody_in() -> None:
    verdict = judge(application(policies=[NARROW]), verified())
    assert not verdict.allowed
    assert verdict.reason is Reason.POLICY_DENIED
    assert verdict.policy is None
    assert verdict.reported == Reported(None, NARROW, "")


def test_a_deny_that_only_reports_lets_nobody_in_either() -> None:
    verdict = judge(application(policies=[NOT_ME]))
    assert (verdict.allowed, verdict.reason) == (False, Reason.CLIENT_CERTIFICATE_REQUIRED)
    assert verdict.reported is not None
    assert (verdict.reported.reason, verdict.reported.policy) == (Reason.POLICY_DENIED, NOT_ME)


def test_a_deny_that_only_reports_says_nothing_of_whom_an_earlier_policy_let_in() -> None:
    verdict = judge(application(policies=[NOT_ME, WIDE]), verified())
    assert (verdict.allowed, verdict.policy, verdict.reported) == (True, WIDE, None)


def test_a_policy_that_only_reports_and_does_not_match_reports_nothing() -> None:
    other = policy("other", include=[{"common_name": "somebody else"}], report_only=True)
    verdict = judge(application(policies=[other]), verified())
    assert (verdict.allowed, verdict.reported) == (False, None)


def test_a_narrow_policy_is_tried_out_in_front_of_a_wide_one() -> None:
    app = application(policies=[NARROW, WIDE])
    tried = judge(app, verified())
    assert (tried.allowed, tried.policy, tried.reported) == (True, WIDE, Reported(None, NARROW, ""))
    assert judge(application(policies=[WIDE, NARROW]), verified()).reported is None


def test_only_the_first_that_matches_is_reported() -> None:
    second = policy("second", include=["certificate"], report_only=True)
    verdict = judge(application(policies=[NARROW, second, NOT_ME]), verified())
    assert verdict.reported == Reported(None, NARROW, "")


def test_an_enforced_deny_still_denies_behind_one_that_only_reports() -> None:
    deny = policy("deny", "deny")
    verdict = judge(application(policies=[NOT_ME, deny]))
    assert (verdict.reason, verdict.policy) == (Reason.POLICY_DENIED, deny)
    assert verdict.reported is not None
    assert verdict.reported.policy is NOT_ME


def test_an_allow_that_only_reports_never_matches_and_reports_nothing() -> None:
    verdict = judge(application(policies=[policy("allow", "allow", report_only=True)]), verified())
    assert (verdict.allowed, verdict.reported) == (False, None)


# --- an application that only reports ------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "reason"),
    [
        (NO_CERTIFICATE, Reason.CLIENT_CERTIFICATE_REQUIRED),
        (failed(), Reason.CLIENT_CERTIFICATE_INVALID),
        (failed(reason=Reason.CLIENT_CERTIFICATE_REVOKED), Reason.CLIENT_CERTIFICATE_REVOKED),
        (verified(), Reason.POLICY_DENIED),
    ],
)
def test_whom_its_policies_refuse_passes_as_nobody(auth: ClientAuth, reason: Reason) -> None:
    app = application(policies=[policy("p", include=[{"common_name": "somebody else"}])], report_only=True)
    verdict = judge(app, auth)
    assert (verdict.allowed, verdict.reason, verdict.application, verdict.policy) == (True, None, app, None)
    assert verdict.is_softened
    assert verdict.reported is not None
    assert (verdict.reported.reason, verdict.reported.word) == (reason, reason.value)
    refused = judge(dataclasses.replace(app, report_only=False), auth)
    assert (refused.reason, refused.detail) == (verdict.reported.reason, verdict.reported.detail)


def test_a_deny_is_reported_with_its_name_and_identifies_nobody() -> None:
    deny = policy("deny", "deny")
    verdict = judge(application(policies=[deny], report_only=True), verified())
    assert (verdict.allowed, verdict.policy) == (True, None)
    assert verdict.reported is not None
    assert verdict.reported.policy is deny


def test_whom_its_policies_let_pass_passes_as_ever_without_a_report() -> None:
    app = application(policies=[WIDE], report_only=True)
    assert judge(app, verified()) == Verdict(True, None, app, WIDE, "")


def test_an_application_without_policies_reports_everybody() -> None:
    verdict = judge(application(report_only=True), verified())
    assert verdict.is_softened
    assert verdict.reported is not None
    assert verdict.reported.word == "policy_denied"


def test_both_together_report_what_would_be_without_either() -> None:
    verdict = judge(application(policies=[NARROW], report_only=True), verified())
    assert (verdict.allowed, verdict.policy, verdict.reported) == (True, None, Reported(None, NARROW, ""))


def test_a_path_without_an_application_is_not_softened() -> None:
    verdict = judge(None, verified())
    assert (verdict.allowed, verdict.reported) == (False, None)


# --- sessions ------------------------------------------------------------------------------------


def claims() -> TokenClaims:
    return TokenClaims(
        audience="a",
        issuer="i",
        issued_at=0,
        not_before=0,
        expires_at=1,
        common_name="device-1",
        policy="wide",
        certificate_sha256=b"\x11" * 32,
        binding=token_binding(WIDE.digest, BUNDLE),
        outcomes=WIDE.certificate_outcomes(facts(verified())),
    )


def test_a_token_of_a_policy_that_only_reports_by_now_stands_in_for_nothing() -> None:
    enforced = application(policies=[WIDE], recheck_certificate=False)
    assert evaluate_session(enforced, claims(), facts(), BUNDLE).allowed
    reports = dataclasses.replace(WIDE, report_only=True)
    assert reports.digest == WIDE.digest
    app = dataclasses.replace(enforced, policies=(reports,))
    assert not evaluate_session(app, claims(), facts(), BUNDLE).allowed
