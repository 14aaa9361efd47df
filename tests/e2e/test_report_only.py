"""Dry run: everybody passes and the log tells who would not; a reload enforces it on open connections."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority, Credential
from tests.e2e.clients import raw_tls
from tests.e2e.command_line import run
from tests.e2e.configuration import application_with, ca_table, host_table, policy_table, server_table
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.test_reload import OK, Site
from tests.e2e.verdicts import event_of, verdict

NARROW = policy_table("narrow", "non_identity", '{ common_name = "James Royal" }')
REPORTS = "report_only = true"
DENIED = (403, "policy_denied")
REQUIRED = (403, "client_certificate_required")


class Trial(Site):
    """``Site`` with one host, whose application a test chooses."""

    def text(self, *hosts: str, lines: str = REPORTS, policies: str = NARROW, **_: object) -> str:
        return "".join(
            (
                server_table(),
                host_table(self.directory, "one.test", self._origin_url),
                ca_table("Access Testing CA", self.directory / "ca.pem", "one.test"),
                application_with("one.test", policies, lines=[lines]),
            )
        )


@pytest.fixture
def trial(tmp_path: Path, server_root: Authority, origin: Origin) -> Iterator[Trial]:
    trial = Trial(tmp_path, server_root, origin.url)
    with trial.edge:
        yield trial


def sent_to_origin(origin: Origin, path: str) -> dict[str, str]:
    (received,) = origin.wait_for(path)
    return dict(received.headers)


def test_who_would_be_refused_passes_as_nobody_and_is_told_in_the_log(trial: Trial, origin: Origin) -> None:
    jane = trial.ca.issue("Jane Doe")
    for credential, word, flag in ((None, REQUIRED[1], "false"), (jane, DENIED[1], "true")):
        with raw_tls(trial.edge, "one.test", credential) as client:
            for _ in range(3):  # the second and the third take the short way
                origin.forget()
                answer = client.ask("/tried", host="one.test")
                assert verdict(answer) == OK
                assert answer.values("set-cookie") == []
                sent = sent_to_origin(origin, "/tried")
                assert sent["mtls-authenticated"] == flag
                assert "cf-access-jwt-assertion" not in sent
                event = event_of(trial.edge, answer)
                assert (event["report_only"], event["would_be"], event["status"]) == (True, word, 200)
                assert event["would_be_detail"]
                assert "reason" not in event


def test_who_would_pass_passes_as_ever(trial: Trial, origin: Origin) -> None:
    with raw_tls(trial.edge, "one.test", trial.client) as client:
        answer = client.ask("/tried", host="one.test")
    assert verdict(answer) == OK
    assert answer.values("set-cookie")[0].startswith("CF_Authorization=")
    assert "cf-access-jwt-assertion" in sent_to_origin(origin, "/tried")
    assert "report_only" not in event_of(trial.edge, answer)


def test_a_reload_enforces_it_on_the_next_request_of_an_open_connection_and_back(trial: Trial) -> None:
    with raw_tls(trial.edge, "one.test") as client:
        assert [verdict(client.ask(host="one.test")) for _ in range(3)] == [OK] * 3
        trial.reload(trial.text(lines=""))
        assert [verdict(client.ask(host="one.test")) for _ in range(3)] == [REQUIRED] * 3
        event = trial.reload(trial.text())
        assert 'application "one.test" changed' in event["changed"]
        assert verdict(client.ask(host="one.test")) == OK
    warnings = trial.edge.log_events("configuration_warning")
    assert any("it lets everybody pass" in json.dumps(warning) for warning in warnings)


def test_a_narrow_policy_is_tried_out_before_a_wide_one_is_removed(trial: Trial) -> None:
    wide = policy_table("wide", "non_identity", '"certificate"')
    tried = policy_table("narrow", "non_identity", '{ common_name = "James Royal" }', REPORTS)
    trial.reload(trial.text(lines="", policies=tried + wide))
    for credential, would_be in ((trial.client, "allow"), (trial.ca.issue("Jane Doe"), None)):
        answer = trial.ask("one.test", credential)
        assert verdict(answer) == OK
        event = event_of(trial.edge, answer)
        assert (event["policy"], event.get("would_be")) == ("wide", would_be)
        assert event.get("would_be_policy") == ("narrow" if would_be else None)


def test_what_no_policy_refuses_is_not_softened(trial: Trial) -> None:
    for request, status in (
        (b"GET / HTTP/1.1\r\nHost: two.test\r\n\r\n", 421),
        (b"GET / HTTP/1.1\r\nHost: one.test\r\nUpgrade: h3\r\nConnection: upgrade\r\n\r\n", 505),
        (b"GET /%zz HTTP/1.1\r\nHost: one.test\r\n\r\n", 400),
        (b"TRACE / HTTP/1.1\r\nHost: one.test\r\n\r\n", 405),
    ):
        with raw_tls(trial.edge, "one.test") as client:
            client.send(request)
            answer = client.read_answer()
        assert answer.status == status
        assert "report_only" not in event_of(trial.edge, answer)


def test_the_explanation_is_what_the_edge_did(trial: Trial) -> None:
    jane = trial.ca.issue("Jane Doe")
    for credential in (None, jane, trial.client):
        answer = trial.ask("one.test", credential)
        event = event_of(trial.edge, answer)
        outcome = explained(trial.edge, credential)
        assert (outcome["allowed"], outcome["would_be"]) == (True, event.get("would_be"))


def explained(edge: Edge, credential: Credential | None) -> dict[str, object]:
    log = edge.config_path.with_name("edge.log")
    log.write_text(edge.log)
    (event,) = edge.log_events("request")[-1:]
    arguments = [
        "explain",
        "-c",
        edge.config_path,
        "--json",
        "--log",
        log,
        "--request-id",
        event["request_id"],
    ]
    if credential is not None:
        path = edge.config_path.with_name("shown.pem")
        path.write_bytes(credential.pem())
        arguments += ["--cert", path]
    got = run(*arguments)
    assert got.status == 0
    assert got.json["recorded"]["same"] is True
    report = got.json["report_only"]
    return {"allowed": got.json["allowed"], "would_be": report and report["would_be"]}


def test_check_warns_loudly(trial: Trial) -> None:
    got = run("check", "-c", trial.edge.config_path)
    assert got.status == 0
    assert "it lets everybody pass" in got.err
    assert "one.test: one.test (report only)" in got.out
