"""The four decisions and their order, the lists of a policy, and which application governs alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.certificates import Authority, Credential
from tests.e2e.clients import raw_tls
from tests.e2e.configuration import (
    application_with,
    ca_table,
    group_table,
    host_table,
    policy_table,
    server_table,
)
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.refusals import assert_refused
from tests.e2e.tls_client import Answer

JAMES = '{ common_name = "James Royal" }'
JANE = '{ common_name = "Jane Doe" }'
EVERYONE = '"everyone"'
CERTIFICATE = '"certificate"'

POLICIES: dict[str, tuple[str, ...]] = {
    "none": (),
    "allow": (policy_table("allow", "allow", EVERYONE),),
    "allow-then-deny": (
        policy_table("allow", "allow", EVERYONE),
        policy_table("deny", "deny", EVERYONE),
    ),
    "deny": (policy_table("deny", "deny", EVERYONE),),
    "deny-listed-before-service": (
        policy_table("deny", "deny", EVERYONE),
        policy_table("service", "non_identity", JAMES),
    ),
    "deny-listed-before-bypass": (
        policy_table("deny", "deny", EVERYONE),
        policy_table("bypass", "bypass", JAMES),
    ),
    "bypass-before-service": (
        policy_table("bypass", "bypass", EVERYONE),
        policy_table("service", "non_identity", CERTIFICATE),
    ),
    "service-before-bypass": (
        policy_table("service", "non_identity", CERTIFICATE),
        policy_table("bypass", "bypass", EVERYONE),
    ),
    "two-services": (
        policy_table("first", "non_identity", JAMES),
        policy_table("second", "non_identity", CERTIFICATE),
    ),
    "include-is-or": (policy_table("p", "non_identity", f"{JAMES}, {JANE}"),),
    "require-is-and": (
        policy_table("p", "non_identity", CERTIFICATE, f'require = [{JAMES}, {{ method = "GET" }}]'),
    ),
    "exclude-wins": (policy_table("p", "non_identity", CERTIFICATE, f"exclude = [{JANE}]"),),
    "exclude-everyone": (policy_table("p", "non_identity", CERTIFICATE, "exclude = ['everyone']"),),
    "exclude-beats-require": (
        policy_table("p", "non_identity", EVERYONE, f"require = [{JAMES}]", f"exclude = [{JAMES}]"),
    ),
    "deny-james-else-service": (
        policy_table("deny", "deny", JAMES),
        policy_table("service", "non_identity", CERTIFICATE, f"exclude = [{JAMES}]"),
    ),
    "group-in-require": (
        policy_table("p", "non_identity", CERTIFICATE, 'require = [{ group = { id = "family" } }]'),
    ),
    "group-in-exclude": (
        policy_table("p", "non_identity", CERTIFICATE, 'exclude = [{ group = { id = "family" } }]'),
    ),
    "bypass-by-certificate": (policy_table("p", "bypass", JAMES),),
}
"""``a.test/<name>``, with these policies in the order they are listed."""


@pytest.fixture(scope="module")
def people(ca_a: Authority) -> Mapping[str, Credential | None]:
    return {
        "nobody": None,
        "james": ca_a.issue("James Royal"),
        "jane": ca_a.issue("Jane Doe"),
        "john": ca_a.issue("John Roe"),
        "impostor": ca_a.impostor().issue("James Royal"),
    }


@pytest.fixture(scope="module")
def decision_edge(
    tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin
) -> Iterator[Edge]:
    hosts = ("a.test", "b.test", "require.test", "*.wild.test")
    parts = [
        server_table(workers=1),
        host_table(pki, "a.test", session_origin.url, 'unmatched = "deny"'),
        host_table(pki, "b.test", session_origin.url, 'unmatched = "pass"'),
        host_table(pki, "require.test", session_origin.url),
        host_table(pki, "*.wild.test", session_origin.url, 'unmatched = "deny"'),
        host_table(pki, "open.test", session_origin.url),
        ca_table("CA A", pki / "ca-a.pem", *hosts),
        group_table("family", JAMES, "exclude = [{ method = 'POST' }]"),
        *(application_with(f"a.test/{path}", *policies) for path, policies in POLICIES.items()),
        application_with("b.test/app", policy_table("p", "non_identity", CERTIFICATE)),
        application_with("require.test", policy_table("root", "non_identity", CERTIFICATE)),
        application_with("require.test/public", policy_table("public", "bypass", EVERYONE)),
        application_with("require.test/public/james", policy_table("james", "non_identity", JAMES)),
        application_with("require.test/public/james/open", policy_table("open", "bypass", EVERYONE)),
        application_with("require.test/closed", policy_table("closed", "deny", EVERYONE)),
        application_with("require.test/closed/open", policy_table("opened", "bypass", EVERYONE)),
        application_with("require.test/files/*/private", policy_table("private", "non_identity", JANE)),
        application_with("require.test/files", policy_table("files", "bypass", EVERYONE)),
        application_with("*.wild.test", policy_table("wild", "bypass", EVERYONE)),
        application_with("one.wild.test", policy_table("one", "non_identity", JAMES)),
        application_with("*.wild.test/deep", policy_table("deep", "deny", EVERYONE)),
        application_with("open.test/app", policy_table("p", "bypass", EVERYONE)),
    ]
    directory = tmp_path_factory.mktemp("decisions")
    with Edge("".join(parts), directory, server_ca=pki / "server-ca.pem") as running:
        yield running


def ask(
    edge: Edge, credential: Credential | None, path: str, *, host: str = "a.test", method: str = "GET"
) -> Answer:
    with raw_tls(edge, host, credential) as client:
        return client.ask(path, host=host, method=method)


def policy_in_log(edge: Edge, answer: Answer) -> str | None:
    (request_id,) = answer.values("x-request-id")
    policy = edge.wait_for_event("request", request_id=request_id).get("policy")
    assert policy is None or isinstance(policy, str)
    return policy


ALLOWED = [
    ("deny-listed-before-service", "james", "service"),
    ("deny-listed-before-bypass", "james", "bypass"),
    ("bypass-before-service", "nobody", "bypass"),
    ("bypass-before-service", "james", "bypass"),
    ("service-before-bypass", "james", "service"),
    ("service-before-bypass", "nobody", "bypass"),
    ("service-before-bypass", "impostor", "bypass"),
    ("two-services", "james", "first"),
    ("two-services", "jane", "second"),
    ("include-is-or", "james", "p"),
    ("include-is-or", "jane", "p"),
    ("require-is-and", "james", "p"),
    ("exclude-wins", "james", "p"),
    ("deny-james-else-service", "jane", "service"),
    ("group-in-require", "james", "p"),
    ("group-in-exclude", "jane", "p"),
    ("bypass-by-certificate", "james", "p"),
]
SERVICE_AUTH = {"service", "first", "second", "p"}


@pytest.mark.parametrize(("path", "who", "policy"), ALLOWED)
def test_the_first_policy_that_matches_lets_pass(
    decision_edge: Edge,
    origin: Origin,
    people: Mapping[str, Credential | None],
    path: str,
    who: str,
    policy: str,
) -> None:
    answer = ask(decision_edge, people[who], f"/{path}")
    assert answer.status == 200
    (received,) = origin.received(f"/{path}")
    service_auth = policy in SERVICE_AUTH and path != "bypass-by-certificate"
    assert len(answer.values("set-cookie")) == service_auth
    assert len(received.values("cf-access-jwt-assertion")) == service_auth
    assert policy_in_log(decision_edge, answer) == policy


REFUSED = [
    ("none", "nobody", "client_certificate_required", None),
    ("none", "james", "policy_denied", None),
    ("allow", "nobody", "client_certificate_required", None),
    ("allow", "james", "policy_denied", None),
    ("allow-then-deny", "james", "policy_denied", "deny"),
    ("deny", "nobody", "policy_denied", "deny"),
    ("deny", "james", "policy_denied", "deny"),
    ("deny", "impostor", "policy_denied", "deny"),
    ("deny-listed-before-service", "nobody", "policy_denied", "deny"),
    ("deny-listed-before-service", "jane", "policy_denied", "deny"),
    ("deny-listed-before-bypass", "jane", "policy_denied", "deny"),
    ("two-services", "nobody", "client_certificate_required", None),
    ("two-services", "impostor", "client_certificate_invalid", None),
    ("include-is-or", "john", "policy_denied", None),
    ("require-is-and", "jane", "policy_denied", None),
    ("exclude-wins", "jane", "policy_denied", None),
    ("exclude-wins", "nobody", "client_certificate_required", None),
    ("exclude-everyone", "james", "policy_denied", None),
    ("exclude-beats-require", "james", "policy_denied", None),
    ("exclude-beats-require", "jane", "policy_denied", None),
    ("deny-james-else-service", "james", "policy_denied", "deny"),
    ("deny-james-else-service", "nobody", "client_certificate_required", None),
    ("group-in-require", "jane", "policy_denied", None),
    ("group-in-exclude", "james", "policy_denied", None),
    ("bypass-by-certificate", "nobody", "client_certificate_required", None),
    ("bypass-by-certificate", "impostor", "client_certificate_invalid", None),
    ("nowhere", "james", "policy_denied", None),
    ("nowhere", "nobody", "policy_denied", None),
    ("nowhere", "impostor", "policy_denied", None),
    ("allowed", "james", "policy_denied", None),
]


@pytest.mark.parametrize(("path", "who", "reason", "policy"), REFUSED)
def test_without_a_match_or_with_a_deny_nothing_passes(
    decision_edge: Edge,
    origin: Origin,
    people: Mapping[str, Credential | None],
    path: str,
    who: str,
    reason: str,
    policy: str | None,
) -> None:
    answer = ask(decision_edge, people[who], f"/{path}")
    assert_refused(answer, reason)
    assert origin.received() == []
    assert policy_in_log(decision_edge, answer) == policy


def test_all_rules_of_require_must_hold(
    decision_edge: Edge, origin: Origin, people: Mapping[str, Credential | None]
) -> None:
    assert_refused(ask(decision_edge, people["james"], "/require-is-and", method="PUT"), "policy_denied")
    assert_refused(ask(decision_edge, people["james"], "/group-in-require", method="POST"), "policy_denied")
    assert origin.received() == []


SPECIFIC = [
    ("/", "john", 200),
    ("/", "nobody", 403),
    ("/public", "nobody", 200),
    ("/public/", "nobody", 200),
    ("/public/x/y", "nobody", 200),
    ("/publicx", "nobody", 403),
    ("/public.html", "nobody", 403),
    ("/PUBLIC", "nobody", 403),
    ("/publi", "nobody", 403),
    ("/public/james", "nobody", 403),
    ("/public/james", "john", 403),
    ("/public/james", "james", 200),
    ("/public/james/x", "john", 403),
    ("/public/james/open", "nobody", 200),
    ("/public/james/open/x", "nobody", 200),
    ("/public/james/openx", "nobody", 403),
    ("/public/jamesx", "nobody", 200),
    ("/closed", "james", 403),
    ("/closed/x", "james", 403),
    ("/closedx", "james", 200),
    ("/closed/open", "nobody", 200),
    ("/files", "nobody", 200),
    ("/files/x", "nobody", 200),
    ("/files/private", "nobody", 200),
    ("/files/a/private", "nobody", 403),
    ("/files/a/private", "james", 403),
    ("/files/a/private", "jane", 200),
    ("/files/a/b/private/c", "nobody", 403),
    ("/files/a/privately", "nobody", 200),
    ("/files/a/Private", "nobody", 200),
]


@pytest.mark.parametrize(("path", "who", "status"), SPECIFIC)
def test_the_most_specific_application_governs_alone(
    decision_edge: Edge,
    origin: Origin,
    people: Mapping[str, Credential | None],
    path: str,
    who: str,
    status: int,
) -> None:
    assert ask(decision_edge, people[who], path, host="require.test").status == status
    assert len(origin.received()) == (status == 200)


@pytest.mark.parametrize(
    ("host", "path", "who", "status"),
    [
        ("two.wild.test", "/", "nobody", 200),
        ("one.wild.test", "/", "nobody", 403),
        ("one.wild.test", "/", "james", 200),
        ("one.wild.test", "/deep", "james", 200),
        ("two.wild.test", "/deep", "james", 403),
    ],
)
def test_an_exact_host_is_more_specific_than_a_wildcard_with_a_path(
    decision_edge: Edge,
    people: Mapping[str, Credential | None],
    host: str,
    path: str,
    who: str,
    status: int,
) -> None:
    assert ask(decision_edge, people[who], path, host=host).status == status


@pytest.mark.parametrize(("who", "flag"), [("nobody", "false"), ("impostor", "false"), ("john", "true")])
def test_an_uncovered_path_passes_where_the_host_says_so_but_still_gets_the_flag(
    decision_edge: Edge, origin: Origin, people: Mapping[str, Credential | None], who: str, flag: str
) -> None:
    answer = ask(decision_edge, people[who], "/uncovered", host="b.test")
    assert answer.status == 200
    assert answer.values("set-cookie") == []
    (received,) = origin.received("/uncovered")
    assert received.values("mtls-authenticated") == [flag]
    assert received.values("cf-access-jwt-assertion") == []
    assert ask(decision_edge, people["nobody"], "/app", host="b.test").status == 403


def test_on_a_host_without_a_ca_an_uncovered_path_is_denied_unless_it_is_said_to_pass(
    decision_edge: Edge, origin: Origin
) -> None:
    assert ask(decision_edge, None, "/app", host="open.test").status == 200
    assert_refused(ask(decision_edge, None, "/other", host="open.test"), "policy_denied")
    assert len(origin.received()) == 1
