"""What a running worker counts: reports once a request on every way, and certificates that end soon."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from edge.runtime.worker import Worker
from edge.telemetry import families
from edge.telemetry.metrics import Family
from tests.e2e.tls_client import raw_tls
from tests.unit.runtime.test_worker import _silent_log, folder, running, snapshot_of
from tests.unit.snapshot.world import CLIENTS, SERVER, application, ca, host

__all__ = ["_silent_log", "folder"]

NOBODY = '{ common_name = "nobody" }'
TRIED = (
    '  [[applications.policies]]\n  name = "tried"\n  decision = "non_identity"\n'
    '  include = ["certificate"]\n  report_only = true\n'
)


def numbers(worker: Worker, family: Family) -> dict[tuple[str, ...], float]:
    series = json.loads(worker._services.metrics.dump()).get(family.name, [])
    return {tuple(values): number for values, number in series}


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_refused_request_with_a_report_is_counted_once_on_every_way(folder: Path, method: str) -> None:
    """The first of its kind is planned, the same head again takes the short way, ``HEAD`` another."""
    snapshot = snapshot_of(folder, SERVER + host() + ca() + application("a.test", NOBODY) + TRIED)
    with running(snapshot) as edge, raw_tls(edge, "a.test", CLIENTS.issue("James Royal")) as client:
        for count in range(1, 5):
            assert client.ask("/", method=method, host="a.test").status == 403
            assert numbers(edge.worker, families.REPORT_ONLY) == {("a.test", "allow"): count}


def test_a_request_that_passes_with_a_report_is_counted_once(folder: Path) -> None:
    """Its origin is nowhere: the report is about the policies, not about what happens later."""
    text = SERVER + host("a.test", 'origin = "http://127.0.0.1:9"') + ca()
    snapshot = snapshot_of(folder, text + application("a.test", NOBODY, "report_only = true"))
    with running(snapshot) as edge, raw_tls(edge, "a.test") as client:
        for count in range(1, 4):
            assert client.ask("/", host="a.test").status == 502
            counted = numbers(edge.worker, families.REPORT_ONLY)
            assert counted == {("a.test", "client_certificate_required"): count}


def test_what_is_enforced_is_not_counted(folder: Path) -> None:
    snapshot = snapshot_of(folder, SERVER + host() + ca() + application("a.test", NOBODY))
    with running(snapshot) as edge, raw_tls(edge, "a.test") as client:
        assert client.ask("/", host="a.test").status == 403
        assert numbers(edge.worker, families.REPORT_ONLY) == {}


def test_a_handshake_shows_that_a_certificate_ends_soon(folder: Path) -> None:
    snapshot = snapshot_of(folder, SERVER + host() + ca() + application())
    james = CLIENTS.issue("James Royal", not_after=timedelta(days=6))
    with running(snapshot) as edge:
        for _ in range(3):
            with raw_tls(edge, "a.test", james) as client:
                client.ask("/cdn-cgi/access/certs", host="a.test")
        worker = edge.worker
        assert numbers(worker, families.CLIENT_CERTIFICATES_EXPIRING) == {("a.test", "7"): 1}
        (ends,) = numbers(worker, families.CLIENT_CERTIFICATE_EXPIRY).values()
        assert ends == james.certificate.not_valid_after_utc.timestamp()


def test_a_certificate_that_does_not_verify_has_no_number(folder: Path) -> None:
    snapshot = snapshot_of(folder, SERVER + host() + ca() + application())
    stranger = CLIENTS.impostor().issue("James Royal", not_after=timedelta(days=6))
    with running(snapshot) as edge, raw_tls(edge, "a.test", stranger) as client:
        assert client.ask("/", host="a.test").status == 403
        assert numbers(edge.worker, families.CLIENT_CERTIFICATES_EXPIRING) == {}
        assert numbers(edge.worker, families.CLIENT_CERTIFICATE_EXPIRY) == {}


def test_an_open_connection_crosses_a_threshold_without_a_handshake(folder: Path) -> None:
    snapshot = snapshot_of(folder, SERVER + host() + ca() + application())
    james = CLIENTS.issue("James Royal", not_after=timedelta(days=20))
    with running(snapshot) as edge, raw_tls(edge, "a.test", james) as client:
        client.ask("/cdn-cgi/access/certs", host="a.test")
        worker = edge.worker
        worker._services.clock = lambda: james.certificate.not_valid_after_utc.timestamp() - 3600.0
        worker._loop.call_soon_threadsafe(worker.look_at_certificates)
        expected = {("a.test", "30"): 1, ("a.test", "1"): 1}
        eventually(lambda: numbers(worker, families.CLIENT_CERTIFICATES_EXPIRING) == expected)
