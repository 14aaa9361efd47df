"""Another configuration is taken up while the edge serves: by all workers or none, and nobody is cut off."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from OpenSSL import SSL

from tests.certificates import Authority, Credential
from tests.e2e.clients import TlsClient, raw_tls
from tests.e2e.configuration import application_table, ca_table, file_stem, host_table, server_table
from tests.e2e.crl_edge import REVOKED, Publisher, soon
from tests.e2e.edge_process import Edge, Event
from tests.e2e.origin import Origin
from tests.e2e.sessions import resume, session_of
from tests.e2e.tls_client import Answer, TlsRefused
from tests.e2e.verdicts import until_every_worker_answered, verdict, worker

OK = (200, "")
REQUIRED = (403, "client_certificate_required")
INVALID = (403, "client_certificate_invalid")
DENIED = (403, "policy_denied")

VERSIONS = pytest.mark.parametrize(
    "version",
    [pytest.param(SSL.TLS1_2_VERSION, id="tls1.2"), pytest.param(SSL.TLS1_3_VERSION, id="tls1.3")],
)


class Site:
    """An edge with two workers and the hosts one.test and two.test, and its files for the test to change."""

    def __init__(self, directory: Path, server_root: Authority, origin_url: str) -> None:
        self.directory, self.server_root, self._origin_url = directory, server_root, origin_url
        self.ca, self.other_ca = Authority("Access Testing CA"), Authority("Other CA")
        self.ca.write(directory / "ca.pem")
        self.other_ca.write(directory / "other-ca.pem")
        self.client, self.other_client = self.ca.issue("James Royal"), self.other_ca.issue("James Royal")
        for name in ("one.test", "two.test", "three.test"):
            self.certify(name)
        server_ca = server_root.write(directory / "server-ca.pem")
        self.edge = Edge(self.text(), directory, server_ca=server_ca)

    def certify(self, name: str) -> None:
        """Issue a new server certificate, with a new key."""
        self.server_root.issue_server(name).write(self.directory, file_stem(name))

    def text(
        self,
        *hosts: str,
        rule: str = '"certificate"',
        ca: str = "ca.pem",
        extra_ca: bool = False,
        lines: str = "",
        server: str = "",
    ) -> str:
        """A configuration; the rule and ``lines`` are of one.test."""
        hosts = hosts or ("one.test", "two.test")
        text = [server or server_table()]
        for name in hosts:
            text.append(
                host_table(self.directory, name, self._origin_url, lines if name == "one.test" else "")
            )
            text.append(application_table(name, rule if name == "one.test" else '"certificate"'))
        text.append(ca_table("Access Testing CA", self.directory / ca, *hosts))
        if extra_ca:
            text.append(ca_table("Other CA", self.directory / "other-ca.pem", "one.test"))
        return "".join(text)

    def write(self, text: str) -> None:
        """Put another configuration in the place of the one that is there, in one step."""
        fresh = self.edge.config_path.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.edge.config_path)

    def reload(self, text: str | None = None, outcome: str = "reload_done") -> Event:
        """Have it taken up by a signal, and return the event that tells the outcome."""
        before = len(self.edge.log_events(outcome))
        if text is not None:
            self.write(text)
        self.edge.signal(signal.SIGHUP)
        return self.edge.wait_for_event(outcome, count=before + 1)

    def ask(self, host: str = "one.test", credential: Credential | None = None) -> Answer:
        """Ask over a connection of its own."""
        with raw_tls(self.edge, host, credential) as client:
            return client.ask(host=host)

    def verdicts(self, host: str = "one.test", credential: Credential | None = None) -> set[tuple[int, str]]:
        """What all workers say."""
        return {verdict(answer) for answer in until_every_worker_answered(lambda: self.ask(host, credential))}


@pytest.fixture
def site(tmp_path: Path, server_root: Authority, origin: Origin) -> Iterator[Site]:
    site = Site(tmp_path, server_root, origin.url)
    with site.edge:
        yield site


@contextlib.contextmanager
def connections(site: Site, credential: Credential | None, count: int = 12) -> Iterator[list[TlsClient]]:
    """Open connections to one.test that both workers serve."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(raw_tls(site.edge, "one.test", credential)) for _ in range(count)]
        served = set[str]()
        while len(served) < 2:
            served = {worker(client.ask(host="one.test")) for client in clients}
            if len(served) < 2:
                clients.append(stack.enter_context(raw_tls(site.edge, "one.test", credential)))
        yield clients


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


