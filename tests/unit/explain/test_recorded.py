"""One request is found in a log of any size, and what the log does not have is not guessed."""

from __future__ import annotations

import io
import json

import pytest

from edge.explain.recorded import Recorded, RecordUnusable, find_request
from tests.unit.explain.questions import ALICE, Bench

EVENT = {
    "event": "request",
    "request_id": "w1-7",
    "time": "2026-01-02T03:04:05.678901Z",
    "client": "192.0.2.7",
    "host": "a.test",
    "method": "GET",
    "path": "/alice",
    "status": 200,
    "verify": "SUCCESS",
    "application": "a.test/alice",
    "policy": "a.test/alice",
    "certificate_sha256": "ab",
    "certificate_subject": "CN=alice",
}


def find(*lines: bytes, request_id: str = "w1-7") -> Recorded | None:
    return find_request(io.BytesIO(b"".join(lines)), request_id)


def line(**changes: object) -> bytes:
    event = {key: value for key, value in (EVENT | changes).items() if value is not None}
    return json.dumps(event).encode() + b"\n"


def recorded(**changes: object) -> Recorded:
    found = find(line(**changes))
    assert found is not None
    return found


def test_an_event_is_found_among_others() -> None:
    noise = (b"not json w1-7\n", b'["w1-7"]\n', b"\xff\xfe\n", line(request_id="w1-77"), line(event="other"))
    found = find(*noise, line(), line(status=500))
    assert found is not None
    assert (found.status, found.host, found.path, found.client) == (200, "a.test", "/alice", "192.0.2.7")
    assert found.at == pytest.approx(1767323045.678901)
    assert found.presented


def test_another_identifier_or_an_empty_log_finds_nothing() -> None:
    assert find(line(), request_id="w1") is None
    assert find() is None


def test_a_line_without_end_is_passed_over_in_pieces() -> None:
    long = b'{"request_id": "w1-7", "event": "request", "x": "' + b"x" * 300_000
    assert find(long + b"w1-7" + b'"}\n', line()) is not None
    assert find(long) is None


def test_the_last_line_may_have_no_end() -> None:
    assert find(line().rstrip()) is not None


@pytest.mark.parametrize("time", [None, "", "soon", "2026-01-02T03:04:05", 7])
def test_an_event_without_a_time_cannot_be_explained(time: object) -> None:
    with pytest.raises(RecordUnusable, match="no time"):
        recorded(time=time)


def test_fields_of_another_kind_count_as_missing() -> None:
    found = recorded(host=7, status="200", session="yes", verify=None)
    assert (found.host, found.status, found.session, found.presented) == ("", 0, False, False)


def test_the_url_is_made_of_host_and_path() -> None:
    assert recorded().url == "https://a.test/alice"
    assert recorded(host="::1").url == "https://[::1]/alice"


@pytest.mark.parametrize("change", [{"path": ""}, {"path": "x"}, {"host": ""}, {"path": "/" + "x" * 199}])
def test_a_path_that_the_log_has_not_whole_is_not_explained(change: dict[str, str]) -> None:
    with pytest.raises(RecordUnusable, match="--url"):
        _ = recorded(**change).url


def test_what_happened_to_an_allowed_request_later_is_no_verdict() -> None:
    assert recorded().verdict == "allow"
    assert recorded(reason="origin_unreachable").verdict == "allow"
    assert recorded(reason="policy_denied").verdict == "policy_denied"


def test_it_agrees_only_with_the_same_reason_of_the_same_policy(bench: Bench) -> None:
    explanation = bench.explain("https://a.test/alice", ALICE)
    assert recorded().agrees_with(explanation)
    assert not recorded(policy="other").agrees_with(explanation)
    assert not recorded(application="other").agrees_with(explanation)
    assert not recorded(reason="policy_denied").agrees_with(explanation)


def test_a_report_is_compared_as_well(bench: Bench) -> None:
    now = bench.explain("https://a.test/alice", ALICE)
    assert recorded().agrees_with(now)
    assert not recorded(would_be="policy_denied").agrees_with(now)
