"""What is counted of a request and a handshake, and under which labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog

from edge.model.refusal import MessageError, Reason, Refusal
from edge.origin.connection import OriginError
from edge.proxy.access_log import RequestRecord, TlsFacts
from edge.proxy.admission import Admission
from edge.proxy.counts import Counts
from edge.proxy.plan import make_plan
from edge.proxy.recent_refusals import RecentRefusals
from edge.reactor.strand import Expired
from edge.telemetry.metrics import Metrics
from tests.unit.proxy.clients import Desk, configuration
from tests.unit.snapshot.world import ca, host

REFUSED = Refusal(Reason.POLICY_DENIED, "no")


def numbers(metrics: Metrics) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(metrics.dump())
    return {
        name: {tuple(labels): value for labels, value in series}
        for name, series in document.items()
        if series and isinstance(series[0][0], list)
    }


def record(**fields: Any) -> RequestRecord:
    return RequestRecord(b"r" * 24, 10.0, b"{", **fields)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.mark.parametrize(
    ("status", "told"), [(0, ""), (101, "1xx"), (200, "2xx"), (299, "2xx"), (599, "5xx")]
)
def test_a_request_that_passed_is_counted_by_the_class_of_its_status(
    metrics: Metrics, status: int, told: str
) -> None:
    counts = Counts(metrics)
    counts.request(counts.of_host("h"), record(status=status), None, 10.5)
    assert numbers(metrics)["edge_requests_total"] == {("h", told, ""): 1}


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_is_counted_by_its_reason(metrics: Metrics, reason: Reason) -> None:
    counts = Counts(metrics)
    counts.request(counts.of_host("h"), record(status=reason.status), Refusal(reason), 10.5)
    told = {("h", f"{reason.status // 100}xx", reason.value): 1}
    assert numbers(metrics)["edge_requests_total"] == told


def test_octets_and_durations_are_those_of_the_record(metrics: Metrics) -> None:
    counts = Counts(metrics)
    ended = record(status=200, octets_in=3, octets_out=7, origin="o", origin_started=10.1, origin_ended=10.3)
    counts.request(counts.of_host(""), ended, None, 12.0)
    told = orjson.loads(metrics.dump())
    assert told["edge_received_bytes_total"] == [[[], 3]]
    assert told["edge_sent_bytes_total"] == [[[], 7]]
    assert told["edge_request_duration_seconds"][1] == 2.0
    assert told["edge_origin_duration_seconds"][1] == pytest.approx(0.2)


def test_a_request_that_no_origin_saw_has_no_duration_of_one(metrics: Metrics) -> None:
    counts = Counts(metrics)
    counts.request(counts.of_host(""), record(status=403), REFUSED, 12.0)
    assert sum(orjson.loads(metrics.dump())["edge_origin_duration_seconds"][0]) == 0


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OriginError(Reason.ORIGIN_UNREACHABLE, ""), "origin_unreachable"),
        (OriginError(Reason.ORIGIN_TIMEOUT, ""), "origin_timeout"),
        (MessageError(Reason.ORIGIN_BAD_RESPONSE, ""), "origin_bad_response"),
        (Expired("origin_first_byte"), "origin_timeout"),
        (Expired("origin_idle"), "origin_timeout"),
        (OriginError(Reason.OVERLOADED, ""), None),
        (MessageError(Reason.BAD_REQUEST, ""), None),
        (Expired("client_body"), None),
        (Expired("client_write"), None),
        (ValueError(), None),
    ],
)
def test_only_what_is_the_origins_fault_is_counted_as_such(
    metrics: Metrics, error: Exception, reason: str | None
) -> None:
    Counts(metrics).origin_error("http://o:80", error)
    expected = {} if reason is None else {("http://o:80", reason): 1}
    assert numbers(metrics).get("edge_origin_errors_total", {}) == expected


def test_an_origin_that_was_not_reached_is_named_by_the_error(metrics: Metrics) -> None:
    Counts(metrics).origin_error("", OriginError(Reason.ORIGIN_UNREACHABLE, "", "http://o:81"))
    assert numbers(metrics)["edge_origin_errors_total"] == {("http://o:81", "origin_unreachable"): 1}


def test_handshakes_are_counted_by_host_result_and_version(metrics: Metrics) -> None:
    host_counts = Counts(metrics).of_host("h")
    for resumed in (False, True, True):
        host_counts.handshake(TlsFacts("TLSv1.3", "", resumed, "stranger.test"))
    host_counts.failed_handshake()
    assert numbers(metrics)["edge_handshakes_total"] == {
        ("h", "full", "TLSv1.3"): 1,
        ("h", "resumed", "TLSv1.3"): 2,
        ("h", "failed", ""): 1,
    }


def test_every_outcome_of_an_admission_has_a_number_from_the_start(metrics: Metrics) -> None:
    Counts(metrics)
    assert numbers(metrics)["edge_connections_total"] == {(each.value,): 0 for each in Admission}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def test_a_name_under_a_wildcard_is_counted_under_the_wildcard(desk: Desk) -> None:
    """Clients invent such names without end; labels must not grow with them."""
    text = configuration(host("*.wild.test", 'unmatched = "deny"'), applications="")
    desk.publish(text.replace(ca(), ca().replace("a.test", "*.wild.test")))
    for name in ("x.wild.test", "y.wild.test"):
        connection = desk.connect(name=name)
        head = b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % name.encode()
        make_plan(connection, desk.services.holder.current, head).refused.value += 1
    [labels] = numbers(desk.services.metrics)["edge_requests_total"]
    assert labels[0] == "*.wild.test"


# --- the last refusals ---------------------------------------------------------------------------


def test_of_a_refusal_only_what_people_need_is_told() -> None:
    refusals = RecentRefusals()
    refusals.note(1.0, 1e9, b'{"event":"request","client":"192.0.2.1","reason":"policy_denied","cipher":"x"')
    assert refusals.told() == [{"time": 1e9, "client": "192.0.2.1", "reason": "policy_denied"}]


def test_a_flood_is_sampled_and_what_comes_after_it_is_seen() -> None:
    refusals = RecentRefusals()
    for number in range(1000):
        refusals.note(5.0 + number / 1e6, number, {"reason": "flood"})
    assert refusals.due > 5.5
    refusals.note(6.5, 2000, {"reason": "after"})
    told = refusals.told()
    assert len(told) < 20
    assert told[-1] == {"time": 2000, "reason": "after"}


def test_the_memory_is_bounded() -> None:
    refusals = RecentRefusals()
    for second in range(1000):
        refusals.note(second, second, {"reason": "r"})
    assert [each["time"] for each in refusals.told()] == list(range(968, 1000))
