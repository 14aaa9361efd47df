"""Clients that want the edge's time or its trust: junk chains, key updates, tiny records, odd paths."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority, Credential
from tests.e2e.clients import TlsClient, raw_tls
from tests.e2e.configuration import application_table, ca_table, host_table, open_config, server_table
from tests.e2e.edge_process import Edge
from tests.e2e.key_updates import KeyUpdater
from tests.e2e.origin import Origin
from tests.e2e.refusals import assert_refused
from tests.e2e.resources import processor_seconds
from tests.e2e.tls_client import TlsRefused

SECONDS = 20
TOO_LONG = "certificate chain too long"
A_FEW = 20
"""More requests than others get in between if the worker takes what is there in one go (two or three)."""


@pytest.fixture(scope="module")
def lone_edge(tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin) -> Iterator[Edge]:
    """One worker: whoever takes its time takes everybody's."""
    config = open_config(pki, session_origin.url, workers=1)
    with Edge(config, tmp_path_factory.mktemp("lone"), server_ca=pki / "server-ca.pem") as edge:
        yield edge


def get(path: str = "/echo", host: str = "open.test", *lines: str) -> bytes:
    return "\r\n".join((f"GET {path} HTTP/1.1", f"Host: {host}", *lines, "", "")).encode()


# --- junk chains -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def junk() -> Credential:
    """A certificate with 60 intermediates that somebody made: every one would cost a signature check."""
    authority = Authority("Junk")
    for number in range(60):
        authority = authority.intermediate(f"Junk {number}")
    return authority.issue("James Royal")


def test_a_forged_chain_of_60_certificates_is_too_long(edge: Edge, origin: Origin, junk: Credential) -> None:
    with raw_tls(edge, "a.test", junk, with_chain=True) as client:
        problem = assert_refused(client.ask(), "client_certificate_invalid")
    assert TOO_LONG in problem["detail"]
    edge.wait_for_event("request", verify=f"FAILED:{TOO_LONG}")
    assert origin.received() == []


def test_a_host_that_requires_a_certificate_says_so_in_the_handshake(edge: Edge, junk: Credential) -> None:
    with (
        pytest.raises(TlsRefused),
        raw_tls(edge, "require.test", junk, with_chain=True) as client,
    ):
        client.ask(host="require.test")
    edge.wait_for_event("handshake_failed", detail=f"certificate verify failed: {TOO_LONG}")


def test_others_are_served_while_junk_chains_come(edge: Edge, ca_a: Authority, junk: Credential) -> None:
    def present() -> None:
        for _ in range(5):
            with raw_tls(edge, "a.test", junk, with_chain=True) as client:
                refused.append(client.ask().status)

    refused: list[int] = []
    crowd = [threading.Thread(target=present) for _ in range(4)]
    for thread in crowd:
        thread.start()
    with raw_tls(edge, "a.test", ca_a.issue("James Royal")) as client:
        assert [client.ask("/james").status for _ in range(10)] == [200] * 10
    for thread in crowd:
        thread.join(SECONDS)
    assert refused == [403] * 20


# --- key updates -------------------------------------------------------------------------------


def test_a_flood_of_key_updates_ends_the_connection(lone_edge: Edge, origin: Origin) -> None:
    updater = KeyUpdater(lone_edge, "open.test")
    flood = b"".join(updater.key_update() for _ in range(5000))
    with updater.client as client:
        client.send_raw(flood + updater.data(get()))
        assert client.read_until_close() == b""
    assert origin.received() == []


def test_a_flood_of_key_updates_in_a_body_ends_the_connection(lone_edge: Edge, origin: Origin) -> None:
    updater = KeyUpdater(lone_edge, "open.test")
    with updater.client as client:
        client.send_raw(
            updater.data(b"POST /upload HTTP/1.1\r\nHost: open.test\r\nContent-Length: 3\r\n\r\n")
        )
        origin.wait_for("/upload")
        flood = b"".join(updater.key_update() for _ in range(5000))
        client.send_raw(flood + updater.data(b"end"))
        assert client.read_until_close() == b""
    assert not origin.received("/upload")[0].complete


@pytest.mark.parametrize("answer", [False, True])
def test_a_few_key_updates_between_requests_are_nobodys_business(lone_edge: Edge, *, answer: bool) -> None:
    updater = KeyUpdater(lone_edge, "open.test")
    with updater.client as client:
        for _ in range(100):
            updates = b"".join(updater.key_update(answer=answer) for _ in range(5))
            client.send_raw(updates + updater.data(get()))
            assert client.read_answer().status == 200


# --- octets that are not where they belong -----------------------------------------------------


def test_an_urgent_octet_in_the_hello_ends_the_connection_at_once(lone_edge: Edge) -> None:
    before = processor_seconds(lone_edge)
    with socket.create_connection(("127.0.0.1", lone_edge.port), timeout=SECONDS) as sock:
        sock.sendall(b"\x16\x03\x01")
        time.sleep(0.05)
        sock.send(b"\x02", socket.MSG_OOB)
        time.sleep(0.05)
        sock.sendall(b"A" * 100)
        assert sock.recv(1) == b""
    lone_edge.wait_for_event("handshake_failed", detail="urgent data in the ClientHello")
    assert processor_seconds(lone_edge) - before < 1, "it looked at the same octets without end"


# --- records of one octet ----------------------------------------------------------------------


def in_tiny_records(client: TlsClient, octets: bytes) -> bytes:
    """Return the octets as records that hold one octet each."""
    records = bytearray()
    for octet in octets:
        client.tls.send(bytes([octet]))
        records += client.tls.bio_read(4096)
    return bytes(records)


