"""What only reports: who passes passes as nobody, is counted once a request, and is asked anew in time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from edge.model.refusal import Reason
from edge.proxy.connection import ClientConnection
from edge.proxy.permit import Permit, Withdrawn
from edge.proxy.plan import Passage, Plan, make_plan
from edge.telemetry import families
from tests.certificates import Credential
from tests.unit.proxy.clients import ISSUING, Desk, configuration, request
from tests.unit.snapshot.world import application, host

JAMES = ISSUING.issue("James Royal", not_after=timedelta(days=20))
NOBODY = '{ common_name = "nobody" }'
REPORTS = configuration(applications=application("a.test", NOBODY, "report_only = true"))
ENFORCES = configuration(applications=application("a.test", NOBODY))
SESSION_LINES = ("recheck_certificate = false", 'session_duration = "1h"')


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def plan(desk: Desk, connection: ClientConnection, *fields: bytes, target: bytes = b"/") -> Plan:
    block = b"\r\n".join((b"GET %b HTTP/1.1" % target, b"Host: a.test", *fields, b"", b""))
    return make_plan(connection, desk.services.holder.current, block)


def passage_of(found: Plan) -> Passage:
    assert found.refusal is None
    assert found.passage is not None
    return found.passage


def event(found: Plan) -> dict[str, object]:
    said: dict[str, object] = json.loads(found.event + b"}")
    return said


def counted(desk: Desk) -> dict[str, float]:
    """What is counted by reason; to make a plan counts nothing."""
    series = json.loads(desk.services.metrics.dump()).get(families.REPORT_ONLY.name, [])
    return {reason: number for (_, reason), number in series}


@pytest.mark.parametrize(
    ("credential", "reason", "flag"),
    [(None, Reason.CLIENT_CERTIFICATE_REQUIRED, b"false"), (JAMES, Reason.POLICY_DENIED, b"true")],
)
def test_whom_the_policies_refuse_passes_without_token_and_cookie(
    desk: Desk, credential: Credential | None, reason: Reason, flag: bytes
) -> None:
    desk.publish(REPORTS)
    found = plan(desk, desk.connect(credential))
    passage = passage_of(found)
    assert b"Cf-Access-Jwt-Assertion" not in passage.request_front
    assert b"Set-Cookie" not in passage.own_lines
    assert b"\r\nMtls-Authenticated: " + flag in passage.request_front
    assert passage.is_simple
    said = event(found)
    assert (said["report_only"], said["would_be"]) == (True, reason.value)
    assert said["would_be_detail"]
    assert not {"reason", "detail", "policy"} & set(said)


def test_a_token_of_the_client_is_no_more_than_a_cookie_that_is_taken_away(desk: Desk) -> None:
    desk.publish(configuration())
    token = desk.token(JAMES).encode()
    desk.publish(REPORTS)
    found = plan(desk, desk.connect(None), b"Cookie: CF_Authorization=" + token)
    assert token not in passage_of(found).request_front
    assert event(found)["would_be"] == "client_certificate_required"


def test_whom_the_policies_let_pass_has_token_and_no_report(desk: Desk) -> None:
    desk.publish(configuration(applications=application("a.test", '"certificate"', "report_only = true")))
    found = plan(desk, desk.connect(JAMES))
    assert b"Cf-Access-Jwt-Assertion" in passage_of(found).request_front
    assert found.reported is None
    assert "report_only" not in event(found)


def test_a_plan_counts_into_one_cell_of_its_application_and_reason(desk: Desk) -> None:
    desk.publish(REPORTS)
    found = plan(desk, desk.connect(None))
    assert found.reported is desk.services.metrics.cell(
        families.REPORT_ONLY, "a.test", "client_certificate_required"
    )
    assert counted(desk) == {"client_certificate_required": 0}


def test_a_refused_request_has_the_report_of_a_policy_as_well(desk: Desk) -> None:
    text = ENFORCES + (
        '  [[applications.policies]]\n  name = "tried"\n  decision = "non_identity"\n'
        '  include = ["certificate"]\n  report_only = true\n'
    )
    desk.publish(text)
    found = plan(desk, desk.connect(JAMES))
    assert found.refusal is not None
    assert found.refusal.reason is Reason.POLICY_DENIED
    said = event(found)
    assert (said["would_be"], said["would_be_policy"]) == ("allow", "tried")
    assert found.reported is not None


@pytest.mark.parametrize(
    ("target", "fields", "reason"),
    [
        (b"/%zz", (), Reason.BAD_REQUEST),
        (b"/", (b"Upgrade: h3",), Reason.HTTP3_NOT_SUPPORTED),
        (b"/", (b"Alt-Used: a.test",), Reason.MISDIRECTED_REQUEST),
        (b"/" + b"x" * 9000, (), Reason.URI_TOO_LONG),
        (b"https://b.test/", (), Reason.BAD_REQUEST),
    ],
)
def test_what_no_policy_refuses_is_not_softened(
    desk: Desk, target: bytes, fields: tuple[bytes, ...], reason: Reason
) -> None:
    desk.publish(REPORTS)
    found = plan(desk, desk.connect(JAMES), *fields, target=target)
    assert found.refusal is not None
    assert found.refusal.reason is reason
    assert found.reported is None


def test_a_path_without_an_application_is_not_softened(desk: Desk) -> None:
    covered = application("a.test/covered", NOBODY, "report_only = true")
    desk.publish(configuration(host("a.test", 'unmatched = "deny"'), applications=covered))
    connection = desk.connect(None)
    passage_of(plan(desk, connection, target=b"/covered"))
    assert plan(desk, connection).refusal is not None


def test_a_host_that_requires_a_certificate_believes_a_revoked_one_no_more(desk: Desk) -> None:
    required = host("a.test", 'client_certificate = "require"')
    text = configuration(required, applications=application("a.test", '"certificate"', "report_only = true"))
    desk.publish(text)
    connection = desk.connect(JAMES)
    passage_of(plan(desk, connection))
    desk.write_crl(JAMES, number=2)
    desk.publish(text)
    found = plan(desk, connection)
    assert found.refusal is not None
    assert found.refusal.reason is Reason.CLIENT_CERTIFICATE_REVOKED
    assert found.reported is None


def test_where_one_is_only_requested_a_revoked_one_is_reported(desk: Desk) -> None:
    text = configuration(applications=application("a.test", '"certificate"', "report_only = true"))
    desk.publish(text)
    connection = desk.connect(JAMES)
    desk.write_crl(JAMES, number=2)
    desk.publish(text)
    found = plan(desk, connection)
    assert b"\r\nMtls-Authenticated: false" in passage_of(found).request_front
    assert event(found)["would_be"] == "client_certificate_revoked"


def test_a_session_whose_certificate_was_revoked_passes_as_nobody(desk: Desk) -> None:
    text = configuration(
        applications=application("a.test", '"certificate"', "report_only = true", *SESSION_LINES)
    )
    desk.publish(text)
    token = desk.token(JAMES)
    judged = desk.judge(desk.connect(None), token).verdict
    assert (judged.allowed, judged.session, judged.is_softened, judged.reported) == (True, True, False, None)
    desk.write_crl(JAMES, number=2)
    desk.publish(text)
    fallen = desk.judge(desk.connect(None), token).verdict
    assert fallen.is_softened
    assert fallen.reported is not None
    assert fallen.reported.reason is Reason.CLIENT_CERTIFICATE_REVOKED


def test_a_session_has_the_report_of_a_policy_that_would_have_come_before_it(desk: Desk) -> None:
    certificate = application("a.test", '"certificate"', *SESSION_LINES)
    tried = (
        '  [[applications.policies]]\n  name = "tried"\n  decision = "non_identity"\n'
        '  include = [{ ip = "192.0.2.1" }]\n  report_only = true\n'
    )
    desk.publish(configuration(applications=certificate))
    token = desk.token(JAMES)
    desk.publish(configuration(applications=certificate + tried))
    verdict = desk.judge(desk.connect(None), token).verdict
    assert (verdict.allowed, verdict.session) == (True, True)
    assert verdict.reported is not None
    assert getattr(verdict.reported.policy, "name", "") == "tried"


def test_with_a_cookie_the_report_is_never_kept_for_the_next_request(desk: Desk) -> None:
    """A token that is of the future by a clock set back is good a moment later."""
    desk.publish(
        configuration(
            applications=application("a.test", '"certificate"', "report_only = true", *SESSION_LINES)
        )
    )
    connection = desk.connect(None)
    kept = plan(desk, connection)
    assert kept.good_until == float("inf")
    anew = plan(desk, connection, b"Cookie: CF_Authorization=x")
    assert anew.reported is not None
    assert anew.good_until == float("-inf")


def test_a_tunnel_ends_when_the_application_begins_to_refuse(desk: Desk) -> None:
    desk.publish(REPORTS)
    connection = desk.connect(None)
    permit = Permit(connection, request())
    permit.until()
    desk.publish(ENFORCES)
    with pytest.raises(Withdrawn) as ended:
        permit.until()
    assert ended.value.refusal.reason is Reason.CLIENT_CERTIFICATE_REQUIRED


def test_hosts_without_a_ca_can_try_out_policies_too(desk: Desk) -> None:
    desk.publish(
        configuration(
            host("a.test"),
            host("b.test"),
            applications=application("a.test")
            + application("b.test", '{ ip = "203.0.113.0/24" }', "report_only = true"),
        )
    )
    block = b"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n"
    found = make_plan(desk.connect(None, "b.test"), desk.services.holder.current, block)
    passage_of(found)
    assert event(found)["would_be"] == "policy_denied"
