"""A request is judged by its certificate, or by a token that falls with the certificate it was given for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from edge.access.claims import decode_segment
from edge.model.refusal import Reason
from edge.proxy.judgement import Judgement, credentials
from tests.unit.proxy.clients import ISSUING, SESSION, Desk, configuration, request, with_claims
from tests.unit.snapshot.world import CLIENTS, application, ca, host

REVOKED, UNKNOWN = Reason.CLIENT_CERTIFICATE_REVOKED, Reason.REVOCATION_UNKNOWN
REQUIRED = Reason.CLIENT_CERTIFICATE_REQUIRED
SESSIONS = configuration(applications=SESSION)
JAMES = ISSUING.issue("James Royal")
HOUR = 3600.0


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def reason(judgement: Judgement) -> Reason | None:
    verdict = judgement.verdict
    assert verdict.allowed == (verdict.reason is None)
    return verdict.reason


# --- the certificate ---------------------------------------------------------------------------


def test_a_good_certificate_passes(desk: Desk) -> None:
    desk.publish(configuration())
    judgement = desk.judge(desk.connect(JAMES))
    assert reason(judgement) is None
    assert judgement.good_until == JAMES.certificate.not_valid_after_utc.timestamp()


def test_a_revoked_certificate_is_refused_on_the_next_request_of_its_connection(desk: Desk) -> None:
    desk.publish(configuration())
    connection = desk.connect(JAMES)
    assert reason(desk.judge(connection)) is None
    desk.write_crl(JAMES, number=2)
    desk.publish(configuration())
    judgement = desk.judge(connection)
    assert reason(judgement) is REVOKED
    assert judgement.verdict.detail.startswith("certificate revoked: the certificate with the serial number ")


def test_a_revoked_intermediate_is_refused(desk: Desk) -> None:
    desk.write_crl(ISSUING)
    desk.publish(configuration())
    judgement = desk.judge(desk.connect(JAMES))
    assert reason(judgement) is REVOKED
    assert "the CA certificate with the serial number" in judgement.verdict.detail


def test_a_list_that_becomes_stale_is_felt_without_a_new_generation(desk: Desk) -> None:
    desk.write_crl(next_update=timedelta(hours=1))
    desk.publish(configuration())
    connection = desk.connect(JAMES)
    judgement = desk.judge(connection)
    assert reason(judgement) is None
    assert abs(judgement.good_until - (desk.began + HOUR)) < 60
    desk.loop.now += 2 * HOUR
    assert reason(desk.judge(connection)) is UNKNOWN


def test_a_stale_list_goes_on_counting_where_the_configuration_says_so(desk: Desk) -> None:
    desk.write_crl(next_update=timedelta(hours=-1))
    desk.publish(configuration(stale="allow"))
    assert reason(desk.judge(desk.connect(JAMES))) is None


def test_a_ca_without_a_list_is_a_refusal(desk: Desk) -> None:
    desk.write_crl(cas=[CLIENTS])
    desk.publish(configuration())
    assert reason(desk.judge(desk.connect(JAMES))) is UNKNOWN


def test_a_revoked_certificate_is_nothing_to_a_policy_that_asks_for_none(desk: Desk) -> None:
    desk.write_crl(JAMES)
    desk.publish(configuration(applications=application("a.test", '"everyone"')))
    assert reason(desk.judge(desk.connect(JAMES))) is None


def test_where_a_certificate_is_required_a_revoked_one_is_refused_whatever_the_policies_say(
    desk: Desk,
) -> None:
    required = host("a.test", 'client_certificate = "require"')
    text = configuration(required, applications=application("a.test", '"everyone"'))
    desk.publish(text)
    connection = desk.connect(JAMES)
    assert reason(desk.judge(connection)) is None
    desk.write_crl(JAMES, number=2)
    desk.publish(text)
    assert reason(desk.judge(connection)) is REVOKED


# --- the token ---------------------------------------------------------------------------------


def test_a_token_stands_in_for_a_certificate_that_is_not_revoked(desk: Desk) -> None:
    desk.publish(SESSIONS)
    token = desk.token(JAMES)
    judgement = desk.judge(desk.connect(), token)
    assert reason(judgement) is None
    assert judgement.verdict.session


def test_a_token_falls_with_its_certificate(desk: Desk) -> None:
    desk.publish(SESSIONS)
    token = desk.token(JAMES)
    desk.write_crl(JAMES, number=2)
    desk.publish(SESSIONS)
    judgement = desk.judge(desk.connect(), token)
    assert reason(judgement) is REVOKED
    assert judgement.verdict.policy is None
    assert judgement.verdict.detail.startswith("certificate revoked: the certificate with the serial number ")
    assert credentials(desk.services, desk.look(desk.connect()), request(token), judgement).assertion is None


def test_a_token_falls_with_a_ca_of_its_chain(desk: Desk) -> None:
    desk.publish(SESSIONS)
    token = desk.token(JAMES)
    desk.write_crl(ISSUING, number=2)
    desk.publish(SESSIONS)
    assert reason(desk.judge(desk.connect(), token)) is REVOKED


def test_a_token_does_not_outlive_the_lists(desk: Desk) -> None:
    desk.write_crl(next_update=timedelta(minutes=30))
    desk.publish(SESSIONS)
    token = desk.token(JAMES)
    connection = desk.connect()
    judgement = desk.judge(connection, token)
    assert reason(judgement) is None
    assert abs(judgement.good_until - (desk.began + HOUR / 2)) < 60
    desk.loop.now += 0.6 * HOUR
    assert reason(desk.judge(connection, token)) is UNKNOWN


def test_a_token_is_good_until_it_expires(desk: Desk) -> None:
    desk.publish(SESSIONS)
    token = desk.token(JAMES)
    connection = desk.connect()
    assert desk.judge(connection, token).good_until == int(desk.began) + HOUR
    desk.loop.now += HOUR + 1
    assert reason(desk.judge(connection, token)) is REQUIRED


def test_a_token_with_a_revoked_certificate_beside_it_is_refused(desk: Desk) -> None:
    desk.publish(SESSIONS)
    token = desk.token(JAMES)
    connection = desk.connect(JAMES)
    desk.write_crl(JAMES, number=2)
    desk.publish(SESSIONS)
    assert reason(desk.judge(connection, token)) is REVOKED


def test_the_token_of_another_certificate_does_not_help_a_revoked_one(desk: Desk) -> None:
    desk.publish(SESSIONS)
    token = desk.token(ISSUING.issue("Somebody else"))
    desk.write_crl(JAMES, number=2)
    desk.publish(SESSIONS)
    assert reason(desk.judge(desk.connect(JAMES), token)) is REVOKED


def test_a_token_that_does_not_name_its_chain_is_refused_where_lists_are_asked_for(desk: Desk) -> None:
    desk.publish(SESSIONS)
    token = desk.token(JAMES)
    assert len(json.loads(decode_segment(token.split(".")[1].encode()))["certificate_path"]) == 3
    for claims in ({"certificate_path": None}, {"certificate_path": ()}):
        judgement = desk.judge(desk.connect(), with_claims(token, **claims))
        assert reason(judgement) is UNKNOWN
        assert judgement.verdict.detail == (
            "unable to get certificate CRL: the certificate's issuer is not known"
        )


def test_a_token_that_names_an_unknown_ca_is_refused_where_lists_are_asked_for(desk: Desk) -> None:
    # As after an entry got another CA: the bundle, and with it the token, would be another one, too.
    desk.publish(SESSIONS)
    token = desk.token(JAMES)
    path = json.loads(decode_segment(token.split(".")[1].encode()))["certificate_path"]
    strange = with_claims(token, certificate_path=[f"{'ab' * 32}:05", *path[1:]])
    assert reason(desk.judge(desk.connect(), strange)) is UNKNOWN


def test_a_token_that_does_not_name_its_chain_passes_where_no_lists_are_asked_for(desk: Desk) -> None:
    desk.publish(configuration(applications=SESSION, crl=False))
    token = with_claims(desk.token(JAMES), certificate_path=None)
    assert reason(desk.judge(desk.connect(), token)) is None


def test_a_token_given_before_there_were_lists_is_judged_by_those_that_came(desk: Desk) -> None:
    desk.publish(configuration(applications=SESSION, crl=False))
    token = desk.token(JAMES)
    desk.publish(SESSIONS)
    assert reason(desk.judge(desk.connect(), token)) is None
    desk.write_crl(JAMES, number=2)
    desk.publish(SESSIONS)
    assert reason(desk.judge(desk.connect(), token)) is REVOKED


def test_a_token_that_was_given_without_a_certificate_is_not_asked_for_lists(desk: Desk) -> None:
    text = configuration(applications=SESSION.replace('"certificate"', '"everyone"'))
    desk.publish(text)
    token = desk.token(None)
    desk.write_crl(JAMES, number=2)
    desk.publish(text)
    judgement = desk.judge(desk.connect(), token)
    assert reason(judgement) is None


def test_the_lists_of_another_entry_do_not_touch_a_token(desk: Desk) -> None:
    desk.world.write("b.pem", CLIENTS.bundle)
    other = ca("b.test", title="B", certificate="ca.pem") + 'crl = ["a.crl"]\n'
    here = configuration(host(), host("b.test"), applications=SESSION, crl=False)
    text = here + other + application("b.test")
    desk.publish(text)
    token = desk.token(JAMES)
    desk.write_crl(JAMES, number=2)
    desk.publish(text)
    assert reason(desk.judge(desk.connect(), token)) is None
    assert reason(desk.judge(desk.connect(JAMES))) is None
    there = desk.connect(JAMES, "b.test")
    assert desk.look(there).auth.failure is REVOKED
