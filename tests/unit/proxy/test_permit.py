"""A tunnel stays open for as long as the request that opened it would be let through again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from edge.model.refusal import Reason
from edge.proxy.connection import ClientConnection
from edge.proxy.permit import LASTING_SECONDS, Permit, Withdrawn
from edge.reactor.strand import NEVER
from tests.certificates import Credential
from tests.unit.proxy.clients import ISSUING, SESSION, Desk, configuration, request
from tests.unit.snapshot.world import SERVERS, application, ca, host

SESSIONS = configuration(applications=SESSION)
JAMES = ISSUING.issue("James Royal", not_after=timedelta(hours=5))
HOUR = 3600.0


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def permit_of(
    desk: Desk, credential: Credential | None = JAMES, token: str | None = None
) -> tuple[Permit, ClientConnection]:
    connection = desk.connect(credential)
    return Permit(connection, request(token)), connection


def withdrawn(permit: Permit) -> bool:
    """Tell whether it is withdrawn, and stays so."""
    told = []
    for _ in range(2):
        try:
            permit.until()
        except Withdrawn as error:
            told.append(str(error))
    assert told in ([], ["access_withdrawn"] * 2)
    return bool(told)


# --- withdrawn ---------------------------------------------------------------------------------


def test_a_revoked_certificate_loses_its_tunnel(desk: Desk) -> None:
    desk.publish(configuration())
    permit, _ = permit_of(desk)
    assert not withdrawn(permit)
    desk.write_crl(JAMES, number=2)
    desk.publish(configuration())
    assert withdrawn(permit)


def test_a_certificate_that_was_revoked_between_request_and_answer_gets_no_tunnel(desk: Desk) -> None:
    desk.publish(configuration())
    connection = desk.connect(JAMES)
    assert desk.judge(connection).verdict.allowed
    desk.write_crl(JAMES, number=2)
    desk.publish(configuration())
    assert withdrawn(Permit(connection, request()))


@pytest.mark.parametrize(
    "text",
    [
        configuration(applications=application("a.test", '{ common_name = "Somebody else" }')),
        configuration(applications=application("a.test", '"certificate"', decision="deny")),
        configuration(host("b.test"), applications=application("b.test")).replace('["a.test"]', '["b.test"]'),
    ],
)
def test_another_policy_or_another_host_takes_the_tunnel_away(desk: Desk, text: str) -> None:
    desk.publish(configuration())
    permit, _ = permit_of(desk)
    assert not withdrawn(permit)
    desk.publish(text)
    assert withdrawn(permit)


def test_a_removed_ca_takes_the_tunnel_away(desk: Desk) -> None:
    desk.publish(configuration(crl=False))
    permit, _ = permit_of(desk)
    assert not withdrawn(permit)
    desk.world.write("ca.pem", SERVERS.bundle)
    desk.publish(configuration(crl=False))
    assert withdrawn(permit)


def test_a_stale_list_takes_the_tunnel_away_with_the_next_generation(desk: Desk) -> None:
    desk.write_crl(next_update=timedelta(hours=1))
    desk.publish(configuration())
    permit, _ = permit_of(desk)
    assert not withdrawn(permit)
    desk.loop.now += 2 * HOUR
    desk.publish(configuration())
    assert withdrawn(permit)


def test_a_name_that_became_another_host_takes_the_tunnel_away(desk: Desk) -> None:
    with_alias = host("a.test", 'aliases = ["b.test"]')
    desk.publish(configuration(with_alias))
    connection = desk.connect(JAMES)
    permit = Permit(connection, request(host=b"b.test"))
    assert not withdrawn(permit)
    desk.publish(configuration(host(), host("b.test", 'unmatched = "pass"')))
    assert withdrawn(permit)


def test_a_token_loses_its_tunnel_with_its_certificate(desk: Desk) -> None:
    desk.publish(SESSIONS)
    permit, _ = permit_of(desk, None, desk.token(JAMES))
    assert not withdrawn(permit)
    desk.write_crl(JAMES, number=2)
    desk.publish(SESSIONS)
    assert withdrawn(permit)


def test_a_token_that_has_expired_loses_its_tunnel(desk: Desk) -> None:
    desk.publish(SESSIONS)
    permit, _ = permit_of(desk, None, desk.token(JAMES))
    assert not withdrawn(permit)
    desk.loop.now += HOUR + 1
    desk.publish(SESSIONS)
    assert withdrawn(permit)


# --- kept, and until when ----------------------------------------------------------------------


def test_a_generation_that_changes_nothing_for_it_leaves_the_tunnel_open(desk: Desk) -> None:
    desk.publish(configuration())
    permit, _ = permit_of(desk)
    until = permit.until()
    desk.write_crl(ISSUING.issue("Somebody else"), number=2)
    desk.publish(configuration() + host("b.test"))
    assert permit.until() == until


def test_it_is_asked_once_for_each_generation(desk: Desk) -> None:
    desk.publish(configuration())
    permit, connection = permit_of(desk)
    until = permit.until()
    desk.loop.now += 100
    assert permit.until() == until
    desk.services.holder.swap(desk.services.holder.current.with_revocation({}))
    assert permit.until() == until
    assert connection._view is not None
    assert connection._view.snapshot is desk.services.holder.current


def test_a_tunnel_ends_with_its_certificate(desk: Desk) -> None:
    desk.publish(configuration())
    permit, _ = permit_of(desk)
    left = JAMES.certificate.not_valid_after_utc.timestamp() - desk.began
    assert permit.until() == desk.loop.now + left


def test_a_tunnel_ends_when_a_list_is_stale_unless_a_newer_one_comes(desk: Desk) -> None:
    desk.write_crl(next_update=timedelta(hours=1))
    desk.publish(configuration())
    permit, _ = permit_of(desk)
    assert abs(permit.until() - (desk.loop.now + HOUR)) < 60
    desk.loop.now += HOUR / 2
    desk.write_crl(number=2, next_update=timedelta(hours=3))
    desk.publish(configuration())
    assert abs(permit.until() - (desk.loop.now + 2.5 * HOUR)) < 60


def test_a_tunnel_of_a_token_ends_with_the_token(desk: Desk) -> None:
    desk.publish(SESSIONS)
    permit, _ = permit_of(desk, None, desk.token(JAMES))
    assert abs(permit.until() - (desk.loop.now + HOUR)) < 2


def test_a_tunnel_of_a_token_ends_when_a_list_is_stale(desk: Desk) -> None:
    desk.write_crl(next_update=timedelta(minutes=30))
    desk.publish(SESSIONS)
    permit, _ = permit_of(desk, None, desk.token(JAMES))
    assert abs(permit.until() - (desk.loop.now + HOUR / 2)) < 60


def test_a_tunnel_that_nothing_limits_has_no_end(desk: Desk) -> None:
    desk.publish(configuration(applications=application("a.test", '"everyone"')))
    permit, _ = permit_of(desk, None)
    assert permit.until() == NEVER


def test_an_old_client_that_names_no_host_keeps_its_tunnel(desk: Desk) -> None:
    desk.publish(configuration())
    permit = Permit(desk.connect(JAMES), request())
    assert not withdrawn(permit)
    more = ca("b.test", title="B", certificate="ca.pem")
    desk.publish(configuration(host(), host("b.test", 'unmatched = "deny"')) + more)
    assert not withdrawn(permit)


# --- requests that last ------------------------------------------------------------------------


def test_a_request_is_left_in_peace_for_ten_seconds_and_a_tunnel_is_not(desk: Desk) -> None:
    desk.publish(configuration())
    permit, connection = permit_of(desk)
    permit.check()
    desk.write_crl(JAMES, number=2)
    desk.publish(configuration())
    permit.check()
    assert withdrawn(permit)
    connection.services.reactor.now = lambda: permit._began + LASTING_SECONDS
    with pytest.raises(Withdrawn) as caught:
        permit.check()
    assert caught.value.refusal.reason is Reason.CLIENT_CERTIFICATE_REVOKED
