"""HTTP/3 does not exist here: hints at it are refused, and nothing of it reaches a client."""

from __future__ import annotations

import pytest

from tests.certificates import CredentialFiles
from tests.e2e.behaviours import POISON
from tests.e2e.clients import curl, raw_tls
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.refusals import assert_refused


@pytest.mark.parametrize(
    "upgrade",
    [
        "h3",
        "H3",
        "h3-29",
        "H3-Q050",
        "HTTP/3",
        "http/3",
        "HTTP/3.0",
        "HtTp/3.1",
        "quic",
        "QUIC",
        "quic/1",
        "h3/1",
        "websocket, h3",
        "h3, websocket",
        "h2c ,\th3",
        ",,h3,,",
        "websocket\r\nUpgrade: h3",
        "h3\r\nUpgrade: websocket",
    ],
)
@pytest.mark.parametrize("connection", ["Connection: Upgrade\r\n", ""])
def test_an_upgrade_to_http3_is_refused_in_every_spelling(
    edge: Edge, origin: Origin, upgrade: str, connection: str
) -> None:
    with raw_tls(edge) as client:
        client.send(
            f"GET /public HTTP/1.1\r\nHost: a.test\r\n{connection}Upgrade: {upgrade}\r\n\r\n".encode()
        )
        assert_refused(client.read_answer(), "http3_not_supported", 505)
        assert client.ask("/public").status == 200
    assert len(origin.received()) == 1


@pytest.mark.parametrize("upgrade", ["h2c", "h30", "xh3", "http/30", "http/1.3", "TLS/1.3", "h2, foo/3"])
def test_an_upgrade_to_something_else_is_ignored_and_stays_here(
    edge: Edge, origin: Origin, upgrade: str
) -> None:
    with raw_tls(edge, "open.test") as client:
        client.send(
            b"GET /x HTTP/1.1\r\nHost: open.test\r\nConnection: Upgrade, HTTP2-Settings\r\n"
            b"HTTP2-Settings: AAMAAABkAAQAAP__\r\nUpgrade: " + upgrade.encode() + b"\r\n\r\n"
        )
        assert client.read_answer().status == 200
    (received,) = origin.received()
    for name in ("upgrade", "http2-settings", "connection"):
        assert received.values(name) == []


def test_http2_settings_are_not_passed_on_even_if_nobody_names_them(edge: Edge, origin: Origin) -> None:
    with raw_tls(edge, "open.test") as client:
        client.send(
            b"GET /x HTTP/1.1\r\nHost: open.test\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
            b"HTTP2_Settings: AAMAAABkAAQAAP__\r\n\r\n"
        )
        assert client.read_answer().status == 200
    (received,) = origin.received()
    assert not [name for name, _ in received.headers if name.startswith("http2")]


def test_an_upgrade_that_nobody_asked_for_is_not_a_tunnel(edge: Edge, origin: Origin) -> None:
    with raw_tls(edge, "open.test") as client:
        client.send(
            b"GET /switch-unasked HTTP/1.1\r\nHost: open.test\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        )
        answer = client.read_answer()
    assert answer.status == 502
    assert POISON not in answer.body


@pytest.mark.parametrize("value", ["a.test", "alt.test:443", "", "x"])
def test_a_request_that_came_by_an_alternative_is_sent_back(edge: Edge, origin: Origin, value: str) -> None:
    with raw_tls(edge) as client:
        client.send(f"GET /public HTTP/1.1\r\nHost: a.test\r\nAlt-Used: {value}\r\n\r\n".encode())
        answer = client.read_answer()
    assert_refused(answer, "misdirected_request", 421)
    assert answer.values("alt-svc") == ["clear"]
    assert origin.received() == []


@pytest.mark.parametrize("octets", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\n"])
def test_the_preface_of_http2_is_refused(edge: Edge, origin: Origin, octets: bytes) -> None:
    with raw_tls(edge) as client:
        client.send(octets + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        answer = client.read_until_close()
    assert answer.startswith(b"HTTP/1.1 505 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert origin.received() == []


def test_an_origin_cannot_lead_clients_to_http3(edge: Edge, client_a: CredentialFiles) -> None:
    answer = curl(edge, "/alt-svc", cert=client_a)
    assert (answer.body, answer.values("alt-svc")) == (b"h3", ["clear"])
    answer = curl(edge, "/early-hints", cert=client_a)
    assert (answer.status, answer.values("alt-svc")) == (200, ["clear"])
    assert 'h3=":443"' not in answer.verbose


def test_clear_is_for_hosts_with_a_client_ca_and_for_every_answer_there(
    edge: Edge, client_a: CredentialFiles
) -> None:
    assert curl(edge, "/", cert=client_a).values("alt-svc") == ["clear"]
    assert curl(edge, "/public").values("alt-svc") == ["clear"]
    assert curl(edge, "/").values("alt-svc") == ["clear"]
    assert curl(edge, "/cdn-cgi/access/certs").values("alt-svc") == ["clear"]
    assert curl(edge, "/x", host="open.test").values("alt-svc") == []
    assert curl(edge, "/alt-svc", host="open.test").values("alt-svc") == []