# --- what is taken up --------------------------------------------------------------------------


def test_another_policy_judges_the_next_request_of_every_open_connection(site: Site) -> None:
    workers = site.edge.workers()
    with connections(site, site.client) as clients:
        event = site.reload(site.text(rule='{ common_name = "somebody else" }'))
        assert {verdict(client.ask(host="one.test")) for client in clients} == {DENIED}
        assert 'application "one.test" changed' in event["changed"]
        site.reload(site.text())
        assert {verdict(client.ask(host="one.test")) for client in clients} == {OK}
    assert site.edge.workers() == workers, "no worker was replaced for it"


def test_a_removed_ca_is_felt_on_open_connections_and_on_new_ones(site: Site) -> None:
    site.reload(site.text(extra_ca=True))
    with connections(site, site.client) as clients, connections(site, site.other_client) as others:
        event = site.reload(site.text())
        assert 'CA "Other CA" removed from one.test' in event["changed"]
        assert {verdict(client.ask(host="one.test")) for client in others} == {INVALID}
        assert {verdict(client.ask(host="one.test")) for client in clients} == {OK}
    assert site.verdicts(credential=site.other_client) == {INVALID}
    assert site.verdicts(credential=site.client) == {OK}


def test_an_added_ca_is_believed_on_open_connections(site: Site) -> None:
    with connections(site, site.other_client) as clients:
        assert {verdict(client.ask(host="one.test")) for client in clients} == {INVALID}
        site.reload(site.text(extra_ca=True))
        assert {verdict(client.ask(host="one.test")) for client in clients} == {OK}
    assert site.verdicts(credential=site.other_client) == {OK}


def test_a_new_host_is_served_by_every_worker_and_a_removed_one_by_none(site: Site) -> None:
    with pytest.raises(TlsRefused):
        site.ask("three.test")
    with raw_tls(site.edge, "two.test", site.client) as client:
        event = site.reload(site.text("one.test", "three.test"))
        assert "host three.test added" in event["changed"]
        assert "host two.test removed" in event["changed"]
        assert verdict(client.ask(host="two.test")) == (421, "misdirected_request")
    assert site.verdicts("three.test", site.client) == {OK}
    for _ in range(6):
        with pytest.raises(TlsRefused):
            site.ask("two.test")


def test_a_renewed_certificate_is_shown_to_every_new_connection_and_no_old_one_ends(site: Site) -> None:
    before = (site.directory / "one.test.pem").read_bytes()
    with connections(site, site.client) as clients:
        site.certify("one.test")
        assert (site.directory / "one.test.pem").read_bytes() != before
        event = site.reload()
        assert "host one.test changed (certificate)" in event["changed"]
        for _ in range(3):
            assert {verdict(client.ask(host="one.test")) for client in clients} == {OK}
    shown = set()
    for _ in range(10):
        with raw_tls(site.edge, "one.test", site.client) as client:
            assert client.server_certificate is not None
            shown.add(client.server_certificate.serial_number)
    assert len(shown) == 1
    wait_for(lambda: len(site.edge.workers()) == 2, "the former workers end with their connections")
    assert site.edge.log_events("worker_died") == []


def test_a_reload_in_the_middle_of_an_answer_does_not_end_it(site: Site, origin: Origin) -> None:
    with raw_tls(site.edge, "one.test", site.client) as client:
        client.send(b"GET /sleep?seconds=2 HTTP/1.1\r\nHost: one.test\r\n\r\n")
        origin.wait_for("/sleep")
        site.certify("one.test")
        site.reload()
        assert client.read_answer().body == b"slept"
        assert verdict(client.ask(host="one.test")) == OK


def test_a_handshake_that_begins_after_it_on_a_connection_from_before_proves_no_more(site: Site) -> None:
    """The former worker still has the context that believes the removed CA."""
    site.reload(site.text(extra_ca=True))
    with contextlib.ExitStack() as stack:
        early = [
            stack.enter_context(TlsClient(site.edge.port, "one.test", credential))
            for credential in (site.client, site.other_client) * 6
        ]
        time.sleep(0.5)  # both workers have accepted their share
        site.reload(site.text())
        for client in early:
            client.handshake()
        verdicts = [verdict(client.ask(host="one.test")) for client in early]
    assert verdicts == [OK, INVALID] * 6
    assert site.edge.log_events("defect") == []


