"""A tunnel has no next request: it ends when its certificate is revoked, or nobody can tell any more."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.certificates import Authority
from tests.e2e.clients import raw_tls
from tests.e2e.crl_edge import GuardedHost, crl_edge
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.test_websocket import SECONDS, read_head, upgrade, websocket

LAPSE_SECONDS = 4


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, GuardedHost]:
    directory = tmp_path_factory.mktemp("lists")
    names = ("live.test", "tunnel.test", "renewed.test")
    return {name: GuardedHost(name, directory) for name in names}


@pytest.fixture(scope="module")
def edge(
    tmp_path_factory: pytest.TempPathFactory,
    server_root: Authority,
    session_origin: Origin,
    hosts: dict[str, GuardedHost],
) -> Iterator[Edge]:
    directory = tmp_path_factory.mktemp("tunnels")
    with crl_edge(directory, server_root, session_origin.url, *hosts.values(), workers=3) as running:
        yield running


@pytest.fixture
def live(hosts: dict[str, GuardedHost]) -> GuardedHost:
    return hosts["live.test"]


def test_a_websocket_of_a_revoked_certificate_is_closed_and_no_other(
    edge: Edge, origin: Origin, live: GuardedHost, tmp_path: Path
) -> None:
    revoked, other = live.issue("revoked"), live.issue("other")
    revoked_files, other_files = revoked.write(tmp_path, "revoked"), other.write(tmp_path, "other")
    with (
        websocket(edge, revoked_files, host=live.name) as client,
        websocket(edge, other_files, host=live.name) as unaffected,
    ):
        for each in (client, unaffected):
            each.send("hello")
            assert each.recv(timeout=SECONDS) == "hello"
        live.ca.revoke(revoked)
        began = time.monotonic()
        with pytest.raises(ConnectionClosed):
            client.recv(timeout=SECONDS)
        assert time.monotonic() - began < SECONDS
        event = edge.wait_for_event(
            "request", path="/websocket", aborted="access_withdrawn", certificate_sha256=revoked.fingerprint
        )
        assert (event["status"], event["host"]) == (101, live.name)
        unaffected.send("still here")
        assert unaffected.recv(timeout=SECONDS) == "still here"
    with pytest.raises(InvalidStatus) as refused, websocket(edge, revoked_files, host=live.name):
        pass
    assert refused.value.response.status_code == 403


def test_every_worker_closes_its_websockets_busy_or_not(
    edge: Edge, origin: Origin, live: GuardedHost, tmp_path: Path
) -> None:
    revoked = live.issue("revoked")
    files = revoked.write(tmp_path, "revoked")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(websocket(edge, files, host=live.name)) for _ in range(12)]
        stop = threading.Event()

        def chatter() -> None:
            with contextlib.suppress(ConnectionClosed):
                while not stop.is_set():
                    clients[0].send("x" * 1000)
                    clients[0].recv(timeout=SECONDS)

        busy = threading.Thread(target=chatter)
        busy.start()
        live.ca.revoke(revoked)
        for client in clients[1:]:
            with pytest.raises(ConnectionClosed):
                client.recv(timeout=SECONDS)
        busy.join(SECONDS)
        stop.set()
        assert not busy.is_alive()
    edge.wait_for_event(
        "request", count=12, aborted="access_withdrawn", certificate_sha256=revoked.fingerprint
    )


def test_a_tunnel_ends_when_nobody_can_tell_any_more_whether_its_certificate_is_good(
    edge: Edge, origin: Origin, hosts: dict[str, GuardedHost]
) -> None:
    host = hosts["tunnel.test"]
    credential = host.issue()
    host.ca.publish(next_update=timedelta(seconds=LAPSE_SECONDS))
    host.wait_in_force(edge, host.ca)
    with raw_tls(edge, host.name, credential) as client:
        client.send(upgrade(host=host.name))
        assert read_head(client).startswith(b"HTTP/1.1 101 ")
        began = time.monotonic()
        assert client.read_until_close() == b""
        assert time.monotonic() - began < 2 * LAPSE_SECONDS
    assert edge.wait_for_event("request", host=host.name, status=101)["aborted"]


def test_a_tunnel_outlives_a_list_that_is_renewed_in_time(
    edge: Edge, origin: Origin, hosts: dict[str, GuardedHost]
) -> None:
    host = hosts["renewed.test"]
    host.ca.publish(next_update=timedelta(seconds=LAPSE_SECONDS))
    host.wait_in_force(edge, host.ca)
    lapses = time.monotonic() + LAPSE_SECONDS
    with raw_tls(edge, host.name, host.issue()) as client:
        client.send(upgrade(host=host.name))
        assert read_head(client).startswith(b"HTTP/1.1 101 ")
        host.ca.publish()
        host.wait_in_force(edge, host.ca)
        time.sleep(max(0.0, lapses - time.monotonic()) + 0.5)
        client.send(b"\x89\x80\0\0\0\0")
        assert client.read() == b"\x8a\x00"
