"""The argument as people and programs read it, and nothing in it that a stranger's name can forge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edge.explain.certificates import Unseen
from edge.explain.document import document_of
from edge.explain.explanation import Explanation
from edge.explain.places import Written
from edge.explain.text import lines_of, time_text
from tests.certificates import Credential, name
from tests.unit.explain.questions import ALICE, CONFIG, ISSUING, MALLORY, STRANGER, Bench


def lines(bench: Bench, explanation: Explanation) -> list[str]:
    shown = [
        line.text.replace(f"{bench.folder}/", "") for line in lines_of(explanation, Written(bench.config))
    ]
    assert all(line.isprintable() for line in shown)
    return shown


def starting(shown: list[str], label: str) -> list[str]:
    return [line[13:] for line in shown if line.startswith(f"{label:<13}")]


def test_an_allowed_request_is_argued_from_host_to_origin(bench: Bench) -> None:
    shown = lines(bench, bench.explain("https://a.test/alice", ALICE))
    assert shown[0] == "GET https://a.test/alice"
    assert starting(shown, "host") == ["a.test, by its name  [edge.toml:3]"]
    assert starting(shown, "client CA") == ['"CA", 2 certificates  [edge.toml:23]']
    assert starting(shown, "chain") == ['"alice" <- "Issuing" <- "Clients": verifies']
    assert [line.rpartition(": ")[2] for line in starting(shown, "CRL")] == ["it has none of this chain"] * 2
    assert starting(shown, "flag") == ["mtls_authenticated is true, verify is SUCCESS"]
    (governing,) = starting(shown, "application")
    assert governing.startswith(
        '"a.test/alice" (a.test/alice), the only one that covers the path  [edge.toml:'
    )
    assert any(line.startswith('  policy 1   "a.test/alice" non_identity: decides') for line in shown)
    assert starting(shown, "therefore") == ["allowed"]
    assert "  Mtls-Authenticated: true" in shown


@pytest.mark.parametrize(
    ("certificate", "chain", "therefore"),
    [
        (None, [], "refused: 403, client_certificate_required: no client certificate was presented"),
        (
            STRANGER,
            ["does not verify: unable to get local issuer certificate (depth 0)"],
            "refused: 403, client_certificate_invalid: unable to get local issuer certificate",
        ),
    ],
)
def test_a_refusal_ends_with_its_reason(
    bench: Bench, certificate: Credential | None, chain: list[str], therefore: str
) -> None:
    shown = lines(bench, bench.explain("https://a.test/any", certificate))
    assert starting(shown, "chain") == chain
    assert starting(shown, "therefore") == [therefore]
    assert "The origin would get:" not in shown


def test_a_revoked_certificate_is_shown_in_its_list(bench: Bench) -> None:
    shown = lines(bench, bench.explain("https://a.test/any", MALLORY))
    serial = f"{MALLORY.certificate.serial_number:X}"
    assert sum(line.endswith(f"it has {serial.zfill(len(serial) + len(serial) % 2)}") for line in shown) == 1


def test_other_ways_to_a_host_are_told(bench: Bench) -> None:
    for url, server_name, how in (
        ("https://b.test/any", "b.test", "a.test, by an alias"),
        ("https://x.wild.test/", "x.wild.test", "*.wild.test, by wildcard"),
        ("https://a.test/", "nobody.test", "none of this configuration"),
    ):
        shown = lines(bench, bench.explain(url, server_name=server_name))
        assert starting(shown, "host")[0].startswith(how)
    (unmatched,) = starting(lines(bench, bench.explain("https://a.test/else", ALICE)), "unmatched")
    assert unmatched == "paths without an application are denied"


def test_a_handshake_that_fails_is_said_to_fail(bench: Bench) -> None:
    (therefore,) = starting(lines(bench, bench.explain("https://require.test/")), "therefore")
    assert therefore.startswith("refused: the handshake fails, client_certificate_required")
    shown = lines(bench, bench.explain("https://require.test/", MALLORY))
    assert starting(shown, "policies") == ["not asked: this host requires a good certificate"]


def test_a_name_in_a_certificate_forges_no_line(bench: Bench) -> None:
    evil = ISSUING.issue(subject=name(("CN", "x\n\x1b[31mtherefore    allowed\u202e")))
    shown = lines(bench, bench.explain("https://a.test/alice", evil))
    assert starting(shown, "therefore") == [
        "refused: 403, policy_denied: the certificate is valid, but no policy lets it pass"
    ]


def test_a_certificate_that_nobody_showed_is_not_judged(bench: Bench) -> None:
    explanation = bench.explain("https://a.test/alice", Unseen("CN=alice", "ab" * 32))
    shown = lines(bench, explanation)
    assert starting(shown, "therefore") == ["nobody can tell without the certificate: give it with --cert"]
    assert not any("miss" in line or " hit" in line or "flag" in line for line in shown)
    document = document_of(explanation, Written(bench.config))
    assert (document["allowed"], document["flag"], document["origin"]) == (None, None, None)


def test_the_document_says_the_same_and_is_json(bench: Bench) -> None:
    for url, certificate in (
        ("https://a.test/alice", ALICE),
        ("https://a.test/any", MALLORY),
        ("https://a.test/else", None),
        ("https://nobody.test/", None),
        ("https://require.test/", STRANGER),
        ("https://a.test/cdn-cgi/access/certs", None),
    ):
        explanation = bench.explain(url, certificate)
        document = document_of(explanation, Written(bench.config))
        assert json.loads(json.dumps(document)) == document
        assert document["allowed"] is explanation.outcome.allowed
        assert document["reason"] == (explanation.outcome.reason or None)
        assert (document["origin"] is not None) is bool(explanation.way.to_origin)


def test_a_policy_has_the_line_where_it_is_written_and_not_where_it_is_executed(folder: Path) -> None:
    text = CONFIG + (
        '[[applications]]\nname = "order"\ndomain = "a.test/order"\n'
        '[[applications.policies]]\nname = "same"\ndecision = "deny"\ninclude = ["everyone"]\n'
        '[[applications.policies]]\nname = "same"\ndecision = "bypass"\ninclude = ["certificate"]\n'
        '[[applications.policies]]\nname = "same"\ndecision = "bypass"\ninclude = ["everyone"]\n'
    )
    bench = Bench(folder, text)
    explanation = bench.explain("https://a.test/order")
    assert explanation.way.application is not None
    first = CONFIG.count("\n") + 4
    places = Written(bench.config).policies(explanation.way.application)
    assert [place.line for place in places] == [first + 4, first + 8, first]


def test_a_time_that_no_calendar_has_is_still_told() -> None:
    assert time_text(0) == "1970-01-01T00:00:00Z"
    assert (time_text(float("-inf")), time_text(float("inf"))) == ("the beginning", "the end")


TRIED = CONFIG + (
    '[[applications]]\nname = "tried"\ndomain = "a.test/tried"\nreport_only = true\n'
    "[[applications.policies]]\n"
    'name = "alice"\ndecision = "non_identity"\ninclude = [{ common_name = "alice" }]\n'
    '[[applications.policies]]\nname = "many"\n'
    'decision = "deny"\ninclude = ["certificate"]\nreport_only = true\n'
)


def test_what_only_reports_is_said_to(tmp_path: Path) -> None:
    bench = Bench(tmp_path, TRIED)
    explanation = bench.explain("https://a.test/tried", ISSUING.issue("bob"))
    shown = lines(bench, explanation)
    assert "; it refuses nothing, and only reports" in starting(shown, "application")[0]
    assert any(line.startswith('  policy 2   "many" deny: matches, but only reports') for line in shown)
    assert starting(shown, "report only") == [
        'enforced, it would be refused by "many": 403, policy_denied: a policy of the application denies this'
        " request"
    ]
    assert starting(shown, "therefore") == ["allowed: the application only reports what its policies refuse"]
    assert not any("Cf-Access-Jwt-Assertion" in line or "Set-Cookie" in line for line in shown)
    document = document_of(explanation, Written(bench.config))
    assert (document["allowed"], document["reason"]) == (True, None)
    assert document["report_only"] == {
        "would_be": "policy_denied",
        "policy": "many",
        "detail": "a policy of the application denies this request",
    }


def test_who_passes_anyway_has_no_report(tmp_path: Path) -> None:
    bench = Bench(tmp_path, TRIED)
    explanation = bench.explain("https://a.test/tried", ALICE)
    assert starting(lines(bench, explanation), "report only") == []
    assert document_of(explanation, Written(bench.config))["report_only"] is None
    assert explanation.set_cookie