def test_a_handshake_for_a_new_host_on_a_connection_from_before_fails_cleanly(site: Site) -> None:
    with contextlib.ExitStack() as stack:
        early = [stack.enter_context(TlsClient(site.edge.port, "three.test", site.client)) for _ in range(6)]
        time.sleep(0.5)
        site.reload(site.text("one.test", "two.test", "three.test"))
        for client in early:
            with pytest.raises(TlsRefused):
                client.handshake()
    assert site.edge.log_events("defect") == []
    assert site.verdicts("three.test", site.client) == {OK}


def test_a_host_that_begins_to_require_a_certificate_does_so_on_open_connections(site: Site) -> None:
    site.reload(site.text(rule='"everyone"'))
    with connections(site, None) as clients:
        site.reload(site.text(rule='"everyone"', lines='client_certificate = "require"'))
        assert {verdict(client.ask(host="one.test")) for client in clients} == {REQUIRED}


def test_a_reload_and_a_revocation_do_not_undo_each_other(site: Site) -> None:
    """Lists that the configuration begins to name are in force with it, and newer ones after it."""
    lists = Publisher(site.ca, site.directory / "ca.crl")
    named = site.text().replace("associated_hostnames", f'crl = ["{lists.path}"]\nassociated_hostnames')
    with connections(site, site.client) as clients:
        event = site.reload(named)
        assert 'CRLs of CA "Access Testing CA" changed' in event["changed"]
        assert {verdict(client.ask(host="one.test")) for client in clients} == {OK}
        lists.revoke(site.client)
        site.edge.wait_for_event("crl_in_force", number=lists.number)
        for client in clients:
            soon(lambda client=client: client.ask(host="one.test"), REVOKED)  # type: ignore[misc]
        site.certify("two.test")
        site.reload()
        assert {verdict(client.ask(host="one.test")) for client in clients} == {REVOKED}
        assert site.verdicts(credential=site.client) == {REVOKED}
        os.kill(site.edge.workers()[-1], signal.SIGKILL)
        site.edge.wait_for_event("worker_died")
        site.edge.wait_for_event("worker_started", count=5)
        assert site.verdicts(credential=site.client) == {REVOKED}
        site.reload(site.text())
        assert site.verdicts(credential=site.client) == {OK}


def test_limits_are_taken_up(site: Site) -> None:
    event = site.reload(
        site.text(server=server_table(limits="target_size = 100\nconnections_per_worker = 50"))
    )
    assert "limits changed: target_size, connections_per_worker" in event["changed"]
    with raw_tls(site.edge, "one.test", site.client) as client:
        assert client.ask("/" + "x" * 200, host="one.test").status == 414


# --- resumption --------------------------------------------------------------------------------


@VERSIONS
def test_sessions_of_an_unchanged_host_survive_and_those_of_a_changed_one_do_not(
    site: Site, version: int
) -> None:
    kept, _ = session_of(site.edge, "one.test", site.client, version)
    lost, _ = session_of(site.edge, "two.test", site.client, version)
    site.certify("two.test")
    site.reload()
    for _ in range(6):
        attempt = resume(site.edge, "one.test", kept)
        assert (attempt.resumed, verdict(attempt.answer)) == (True, OK)
        attempt = resume(site.edge, "two.test", lost)
        assert (attempt.resumed, verdict(attempt.answer)) == (False, OK)
    fresh, _ = session_of(site.edge, "two.test", site.client, version)
    served = set()
    for _ in range(30):
        attempt = resume(site.edge, "two.test", fresh)
        assert (attempt.resumed, verdict(attempt.answer)) == (True, OK)
        served.add(worker(attempt.answer))
    assert len(served) == 2


def test_a_session_from_under_a_removed_ca_proves_nothing(site: Site) -> None:
    site.reload(site.text(extra_ca=True))
    session, answer = session_of(site.edge, "one.test", site.other_client, SSL.TLS1_3_VERSION)
    assert verdict(answer) == OK
    site.reload(site.text())
    for _ in range(6):
        attempt = resume(site.edge, "one.test", session)
        assert (attempt.resumed, verdict(attempt.answer)) == (False, INVALID)


