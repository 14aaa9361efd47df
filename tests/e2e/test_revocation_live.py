"""A revoked certificate is out at the next request: on every worker, on whatever connection it had."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from OpenSSL import SSL

from tests.certificates import Authority, Credential
from tests.crls import Revoked, crl_of, write_crl
from tests.e2e.clients import TlsClient, curl, raw_tls
from tests.e2e.crl_edge import OK, REVOKED, UNKNOWN, GuardedHost, ask, crl_edge, soon
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.refusals import assert_refused
from tests.e2e.sessions import resume, session_of
from tests.e2e.verdicts import event_of, until_every_worker_answered, verdict, worker

WORKERS = 3

VERSIONS = pytest.mark.parametrize(
    "version",
    [pytest.param(SSL.TLS1_2_VERSION, id="tls1.2"), pytest.param(SSL.TLS1_3_VERSION, id="tls1.3")],
)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, GuardedHost]:
    directory = tmp_path_factory.mktemp("lists")
    passing = ('client_certificate = "require"', 'unmatched = "pass"')
    made = [
        GuardedHost("live.test", directory),
        GuardedHost("upper.test", directory),
        GuardedHost("require.test", directory, host_lines=passing, application="/guarded"),
        GuardedHost("twin.test", directory),
    ]
    return {host.name: host for host in made}


@pytest.fixture(scope="module")
def edge(
    tmp_path_factory: pytest.TempPathFactory,
    server_root: Authority,
    session_origin: Origin,
    hosts: dict[str, GuardedHost],
) -> Iterator[Edge]:
    directory = tmp_path_factory.mktemp("live")
    with crl_edge(directory, server_root, session_origin.url, *hosts.values(), workers=WORKERS) as running:
        yield running


@pytest.fixture
def live(hosts: dict[str, GuardedHost]) -> GuardedHost:
    return hosts["live.test"]


@contextlib.contextmanager
def connections_to_every_worker(
    edge: Edge, host: GuardedHost, credential: Credential
) -> Iterator[list[TlsClient]]:
    """Open connections until each worker has answered on one of them."""
    with contextlib.ExitStack() as stack:
        clients: list[TlsClient] = []
        served = set[str]()
        while len(served) < WORKERS:
            assert len(clients) < 100
            client = stack.enter_context(raw_tls(edge, host.name, credential))
            answer = client.ask(host=host.name)
            assert verdict(answer) == OK
            clients.append(client)
            served.add(worker(answer))
        yield clients


# --- open connections --------------------------------------------------------------------------


def test_a_revoked_certificate_is_refused_on_the_connection_it_has(
    edge: Edge, origin: Origin, live: GuardedHost
) -> None:
    revoked, other = live.issue("revoked"), live.issue("other")
    with raw_tls(edge, live.name, revoked) as client, raw_tls(edge, live.name, other) as unaffected:
        assert verdict(client.ask(host=live.name)) == verdict(unaffected.ask(host=live.name)) == OK
        live.ca.revoke(revoked)
        answer = soon(lambda: client.ask(host=live.name), REVOKED)
        live.wait_in_force(edge, live.ca)
        served = len(origin.received())
        problem = assert_refused(client.ask(host=live.name), "client_certificate_revoked")
        assert len(origin.received()) == served
        assert f"{revoked.certificate.serial_number:X}" in problem["detail"].replace(":", "")
        assert verdict(unaffected.ask(host=live.name)) == OK
    event = event_of(edge, answer)
    assert (event["verify"], event["mtls_authenticated"]) == ("FAILED:certificate revoked", False)
    assert (event["reason"], event["resumed"]) == ("client_certificate_revoked", False)
    assert event["certificate_sha256"] == revoked.fingerprint


def test_every_worker_refuses_it_on_all_its_connections(edge: Edge, live: GuardedHost) -> None:
    revoked, other = live.issue("revoked"), live.issue("other")
    with (
        connections_to_every_worker(edge, live, revoked) as clients,
        connections_to_every_worker(edge, live, other) as unaffected,
    ):
        live.ca.revoke(revoked)
        for client in clients:
            soon(lambda client=client: client.ask(host=live.name), REVOKED)  # type: ignore[misc]
        for client in unaffected:
            assert verdict(client.ask(host=live.name)) == OK
    answers = until_every_worker_answered(lambda: ask(edge, live, revoked), workers=WORKERS)
    assert {verdict(answer) for answer in answers} == {REVOKED}


def test_a_request_sent_while_the_list_changes_is_answered_in_full(
    edge: Edge, origin: Origin, live: GuardedHost
) -> None:
    """Judged once, at its head: what was allowed then is not torn off in the middle."""
    credential = live.issue("slow")
    with raw_tls(edge, live.name, credential) as client:
        client.send(f"GET /sleep?seconds=2 HTTP/1.1\r\nHost: {live.name}\r\n\r\n".encode())
        origin.wait_for("/sleep")
        live.ca.revoke(credential)
        live.wait_in_force(edge, live.ca)
        assert client.read_answer().body == b"slept"
        assert verdict(client.ask(host=live.name)) == REVOKED


def test_pipelined_requests_are_judged_one_by_one(edge: Edge, origin: Origin, live: GuardedHost) -> None:
    credential = live.issue("pipeline")
    first = f"GET /sleep?seconds=2 HTTP/1.1\r\nHost: {live.name}\r\n\r\n".encode()
    with raw_tls(edge, live.name, credential) as client:
        client.send(first + first.replace(b"/sleep?seconds=2", b"/behind"))
        origin.wait_for("/sleep")
        live.ca.revoke(credential)
        live.wait_in_force(edge, live.ca)
        assert verdict(client.read_answer()) == OK
        assert verdict(client.read_answer()) == REVOKED
    assert origin.received("/behind") == []


def test_curl_is_refused_on_its_connection_and_on_a_new_one(
    edge: Edge, live: GuardedHost, tmp_path: Path
) -> None:
    credential = live.issue("curl")
    files = credential.write(tmp_path, "curl")
    steps = ("--rate", "180/m", "--output", "/dev/null")
    found = []

    def go() -> None:
        found.append(curl(edge, "/[1-12]", *steps, cert=files, host=live.name))

    thread = threading.Thread(target=go)
    thread.start()
    edge.wait_for_event("request", host=live.name, path="/1")
    live.ca.revoke(credential)
    thread.join()
    statuses = re.findall(r"^< HTTP/1\.1 (\d+)", found[0].verbose, re.MULTILINE)
    assert len(statuses) == 12
    assert (statuses[0], statuses[-1]) == ("200", "403")
    assert statuses == sorted(statuses), "once refused, always refused"
    assert found[0].verbose.count("Connected to ") == 1
    assert_refused(curl(edge, "/", cert=files, host=live.name), "client_certificate_revoked")


def test_what_is_taken_off_the_list_is_good_again(edge: Edge, live: GuardedHost) -> None:
    """A hold may be lifted: the newest list says everything there is to say."""
    credential = live.issue("on hold")
    live.ca.revoke(credential)
    with raw_tls(edge, live.name, credential) as client:
        soon(lambda: client.ask(host=live.name), REVOKED)
        live.ca.revoked.remove(credential)
        live.ca.publish()
        soon(lambda: client.ask(host=live.name), OK)


# --- sessions ----------------------------------------------------------------------------------


@VERSIONS
def test_a_resumed_session_of_a_revoked_certificate_is_refused_by_every_worker(
    edge: Edge, live: GuardedHost, version: int
) -> None:
    revoked, other = live.issue("revoked"), live.issue("other")
    sessions = [session_of(edge, live.name, each, version) for each in (revoked, other)]
    assert [verdict(answer) for _, answer in sessions] == [OK, OK]
    live.ca.revoke(revoked)
    live.wait_in_force(edge, live.ca)
    soon(lambda: resume(edge, live.name, sessions[0][0]).answer, REVOKED)
    for (session, _), wanted in zip(sessions, (REVOKED, OK), strict=True):
        attempts = [resume(edge, live.name, session) for _ in range(10)]
        assert all(attempt.resumed for attempt in attempts)
        assert {verdict(attempt.answer) for attempt in attempts} == {wanted}


# --- hosts that require a certificate ----------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("sessions", ["open connection", "resumed", "new connection"])
def test_a_host_that_requires_a_certificate_serves_no_revoked_one(
    edge: Edge, origin: Origin, hosts: dict[str, GuardedHost], version: int, sessions: str
) -> None:
    host = hosts["require.test"]
    revoked = host.issue("revoked")
    session, first = session_of(edge, host.name, revoked, version)
    assert verdict(first) == OK
    with raw_tls(edge, host.name, revoked, version=version) as client:
        host.ca.revoke(revoked)
        soon(lambda: client.ask(host=host.name), REVOKED)
        host.wait_in_force(edge, host.ca)
        match sessions:
            case "open connection":
                answer = client.ask(host=host.name)
            case "resumed":
                found = resume(edge, host.name, session)
                assert found.resumed
                answer = found.answer
            case _:
                answer = ask(edge, host, revoked)
    assert_refused(answer, "client_certificate_revoked")


# --- CAs ---------------------------------------------------------------------------------------


def test_a_revoked_intermediate_takes_everything_below_it_with_it(
    edge: Edge, hosts: dict[str, GuardedHost]
) -> None:
    host = hosts["upper.test"]
    sibling = host.root.authority.issue("of the root itself")
    leaves = [host.issue(f"leaf {number}") for number in range(3)]
    below = host.ca.authority.intermediate("below").issue("far below")
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(raw_tls(edge, host.name, leaf, with_chain=True))
            for leaf in (*leaves, sibling)
        ]
        assert {verdict(client.ask(host=host.name)) for client in clients} == {OK}
        host.root.revoke(host.ca.authority)
        answer = soon(lambda: clients[0].ask(host=host.name), REVOKED)
        host.wait_in_force(edge, host.root)
        for client in clients[:-1]:
            soon(lambda client=client: client.ask(host=host.name), REVOKED)  # type: ignore[misc]
        assert verdict(clients[-1].ask(host=host.name)) == OK, "not below the revoked one"
    assert verdict(ask(edge, host, below)) == REVOKED
    problem = assert_refused(answer, "client_certificate_revoked")
    assert f"{host.ca.authority.certificate.serial_number:X}" in problem["detail"].replace(":", "")


def test_an_intermediate_that_only_the_client_has_has_no_list(
    edge: Edge, origin: Origin, live: GuardedHost
) -> None:
    """As OpenSSL with ``-crl_check_all``: whether it revoked the leaf, nobody can tell."""
    credential = live.ca.authority.intermediate("Own").issue("client")
    assert_refused(ask(edge, live, credential), "revocation_unknown")
    assert origin.received() == []


@VERSIONS
def test_an_intermediate_that_only_the_client_has_can_be_revoked(
    edge: Edge, live: GuardedHost, version: int
) -> None:
    own = live.ca.authority.intermediate("Own")
    session, first = session_of(edge, live.name, own.issue("client"), version)
    assert verdict(first) == UNKNOWN
    live.ca.revoke(own)
    soon(lambda: ask(edge, live, own.issue("another")), REVOKED)
    found = resume(edge, live.name, session)
    assert found.resumed
    assert verdict(found.answer) in (REVOKED, UNKNOWN)


def test_the_same_serial_of_another_ca_is_another_certificate(
    edge: Edge, live: GuardedHost, hosts: dict[str, GuardedHost]
) -> None:
    twin = hosts["twin.test"]
    revoked = live.issue("revoked")
    namesake = twin.ca.authority.issue("revoked", serial=revoked.certificate.serial_number)
    under_the_root = live.root.authority.issue("revoked", serial=revoked.certificate.serial_number)
    live.ca.revoke(revoked)
    soon(lambda: ask(edge, live, revoked), REVOKED)
    assert verdict(ask(edge, twin, namesake)) == OK
    assert verdict(ask(edge, live, under_the_root)) == OK


def test_a_reason_and_a_date_are_told(edge: Edge, hosts: dict[str, GuardedHost]) -> None:
    twin = hosts["twin.test"]
    credential = twin.issue("told")
    said = Revoked(credential.certificate.serial_number, reason=x509.ReasonFlags.key_compromise)
    twin.ca.number += 1
    write_crl(twin.ca.path, crl_of(twin.ca.authority, [said], number=twin.ca.number))
    problem = assert_refused(soon(lambda: ask(edge, twin, credential), REVOKED), "client_certificate_revoked")
    assert "(keyCompromise)" in problem["detail"]
