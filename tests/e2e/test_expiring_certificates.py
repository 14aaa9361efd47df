"""Client certificates that end soon are told in the log: once each, and only those that verify."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.e2e.clients import raw_tls
from tests.e2e.configuration import application_table, ca_table, host_table, server_table
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.verdicts import verdict


@pytest.fixture
def lone_edge(tmp_path: Path, pki: Path, origin: Origin) -> Iterator[Edge]:
    """One worker: each tells for itself."""
    text = (
        server_table(workers=1)
        + host_table(pki, "a.test", origin.url)
        + ca_table("CA A", pki / "ca-a.pem", "a.test")
        + application_table("a.test")
    )
    with Edge(text, tmp_path, server_ca=pki / "server-ca.pem") as edge:
        yield edge


def test_each_is_told_once_with_its_days(lone_edge: Edge, ca_a: Authority) -> None:
    people = {f"ends in {days}": days for days in (3, 10, 20, 40)}
    for name, days in people.items():
        credential = ca_a.issue(name, not_after=timedelta(days=days, hours=1))
        for _ in range(2):
            with raw_tls(lone_edge, "a.test", credential) as client:
                for _ in range(2):
                    assert verdict(client.ask()) == (200, "")
    stranger = ca_a.impostor().issue("stranger", not_after=timedelta(days=3))
    with raw_tls(lone_edge, "a.test", stranger) as client:
        assert verdict(client.ask()) == (403, "client_certificate_invalid")
    lone_edge.wait_for_event("client_certificate_expiring", count=3)
    told = lone_edge.log_events("client_certificate_expiring")
    assert [(event["certificate_subject"], event["within_days"], event["days_left"]) for event in told] == [
        ("CN=ends in 3", 7, 3),
        ("CN=ends in 10", 14, 10),
        ("CN=ends in 20", 30, 20),
    ]
    assert {(event["host"], event["level"]) for event in told} == {("a.test", "warning")}
