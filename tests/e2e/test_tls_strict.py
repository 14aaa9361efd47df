"""``strict = true``: chains that OpenSSL takes, and RFC 5280 does not, at a running edge."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtensionOID
from OpenSSL import SSL

from tests.certificates import Authority, Credential
from tests.e2e.clients import raw_tls
from tests.e2e.configuration import application_table, ca_table, host_table, server_table
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.sessions import resume, session_of
from tests.e2e.tls_client import Answer
from tests.e2e.verdicts import until_every_worker_answered, verdict
from tests.unit.tls.x509_edits import edited, without

OK, INVALID = (200, ""), (403, "client_certificate_invalid")
STRICT = "strict = true\n"
CA = Authority("Device CA")
GOOD = CA.issue("good")
SLOPPY = edited(CA.issue("sloppy"), CA, without(ExtensionOID.AUTHORITY_KEY_IDENTIFIER))
"""Without an authority key identifier (RFC 5280 4.2.1.1)."""


class Site:
    """Two hosts that believe the same CA; what is said about it is added."""

    def __init__(self, directory: Path, server_root: Authority, origin_url: str) -> None:
        self._directory, self._origin_url = directory, origin_url
        CA.write(directory / "ca.pem")
        for name in ("a.test", "b.test"):
            server_root.issue_server(name).write(directory, name)
        server_ca = server_root.write(directory / "server-ca.pem")
        self.edge = Edge(self.text(""), directory, server_ca=server_ca)

    def text(self, line: str) -> str:
        """The configuration with a line for the CA of a.test."""
        tables = [server_table()]
        for name in ("a.test", "b.test"):
            tables += [host_table(self._directory, name, self._origin_url), application_table(name)]
        first = ca_table("Device CA", self._directory / "ca.pem", "a.test")
        second = ca_table("The same for others", self._directory / "ca.pem", "b.test")
        return "".join([*tables, first, line, second])

    def reload(self, line: str) -> str:
        """Take up another configuration; return what is said to have changed."""
        before = len(self.edge.log_events("reload_done"))
        self.edge.config_path.write_text(self.text(line))
        self.edge.signal(signal.SIGHUP)
        return str(self.edge.wait_for_event("reload_done", count=before + 1)["changed"])


@pytest.fixture
def site(tmp_path: Path, server_root: Authority, origin: Origin) -> Iterator[Site]:
    site = Site(tmp_path, server_root, origin.url)
    with site.edge:
        yield site


def ask(edge: Edge, credential: Credential) -> Answer:
    """Ask a.test over a connection of its own."""
    with raw_tls(edge, "a.test", credential) as client:
        return client.ask("/")


def test_to_become_strict_is_felt_by_new_open_and_resumed_connections_of_that_host(
    site: Site, origin: Origin
) -> None:
    with raw_tls(site.edge, "a.test", SLOPPY) as open_before, raw_tls(site.edge, "b.test", SLOPPY) as other:
        assert verdict(open_before.ask("/")) == OK
        session, answer = session_of(site.edge, "a.test", SLOPPY, SSL.TLS1_3_VERSION)
        assert verdict(answer) == OK
        assert "host a.test changed (strict)" in site.reload(STRICT)
        origin.forget()
        refused = open_before.ask("/")
        assert verdict(refused) == INVALID
        assert "Missing Authority Key Identifier" in json.loads(refused.body)["detail"]
        attempt = resume(site.edge, "a.test", session)
        assert (attempt.resumed, verdict(attempt.answer)) == (False, INVALID)
        assert verdict(other.ask("/", host="b.test")) == OK
    assert len(origin.received()) == 1

    answers = until_every_worker_answered(lambda: ask(site.edge, SLOPPY))
    assert {verdict(answer) for answer in answers} == {INVALID}
    assert verdict(ask(site.edge, GOOD)) == OK
    assert "host a.test changed (strict)" in site.reload("strict = false\n")
    assert verdict(ask(site.edge, SLOPPY)) == OK
