"""Who comes through a trusted proxy is who the proxy says; who does not cannot say anything about himself."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clients import TlsClient
from tests.e2e.configuration import application_table
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.proxied import ELSEWHERE, PROXY, connect, proxied_config, through_proxy
from tests.e2e.resources import processor_seconds
from tests.e2e.tls_client import TlsRefused
from tests.unit.tls.proxy_headers import LOCAL, TCP6, addition, addresses, binary, line, with_checksum

INSIDE = application_table("open.test/inside", '{ ip = { ip = "192.0.2.0/24" } }', decision="bypass")
LIMITS = """
handshake_timeout = "1s"
connections_per_address = 2
"""


@pytest.fixture(scope="module")
def proxied_edge(
    tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin
) -> Iterator[Edge]:
    config = proxied_config(pki, session_origin.url, limits=LIMITS, more=INSIDE)
    with Edge(config, tmp_path_factory.mktemp("proxied"), server_ca=pki / "server-ca.pem") as edge:
        yield edge


def ask(client: TlsClient, path: str = "/echo") -> int:
    with client:
        return client.ask(path, host="open.test").status


def client_of(edge: Edge, origin: Origin, header: bytes) -> str:
    """Ask once; return whom the origin was told of, which must be whom the log names."""
    before = len(edge.log_events("request"))
    assert ask(through_proxy(edge, header)) == 200
    event = edge.wait_for_event("request", count=before + 1)
    (received,) = origin.received("/echo")
    assert received.value("x-forwarded-for") == event["client"]
    return str(event["client"])


# --- refused -----------------------------------------------------------------------------------


def assert_closed(sock: socket.socket) -> None:
    """No alert, no answer: the end, or a reset because octets were left unread."""
    with contextlib.suppress(ConnectionResetError):
        assert sock.recv(100) == b""


@pytest.mark.parametrize(
    ("octets", "detail"),
    [
        (b"\x16\x03\x01\x02\x00\x01", "no PROXY protocol header"),
        (b"GET / HTTP/1.1\r\n\r\n", "no PROXY protocol header"),
        (line("192.0.2.01"), "the PROXY line has an address that is none of its family"),
        (line()[:-2] + b"\n" + bytes(70), "the PROXY line does not end"),
        (binary(family=0x12), "the PROXY header is not about a TCP connection"),
        (with_checksum(binary())[:-1] + b"\0", "the PROXY header's checksum is wrong"),
    ],
)
def test_without_a_good_header_a_proxy_gets_nothing(proxied_edge: Edge, octets: bytes, detail: str) -> None:
    detail = f"trusted proxy: {detail}"
    before = len(proxied_edge.log_events("handshake_failed", client=PROXY, detail=detail))
    with connect(proxied_edge, octets) as client:
        assert_closed(client.sock)
    proxied_edge.wait_for_event("handshake_failed", count=before + 1, client=PROXY, detail=detail)


def test_a_client_hello_alone_is_not_enough_from_a_proxy(proxied_edge: Edge) -> None:
    with pytest.raises((TlsRefused, OSError)):
        through_proxy(proxied_edge, b"")
    detail = "trusted proxy: no PROXY protocol header"
    proxied_edge.wait_for_event("handshake_failed", client=PROXY, detail=detail)


@pytest.mark.parametrize("header", [line(), binary()])
def test_from_elsewhere_a_header_is_refused_and_named(proxied_edge: Edge, header: bytes) -> None:
    with pytest.raises((TlsRefused, OSError)):
        through_proxy(proxied_edge, header, ELSEWHERE)
    event = proxied_edge.wait_for_event("handshake_failed", client=ELSEWHERE)
    assert event["detail"].startswith("a PROXY protocol header where a ClientHello was expected")


def test_from_elsewhere_no_header_is_needed(proxied_edge: Edge) -> None:
    assert ask(through_proxy(proxied_edge, b"", ELSEWHERE)) == 200
    proxied_edge.wait_for_event("request", client=ELSEWHERE)


def test_there_is_one_header_and_not_two(proxied_edge: Edge) -> None:
    """A client behind a proxy that passes everything on would like to have the last word."""
    with pytest.raises((TlsRefused, OSError)):
        through_proxy(proxied_edge, line("192.0.2.55") + line("198.51.100.7"))
    event = proxied_edge.wait_for_event("handshake_failed", client="192.0.2.55")
    assert event["detail"].startswith("a PROXY protocol header where")


@pytest.mark.parametrize(
    "octets", [b"", line()[:-1], binary()[:-1], line() + b"\x16\x03\x01\x02\x00", binary()]
)
def test_header_and_handshake_have_one_deadline(proxied_edge: Edge, octets: bytes) -> None:
    began, work = time.monotonic(), processor_seconds(proxied_edge)
    with connect(proxied_edge, octets) as client:
        assert_closed(client.sock)
    assert 0.9 < time.monotonic() - began < 5
    assert processor_seconds(proxied_edge) - work < 0.5, "the octets that lie there woke it without end"


# --- the client it says ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (line("192.0.2.9"), "192.0.2.9"),
        (line("2001:db8::9", "2001:db8::1", "TCP6"), "2001:db8::9"),
        (line("::ffff:192.0.2.9", "::1", "TCP6"), "192.0.2.9"),
        (binary(addresses("192.0.2.9", "127.0.0.1")), "192.0.2.9"),
        (binary(addresses("2001:db8::9", "::1"), family=TCP6), "2001:db8::9"),
        (with_checksum(binary(additions=addition(4, bytes(1000)))), "192.0.2.1"),
        (b"PROXY UNKNOWN\r\n", PROXY),
        (binary(b"", family=0, command=LOCAL), PROXY),
        (binary(b"", family=0), PROXY),
    ],
)
def test_the_address_it_carries_is_the_one_of_log_and_origin(
    proxied_edge: Edge, origin: Origin, header: bytes, client: str
) -> None:
    assert client_of(proxied_edge, origin, header) == client


def test_a_header_may_come_octet_by_octet(proxied_edge: Edge) -> None:
    client = connect(proxied_edge)
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for octet in binary(additions=addition(4, bytes(20))):
        client.sock.sendall(bytes((octet,)))
        time.sleep(0.002)
    client.handshake()
    assert ask(client) == 200


def test_rules_about_addresses_see_the_one_it_carries(proxied_edge: Edge) -> None:
    assert ask(through_proxy(proxied_edge, line("192.0.2.9")), "/inside") == 200
    assert ask(through_proxy(proxied_edge, line("198.51.100.9")), "/inside") == 403
    assert ask(through_proxy(proxied_edge, b"PROXY UNKNOWN\r\n"), "/inside") == 403


def test_connections_are_counted_by_the_address_it_carries(proxied_edge: Edge) -> None:
    held = [through_proxy(proxied_edge, line("192.0.2.77")) for _ in range(2)]
    try:
        with through_proxy(proxied_edge, line("192.0.2.77")) as one_more:
            answer = one_more.ask("/echo", host="open.test")
        assert (answer.status, json.loads(answer.body)["reason"]) == (503, "overloaded")
        assert ask(through_proxy(proxied_edge, line("192.0.2.78"))) == 200
        many = [connect(proxied_edge, line("192.0.2.77")) for _ in range(12)]
        assert_closed(many[-1].sock)
        for client in many:
            client.close()
    finally:
        for client in held:
            client.close()
    deadline = time.monotonic() + 10
    while ask(through_proxy(proxied_edge, line("192.0.2.77"))) != 200:
        assert time.monotonic() < deadline, "the places of closed connections were not given back"
        time.sleep(0.1)


def test_the_addresses_of_one_ipv6_network_are_one_client(proxied_edge: Edge) -> None:
    held = [
        through_proxy(proxied_edge, line(f"2001:db8:0:7::{number}", "::1", "TCP6")) for number in range(2)
    ]
    assert ask(through_proxy(proxied_edge, line("2001:db8:0:7::ffff", "::1", "TCP6"))) == 503
    assert ask(through_proxy(proxied_edge, line("2001:db8:0:8::1", "::1", "TCP6"))) == 200
    for client in held:
        client.close()


def test_who_is_trusted_can_be_changed_without_new_workers(
    tmp_path: Path, pki: Path, session_origin: Origin
) -> None:
    config = proxied_config(pki, session_origin.url)
    with Edge(config, tmp_path, server_ca=pki / "server-ca.pem") as edge:
        workers = edge.workers()
        with through_proxy(edge, line("192.0.2.9")) as open_before:
            edge.config_path.write_text(config.replace(f'["{PROXY}"]', f'["{ELSEWHERE}"]'))
            done = edge.wait_for_event("reload_done")
            assert done["changed"] == "trusted_proxies changed"
            assert open_before.ask("/echo", host="open.test").status == 200
            with pytest.raises((TlsRefused, OSError)):
                through_proxy(edge, line())
            assert ask(through_proxy(edge, b"")) == 200
            assert ask(through_proxy(edge, line("192.0.2.8"), ELSEWHERE)) == 200
        assert edge.workers() == workers
        for client in ("192.0.2.9", PROXY, "192.0.2.8"):
            edge.wait_for_event("request", client=client)
