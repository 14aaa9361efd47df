"""Within a host every worker resumes a session, and it proves what it proved before: no more, no less."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from OpenSSL import SSL

from tests.certificates import SERVER, Authority, Credential, self_signed
from tests.e2e.clients import s_client
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.sessions import resume, session_of
from tests.e2e.tls_client import Answer, SavedSession
from tests.e2e.verdicts import event_of, until_every_worker_answered, verdict, worker

REQUIRED = (403, "client_certificate_required")
INVALID = (403, "client_certificate_invalid")
EXPIRED = (403, "client_certificate_expired")
OK = (200, "")

VERSIONS = pytest.mark.parametrize(
    "version",
    [pytest.param(SSL.TLS1_2_VERSION, id="tls1.2"), pytest.param(SSL.TLS1_3_VERSION, id="tls1.3")],
)

Maker = Callable[[Authority, Authority], Credential]

BAD: dict[str, tuple[Maker, tuple[int, str]]] = {
    "untrusted": (lambda a, b: b.issue(), INVALID),
    "self-signed": (lambda a, b: self_signed(), INVALID),
    "signed by an impostor": (lambda a, b: a.impostor().issue(), INVALID),
    "for servers only": (lambda a, b: a.issue(eku=[SERVER]), INVALID),
    "expired": (lambda a, b: a.issue(not_after=timedelta(minutes=-1)), EXPIRED),
    "not yet valid": (lambda a, b: a.issue(not_before=timedelta(minutes=5)), EXPIRED),
    "RSA with 1024 bits": (lambda a, b: a.issue(key="rsa1024"), INVALID),
    "under an intermediate that is no CA": (
        lambda a, b: Authority("client", above=a, ca=False).issue(),
        INVALID,
    ),
    "under a weak intermediate": (lambda a, b: a.intermediate("Weak", key="rsa1024").issue(), INVALID),
}


def resumed_answers(edge: Edge, session: SavedSession) -> list[Answer]:
    """Resume until every worker has answered; a full handshake among them fails the test."""

    def attempt() -> Answer:
        found = resume(edge, "a.test", session)
        assert found.resumed
        return found.answer

    return until_every_worker_answered(attempt)


@VERSIONS
def test_a_session_is_resumed_by_every_worker(edge: Edge, ca_a: Authority, version: int) -> None:
    credential = ca_a.issue("James Royal")
    session, first = session_of(edge, "a.test", credential, version)
    answers = resumed_answers(edge, session)
    assert {worker(answer) for answer in answers} > {worker(first)}
    assert {verdict(answer) for answer in answers} == {OK}
    for answer in answers:
        event = event_of(edge, answer)
        assert (event["resumed"], event["verify"]) == (True, "SUCCESS")
        assert event["certificate_sha256"] == credential.fingerprint
    assert event_of(edge, first)["resumed"] is False


@pytest.mark.parametrize("option", ["-tls1_2", "-tls1_3"])
def test_openssl_resumes_a_session(edge: Edge, option: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    kept = str(tmp_path_factory.mktemp("session") / "session.pem")
    request = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
    assert not s_client(edge, "a.test", option, "-sess_out", kept, stdin=request).resumed
    again = s_client(edge, "a.test", option, "-sess_in", kept, stdin=request)
    assert again.resumed
    assert "client_certificate_required" in again.text


@VERSIONS
def test_an_intermediate_that_only_the_client_has_is_known_to_every_worker(
    edge: Edge, ca_a: Authority, version: int
) -> None:
    credential = ca_a.intermediate("Upper").intermediate("Lower").issue("James Royal")
    for _ in range(5):
        session, first = session_of(edge, "a.test", credential, version)
        assert verdict(first) == OK
        assert {verdict(answer) for answer in resumed_answers(edge, session)} == {OK}


@VERSIONS
def test_clients_under_one_intermediate_of_their_own_do_not_disturb_each_other(
    edge: Edge, ca_a: Authority, version: int
) -> None:
    own = ca_a.intermediate("Own")
    sessions = [session_of(edge, "a.test", own.issue(f"device {n}"), version)[0] for n in range(20)]
    for session in sessions:
        assert {verdict(answer) for answer in resumed_answers(edge, session)} == {OK}


@VERSIONS
def test_the_same_leaf_may_hang_below_another_ca_on_another_host(
    edge: Edge, ca_a: Authority, ca_b: Authority, version: int
) -> None:
    # Cross-signed: one key and name, certified by the CAs of both hosts.
    own = ca_a.intermediate("Own")
    leaf = own.issue("James Royal")
    chains = {"a.test": own.certificate, "b.test": own.cross_signed_by(ca_b)}
    sessions = {}
    for host, intermediate in chains.items():
        credential = Credential(leaf.certificate, leaf.key, (intermediate,))
        sessions[host], first = session_of(edge, host, credential, version)
        assert verdict(first) == OK
    for host, session in sessions.items():
        attempts = [resume(edge, host, session) for _ in range(20)]
        assert all(attempt.resumed for attempt in attempts)
        assert {verdict(attempt.answer) for attempt in attempts} == {OK}


@VERSIONS
@pytest.mark.parametrize("case", BAD)
def test_a_session_launders_no_certificate_that_was_refused(
    edge: Edge, origin: Origin, ca_a: Authority, ca_b: Authority, case: str, version: int
) -> None:
    make, expected = BAD[case]
    session, first = session_of(edge, "a.test", make(ca_a, ca_b), version)
    assert verdict(first) == expected
    answers = until_every_worker_answered(lambda: resume(edge, "a.test", session).answer)
    assert {verdict(answer) for answer in answers} == {expected}
    assert origin.received() == []


@VERSIONS
def test_a_session_under_an_expired_intermediate_stays_refused(
    edge: Edge, origin: Origin, ca_a: Authority, version: int
) -> None:
    # A resumed client does not send its intermediates again: that one of them was old is forgotten.
    old = ca_a.intermediate("Old", not_after=timedelta(minutes=-1))
    session, first = session_of(edge, "a.test", old.issue(), version)
    assert verdict(first) == EXPIRED
    answers = until_every_worker_answered(lambda: resume(edge, "a.test", session).answer)
    assert {verdict(answer) for answer in answers} <= {EXPIRED, INVALID}
    assert origin.received() == []


@VERSIONS
def test_a_session_got_without_a_certificate_stays_without(
    edge: Edge, origin: Origin, ca_a: Authority, version: int
) -> None:
    session, first = session_of(edge, "a.test", None, version)
    assert verdict(first) == REQUIRED

    def attempt() -> Answer:
        found = resume(edge, "a.test", session, credential=ca_a.issue("James Royal"))
        assert found.resumed  # so the certificate the client has now was never shown
        return found.answer

    assert {verdict(answer) for answer in until_every_worker_answered(attempt)} == {REQUIRED}
    assert origin.received() == []


@VERSIONS
def test_a_session_outlives_no_certificate(edge: Edge, origin: Origin, ca_a: Authority, version: int) -> None:
    credential = ca_a.issue("James Royal", not_after=timedelta(seconds=3))
    end = credential.certificate.not_valid_after_utc.timestamp()
    session, first = session_of(edge, "a.test", credential, version)
    assert verdict(first) == OK
    assert {verdict(answer) for answer in resumed_answers(edge, session)} == {OK}
    _wait_until(end)
    origin.forget()
    answers = until_every_worker_answered(lambda: resume(edge, "a.test", session).answer)
    assert {verdict(answer) for answer in answers} == {EXPIRED}
    assert origin.received() == []


@VERSIONS
def test_a_session_outlives_no_intermediate_that_only_the_client_has(
    edge: Edge, origin: Origin, ca_a: Authority, version: int
) -> None:
    own = ca_a.intermediate("Own", not_after=timedelta(seconds=3))
    end = own.certificate.not_valid_after_utc.timestamp()
    session, first = session_of(edge, "a.test", own.issue("James Royal"), version)
    assert verdict(first) == OK
    assert {verdict(answer) for answer in resumed_answers(edge, session)} == {OK}
    _wait_until(end)
    origin.forget()
    answers = until_every_worker_answered(lambda: resume(edge, "a.test", session).answer)
    assert {verdict(answer) for answer in answers} == {EXPIRED}
    assert origin.received() == []


@VERSIONS
def test_a_session_of_a_host_is_resumed_under_its_alias(edge: Edge, ca_a: Authority, version: int) -> None:
    session, _ = session_of(edge, "a.test", ca_a.issue("James Royal"), version)
    found = resume(edge, "alias-of-a.test", session)
    assert found.resumed
    assert verdict(found.answer) == OK


def test_a_tls12_client_that_takes_no_tickets_shakes_hands_in_full(edge: Edge, ca_a: Authority) -> None:
    credential = ca_a.issue("James Royal")
    session, _ = session_of(edge, "a.test", credential, SSL.TLS1_2_VERSION, options=SSL.OP_NO_TICKET)
    for _ in range(4):
        found = resume(edge, "a.test", session)
        assert not found.resumed
        assert verdict(found.answer) == OK


def _wait_until(end: float) -> None:
    time.sleep(max(0.0, end - time.time()) + 0.1)  # noqa: TID251 -- the edge under test reads this clock too
