"""``edge explain`` as people call it: what it prints, what it takes from a log, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority, Credential
from tests.e2e.clients import raw_tls
from tests.e2e.command_line import CONFIG, Output, configure, everything_in, run, spawn
from tests.e2e.configuration import application_table, ca_table, host_table, server_table
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.verdicts import event_of, request_id

URL = "https://a.test/x"


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("configured")
    configure(directory)
    Authority("Strangers").issue("alice").write(directory, "stranger")
    return directory


def explain(directory: Path, *arguments: str | Path) -> Output:
    return run("explain", "-c", directory / "edge.toml", *arguments)


def test_the_exit_status_is_the_outcome_and_nothing_is_left_behind(configured: Path) -> None:
    before = everything_in(configured)
    config = configured / "edge.toml"
    assert spawn("explain", "-c", config, "--url", URL).status == 1
    assert (
        spawn("explain", "-c", config, "--url", URL, "--cert", configured / "origin-client.pem").status == 0
    )
    assert spawn("explain", "-c", config).status == 2
    assert everything_in(configured) == before


def test_a_refusal_is_argued_and_told_to_programs(configured: Path) -> None:
    told = explain(configured, "--url", URL, "--cert", configured / "stranger.pem")
    assert told.status == 1
    assert "therefore    refused: 403, client_certificate_invalid: " in told.out
    assert "\x1b" not in told.out
    machine = explain(configured, "--url", URL, "--cert", configured / "stranger.pem", "--json")
    assert machine.status == 1
    assert (machine.json["allowed"], machine.json["reason"]) == (False, "client_certificate_invalid")
    assert machine.json["policies"][0]["include"][0]["hit"] is False


def test_an_allowed_request_shows_what_the_origin_would_get(configured: Path) -> None:
    told = explain(configured, "--url", URL + "?q=1", "--cert", configured / "origin-client.pem", "--json")
    assert told.status == 0
    origin = told.json["origin"]
    assert origin["target"] == "/x?q=1"
    assert ["Mtls-Authenticated", "true"] in origin["headers"]
    assert ["Cf-Access-Jwt-Assertion", "<token for all>"] in origin["headers"]
    assert "eyJ" not in told.out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--url", "https://a.test/%zz"), "bad_request"),
        (("--url", URL, "--method", "TRACE"), "method_not_allowed"),
        (("--url", URL, "--header", "Host: b.test"), "misdirected_request"),
        (("--url", URL, "--sni", "b.test"), "unrecognized_name"),
        (("--url", URL, "--sni", ""), "unrecognized_name"),
        (("--url", URL, "--header", "Upgrade: h3", "--header", "Connection: upgrade"), "http3_not_supported"),
        (("--url", URL), "client_certificate_required"),
        (
            ("--url", URL, "--ip", "2001:db8::1", "--at", "2020-01-01T00:00:00Z"),
            "client_certificate_required",
        ),
    ],
)
def test_every_option_counts(configured: Path, arguments: tuple[str, ...], reason: str) -> None:
    told = explain(configured, *arguments, "--json")
    assert (told.status, told.json["reason"]) == (1, reason)


def test_another_moment_is_another_answer(configured: Path) -> None:
    certificate = configured / "origin-client.pem"
    for at in ("2020-01-01T00:00:00Z", "2090-01-01T01:00:00+01:00"):
        told = explain(configured, "--url", URL, "--cert", certificate, "--at", at, "--json")
        assert told.json["reason"] == "client_certificate_expired"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "give --url"),
        (("--url", "http://a.test/"), "not an https:// URL"),
        (("--url", "https://a.test/\r\nHost: b.test"), "has a line end"),
        (("--url", URL, "--method", "G T"), "no method"),
        (("--url", URL, "--ip", "localhost"), "not an IP address"),
        (("--url", URL, "--at", "tomorrow"), "not a date"),
        (("--url", URL, "--at", "2030-01-01T00:00:00"), "time zone"),
        (("--url", URL, "--header", "no colon"), "no header field"),
        (("--url", URL, "--header", "A: b\nC: d"), "no header field"),
        (("--url", URL, "--cert", "nowhere.pem"), "there is no such file"),
        (("--url", URL, "--cert", __file__), "no certificate in it"),
        (("--url", URL, "--request-id", "x"), "belong together"),
        (("--url", URL, "--log", "x"), "belong together"),
        (("--request-id", "x", "--log", "nowhere.log"), "cannot be read"),
    ],
)
def test_wrong_usage_is_status_2_and_says_why(
    configured: Path, arguments: tuple[str, ...], says: str
) -> None:
    told = explain(configured, *arguments)
    assert (told.status, told.out) == (2, "")
    assert says in told.err


def test_a_configuration_that_would_not_start_explains_nothing(tmp_path: Path) -> None:
    (tmp_path / "edge.toml").write_text(CONFIG, encoding="utf-8")
    told = explain(tmp_path, "--url", URL)
    assert (told.status, told.out) == (1, "")
    assert told.lines
    assert all(line.startswith("error: ") for line in told.lines)


# --- a request of the log ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin) -> Iterator[Edge]:
    """An edge of its own: its configuration is changed below."""
    config = "".join(
        [
            server_table(workers=1),
            host_table(pki, "a.test", session_origin.url),
            ca_table("CA A", pki / "ca-a.pem", "a.test"),
            application_table("a.test"),
            application_table("a.test/james", '{ common_name = "James Royal" }'),
        ]
    )
    with Edge(config, tmp_path_factory.mktemp("logged"), server_ca=pki / "server-ca.pem") as running:
        yield running


class Log:
    """Requests that were served, and the log that has them."""

    def __init__(self, edge: Edge, directory: Path) -> None:
        self._edge = edge
        self._path = directory / "edge.log"

    def ask(self, credential: Credential | None, path: str) -> str:
        """Send a request; return its identifier once the log has it."""
        with raw_tls(self._edge, "a.test", credential) as client:
            answer = client.ask(path)
        event_of(self._edge, answer)
        self._path.write_text(self._edge.log, encoding="utf-8")
        return request_id(answer)

    def explain(self, identifier: str, *arguments: str | Path, config: Path | None = None) -> Output:
        """Explain a request by what the log has of it."""
        log = ("--request-id", identifier, "--log", self._path)
        return run("explain", "-c", config or self._edge.config_path, *log, *arguments)

    def document(self, identifier: str, *arguments: str | Path) -> dict[str, Any]:
        """The same for programs."""
        found: dict[str, Any] = json.loads(self.explain(identifier, "--json", *arguments).out)
        return found


@pytest.fixture
def log(logged: Edge, tmp_path: Path) -> Log:
    return Log(logged, tmp_path)


def test_a_request_without_a_certificate_is_explained_from_the_log_alone(log: Log) -> None:
    identifier = log.ask(None, "/james?secret=1")
    told = log.explain(identifier)
    assert told.status == 1
    assert told.out.startswith("GET https://a.test/james\n")
    assert "recorded     403, client_certificate_required" in told.out
    assert "compared     the same as now" in told.out
    assert log.document(identifier)["recorded"]["same"] is True


def test_a_request_with_a_certificate_needs_that_certificate(
    log: Log, ca_a: Authority, tmp_path: Path
) -> None:
    james, jane = (ca_a.issue(who) for who in ("James Royal", "Jane Doe"))
    files = {who: each.write(tmp_path, who).certificate for who, each in (("james", james), ("jane", jane))}
    identifier = log.ask(jane, "/james")
    without = log.explain(identifier)
    assert without.status == 1
    assert "therefore    nobody can tell without the certificate" in without.out
    assert jane.fingerprint in without.out
    assert log.document(identifier)["allowed"] is None
    wrong = log.explain(identifier, "--cert", files["james"])
    assert (wrong.status, wrong.out) == (2, "")
    assert "another certificate" in wrong.err
    right = log.document(identifier, "--cert", files["jane"])
    assert (right["reason"], right["recorded"]["same"]) == ("policy_denied", True)
    allowed = log.ask(james, "/james")
    assert log.explain(allowed, "--cert", files["james"]).status == 0


def test_an_identifier_that_is_not_there_is_said_so(log: Log) -> None:
    log.ask(None, "/")
    told = log.explain("nobody")
    assert (told.status, told.out) == (1, "")
    assert "there is no request nobody in it" in told.err


def test_a_configuration_that_changed_since_decides_otherwise(log: Log, logged: Edge, tmp_path: Path) -> None:
    identifier = log.ask(None, "/")
    closed, opened = '"non_identity"\n  include = ["certificate"]', '"bypass"\n  include = ["everyone"]'
    text = logged.config_path.read_text(encoding="utf-8")
    assert closed in text
    (tmp_path / "edge.toml").write_text(text.replace(closed, opened), encoding="utf-8")
    told = log.explain(identifier, config=tmp_path / "edge.toml")
    assert told.status == 0
    assert "compared     not the same as now" in told.out
