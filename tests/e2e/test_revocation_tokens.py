"""A token falls with its certificate: what stands in for one is no better than that one is now."""

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
from tests.e2e.test_websocket import read_head, upgrade
from tests.e2e.tls_client import Answer
from tests.e2e.token_edge import ask_with, obtain
from tests.e2e.verdicts import event_of, verdict

REQUIRED = (403, "client_certificate_required")
PING, PONG = b"\x89\x80\0\0\0\0", b"\x8a\x00"
SESSION = ("recheck_certificate = false",)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, GuardedHost]:
    directory = tmp_path_factory.mktemp("lists")
    made = [
        GuardedHost("session.test", directory, application_lines=SESSION),
        GuardedHost("upper.test", directory, application_lines=SESSION),
        GuardedHost("lapsing.test", directory, application_lines=SESSION),
        GuardedHost("recheck.test", directory),
    ]
    return {host.name: host for host in made}


@pytest.fixture(scope="module")
def edge(
    tmp_path_factory: pytest.TempPathFactory,
    server_root: Authority,
    session_origin: Origin,
    hosts: dict[str, GuardedHost],
) -> Iterator[Edge]:
    directory = tmp_path_factory.mktemp("tokens")
    with crl_edge(directory, server_root, session_origin.url, *hosts.values()) as running:
        yield running


@pytest.fixture
def session(hosts: dict[str, GuardedHost]) -> GuardedHost:
    return hosts["session.test"]


def ask_by(edge: Edge, host: GuardedHost, token: str) -> Answer:
    """Ask with the token and without a certificate."""
    return ask_with(edge, token, "/", host=host.name)


def test_the_token_of_a_certificate_that_was_revoked_is_refused_and_no_other(
    edge: Edge, origin: Origin, session: GuardedHost
) -> None:
    revoked, other = session.issue("revoked"), session.issue("other")
    token, others = (obtain(edge, each, "/", host=session.name) for each in (revoked, other))
    assert verdict(ask_by(edge, session, token)) == verdict(ask_by(edge, session, others)) == OK
    session.ca.revoke(revoked)
    answer = soon(lambda: ask_by(edge, session, token), REVOKED)
    session.wait_in_force(edge, session.ca)
    served = len(origin.received())
    problem = assert_refused(ask_by(edge, session, token), "client_certificate_revoked")
    assert len(origin.received()) == served
    assert f"{revoked.certificate.serial_number:X}" in problem["detail"].replace(":", "")
    assert event_of(edge, answer)["reason"] == "client_certificate_revoked"
    assert verdict(ask_by(edge, session, others)) == OK


def test_the_revoked_certificate_is_no_better_with_its_token_or_another_one(
    edge: Edge, session: GuardedHost
) -> None:
    revoked, other = session.issue("revoked"), session.issue("other")
    tokens = [obtain(edge, each, "/", host=session.name) for each in (revoked, other)]
    session.ca.revoke(revoked)
    soon(lambda: ask(edge, session, revoked), REVOKED)
    for token in tokens:
        assert verdict(ask_with(edge, token, "/", host=session.name, credential=revoked)) == REVOKED


def test_every_request_on_an_open_connection_without_a_certificate_is_judged(
    edge: Edge, session: GuardedHost
) -> None:
    revoked = session.issue("revoked")
    token = obtain(edge, revoked, "/", host=session.name)
    request = f"GET / HTTP/1.1\r\nHost: {session.name}\r\nCookie: CF_Authorization={token}\r\n\r\n".encode()
    with raw_tls(edge, session.name) as client:

        def again() -> Answer:
            client.send(request)
            return client.read_answer()

        assert verdict(again()) == OK
        session.ca.revoke(revoked)
        soon(again, REVOKED)


def test_a_token_falls_with_the_intermediate_above_its_certificate(
    edge: Edge, hosts: dict[str, GuardedHost]
) -> None:
    host = hosts["upper.test"]
    token = obtain(edge, host.issue(), "/", host=host.name)
    unaffected = obtain(edge, host.root.authority.issue(), "/", host=host.name)
    assert verdict(ask_by(edge, host, token)) == OK
    host.root.revoke(host.ca.authority)
    soon(lambda: ask_by(edge, host, token), REVOKED)
    assert verdict(ask_by(edge, host, unaffected)) == OK


def test_a_token_is_as_unknown_as_its_certificate_while_the_list_is_stale(
    edge: Edge, hosts: dict[str, GuardedHost]
) -> None:
    host = hosts["lapsing.test"]
    token = obtain(edge, host.issue(), "/", host=host.name)
    host.ca.publish(next_update=timedelta(seconds=-1))
    soon(lambda: ask_by(edge, host, token), UNKNOWN)
    host.ca.publish()
    soon(lambda: ask_by(edge, host, token), OK)


def test_where_the_certificate_is_asked_for_every_time_a_token_is_no_way_around(
    edge: Edge, hosts: dict[str, GuardedHost]
) -> None:
    host = hosts["recheck.test"]
    revoked = host.issue("revoked")
    token = obtain(edge, revoked, "/", host=host.name)
    host.ca.revoke(revoked)
    soon(lambda: ask(edge, host, revoked), REVOKED)
    assert verdict(ask_with(edge, token, "/", host=host.name, credential=revoked)) == REVOKED
    assert verdict(ask_by(edge, host, token)) == REQUIRED


def test_a_websocket_opened_with_a_token_is_closed_when_its_certificate_is_revoked(
    edge: Edge, origin: Origin, session: GuardedHost
) -> None:
    revoked, other = session.issue("revoked"), session.issue("other")
    with raw_tls(edge, session.name) as client, raw_tls(edge, session.name) as unaffected:
        for each, credential in ((client, revoked), (unaffected, other)):
            token = obtain(edge, credential, "/", host=session.name)
            each.send(upgrade(host=session.name, changed={"Cookie": f"CF_Authorization={token}"}))
            assert read_head(each).startswith(b"HTTP/1.1 101 ")
            each.send(PING)
            assert each.read() == PONG
        session.ca.revoke(revoked)
        assert client.read_until_close() == b""
        edge.wait_for_event("request", path="/websocket", aborted="access_withdrawn", session=True)
        unaffected.send(PING)
        assert unaffected.read() == PONG
