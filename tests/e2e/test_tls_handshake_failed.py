"""Every handshake that fails leaves one event, which says to whom, for which host, and why."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from OpenSSL import SSL

from tests.certificates import Authority
from tests.e2e.client_hellos import HelloParts, hello_for, record, say
from tests.e2e.clients import raw_tls, s_client
from tests.e2e.configuration import standard_config
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.tls_client import TlsClient, TlsRefused, client_hello
from tests.e2e.verdicts import FailedHandshakes, verdict

CERTIFICATE_VERIFY = 15
"""A handshake message (RFC 5246 7.4.8); in TLS 1.2 it goes in the clear."""


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin) -> Iterator[Edge]:
    """The standard edge, that waits for half a second only."""
    config = standard_config(pki, session_origin.url).replace(
        "[server.limits]\n", '[server.limits]\nhandshake_timeout = "500ms"\n'
    )
    with Edge(config, tmp_path_factory.mktemp("impatient"), server_ca=pki / "server-ca.pem") as running:
        yield running


def connect(edge: Edge) -> socket.socket:
    return socket.create_connection(("127.0.0.1", edge.port), timeout=20)


def leave_at_once(edge: Edge) -> None:
    connect(edge).close()


def leave_after_the_hello(edge: Edge) -> None:
    say(edge, client_hello("a.test"), half_close=True)


def garble_the_second_flight(edge: Edge) -> None:
    say(edge, client_hello("a.test"), record(b"garbage", kind=23), pause=0.1)


def offer_nothing_in_common(edge: Edge) -> None:
    s_client(edge, "a.test", "-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0")


def speak_an_old_version(edge: Edge) -> None:
    s_client(edge, "a.test", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")


def offer_only_http_2(edge: Edge) -> None:
    with pytest.raises(TlsRefused):
        raw_tls(edge, "a.test", alpn=[b"h2"])


def ask_for_nobody(edge: Edge) -> None:
    with pytest.raises(TlsRefused):
        raw_tls(edge, "nobody.test")


def ask_for_nothing(edge: Edge) -> None:
    with pytest.raises(TlsRefused):
        raw_tls(edge, None)


def bring_no_certificate(edge: Edge) -> None:
    with pytest.raises(TlsRefused):
        raw_tls(edge, "require.test", version=SSL.TLS1_2_VERSION)


def distrust_the_server(edge: Edge) -> None:
    with connect(edge) as sock:
        sock.sendall(client_hello("a.test"))
        sock.recv(65536)
        sock.sendall(bytes((21, 3, 3, 0, 2, 2, 48)))  # unknown_ca
        while sock.recv(65536):
            pass


FAILURES: dict[str, tuple[Callable[[Edge], None], str, str]] = {
    "leaves at once": (leave_at_once, "", "the client left before its ClientHello was whole"),
    "leaves after the hello": (leave_after_the_hello, "a.test", "the connection ended"),
    "garbles the second flight": (garble_the_second_flight, "a.test", ""),
    "offers nothing in common": (offer_nothing_in_common, "a.test", "no shared cipher"),
    "speaks an old version": (speak_an_old_version, "a.test", "unsupported protocol"),
    "offers only HTTP/2": (offer_only_http_2, "a.test", "the client offers no http/1.1 in ALPN"),
    "asks for nobody": (ask_for_nobody, "nobody.test", "no host of that name"),
    "asks for nothing": (ask_for_nothing, "", "no server name"),
    "brings no certificate": (bring_no_certificate, "require.test", "peer did not return a certificate"),
    "distrusts the server": (distrust_the_server, "a.test", "tlsv1 alert unknown ca"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_a_failed_handshake_leaves_one_event_that_says_why(edge: Edge, case: str) -> None:
    fail, server_name, detail = FAILURES[case]
    failures = FailedHandshakes(edge)
    fail(edge)
    event = failures.only()
    assert (event["client"], event["server_name"]) == ("127.0.0.1", server_name)
    assert event["level"] == "info"
    assert event["detail"] == detail or (not detail and event["detail"])


def test_a_client_that_cannot_prove_to_have_the_key_is_refused(
    edge: Edge, origin: Origin, ca_a: Authority
) -> None:
    failures = FailedHandshakes(edge)
    client = Forger(edge.port, "a.test", ca_a.issue("James Royal"), version=SSL.TLS1_2_VERSION)
    with client, pytest.raises(TlsRefused, match="alert decrypt error"):
        client.handshake()
    assert client.forged == 1
    assert failures.only()["detail"]
    assert origin.received() == []


def test_a_handshake_that_succeeds_leaves_no_such_event(edge: Edge, ca_a: Authority) -> None:
    failures = FailedHandshakes(edge)
    with raw_tls(edge, "a.test", ca_a.issue("James Royal")) as client:
        assert verdict(client.ask()) == (200, "")
    ask_for_nothing(edge)
    assert failures.only()["detail"] == "no server name"


def test_what_the_client_says_cannot_forge_a_line_of_the_log(edge: Edge) -> None:
    failures = FailedHandshakes(edge)
    name = b'x\r\n{"event":"request","status":200}\x1b[2J'
    say(edge, hello_for(name))
    event = failures.only()
    assert event["server_name"] in {"", name.decode()}
    assert all(line.startswith("warning: ") for line in edge.stray_lines)


def test_a_long_name_is_cut_in_the_log(edge: Edge) -> None:
    failures = FailedHandshakes(edge)
    say(edge, hello_for(b"a." * 5000 + b"test"))
    assert len(failures.only()["server_name"]) == 200


def test_no_hello_in_time_is_a_failed_handshake(impatient: Edge) -> None:
    failures = FailedHandshakes(impatient)
    assert say(impatient) == b""
    assert failures.only()["detail"] == "no ClientHello in time"


def test_a_hello_that_comes_too_slowly_is_a_failed_handshake(impatient: Edge) -> None:
    hello = HelloParts.of().wire
    failures = FailedHandshakes(impatient)
    assert say(impatient, *(hello[at : at + 1] for at in range(30)), pause=0.05) == b""
    assert failures.only()["detail"] == "no ClientHello in time"


def test_a_second_flight_that_does_not_come_is_a_failed_handshake(impatient: Edge) -> None:
    failures = FailedHandshakes(impatient)
    assert say(impatient, client_hello("a.test"))[:1] == b"\x16"
    event = failures.only()
    assert (event["server_name"], event["detail"]) == ("a.test", "the handshake took too long")


def test_many_failures_at_once_leave_as_many_events(edge: Edge) -> None:
    threads = [
        threading.Thread(target=say, args=(edge, hello_for(b"crowd-%d.test" % number)))
        for number in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for number in range(50):
        edge.wait_for_event("handshake_failed", server_name=f"crowd-{number}.test")
        assert len(edge.log_events("handshake_failed", server_name=f"crowd-{number}.test")) == 1


class Forger(TlsClient):
    """Shows a certificate, and signs with what is not its key: one bit of CertificateVerify is wrong."""

    forged = 0

    def _write(self, *, first: bool, segment_size: int | None = None) -> None:
        try:
            data = self.tls.bio_read(1 << 20)
        except SSL.WantReadError:
            return
        while data:
            end = 5 + int.from_bytes(data[3:5])
            each, data = bytearray(data[:end]), data[end:]
            if each[0] == 22 and each[5] == CERTIFICATE_VERIFY:
                each[-1] ^= 1
                self.forged += 1
            self.sock.sendall(each)
