"""The one event of a request: what happened, and nothing secret."""

from __future__ import annotations

from typing import Any

import pytest

from edge.model.client_auth import NO_CERTIFICATE, ClientAuth
from edge.model.refusal import Reason, Refusal
from edge.proxy.access_log import RequestRecord, TlsFacts, auth_fields
from tests.unit.access.builders import failed, leaf, verified

TLS = TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", resumed=True, server_name="a.test")


def logged(now: float = 12.5, **facts: Any) -> dict[str, Any]:
    """The event of a record."""
    record = RequestRecord(request_id="r1", started=10.0, client="192.0.2.1", tls=TLS)
    for key, value in facts.items():
        setattr(record, key, value)
    events: list[tuple[str, dict[str, object]]] = []
    record.log(lambda name, fields: events.append((name, fields)), now)
    ((name, event),) = events
    assert name == "request"
    return event


def test_an_event_has_the_facts_of_its_request() -> None:
    event = logged(
        method="GET",
        host="a.test",
        path="/x",
        status=200,
        application="app",
        policy="devices",
        session=True,
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


def test_a_refusal_is_named_and_its_detail_cut() -> None:
    event = logged(refusal=Refusal(Reason.POLICY_DENIED, "x" * 1000))
    assert event["reason"] == "policy_denied"
    assert len(event["detail"]) == 200


def test_a_long_path_is_cut() -> None:
    assert len(logged(path="/" + "x" * 1000)["path"]) == 200


@pytest.mark.parametrize(
    ("auth", "authenticated"), [(verified(leaf("James Royal")), True), (failed(leaf("James Royal")), False)]
)
def test_a_certificate_that_was_presented_is_logged_whether_it_verified_or_not(
    auth: ClientAuth, *, authenticated: bool
) -> None:
    event = logged(client_auth=auth_fields(auth))
    assert event["mtls_authenticated"] is authenticated
    assert event["verify"] == auth.verify
    assert event["certificate_serial"] == "0A1B"
    assert event["certificate_sha256"] == "11" * 32
    assert event["certificate_subject"] == "CN=James Royal"


def test_without_a_certificate_nothing_is_said_of_one() -> None:
    assert not [
        key for key in logged(client_auth=auth_fields(NO_CERTIFICATE)) if key.startswith("certificate")
    ]


def test_a_long_subject_is_cut() -> None:
    told = logged(client_auth=auth_fields(verified(leaf(subject="CN=" + "x" * 1000))))
    assert len(told["certificate_subject"]) == 200


def test_an_answer_that_was_not_finished_says_why() -> None:
    assert logged(aborted="the client left")["aborted"] == "the client left"
    assert "aborted" not in logged()
