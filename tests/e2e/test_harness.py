"""The tools of the end-to-end tests, held against strangers before the edge is held against them."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from OpenSSL import SSL
from websockets.sync.client import connect

from edge.config.load import load
from tests.certificates import Authority, CredentialFiles
from tests.e2e.behaviours import POISON, scripted_origin
from tests.e2e.clients import curl, raw_tls, s_client
from tests.e2e.configuration import standard_config
from tests.e2e.origin import Origin
from tests.e2e.tls_client import TlsRefused, client_hello, in_records


@dataclass(frozen=True)
class Endpoint:
    port: int
    server_ca: Path


@pytest.fixture(scope="module")
def stranger(pki: Path, client_a: CredentialFiles) -> Iterator[Endpoint]:
    """``openssl s_server`` with a.test's certificate, asking for a certificate of CA A."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-alpn", "http/1.1"]
    command += ["-cert", str(pki / "a.test.pem"), "-key", str(pki / "a.test-key.pem")]
    command += ["-CAfile", str(pki / "ca-a.pem"), "-verify", "4"]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for_port(port)
        yield Endpoint(port, pki / "server-ca.pem")
    finally:
        process.kill()
        process.wait()


def _wait_for_port(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("openssl s_server did not start")


def ask(origin: Origin, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", origin.port, timeout=10)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def ask_raw(origin: Origin, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", origin.port), timeout=10) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def test_a_request_that_a_stranger_refuses_is_kept_as_unreadable(origin: Origin) -> None:
    ask_raw(origin, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    for _ in range(100):
        if origin.unreadable:
            break
        time.sleep(0.05)
    assert "h11 refused" in origin.unreadable[0]
    assert b"Host: b" in origin.octets
    assert origin.received() == []


def test_the_origin_tells_what_it_was_told_and_records_it(origin: Origin) -> None:
    status, text = ask(origin, "/anything?x=1", "POST", b"body")
    told = json.loads(text)
    assert (status, told["method"], told["target"], told["body_size"]) == (200, "POST", "/anything?x=1", 4)
    assert told["body_sha256"] == hashlib.sha256(b"body").hexdigest()
    (received,) = origin.wait_for("/anything")
    assert received.head.startswith(b"POST /anything?x=1 HTTP/1.1\r\n")
    assert (received.body, received.query, received.complete) == (b"body", {"x": "1"}, True)


def test_pipelined_requests_are_kept_apart(origin: Origin) -> None:
    chunked = (
        b"POST /one HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n"
    )
    answers = ask_raw(origin, chunked + b"GET /two HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    assert origin.received("/one")[0].body == b"abc"
    assert origin.received("/one")[0].trailers == [("t", "x")]
    assert origin.received("/two")[0].connection == origin.received("/one")[0].connection


def test_a_body_that_ends_early_is_recorded_as_incomplete(origin: Origin) -> None:
    ask_raw(origin, b"POST /cut HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfour")
    (received,) = origin.wait_for("/cut")
    assert (received.complete, received.body) == (False, b"four")


def test_a_large_upload_and_a_large_download_are_streamed(origin: Origin) -> None:
    data = bytes(range(256)) * 20_000
    _, text = ask(origin, "/upload", "POST", data)
    assert text == f"{len(data)} {hashlib.sha256(data).hexdigest()}".encode()
    assert len(origin.received("/upload")[0].body) == 1 << 20
    for framing in ("length", "chunked", "close"):
        _, got = ask(origin, f"/download?size=3000001&framing={framing}")
        assert got == (data * 1)[:3_000_001]


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/short", b"Content-Length: 10\r\n\r\nfour"),
        ("/both-framings", b"Transfer-Encoding: chunked"),
        ("/two-responses", b"OKHTTP/1.1 200 OK"),
        ("/interim", b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200"),
        ("/early-hints", b"HTTP/1.1 103 Early Hints\r\n"),
        ("/alt-svc", b'Alt-Svc: h3=":443"'),
        ("/set-cookie", b"CF_Authorization=POISON"),
        ("/garbage", b"\x16\x03\x01"),
        ("/trailers", b"0\r\nX-Checksum: 5eb63bbb\r\n"),
        ("/until-close", b"\r\n\r\nuntil the end"),
        ("/accept-continue", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"),
        ("/refuse-continue", b"HTTP/1.1 417"),
        ("/close-inside-head", b"Content-Len"),
        ("/no-content-with-body", b"204 No Content\r\n\r\nPOISON"),
        ("/header-injection", b"b\rSet-Cookie"),
    ],
)
def test_the_origin_misbehaves_as_it_is_told(origin: Origin, path: str, part: bytes) -> None:
    assert part in ask_raw(origin, b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
    assert origin.unreadable == []


def test_a_head_with_a_body_is_poison(origin: Origin) -> None:
    answer = ask_raw(origin, b"HEAD /head-with-body HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.endswith(POISON)
    assert ask_raw(origin, b"HEAD /echo HTTP/1.1\r\nHost: a\r\n\r\n").endswith(b"\r\n\r\n")


def test_websocket_messages_come_back(origin: Origin) -> None:
    with connect(f"ws://127.0.0.1:{origin.port}/websocket", proxy=None) as websocket:
        for message in ("text", b"\x00\x01", "x" * 100_000):
            websocket.send(message)
            assert websocket.recv(timeout=10) == message
    assert origin.unreadable == []


def test_hanging_up_ends_idle_connections(origin: Origin) -> None:
    with socket.create_connection(("127.0.0.1", origin.port), timeout=10) as sock:
        sock.sendall(b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
        origin.wait_for("/echo")
        sock.recv(65536)
        origin.hang_up()
        assert sock.recv(1) == b""


def test_curl_reports_answers_and_failures(stranger: Endpoint, client_a: CredentialFiles) -> None:
    answer = curl(stranger, "/", cert=client_a)
    assert (answer.status, answer.exit_code) == (200, 0)
    assert answer.value("content-type") == "text/html"
    assert b"Client certificate" in answer.body
    assert b"no client certificate available" in curl(stranger, "/").body
    refused = curl(stranger, "/", host="unknown.test")
    assert (refused.status, refused.headers, refused.exit_code) == (0, (), 60)
    assert "no alternative certificate subject name matches" in refused.verbose


@pytest.fixture(scope="module")
def tls_origin(pki: Path) -> Iterator[Endpoint]:
    """The scripted origin itself behind a.test's certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "a.test.pem", pki / "a.test-key.pem")
    with scripted_origin(tls=context) as origin:
        yield Endpoint(origin.port, pki / "server-ca.pem")


def test_curl_keeps_interim_answers_apart(tls_origin: Endpoint) -> None:
    answer = curl(tls_origin, "/early-hints")
    assert (answer.interim, answer.status, answer.body) == ((103,), 200, b"final")
    assert answer.values("link") == ["</style.css>; rel=preload"]
    assert answer.values("alt-svc") == []


def test_curl_keeps_trailers_apart(tls_origin: Endpoint) -> None:
    answer = curl(tls_origin, "/trailers")
    assert (answer.status, answer.body) == (200, b"hello world")
    assert ("x-checksum", "5eb63bbb") in answer.trailers
    assert answer.values("x-checksum") == []


def test_curl_reports_a_short_body(tls_origin: Endpoint) -> None:
    answer = curl(tls_origin, "/short")
    assert (answer.status, answer.body, answer.exit_code) == (200, b"four", 18)


def test_curl_sends_an_upload(tls_origin: Endpoint, tmp_path: Path) -> None:
    data = b"x" * 300_000
    (tmp_path / "data").write_bytes(data)
    answer = curl(tls_origin, "/upload", "--data-binary", f"@{tmp_path / 'data'}")
    assert answer.body == f"{len(data)} {hashlib.sha256(data).hexdigest()}".encode()


def test_the_tls_client_reads_answers_one_by_one(tls_origin: Endpoint) -> None:
    requests = [b"GET %b HTTP/1.1\r\nHost: a.test\r\n\r\n" % path for path in (b"/interim", b"/trailers")]
    with raw_tls(tls_origin, alpn=()) as client:
        assert client.alpn == b""
        client.send(b"".join(requests))
        first, second = client.read_answer(), client.read_answer()
        assert (first.interim, first.body) == ((102,), b"final")
        assert (second.body, second.trailers[0]) == (b"hello world", ("x-checksum", "5eb63bbb"))
        assert client.ask("/head-with-body").body == b"body"


def test_the_tls_client_tells_a_cut_from_a_goodbye(tls_origin: Endpoint, stranger: Endpoint) -> None:
    with raw_tls(tls_origin) as client:
        client.send(b"GET /short HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert client.read_until_close().endswith(b"four")
        assert not client.closed_cleanly
    with raw_tls(stranger) as client:
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        client.read_until_close()
        assert client.closed_cleanly


def test_s_client_prints_the_names_it_was_asked_with(stranger: Endpoint, client_a: CredentialFiles) -> None:
    output = s_client(stranger, "a.test", cert=client_a)
    assert output.exit_code == 0
    assert output.client_ca_names == ["O = Test, CN = CA A", "O = Test, CN = CA A Root"]
    assert not output.resumed
    answer = s_client(stranger, "a.test", stdin=b"GET / HTTP/1.0\r\n\r\n", cert=client_a)
    assert "HTTP/1.0 200 ok" in answer.text


def test_s_client_takes_a_session_up_again(stranger: Endpoint, tmp_path: Path) -> None:
    session = str(tmp_path / "session.pem")
    request = b"GET / HTTP/1.0\r\n\r\n"
    s_client(stranger, "a.test", "-sess_out", session, stdin=request)
    assert s_client(stranger, "a.test", "-sess_in", session, stdin=request).resumed


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_the_tls_client_shakes_hands_asks_and_resumes(
    stranger: Endpoint, ca_a: Authority, version: int
) -> None:
    credential = ca_a.issue("James Royal")
    with raw_tls(stranger, "a.test", credential, version=version) as client:
        assert client.alpn == b"http/1.1"
        assert client.server_certificate is not None
        assert not client.resumed
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        text = client.read_until_close()
        assert b"James Royal" in text
        session = client.session
    assert b"\nNew, " in text
    with raw_tls(stranger, "a.test", credential, version=version, session=session) as client:
        assert client.resumed
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert b"\nReused, " in client.read_until_close()


@pytest.mark.parametrize("hello", [{"record_size": 1}, {"record_size": 40}, {"segment_size": 1}])
def test_a_hello_in_pieces_is_the_same_hello(stranger: Endpoint, hello: dict[str, int]) -> None:
    with raw_tls(stranger, "a.test", **hello) as client:  # type: ignore[arg-type]
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        answer = client.read_answer()
    assert answer.status == 200
    assert b"no client certificate available" in answer.body


def test_the_tls_client_names_the_alert_it_got(stranger: Endpoint) -> None:
    with pytest.raises(TlsRefused, match="no application protocol"):
        raw_tls(stranger, "a.test", alpn=[b"h2"])


def test_records_are_cut_without_losing_an_octet() -> None:
    hello = client_hello("a.test")
    assert b"a.test" in hello
    assert in_records(hello, 1 << 14) == hello
    cut = in_records(hello, 1)
    assert len(cut) == (len(hello) - 5) * 6
    assert cut[5::6] == hello[5:]


def test_many_clients_can_use_the_origin_at_once(origin: Origin) -> None:
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda: results.append(ask(origin, "/sleep?seconds=0.1")[0]))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == [200] * 20


def test_the_standard_configuration_loads(
    pki: Path, tmp_path: Path, client_a: CredentialFiles, session_origin: Origin
) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(standard_config(pki, session_origin.url), encoding="utf-8")
    configuration = load(path, {})
    assert [host.name for host in configuration.hosts] == [
        "a.test",
        "b.test",
        "open.test",
        "require.test",
        "*.wild.test",
    ]
