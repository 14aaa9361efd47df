"""A list past its nextUpdate: it still counts against a client, and for one only if that is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.certificates import Authority
from tests.e2e.clients import raw_tls
from tests.e2e.crl_edge import OK, REVOKED, UNKNOWN, GuardedHost, ask, crl_edge, soon
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.refusals import assert_refused
from tests.e2e.verdicts import event_of, until_every_worker_answered, verdict

LAPSED = timedelta(seconds=-1)
LAPSE_SECONDS = 4
ALLOW = ('crl_stale = "allow"',)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, GuardedHost]:
    directory = tmp_path_factory.mktemp("lists")
    made = [
        GuardedHost("deny.test", directory),
        GuardedHost("allow.test", directory, ca_lines=ALLOW),
        GuardedHost("root.test", directory),
        GuardedHost("from-the-start.test", directory, first={"next_update": LAPSED}),
        GuardedHost("allowed-from-the-start.test", directory, ca_lines=ALLOW, first={"next_update": LAPSED}),
    ]
    return {host.name: host for host in made}


@pytest.fixture(scope="module")
def edge(
    tmp_path_factory: pytest.TempPathFactory,
    server_root: Authority,
    session_origin: Origin,
    hosts: dict[str, GuardedHost],
) -> Iterator[Edge]:
    directory = tmp_path_factory.mktemp("stale")
    with crl_edge(directory, server_root, session_origin.url, *hosts.values()) as running:
        yield running


def test_a_list_that_lapses_under_open_connections_and_is_renewed(
    edge: Edge, hosts: dict[str, GuardedHost]
) -> None:
    deny, allow = hosts["deny.test"], hosts["allow.test"]
    revoked = {host.name: host.issue("revoked") for host in (deny, allow)}
    with (
        raw_tls(edge, deny.name, deny.issue()) as denied,
        raw_tls(edge, allow.name, allow.issue()) as allowed,
        raw_tls(edge, deny.name, revoked[deny.name]) as bad,
        raw_tls(edge, allow.name, revoked[allow.name]) as bad_too,
    ):
        for host in (deny, allow):
            host.ca.revoked.append(revoked[host.name])
            host.ca.publish(next_update=timedelta(seconds=LAPSE_SECONDS))
        soon(lambda: bad.ask(host=deny.name), REVOKED)
        soon(lambda: bad_too.ask(host=allow.name), REVOKED)
        assert verdict(denied.ask(host=deny.name)) == OK

        answer = soon(lambda: denied.ask(host=deny.name), UNKNOWN, within=2 * LAPSE_SECONDS)
        for host in (deny, allow):
            stale = edge.wait_for_event("crl_stale", ca=host.name)
            assert (stale["level"], stale["number"]) == ("warning", host.ca.number)
        assert verdict(allowed.ask(host=allow.name)) == OK
        assert verdict(bad.ask(host=deny.name)) == REVOKED, "that much is still known"
        assert verdict(bad_too.ask(host=allow.name)) == REVOKED
        for again in until_every_worker_answered(lambda: ask(edge, deny, deny.issue())):
            assert verdict(again) == UNKNOWN
        problem = assert_refused(answer, "revocation_unknown")
        assert "has not been renewed since" in problem["detail"]
        assert event_of(edge, answer)["verify"] == "FAILED:CRL has expired"

        deny.ca.publish()
        soon(lambda: denied.ask(host=deny.name), OK)
        assert verdict(bad.ask(host=deny.name)) == REVOKED


def test_the_stale_list_of_the_root_leaves_everything_below_it_unknown(
    edge: Edge, hosts: dict[str, GuardedHost]
) -> None:
    host = hosts["root.test"]
    credential = host.issue()
    assert verdict(ask(edge, host, credential)) == OK
    host.root.publish(next_update=LAPSED)
    soon(lambda: ask(edge, host, credential), UNKNOWN)
    host.root.publish()
    soon(lambda: ask(edge, host, credential), OK)


def test_a_list_that_was_stale_at_the_start_is_told_of_and_gives_way(
    edge: Edge, hosts: dict[str, GuardedHost]
) -> None:
    host = hosts["from-the-start.test"]
    credential = host.issue()
    assert verdict(ask(edge, host, credential)) == UNKNOWN
    edge.wait_for_event("crl_stale", ca=host.name)
    host.ca.publish()
    soon(lambda: ask(edge, host, credential), OK)


def test_a_list_that_was_stale_at_the_start_serves_where_that_is_allowed(
    edge: Edge, hosts: dict[str, GuardedHost]
) -> None:
    host = hosts["allowed-from-the-start.test"]
    credential = host.issue()
    assert verdict(ask(edge, host, credential)) == OK
    edge.wait_for_event("crl_stale", ca=host.name)
    host.ca.revoked.append(credential)
    host.ca.publish(next_update=LAPSED)
    soon(lambda: ask(edge, host, credential), REVOKED)
