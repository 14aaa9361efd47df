"""A session of one host is worth nothing on another: a full handshake follows, and that host judges."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from OpenSSL import SSL

from tests.certificates import Authority
from tests.e2e.clients import s_client
from tests.e2e.configuration import application_table, ca_table, host_table, server_table
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.sessions import resume, session_of
from tests.e2e.verdicts import event_of, verdict

REQUIRED = (403, "client_certificate_required")
INVALID = (403, "client_certificate_invalid")
MISDIRECTED = (421, "misdirected_request")
OK = (200, "")

VERSIONS = pytest.mark.parametrize(
    "version",
    [pytest.param(SSL.TLS1_2_VERSION, id="tls1.2"), pytest.param(SSL.TLS1_3_VERSION, id="tls1.3")],
)
ATTEMPTS = 6
"""Connections with one session, so that both workers meet it."""

ONE_CERTIFICATE = ("one.test", "two.test", "*.three.test")


@pytest.fixture(scope="module")
def one_certificate(
    tmp_path_factory: pytest.TempPathFactory,
    pki: Path,
    server_root: Authority,
    session_origin: Origin,
) -> Iterator[Edge]:
    """Hosts that share one server certificate and key: what some servers tell sessions apart by."""
    directory = tmp_path_factory.mktemp("one-certificate")
    credential = server_root.issue_server(*ONE_CERTIFICATE)
    for stem in ("one.test", "two.test", "three.test"):
        credential.write(directory, stem)
    config = "".join(
        [
            server_table(),
            *(host_table(directory, host, session_origin.url) for host in ONE_CERTIFICATE),
            ca_table("CA A", pki / "ca-a.pem", "one.test", "*.three.test"),
            ca_table("CA B", pki / "ca-b.pem", "two.test"),
            *(application_table(host) for host in ONE_CERTIFICATE),
        ]
    )
    with Edge(config, directory, server_ca=pki / "server-ca.pem") as running:
        yield running


@VERSIONS
@pytest.mark.parametrize(
    ("made_on", "offered_to"), [("a.test", "b.test"), ("b.test", "a.test"), ("a.test", "x.wild.test")]
)
def test_a_session_is_not_resumed_on_another_host(
    edge: Edge, origin: Origin, ca_a: Authority, ca_b: Authority, made_on: str, offered_to: str, version: int
) -> None:
    credential = (ca_b if made_on == "b.test" else ca_a).issue("James Royal")
    session, first = session_of(edge, made_on, credential, version)
    assert verdict(first) == OK
    expected = OK if offered_to == "x.wild.test" else INVALID  # a.test and *.wild.test believe the same CA
    for _ in range(ATTEMPTS):
        found = resume(edge, offered_to, session)
        assert not found.resumed
        assert verdict(found.answer) == expected
        assert event_of(edge, found.answer)["resumed"] is False


@VERSIONS
@pytest.mark.parametrize(("made_on", "offered_to"), [("one.test", "two.test"), ("two.test", "one.test")])
def test_hosts_with_one_server_certificate_share_no_sessions(
    one_certificate: Edge, ca_a: Authority, ca_b: Authority, made_on: str, offered_to: str, version: int
) -> None:
    credential = (ca_a if made_on == "one.test" else ca_b).issue("James Royal")
    session, first = session_of(one_certificate, made_on, credential, version)
    assert verdict(first) == OK
    for _ in range(ATTEMPTS):
        found = resume(one_certificate, offered_to, session)
        assert not found.resumed
        assert verdict(found.answer) == INVALID


@VERSIONS
@pytest.mark.parametrize(
    ("made_on", "offered_to"), [("one.test", "x.three.test"), ("x.three.test", "one.test")]
)
def test_hosts_with_one_certificate_and_one_ca_share_no_sessions_either(
    one_certificate: Edge, ca_a: Authority, made_on: str, offered_to: str, version: int
) -> None:
    session, first = session_of(one_certificate, made_on, ca_a.issue("James Royal"), version)
    assert verdict(first) == OK
    for _ in range(ATTEMPTS):
        found = resume(one_certificate, offered_to, session)
        assert not found.resumed
        assert verdict(found.answer) == OK


@VERSIONS
@pytest.mark.parametrize("made_on", ["a.test", "open.test"])
def test_a_session_is_not_resumed_where_a_certificate_is_required_in_the_handshake(
    edge: Edge, ca_a: Authority, made_on: str, version: int
) -> None:
    session, _ = session_of(edge, made_on, ca_a.issue("James Royal"), version)
    for _ in range(ATTEMPTS):
        found = resume(edge, "require.test", session)
        assert not found.resumed
        assert verdict(found.answer) == OK


@VERSIONS
def test_a_session_of_an_open_host_opens_no_closed_one(edge: Edge, origin: Origin, version: int) -> None:
    session, first = session_of(edge, "open.test", None, version)
    assert verdict(first) == OK
    origin.forget()
    for _ in range(ATTEMPTS):
        found = resume(edge, "a.test", session)
        assert not found.resumed
        assert verdict(found.answer) == REQUIRED
    assert origin.received() == []


@VERSIONS
def test_with_a_certificate_of_its_own_ca_the_other_host_lets_the_client_in(
    edge: Edge, ca_a: Authority, ca_b: Authority, version: int
) -> None:
    session, _ = session_of(edge, "a.test", ca_a.issue("James Royal"), version)
    found = resume(edge, "b.test", session, credential=ca_b.issue("James Royal"))
    assert not found.resumed
    assert verdict(found.answer) == OK


def test_a_tls12_session_without_a_ticket_is_not_resumed_on_another_host(edge: Edge, ca_a: Authority) -> None:
    credential = ca_a.issue("James Royal")
    session, _ = session_of(edge, "a.test", credential, SSL.TLS1_2_VERSION, options=SSL.OP_NO_TICKET)
    for _ in range(ATTEMPTS):
        found = resume(edge, "b.test", session)
        assert not found.resumed
        assert verdict(found.answer) == INVALID


@VERSIONS
def test_a_resumed_session_speaks_for_its_own_host_only(
    edge: Edge, origin: Origin, ca_a: Authority, version: int
) -> None:
    session, _ = session_of(edge, "a.test", ca_a.issue("James Royal"), version)
    origin.forget()
    for host in ("b.test", "open.test", "require.test", "x.wild.test"):
        found = resume(edge, "a.test", session, host=host)
        assert found.resumed
        assert verdict(found.answer) == MISDIRECTED
    assert origin.received() == []


@VERSIONS
def test_a_session_of_one_wildcard_name_never_answers_for_another(
    edge: Edge, origin: Origin, ca_a: Authority, version: int
) -> None:
    session, first = session_of(edge, "x.wild.test", ca_a.issue("James Royal"), version)
    assert verdict(first) == OK
    assert verdict(resume(edge, "x.wild.test", session, host="y.wild.test").answer) == MISDIRECTED
    assert verdict(resume(edge, "y.wild.test", session, host="x.wild.test").answer) == MISDIRECTED
    assert verdict(resume(edge, "y.wild.test", session).answer) == OK  # one host, one CA, its own name


@pytest.mark.parametrize("option", ["-tls1_2", "-tls1_3"])
def test_openssl_does_not_resume_a_session_on_another_host(edge: Edge, tmp_path: Path, option: str) -> None:
    kept = str(tmp_path / "session.pem")
    request = b"GET / HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n"
    s_client(edge, "a.test", option, "-sess_out", kept, stdin=request % b"a.test")
    again = s_client(edge, "b.test", option, "-sess_in", kept, stdin=request % b"b.test")
    assert not again.resumed
    assert "\nNew, TLSv1." in again.text
    assert "client_certificate_required" in again.text