def served_meanwhile(edge: Edge, client: TlsClient, flood: bytes) -> int:
    """Let the client send the flood; count the requests of another one until the edge hung up."""
    client.tls.shutdown()
    flood += client.tls.bio_read(4096)
    closed = threading.Event()

    def send() -> None:
        with contextlib.suppress(OSError):
            client.send_raw(flood)
            while True:  # octets behind the end: refused once the socket is closed
                client.send_raw(b"x")
                time.sleep(0.001)
        closed.set()

    sender = threading.Thread(target=send)
    count = 0
    with raw_tls(edge, "open.test") as other:
        assert other.ask("/echo", host="open.test").status == 200
        sender.start()
        while not closed.is_set():
            assert other.ask("/echo", host="open.test").status == 200
            count += 1
    sender.join(SECONDS)
    return count


def test_tiny_records_after_a_refused_request_let_others_be_served(lone_edge: Edge) -> None:
    with raw_tls(lone_edge, "open.test") as client:
        flood = in_tiny_records(client, b"BAD\r\n\r\n" + b"a" * 100_000)
        assert served_meanwhile(lone_edge, client, flood) > A_FEW


def test_a_head_in_tiny_records_lets_others_be_served(lone_edge: Edge, origin: Origin) -> None:
    head = get("/tiny", "open.test", "Connection: close", "X-Filler: " + "a" * 30_000)
    with raw_tls(lone_edge, "open.test") as client:
        flood = in_tiny_records(client, head)
        assert served_meanwhile(lone_edge, client, flood) > A_FEW
    assert len(origin.received("/tiny")) == 1


def test_trailers_in_tiny_records_let_others_be_served(lone_edge: Edge, origin: Origin) -> None:
    with raw_tls(lone_edge, "open.test") as client:
        client.send(b"POST /upload HTTP/1.1\r\nHost: open.test\r\nTransfer-Encoding: chunked\r\n\r\n")
        origin.wait_for("/upload")
        flood = in_tiny_records(client, b"0\r\nX-Filler: " + b"a" * 30_000 + b"\r\n\r\n")
        assert served_meanwhile(lone_edge, client, flood) > A_FEW
    assert origin.received("/upload")[0].complete


# --- paths that are read in two ways -----------------------------------------------------------


@pytest.fixture(scope="module")
def partitioned_edge(
    tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin
) -> Iterator[Edge]:
    """On ``a.test`` some paths have applications of their own; on ``b.test`` one application has all."""
    parts = [
        server_table(workers=1),
        host_table(pki, "a.test", session_origin.url),
        host_table(pki, "b.test", session_origin.url),
        ca_table("CA A", pki / "ca-a.pem", "a.test", "b.test"),
        application_table("a.test", '"everyone"', decision="bypass"),
        application_table("a.test/public", '"everyone"', decision="bypass"),
        application_table("a.test/admin", '"everyone"', decision="deny"),
        application_table("b.test", '"everyone"', decision="bypass"),
    ]
    directory = tmp_path_factory.mktemp("partitioned")
    with Edge("".join(parts), directory, server_ca=pki / "server-ca.pem") as edge:
        yield edge


TWO_READINGS = [
    "/admin;x",
    "/admin;",
    "/admin;x=1/secret",
    "/%61dmin;x",
    "/public;x/..;/admin",
    "/public/..;/admin",
    "/public/..;x=1/admin",
    "/public/.;/x",
    "/a;b/..;c",
    "/;/admin",
    "/;x=1/admin",
]


@pytest.mark.parametrize("path", TWO_READINGS)
def test_a_path_that_is_another_without_its_parameters_is_refused(
    partitioned_edge: Edge, origin: Origin, path: str
) -> None:
    with raw_tls(partitioned_edge) as client:
        assert_refused(client.ask(path), "bad_request", 400)
    assert origin.received() == []


@pytest.mark.parametrize(
    "path", ["/public/x;x=1", "/public/x;x=1/y;z", "/x;x=1", "/x;", "/x/a..;b", "/x/...;b", "/x?/admin;x"]
)
def test_parameters_that_stay_in_their_application_pass_unchanged(
    partitioned_edge: Edge, origin: Origin, path: str
) -> None:
    with raw_tls(partitioned_edge) as client:
        assert client.ask(path).status == 200
    assert [received.target for received in origin.received()] == [path]


@pytest.mark.parametrize("path", [*(p for p in TWO_READINGS if "%" not in p), "//admin", "/x//y"])
def test_where_one_application_has_every_path_they_all_pass(
    partitioned_edge: Edge, origin: Origin, path: str
) -> None:
    with raw_tls(partitioned_edge, "b.test") as client:
        assert client.ask(path, host="b.test").status == 200
    assert [received.target for received in origin.received()] == [path]


@pytest.mark.parametrize("name", ["Proxy", "X-Original-URL", "X-Rewrite-URL"])
@pytest.mark.parametrize("spelling", [str, str.lower, str.upper, lambda name: name.replace("-", "_")])
def test_a_header_that_replaces_the_path_or_the_proxy_never_reaches_the_origin(
    partitioned_edge: Edge, origin: Origin, name: str, spelling: type[str]
) -> None:
    with raw_tls(partitioned_edge) as client:
        client.send(get("/public", "a.test", f"{spelling(name)}: /admin", "X-Own: 1"))
        assert client.read_answer().status == 200
    (received,) = origin.received()
    assert received.value("x-own") == "1"
    assert "/admin" not in dict(received.headers).values()
