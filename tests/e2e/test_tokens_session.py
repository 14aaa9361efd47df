"""A token in place of the certificate: only the right one, only where the application says so."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority, Credential, CredentialFiles
from tests.e2e.clients import curl
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.refusals import assert_refused
from tests.e2e.token_edge import ask_with, cookie_of, obtain, token_edge, verified


@pytest.fixture(scope="module")
def session_edge(
    tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin
) -> Iterator[Edge]:
    with token_edge(tmp_path_factory.mktemp("sessions"), pki, session_origin.url, "RS256") as running:
        yield running


@pytest.fixture(scope="module")
def james(ca_a: Authority) -> Credential:
    return ca_a.issue("James Royal")


def test_within_the_session_the_token_stands_in_for_the_certificate(
    session_edge: Edge, origin: Origin, james: Credential
) -> None:
    token = obtain(session_edge, james, "/session")
    origin.forget()
    answer = ask_with(session_edge, token, "/session/x")
    assert (answer.status, answer.values("set-cookie")) == (200, [])
    (received,) = origin.received()
    assert received.value("mtls-authenticated") == "false"
    assertion = received.value("cf-access-jwt-assertion")
    assert assertion is not None
    assert verified(session_edge, assertion, "RS256")["common_name"] == "James Royal"
    event = session_edge.wait_for_event("request", request_id=answer.values("x-request-id")[0])
    assert (event["session"], event["policy"]) == (True, "a.test/session policy")
    assert event["mtls_authenticated"] is False


def test_the_same_certificate_and_its_token_are_no_contradiction(
    session_edge: Edge, origin: Origin, james: Credential
) -> None:
    token = obtain(session_edge, james, "/session")
    answer = ask_with(session_edge, token, credential=james)
    assert (answer.status, answer.values("set-cookie")) == (200, [])
    assert origin.received()[-1].value("mtls-authenticated") == "true"


def test_another_certificate_does_not_borrow_the_session(
    session_edge: Edge, origin: Origin, james: Credential, ca_a: Authority, ca_b: Authority
) -> None:
    token = obtain(session_edge, james, "/session")
    origin.forget()
    for credential, reason in (
        (ca_a.issue("Jane Doe"), "policy_denied"),
        (ca_a.impostor().issue("James Royal"), "client_certificate_invalid"),
        (ca_b.issue("James Royal"), "client_certificate_invalid"),
    ):
        assert_refused(ask_with(session_edge, token, credential=credential), reason)
    assert origin.received() == []


def test_a_second_certificate_that_may_pass_is_the_identity_and_not_the_token(
    session_edge: Edge, origin: Origin, james: Credential, ca_a: Authority
) -> None:
    token = obtain(session_edge, james, "/any")
    answer = ask_with(session_edge, token, "/any/x", credential=ca_a.issue("Jane Doe"))
    assert verified(session_edge, cookie_of(answer), "RS256")["common_name"] == "Jane Doe"
    (received,) = origin.received("/any/x")
    assertion = received.value("cf-access-jwt-assertion")
    assert assertion is not None
    assert verified(session_edge, assertion, "RS256")["common_name"] == "Jane Doe"


@pytest.mark.parametrize(
    ("given", "used", "host"),
    [
        ("/", "/", "a.test"),
        ("/day", "/day", "a.test"),
        ("/", "/session", "a.test"),
        ("/day", "/session", "a.test"),
        ("/any", "/session", "a.test"),
        ("/session", "/any", "a.test"),
        ("/session", "/day", "a.test"),
        ("/session", "/", "a.test"),
        ("/session", "/", "b.test"),
    ],
)
def test_a_token_is_good_for_its_own_application_alone(
    session_edge: Edge, origin: Origin, james: Credential, given: str, used: str, host: str
) -> None:
    token = obtain(session_edge, james, given)
    origin.forget()
    answer = ask_with(session_edge, token, used, host=host)
    assert_refused(answer, "client_certificate_required")
    assert origin.received() == []


def test_a_token_ends_with_its_session(session_edge: Edge, james: Credential) -> None:
    token = obtain(session_edge, james, "/moment")
    claims = verified(session_edge, token, "RS256")
    assert claims["exp"] - claims["iat"] == 1
    time.sleep(claims["exp"] - time.time() + 0.01)  # noqa: TID251 -- the edge reads this clock too
    assert_refused(ask_with(session_edge, token, "/moment"), "client_certificate_required")


def test_what_is_not_about_the_certificate_is_judged_on_every_request(
    session_edge: Edge, origin: Origin, james: Credential
) -> None:
    token = obtain(session_edge, james, "/read")
    origin.forget()
    assert ask_with(session_edge, token, "/read").status == 200
    assert ask_with(session_edge, token, "/read", method="DELETE").status == 403
    assert len(origin.received()) == 1


def test_a_session_takes_the_place_of_its_policy_before_any_deny(
    session_edge: Edge, james: Credential, ca_a: Authority
) -> None:
    token = obtain(session_edge, james, "/rest")
    assert ask_with(session_edge, token, "/rest").status == 200
    assert_refused(ask_with(session_edge, token[:-4], "/rest"), "policy_denied")
    assert_refused(ask_with(session_edge, token, "/rest", credential=ca_a.issue("Jane Doe")), "policy_denied")


def test_curl_goes_on_with_the_cookie_when_it_has_no_certificate(
    session_edge: Edge, client_a: CredentialFiles, tmp_path: Path
) -> None:
    jar = str(tmp_path / "jar")
    assert curl(session_edge, "/session", "--cookie", jar).status == 403
    assert curl(session_edge, "/session", "--cookie-jar", jar, cert=client_a).status == 200
    assert curl(session_edge, "/session", "--cookie", jar).status == 200
    logout = curl(session_edge, "/cdn-cgi/access/logout", "--cookie", jar)
    assert 'Replaced cookie CF_Authorization="" for domain a.test, path /, expire 1' in logout.verbose
