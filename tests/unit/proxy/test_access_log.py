"""The one event of a request: what happened, and nothing secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import structlog

from edge.access.evaluate import Verdict
from edge.model.client_auth import NO_CERTIFICATE, ClientAuth
from edge.model.refusal import Reason, Refusal
from edge.proxy.access_log import (
    RequestRecord,
    TlsFacts,
    auth_fields,
    origin_member,
    passed_account,
    refused_account,
    refused_event,
    request_fields,
)
from edge.telemetry import logging
from edge.telemetry.logging import EventWriter
from tests.unit.access import builders
from tests.unit.access.builders import failed, leaf, verified

TLS = TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", resumed=True, server_name="a.test")


ABOUT = EventWriter().prepare(
    "request", request_fields(client="192.0.2.1", tls=TLS, host="", method="-", path="")
)


def event_of(path: Path, log: Callable[[EventWriter], None]) -> dict[str, Any]:
    """The event that is written, as a reader of the log finds it."""
    with path.open("w") as stream:
        logging.configure(stream)
        try:
            log(EventWriter())
        finally:
            structlog.reset_defaults()
    (event,) = (json.loads(line) for line in path.read_text().splitlines())
    assert (event.pop("event"), event.pop("level")) == ("request", "info")
    del event["time"]
    return cast("dict[str, Any]", event)


class Logged:
    """Logs one request; what is said of it is sorted into what is known early and late."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, now: float = 12.5, *, late: bool = False, **facts: Any) -> dict[str, Any]:
        about: dict[str, Any] = {"client": "192.0.2.1", "tls": TLS, "host": "", "method": "-", "path": ""}
        early = {"client", "tls", "host", "method", "path", "client_auth", "verdict", "refusal"}
        if late:
            early -= {"refusal"}
        about |= {key: facts.pop(key) for key in early & facts.keys()}
        prepared = EventWriter().prepare("request", request_fields(**about))
        record = RequestRecord(b"r1", 10.0, prepared, **facts)
        return event_of(self._path, lambda events: record.log(events, now))


class Short:
    """Logs one request by the short way."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, prepared: bytes, rest: bytes) -> dict[str, Any]:
        return event_of(self._path, lambda events: events.write(prepared, rest))


@pytest.fixture
def logged(tmp_path: Path) -> Logged:
    return Logged(tmp_path / "log")


@pytest.fixture
def short(tmp_path: Path) -> Short:
    return Short(tmp_path / "log")


def test_an_event_has_the_facts_of_its_request(logged: Logged) -> None:
    policy = builders.policy("devices")
    application = builders.application("a.test/x", name="app", policies=[policy])
    event = logged(
        method="GET",
        host="a.test",
        path="/x",
        status=200,
        verdict=Verdict(True, None, application, policy, "", session=True),
        octets_in=5,
        octets_out=7,
        origin="http://127.0.0.1:9000",
        origin_started=10.5,
        origin_ended=12.0,
    )
    assert event == {
        "request_id": "r1",
        "client": "192.0.2.1",
        "host": "a.test",
        "method": "GET",
        "path": "/x",
        "status": 200,
        "bytes_in": 5,
        "bytes_out": 7,
        "duration": 2.5,
        "tls_version": "TLSv1.3",
        "cipher": "TLS_AES_256_GCM_SHA384",
        "resumed": True,
        "mtls_authenticated": False,
        "verify": "NONE",
        "application": "app",
        "policy": "devices",
        "session": True,
        "origin": "http://127.0.0.1:9000",
        "origin_duration": 1.5,
    }


def test_the_short_accounts_say_what_the_long_one_says(logged: Logged, short: Short) -> None:
    where = "http://[::1]:9000"
    long = logged(status=200, octets_out=7, origin=where, origin_started=10.0, origin_ended=12.5)
    assert short(ABOUT, passed_account(b"r1", 200, 7, origin_member(where), 2.5)) == long
    assert short(refused_event(ABOUT, 403, 7), refused_account(b"r1", 2.5)) == logged(
        status=403, octets_out=7
    )


@pytest.mark.parametrize("seconds", [0.0, 0.000001, 0.09, 1.5, 3600.25])
def test_the_short_accounts_tell_durations_to_the_microsecond(short: Short, seconds: float) -> None:
    passed = short(ABOUT, passed_account(b"r1", 200, 7, origin_member("o"), seconds))
    assert passed["duration"] == passed["origin_duration"] == seconds
    assert short(ABOUT, refused_account(b"r1", seconds))["duration"] == seconds


@pytest.mark.parametrize("late", [False, True], ids=["planned", "unforeseen"])
def test_a_refusal_is_named_and_its_detail_cut(logged: Logged, *, late: bool) -> None:
    event = logged(refusal=Refusal(Reason.POLICY_DENIED, "x" * 1000), late=late)
    assert event["reason"] == "policy_denied"
    assert len(event["detail"]) == 200


def test_a_long_path_is_cut(logged: Logged) -> None:
    assert len(logged(path="/" + "x" * 1000)["path"]) == 200


@pytest.mark.parametrize(
    ("auth", "authenticated"), [(verified(leaf("James Royal")), True), (failed(leaf("James Royal")), False)]
)
def test_a_certificate_that_was_presented_is_logged_whether_it_verified_or_not(
    logged: Logged, auth: ClientAuth, *, authenticated: bool
) -> None:
    event = logged(client_auth=auth_fields(auth))
    assert event["mtls_authenticated"] is authenticated
    assert event["verify"] == auth.verify
    assert event["certificate_serial"] == "0A1B"
    assert event["certificate_sha256"] == "11" * 32
    assert event["certificate_subject"] == "CN=James Royal"


def test_without_a_certificate_nothing_is_said_of_one(logged: Logged) -> None:
    assert not [
        key for key in logged(client_auth=auth_fields(NO_CERTIFICATE)) if key.startswith("certificate")
    ]


def test_a_long_subject_is_cut(logged: Logged) -> None:
    told = logged(client_auth=auth_fields(verified(leaf(subject="CN=" + "x" * 1000))))
    assert len(told["certificate_subject"]) == 200


def test_an_answer_that_was_not_finished_says_why(logged: Logged) -> None:
    assert logged(aborted="the client left")["aborted"] == "the client left"
    assert "aborted" not in logged()