# --- what is not taken up ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda site: site.write("junk"), "edge.toml:1"),
        (lambda site: site.write(site.text().replace("issuer", "isuer")), 'did you mean "issuer"'),
        (lambda site: site.write(site.text(ca="nothing.pem")), "there is no such file"),
        (lambda site: (site.directory / "one.test-key.pem").write_bytes(b""), "the file is empty"),
        (
            lambda site: (site.directory / "one.test-key.pem").write_bytes(
                (site.directory / "two.test-key.pem").read_bytes()
            ),
            "the key does not belong to the certificate",
        ),
        (lambda site: site.write(site.text().replace("127.0.0.1:0", "127.0.0.1:1")), "server.listen"),
        (lambda site: site.write(site.text(server=server_table(workers=5))), "server.workers"),
    ],
)
def test_what_is_wrong_leaves_everything_as_it_was(
    site: Site, spoil: Callable[[Site], object], why: str
) -> None:
    workers = site.edge.workers()
    session, _ = session_of(site.edge, "one.test", site.client, SSL.TLS1_3_VERSION)
    spoil(site)
    event = site.reload(outcome="reload_failed")
    assert any(why in error for error in event["errors"]), event
    assert site.verdicts(credential=site.client) == {OK}
    assert resume(site.edge, "one.test", session).resumed
    assert site.edge.workers() == workers
    site.certify("one.test")
    site.reload(site.text(rule='"everyone"'))


def test_an_unchanged_configuration_is_told_and_does_nothing(site: Site) -> None:
    workers = site.edge.workers()
    event = site.reload(outcome="reload_unchanged")
    assert event["generation"] == 1
    site.reload("# a comment\n" + site.text(), outcome="reload_unchanged")
    assert site.edge.workers() == workers
    assert site.edge.log_events("reload_done") == []


def test_a_worker_that_hangs_keeps_the_old_one_in_force_everywhere(site: Site) -> None:
    """No worker may go on with the old one while others have the new."""
    victim, _ = site.edge.workers()
    os.kill(victim, signal.SIGSTOP)
    try:
        site.write(site.text(rule='{ common_name = "somebody else" }'))
        site.edge.signal(signal.SIGHUP)
        event = site.edge.wait_for_event("reload_failed", within=45)
        assert f"worker {victim} was not ready" in event["errors"][0]
    finally:
        os.kill(victim, signal.SIGCONT)
    assert site.verdicts(credential=site.client) == {OK}
    site.reload()
    assert site.verdicts(credential=site.client) == {DENIED}


# --- many --------------------------------------------------------------------------------------


def test_many_reloads_leave_nothing_behind(site: Site) -> None:
    def settle() -> tuple[int, int, int]:
        wait_for(lambda: len(site.edge.workers()) == 2, "two workers")
        parent = len(list(Path(f"/proc/{site.edge.process.pid}/fd").iterdir()))
        threads = len(list(Path(f"/proc/{site.edge.process.pid}/task").iterdir()))
        return parent, site.edge.descriptors(), threads

    site.certify("two.test")
    site.reload()
    before = settle()
    with raw_tls(site.edge, "one.test", site.client) as client:
        for number in range(20):
            if number % 2:
                site.certify("two.test")
            site.reload(site.text(rule=f'{{ common_name = "{number}" }}'))
            assert verdict(client.ask(host="one.test")) == DENIED
    assert settle() == before


def test_clients_that_never_let_go_do_not_keep_a_process_for_every_reload(site: Site) -> None:
    """Four earlier generations are left in peace; older ones end as at the end of the edge."""
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(6):
            client = stack.enter_context(raw_tls(site.edge, "one.test", site.client))
            assert verdict(client.ask(host="one.test")) == OK
            clients.append(client)
            site.certify("two.test")
            site.reload()
        for client in clients[:2]:
            assert client.read_until_close() == b""
            assert client.closed_cleanly
        for client in clients[2:]:
            assert verdict(client.ask(host="one.test")) == OK
        wait_for(lambda: len(site.edge.workers()) == 6, "two that serve, and one of each of four generations")
