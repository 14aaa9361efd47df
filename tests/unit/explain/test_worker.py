"""A request is taken as far as a worker would take it, and ends with the worker's reason."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from edge.access.rules import RequestFacts
from edge.access.token import TokenMint
from edge.explain.certificates import MadeUp
from tests.certificates import Credential
from tests.unit.access.builders import key_ring
from tests.unit.explain.questions import ALICE, ISSUING, MALLORY, STRANGER, Bench
from tests.unit.snapshot.world import NOW, SERVER, application, ca, host

DENIED, REQUIRED = "policy_denied", "client_certificate_required"
FIELDS = (("Host", "a.test"),)

OUTCOMES = [
    ("https://a.test/any", None, REQUIRED, 403),
    ("https://a.test/any", ALICE, "", None),
    ("https://a.test/any", STRANGER, "client_certificate_invalid", 403),
    ("https://a.test/any", MALLORY, "client_certificate_revoked", 403),
    ("https://a.test/alice", ALICE, "", None),
    ("https://a.test/alice", ISSUING.issue("bob"), DENIED, 403),
    ("https://a.test/open", None, "", None),
    ("https://a.test/open", STRANGER, "", None),
    ("https://a.test/else", ALICE, DENIED, 403),
    ("https://b.test:8443/any/x?q=1#f", ALICE, "", None),
    ("https://x.wild.test/else", None, "", None),
    ("https://a.test/a//b", ALICE, "bad_request", 400),
    ("https://a.test/a b", ALICE, "bad_request", 400),
    ("https://a.test/%2e%2e/x", ALICE, "bad_request", 400),
    ("https://a.test/" + "x" * 9000, ALICE, "uri_too_long", 414),
    ("https://a.test/cdn-cgi/access/get-identity", None, REQUIRED, 403),
    ("https://a.test/cdn-cgi/access/other", ALICE, "not_found", 404),
]


@pytest.mark.parametrize(("url", "certificate", "reason", "status"), OUTCOMES)
def test_a_request_ends_as_at_a_worker(
    bench: Bench, url: str, certificate: Credential | None, reason: str, status: int | None
) -> None:
    outcome = bench.explain(url, certificate).outcome
    assert (outcome.allowed, outcome.reason, outcome.status) == (not reason, reason, status)
    assert not outcome.in_handshake


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ((("Host", "other.test"),), "misdirected_request"),
        ((("Host", "x.wild.test"),), "misdirected_request"),
        ((("Host", "B.TEST."),), ""),
        ((*FIELDS, ("Host", "a.test")), "bad_request"),
        ((*FIELDS, ("Upgrade", "h3"), ("Connection", "upgrade")), "http3_not_supported"),
        ((("Alt-Used", "a.test"),), "misdirected_request"),
        ((("Upgrade", "websocket"), ("Connection", "upgrade")), "bad_request"),
        ((("Bad Name", "x"),), "bad_request"),
        ((("Transfer-Encoding", "gzip, chunked"),), "not_implemented"),
    ],
)
def test_header_fields_count(bench: Bench, fields: tuple[tuple[str, str], ...], reason: str) -> None:
    assert bench.explain("https://a.test/any", ALICE, fields=fields).outcome.reason == reason


def test_the_method_counts(bench: Bench) -> None:
    assert bench.explain("https://a.test/any", ALICE, method="TRACE").outcome.reason == "method_not_allowed"


def test_a_name_that_nobody_serves_ends_in_the_handshake(bench: Bench) -> None:
    for name in ("nobody.test", "wild.test", "x.y.wild.test", None):
        outcome = bench.explain("https://a.test/open", server_name=name).outcome
        assert (outcome.allowed, outcome.reason, outcome.status) == (False, "unrecognized_name", None)
        assert outcome.in_handshake


@pytest.mark.parametrize(
    ("certificate", "reason", "in_handshake"),
    [
        (None, REQUIRED, True),
        (STRANGER, "client_certificate_invalid", True),
        (ISSUING.issue("late", not_before=timedelta(days=1), not_after=timedelta(days=2)), "", True),
        (MALLORY, "client_certificate_revoked", False),
        (ALICE, "", False),
    ],
)
def test_a_host_that_requires_a_certificate_refuses_bad_ones_in_the_handshake(
    bench: Bench, certificate: Credential | None, reason: str, in_handshake: bool
) -> None:
    explanation = bench.explain("https://require.test/", certificate)
    outcome = explanation.outcome
    assert outcome.in_handshake is in_handshake
    assert outcome.reason == (reason or ("client_certificate_expired" if in_handshake else ""))
    assert outcome.status == (403 if reason and not in_handshake else None)
    assert bool(explanation.policies) is outcome.allowed


LONG = ISSUING.issue("alice", not_after=timedelta(days=90))


@pytest.mark.parametrize(
    ("certificate", "later", "reason"),
    [
        (ALICE, timedelta(days=29), ""),
        (ALICE, timedelta(days=31), "client_certificate_expired"),
        (ALICE, timedelta(days=-2), "client_certificate_expired"),
        (LONG, timedelta(days=59), ""),
        (LONG, timedelta(days=61), "revocation_unknown"),
    ],
)
def test_the_moment_that_is_asked_for_counts_for_certificates_and_crls(
    bench: Bench, certificate: Credential, later: timedelta, reason: str
) -> None:
    assert bench.explain("https://a.test/any", certificate, later=later).outcome.reason == reason


def test_a_made_up_certificate_is_good_at_all_times_and_has_one_name(bench: Bench) -> None:
    later = timedelta(days=10_000)
    assert bench.explain("https://a.test/alice", MadeUp("alice"), later=later).outcome.allowed
    assert bench.explain("https://a.test/alice", MadeUp("bob"), later=later).outcome.reason == DENIED
    assert bench.explain("https://require.test/", MadeUp("bob"), later=later).outcome.allowed


def test_the_origin_would_get_what_a_worker_sends_and_never_a_token(bench: Bench) -> None:
    forged = (("Mtls-Authenticated", "true"), ("X-Own", "1"), ("X-Request-Id", "token"))
    explanation = bench.explain("https://a.test/any", ALICE, fields=forged)
    sent = explanation.origin_fields
    assert ("Cf-Access-Jwt-Assertion", "<token for a.test/any>") in sent
    assert ("X-Request-Id", "<request id>") in sent
    assert ("X-Own", "1") in sent
    assert ("X-Forwarded-For", "192.0.2.1") in sent
    assert ("X-SSL-Client-S-DN", "CN=alice") in sent
    assert [value for name, value in sent if name == "Mtls-Authenticated"] == ["true"]
    assert explanation.set_cookie.startswith("CF_Authorization=<token for a.test/any>; Path=/; Secure")
    assert "eyJ" not in str(sent) + explanation.set_cookie


def test_a_bypass_gives_the_origin_no_token(bench: Bench) -> None:
    explanation = bench.explain("https://a.test/open")
    assert "Cf-Access-Jwt-Assertion" not in dict(explanation.origin_fields)
    assert explanation.set_cookie == ""


def test_the_edge_itself_answers_on_its_own_paths(bench: Bench) -> None:
    outcome = bench.explain("https://a.test/cdn-cgi/access/certs").outcome
    assert (outcome.allowed, outcome.status, outcome.own_answer) == (True, 200, True)


def test_a_request_without_host_name_on_a_wildcard_is_not_possible(bench: Bench) -> None:
    assert bench.explain("https://x.wild.test/", fields=(("Host", ""),)).outcome.reason == "bad_request"


# --- tokens ------------------------------------------------------------------------------------

SESSIONS = (
    SERVER
    + host("a.test")
    + ca("a.test")
    + application("a.test", '"certificate"', "recheck_certificate = false", 'session_duration = "1h"')
)


def cookie(value: str) -> tuple[tuple[str, str], ...]:
    return (("Cookie", f"CF_Authorization={value}"),)


def test_a_token_that_is_not_good_is_told_why(folder: Path) -> None:
    bench = Bench(folder, SESSIONS)
    junk = key_ring("ES256").current.sign(b"{}")
    for value, why in (("x.y", "the token has not three parts"), (junk, "")):
        explanation = bench.explain("https://a.test/", fields=cookie(value))
        assert explanation.outcome.reason == REQUIRED
        assert explanation.way.token.startswith(f"it is not accepted: {why}")


def test_a_token_beside_a_good_certificate_is_not_needed(folder: Path) -> None:
    explanation = Bench(folder, SESSIONS).explain("https://a.test/", ALICE, fields=cookie("x.y"))
    assert explanation.way.token == "it is not needed: the certificate does"


def test_a_good_token_stands_in_for_the_certificate_until_it_ends(folder: Path) -> None:
    bench = Bench(folder, SESSIONS)
    application = bench.snapshot.policies_for("a.test").applications[0]
    (policy,) = application.policies
    view = bench.explain("https://a.test/", ALICE).way.view
    assert view is not None
    facts = RequestFacts(view.auth, ip_address("192.0.2.1"), b"GET")
    mint = TokenMint(bench.snapshot.key_ring, bench.snapshot.issuer)
    token, _ = mint.token(application, policy, facts, view.bundle, NOW.timestamp())
    good = bench.explain("https://a.test/", fields=cookie(token))
    assert good.outcome.allowed
    assert good.way.token == "it stands in for the certificate"
    assert token not in str(good.origin_fields)
    ended = bench.explain("https://a.test/", fields=cookie(token), later=timedelta(hours=2))
    assert ended.outcome.reason == REQUIRED
    assert ended.way.token == "it is not accepted: the token has expired"
    other = bench.explain("https://a.test/", STRANGER, fields=cookie(token))
    assert other.outcome.reason == "client_certificate_invalid"
    assert other.way.token.startswith("it is not accepted: unable to get local issuer")
