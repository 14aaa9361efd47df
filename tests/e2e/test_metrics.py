"""Every metric moves by the event it counts, by the right amount, whichever worker served it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from OpenSSL import SSL
from prometheus_client.parser import text_string_to_metric_families

from edge.telemetry.catalogue import BY_NAME
from edge.telemetry.metrics import Kind
from tests.certificates import Authority, Credential
from tests.e2e.admin import Admin, Metrics, running, wait_for
from tests.e2e.behaviours import scripted_origin
from tests.e2e.clients import raw_tls
from tests.e2e.configuration import (
    application_table,
    ca_table,
    host_table,
    open_config,
    server_table,
    standard_config,
)
from tests.e2e.crl_edge import Publisher
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.sessions import resume, session_of
from tests.e2e.tls_client import TlsRefused

TIMEOUTS = """
origin_connect_timeout = "1s"
origin_first_byte_timeout = "1s"
origin_idle_timeout = "1s"
"""


@pytest.fixture(scope="module")
def own_origin() -> Iterator[Origin]:
    with scripted_origin() as origin:
        yield origin


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, pki: Path, own_origin: Origin
) -> Iterator[tuple[Edge, Admin]]:
    """The standard edge with two workers; no other test talks to it."""
    with running(standard_config(pki, own_origin.url), tmp_path_factory.mktemp("metrics"), pki) as both:
        yield both


@pytest.fixture(scope="module")
def james(ca_a: Authority) -> Credential:
    return ca_a.issue("James Royal")


def settled(admin: Admin) -> Metrics:
    """What is counted when everything that was asked for has been counted."""
    previous = admin.metrics()
    told: list[Metrics] = []

    def same() -> bool:
        nonlocal previous
        generation = admin.status()["time"]
        wait_for(lambda: admin.status()["time"] > generation, "the numbers are renewed")
        told[:] = [admin.metrics()]
        done, previous = told[0] == previous, told[0]
        return done

    wait_for(same, "the numbers stand still", within=15)
    return told[0]


# --- the text ----------------------------------------------------------------------------------


def test_the_text_is_what_prometheus_reads_and_has_every_metric(site: tuple[Edge, Admin]) -> None:
    answer = site[1].get("/metrics")
    assert answer.fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(answer.body))
    names = [family.name + "_total" * (family.type == "counter") for family in families]
    assert names == list(BY_NAME)
    for name, family in zip(names, families, strict=True):
        known = BY_NAME[name]
        assert family.documentation == known.description
        assert family.type == {Kind.TIME: "gauge"}.get(known.kind, known.kind.value)
        assert re.fullmatch(r"edge_[a-z_]+", name)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(known.labels)


def test_every_metric_is_announced_once_before_its_samples(site: tuple[Edge, Admin]) -> None:
    """What `promtool check metrics` asks for."""
    body = site[1].get("/metrics").body
    assert body.endswith("\n")
    for name in BY_NAME:
        assert body.count(f"# HELP {name} ") == body.count(f"# TYPE {name} ") == 1
    assert "_seconds_total" not in body, "a sum of seconds would be a counter"
    assert not re.search(r"_(milliseconds|ms|minutes|hours|kilobytes|percent)\b", body)


# --- connections and handshakes ----------------------------------------------------------------


def test_open_connections_are_counted_while_they_are(site: tuple[Edge, Admin], james: Credential) -> None:
    edge, admin = site
    before = settled(admin)
    with contextlib.ExitStack() as stack:
        for _ in range(7):
            stack.enter_context(raw_tls(edge, "a.test", james))
        open_now = before.value("edge_connections_open") + 7
        admin.until("edge_connections_open", open_now)
    after = admin.until("edge_connections_open", before.value("edge_connections_open"))
    served = before.value("edge_connections_total", outcome="served") + 7
    assert after.value("edge_connections_total", outcome="served") == served


def test_connections_that_were_too_many_are_counted_by_what_became_of_them(
    tmp_path: Path, pki: Path, own_origin: Origin
) -> None:
    config = open_config(pki, own_origin.url, limits="connections_per_address = 2")
    with running(config, tmp_path, pki) as (edge, admin), contextlib.ExitStack() as stack:
        for _ in range(14):
            stack.enter_context(socket.create_connection(("127.0.0.1", edge.port), timeout=10))
        metrics = admin.until("edge_connections_total", 4, outcome="turned_away")
        assert metrics.value("edge_connections_total", outcome="served") == 2
        assert metrics.value("edge_connections_total", outcome="told") == 8
        assert metrics.value("edge_connections_open") == 10


@pytest.mark.parametrize(
    ("version", "name"), [(SSL.TLS1_2_VERSION, "TLSv1.2"), (SSL.TLS1_3_VERSION, "TLSv1.3")]
)
def test_handshakes_are_counted_by_result_and_version(
    site: tuple[Edge, Admin], james: Credential, version: int, name: str
) -> None:
    edge, admin = site
    before = settled(admin)
    session, _ = session_of(edge, "a.test", james, version)
    assert all(resume(edge, "a.test", session).resumed for _ in range(3))
    after = settled(admin)

    def gained(result: str) -> float:
        labels = {"host": "a.test", "result": result, "tls_version": name}
        return after.value("edge_handshakes_total", **labels) - before.value(
            "edge_handshakes_total", **labels
        )

    assert (gained("full"), gained("resumed")) == (1, 3)
    durations = [each.value("edge_handshake_duration_seconds_count") for each in (before, after)]
    assert durations[1] - durations[0] == 4
    assert after.value("edge_handshake_duration_seconds_sum") > before.value(
        "edge_handshake_duration_seconds_sum"
    )


def test_failed_handshakes_are_counted_at_their_host_or_at_none(site: tuple[Edge, Admin]) -> None:
    edge, admin = site
    before = settled(admin)
    for name in ("require.test", "nobody.test", "x.nobody.test"):
        with contextlib.suppress(TlsRefused, ConnectionError), raw_tls(edge, name) as client:
            client.read_until_close()  # in TLS 1.3 a client hears last that its certificate is missing
    after = settled(admin)
    failed = {
        host: after.value("edge_handshakes_total", host=host, result="failed", tls_version="")
        - before.value("edge_handshakes_total", host=host, result="failed", tls_version="")
        for host in ("require.test", "", "nobody.test")
    }
    assert failed == {"require.test": 1, "": 2, "nobody.test": 0}


# --- requests ----------------------------------------------------------------------------------


def requests(metrics: Metrics) -> dict[tuple[str, str, str], float]:
    return {
        (found["host"], found["status_class"], found["reason"]): value
        for labels, value in metrics.of("edge_requests_total").items()
        if (found := dict(labels))
    }


def gained(after: Metrics, before: Metrics) -> dict[tuple[str, str, str], float]:
    old = requests(before)
    return {
        labels: value - old.get(labels, 0)
        for labels, value in requests(after).items()
        if value != old.get(labels, 0)
    }


def test_requests_are_counted_whichever_way_they_take(site: tuple[Edge, Admin], james: Credential) -> None:
    """The first times a head is read, then it is known; both ways count, on all workers."""
    edge, admin = site
    before = settled(admin)
    for credential in (james, None):
        for _ in range(4):
            with raw_tls(edge, "a.test", credential) as client:
                for _ in range(6):
                    client.ask("/echo")
    after = settled(admin)
    assert gained(after, before) == {
        ("a.test", "2xx", ""): 24,
        ("a.test", "4xx", "client_certificate_required"): 24,
    }
    for name, number in (("request", 48), ("origin", 24)):
        sample = f"edge_{name}_duration_seconds_count"
        assert after.value(sample) - before.value(sample) == number, name


def test_refusals_are_counted_by_host_and_reason(site: tuple[Edge, Admin], james: Credential) -> None:
    edge, admin = site
    before = settled(admin)
    with raw_tls(edge, "a.test", james) as client:
        assert client.ask("/closed").status == 403
        assert client.ask("/", host="b.test").status == 421
        client.send(b"no request at all\r\n\r\n")
        assert client.read_answer().status == 400
    with raw_tls(edge, "open.test") as client:
        assert client.ask("/cdn-cgi/access/certs", host="open.test").status == 200
        assert client.ask("/", host="open.test", method="TRACE").status == 405
    assert gained(settled(admin), before) == {
        ("a.test", "4xx", "policy_denied"): 1,
        ("a.test", "4xx", "misdirected_request"): 1,
        ("a.test", "4xx", "bad_request"): 1,
        ("open.test", "2xx", ""): 1,
        ("open.test", "4xx", "method_not_allowed"): 1,
    }


def test_names_that_clients_invent_make_no_labels(site: tuple[Edge, Admin], james: Credential) -> None:
    edge, admin = site
    before = settled(admin)
    for number in range(5):
        name = f"invented{number}.wild.test"
        with raw_tls(edge, name, james) as client:
            assert client.ask("/echo", host=name).status == 200
    after = settled(admin)
    assert gained(after, before) == {("*.wild.test", "2xx", ""): 5}
    assert "invented" not in admin.get("/metrics").body


def test_octets_of_bodies_and_answers_are_counted(site: tuple[Edge, Admin]) -> None:
    edge, admin = site
    before = settled(admin)
    logged = len(edge.log_events("request"))
    with raw_tls(edge, "open.test") as client:
        client.send(b"POST /echo HTTP/1.1\r\nHost: open.test\r\nContent-Length: 5000\r\n\r\n" + bytes(5000))
        assert client.read_answer("POST").status == 200
        for _ in range(5):
            client.ask("/echo", host="open.test")
    after = settled(admin)
    told = edge.log_events("request")[logged:]
    received = after.value("edge_received_bytes_total") - before.value("edge_received_bytes_total")
    sent = after.value("edge_sent_bytes_total") - before.value("edge_sent_bytes_total")
    assert received == 5000
    assert sent == sum(event["bytes_out"] for event in told) > 1000


def test_the_metrics_say_what_the_log_says(site: tuple[Edge, Admin]) -> None:
    """Of everything that the tests before have asked for, and this edge has served."""
    edge, admin = site
    metrics = settled(admin)
    told = edge.log_events("request")
    by_class: dict[tuple[str, str], float] = {}
    for (_, status_class, reason), value in requests(metrics).items():
        key = (status_class, reason)
        by_class[key] = by_class.get(key, 0) + value
    logged: dict[tuple[str, str], float] = {}
    for event in told:
        key = (f"{event['status'] // 100}xx", event.get("reason", ""))
        logged[key] = logged.get(key, 0) + 1
    assert by_class == logged
    assert metrics.value("edge_request_duration_seconds_count") == len(told)
    failed = sum(
        value
        for labels, value in metrics.of("edge_handshakes_total").items()
        if ("result", "failed") in labels
    )
    assert failed == len(edge.log_events("handshake_failed"))


# --- origins -----------------------------------------------------------------------------------


def test_errors_of_origins_are_counted_by_origin_and_reason(
    tmp_path: Path, pki: Path, own_origin: Origin
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    config = (
        server_table(limits=TIMEOUTS)
        + host_table(pki, "open.test", own_origin.url, 'unmatched = "pass"')
        + host_table(pki, "b.test", nobody, 'unmatched = "pass"')
    )
    with running(config, tmp_path, pki) as (edge, admin):
        for path, host, status in (
            ("/garbage", "open.test", 502),
            ("/garbage", "open.test", 502),
            ("/sleep?seconds=3", "open.test", 504),
            ("/", "b.test", 502),
        ):
            with raw_tls(edge, host) as client:
                assert client.ask(path, host=host).status == status
        with raw_tls(edge, "open.test") as client:  # an answer that breaks off cannot be refused any more
            client.send(b"GET /short HTTP/1.1\r\nHost: open.test\r\n\r\n")
            with contextlib.suppress(TlsRefused, OSError):
                client.read_until_close()
        metrics = admin.until(
            "edge_origin_errors_total", 3, origin=own_origin.url, reason="origin_bad_response"
        )
        assert metrics.of("edge_origin_errors_total") == {
            frozenset({("origin", own_origin.url), ("reason", "origin_bad_response")}): 3,
            frozenset({("origin", own_origin.url), ("reason", "origin_timeout")}): 1,
            frozenset({("origin", nobody), ("reason", "origin_unreachable")}): 1,
        }


# --- certificates and CRLs ---------------------------------------------------------------------


def test_the_ends_of_certificates_and_lists_are_told_and_follow_the_files(
    tmp_path: Path, pki: Path, own_origin: Origin, ca_a: Authority, ca_b: Authority
) -> None:
    list_file = tmp_path / "b.crl"
    publisher = Publisher(ca_b, list_file)
    config = (
        server_table()
        + host_table(pki, "a.test", own_origin.url)
        + host_table(pki, "b.test", own_origin.url)
        + ca_table("CA A", pki / "ca-a.pem", "a.test")
        + ca_table("CA B", pki / "ca-b.pem", "b.test")
        + f'crl = ["{list_file}"]\n'
        + application_table("a.test")
        + application_table("b.test")
    )
    with running(config, tmp_path, pki) as (edge, admin):
        metrics = admin.metrics()
        for host in ("a.test", "b.test"):
            ends = end_of(pki / f"{host}.pem")
            assert metrics.value("edge_server_certificate_expiry_seconds", host=host) == ends
        assert metrics.value("edge_ca_certificate_expiry_seconds", ca="CA B") == end_of(pki / "ca-b.pem")
        assert metrics.value("edge_ca_certificate_expiry_seconds", ca="CA A") <= end_of(pki / "ca-a.pem")
        assert list(metrics.of("edge_crl_next_update_seconds")) == [frozenset({("ca", "CA B")})]
        publisher.revoke(ca_b.issue("gone"))
        wait_for(lambda: admin.status()["cas"][1]["crls"][0]["revoked"] == 1, "the list is told of")
        edge.wait_for_event("crl_in_force", ca="CA B", revoked=1)
        [crl] = admin.status()["cas"][1]["crls"]
        assert crl["stale"] is False
        assert admin.metrics().value("edge_crl_next_update_seconds", ca="CA B") == crl["next_update"]


def end_of(certificate: Path) -> float:
    """When a certificate ends, as openssl says."""
    said = subprocess.run(
        ["openssl", "x509", "-noout", "-enddate", "-dateopt", "iso_8601", "-in", str(certificate)],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    date = subprocess.run(
        ["date", "-u", "-d", said.strip().partition("=")[2], "+%s"],
        capture_output=True,
        check=True,
        text=True,
    )
    return float(date.stdout)


# --- the edge itself ---------------------------------------------------------------------------


def test_versions_and_workers_are_told(site: tuple[Edge, Admin]) -> None:
    edge, admin = site
    metrics = admin.metrics()
    [(labels, value)] = metrics.of("edge_build_info").items()
    listening = edge.log_events("listening")[0]
    assert value == 1
    assert dict(labels)["openssl"] == listening["openssl"]
    assert dict(labels)["tls_calls"] == listening["tls_calls"]
    assert metrics.value("edge_workers") == 2
    assert metrics.value("edge_worker_deaths_total") == 0
    assert metrics.value("edge_log_lines_lost_total") == 0


def test_a_killed_worker_takes_no_count_with_it(tmp_path: Path, pki: Path, own_origin: Origin) -> None:
    with running(open_config(pki, own_origin.url, workers=2), tmp_path, pki) as (edge, admin):
        with contextlib.ExitStack() as stack:
            for _ in range(16):
                client = stack.enter_context(raw_tls(edge, "open.test"))
                assert client.ask("/echo", host="open.test").status == 200
            admin.until("edge_connections_open", 16)
            before = admin.until("edge_requests_total", 16, host="open.test", status_class="2xx", reason="")
            for count, victim in enumerate(admin.workers):
                os.kill(victim, signal.SIGKILL)
                edge.wait_for_event("worker_died", pid=victim)
                edge.wait_for_event("worker_started", count=count + 3)
            after = admin.until("edge_worker_deaths_total", 2)
            admin.until("edge_connections_open", 0)
        falling = {
            key: (value, after.get(key))
            for key, value in before.items()
            if key[0].endswith(("_total", "_count", "_sum", "_bucket")) and after.get(key, -1.0) < value
        }
        assert falling == {}
        admin.until("edge_workers", 2)
        with raw_tls(edge, "open.test") as client:
            assert client.ask("/echo", host="open.test").status == 200
        admin.until("edge_requests_total", 17, host="open.test", status_class="2xx", reason="")


def test_reloads_are_counted_by_their_result(
    tmp_path: Path, pki: Path, own_origin: Origin, server_root: Authority
) -> None:
    config = open_config(pki, own_origin.url, workers=2)
    with running(config, tmp_path, pki) as (edge, admin):
        with raw_tls(edge, "open.test") as client:
            client.ask("/echo", host="open.test")
        started = admin.metrics().value("edge_last_reload_timestamp_seconds")
        assert started >= edge.started

        edge.signal(signal.SIGHUP)
        admin.until("edge_reloads_total", 1, result="unchanged")
        good = edge.config_path.read_text()

        edge.config_path.write_text(good.replace("[server]", "[serve]"))
        metrics = admin.until("edge_last_reload_failed", 1)
        assert metrics.value("edge_configuration_generation") == 1
        status = admin.status()
        assert status["reload"]["result"] == "failed"
        assert any("serve: unknown key" in text for text in status["reload"]["said"]), status["reload"]

        pair = server_root.issue_server("open.test").write(tmp_path, "newer")
        newer = good.replace(str(pki / "open.test.pem"), str(pair.certificate))
        newer = newer.replace(str(pki / "open.test-key.pem"), str(pair.key))
        edge.config_path.write_text(newer)
        metrics = admin.until("edge_configuration_generation", 2)
        metrics = admin.until("edge_last_reload_failed", 0)
        assert metrics.value("edge_reloads_total", result="done") == 1
        assert metrics.value("edge_reloads_total", result="failed") >= 1
        assert metrics.value("edge_last_reload_timestamp_seconds") > started
        metrics = admin.until("edge_workers", 2)
        assert metrics.value("edge_worker_deaths_total") == 0, "they were relieved"
        assert metrics.value("edge_requests_total", host="open.test", status_class="2xx", reason="") == 1, (
            "the former workers counted it"
        )
        assert metrics.value("edge_server_certificate_expiry_seconds", host="open.test") == end_of(
            pair.certificate
        )


def test_without_admin_listen_there_is_no_process_and_no_memory(edge: Edge) -> None:
    assert len(edge.workers()) == 2
    assert edge.log_events("admin_started") == edge.log_events("admin_listening") == []
    for pid in edge.workers():
        opened = [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()]
        assert not [name for name in opened if "edge-numbers" in name]
