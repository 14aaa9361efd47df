"""A ClientHello in pieces is the same hello; anything else on the port is no hello and gets nothing."""

from __future__ import annotations

import os

import pytest
from OpenSSL import SSL

from tests.certificates import Authority
from tests.e2e.client_hellos import (
    DECODE_ERROR,
    PADDING,
    RECORD_OVERFLOW,
    SERVER_NAME,
    UNEXPECTED_MESSAGE,
    HelloParts,
    alert,
    record,
    say,
)
from tests.e2e.clients import raw_tls
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.tls_client import Hello, client_hello, in_records
from tests.e2e.verdicts import FailedHandshakes, verdict

OK = (200, "")
REQUIRED = (403, "client_certificate_required")
CLIENT_HELLO_OCTETS = client_hello("a.test")
INSIDE_NAME = CLIENT_HELLO_OCTETS.index(b"a.test") + 3
"""Where to cut the wire so that the server name falls into two pieces."""
HTTP = b"GET /clear HTTP/1.1\r\nHost: a.test\r\n\r\n"

PIECES: dict[str, Hello] = {
    "records of one octet": {"record_size": 1},
    "records of two octets": {"record_size": 2},
    "records of 40 octets": {"record_size": 40},
    "a record that ends in the server name": {"record_size": INSIDE_NAME - 5},
    "segments of one octet": {"segment_size": 1},
    "a segment that ends in the server name": {"segment_size": INSIDE_NAME},
    "a segment that ends in the record's header": {"segment_size": 3},
    "records of 40 octets in segments of 7": {"record_size": 40, "segment_size": 7},
}

VERSIONS = pytest.mark.parametrize(
    "version",
    [pytest.param(SSL.TLS1_2_VERSION, id="tls1.2"), pytest.param(SSL.TLS1_3_VERSION, id="tls1.3")],
)


@VERSIONS
@pytest.mark.parametrize("pieces", PIECES)
def test_a_hello_in_pieces_chooses_the_same_host(
    edge: Edge, ca_a: Authority, ca_b: Authority, pieces: str, version: int
) -> None:
    hello = PIECES[pieces].copy()
    hello["version"] = version
    for credential, expected in ((ca_a.issue("James Royal"), OK), (None, REQUIRED)):
        with raw_tls(edge, "a.test", credential, **hello) as client:
            assert verdict(client.ask()) == expected
    with raw_tls(edge, "b.test", ca_b.issue("James Royal"), **hello) as client:
        assert verdict(client.ask(host="b.test")) == OK


def test_a_large_hello_is_read_to_its_end(edge: Edge, ca_a: Authority) -> None:
    many = [b"protocol-%d" % number for number in range(900)]
    for hello in (Hello(alpn=[*many, b"http/1.1"]), Hello(alpn=[*many, b"http/1.1"], record_size=1000)):
        with raw_tls(edge, "a.test", ca_a.issue("James Royal"), **hello) as client:
            assert client.alpn == b"http/1.1"
            assert verdict(client.ask()) == OK


def test_a_hello_that_is_too_large_is_refused(edge: Edge) -> None:
    hello = HelloParts.of().with_extension(PADDING, bytes(17000))
    failures = FailedHandshakes(edge)
    assert say(edge, hello.wire) == alert(RECORD_OVERFLOW)
    assert failures.only()["detail"] == "the ClientHello is too large"


def test_a_hello_in_too_many_octets_of_records_is_refused(edge: Edge) -> None:
    hello = HelloParts.of().with_extension(PADDING, bytes(10000))
    failures = FailedHandshakes(edge)
    assert say(edge, in_records(hello.wire, 1)) == alert(RECORD_OVERFLOW)
    assert failures.only()["detail"] == "the ClientHello takes too many octets"


def test_an_empty_record_before_the_hello_is_refused(edge: Edge) -> None:
    # RFC 8446 5.1: zero-length fragments of handshake messages must not be sent.
    assert say(edge, record(b"") + CLIENT_HELLO_OCTETS) == alert(RECORD_OVERFLOW)


def test_an_empty_record_inside_the_hello_is_refused(edge: Edge) -> None:
    message = HelloParts.of().message
    wire = record(message[:100]) + record(b"") + record(message[100:])
    assert say(edge, wire) == alert(RECORD_OVERFLOW)


@pytest.mark.parametrize(
    ("wire", "answer"),
    [
        pytest.param(b"\x00", alert(UNEXPECTED_MESSAGE), id="a zero"),
        pytest.param(b"\xff" * 600, alert(UNEXPECTED_MESSAGE), id="ones"),
        pytest.param(b"\x80\x2e\x01\x00\x02" + bytes(43), alert(UNEXPECTED_MESSAGE), id="SSL 2 hello"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", alert(UNEXPECTED_MESSAGE), id="SSH"),
        pytest.param(b"\x16\x02\x00\x00\x05hello", alert(DECODE_ERROR), id="record of another protocol"),
        pytest.param(b"\x16\x03\x01\xff\xff" + bytes(100), alert(RECORD_OVERFLOW), id="record too long"),
        pytest.param(record(b"hello", kind=23), alert(UNEXPECTED_MESSAGE), id="application data first"),
        pytest.param(record(b"\x01\x00", kind=21), alert(UNEXPECTED_MESSAGE), id="alert first"),
        pytest.param(record(b"\x01", kind=20), alert(UNEXPECTED_MESSAGE), id="change cipher spec first"),
        pytest.param(record(b"\x02\x00\x00\x00"), alert(UNEXPECTED_MESSAGE), id="ServerHello"),
        pytest.param(record(b"\x00\x00\x00\x00"), alert(UNEXPECTED_MESSAGE), id="HelloRequest"),
        pytest.param(record(b"\x01\x00\x00\x00"), alert(DECODE_ERROR), id="empty hello"),
        pytest.param(record(b"\x01\xff\xff\xff"), alert(RECORD_OVERFLOW), id="hello of 16 MiB"),
        pytest.param(
            record(HelloParts.of().message + b"\x01\x00\x00\x00"),
            alert(UNEXPECTED_MESSAGE),
            id="two messages in one record",
        ),
    ],
)
def test_what_is_no_hello_gets_an_alert_and_one_event(edge: Edge, wire: bytes, answer: bytes) -> None:
    failures = FailedHandshakes(edge)
    assert say(edge, wire) == answer
    event = failures.only()
    assert event["client"] == "127.0.0.1"
    assert event["server_name"] == ""
    assert event["detail"]


def test_random_octets_harm_nobody(edge: Edge, ca_a: Authority) -> None:
    for number in range(40):
        answer = say(edge, (b"\x16\x03\x01" if number % 2 else b"") + os.urandom(2000), half_close=True)
        assert answer == b"" or answer[:1] == b"\x15"
    with raw_tls(edge, "a.test", ca_a.issue("James Royal")) as client:
        assert verdict(client.ask()) == OK


def test_every_cut_of_a_hello_is_refused_or_waited_for(edge: Edge) -> None:
    failures = FailedHandshakes(edge)
    assert say(edge, CLIENT_HELLO_OCTETS[:-1], half_close=True) == b""
    assert failures.only()["detail"] == "the client left before its ClientHello was whole"
    for size in range(1, len(CLIENT_HELLO_OCTETS), 37):
        assert say(edge, CLIENT_HELLO_OCTETS[:size], half_close=True) == b""


def test_a_vector_that_claims_more_than_there_is_is_refused(edge: Edge) -> None:
    parts = HelloParts.of()
    for kind, content in parts.extensions:
        if kind == SERVER_NAME:
            longer = bytes([content[0], content[1] + 1]) + content[2:]
            assert say(edge, parts.with_extension(kind, longer).wire) == alert(DECODE_ERROR)


# --- no TLS at all -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT"])
def test_plain_http_is_told_that_this_port_speaks_tls(edge: Edge, origin: Origin, method: str) -> None:
    failures = FailedHandshakes(edge)
    answer = say(edge, HTTP.replace(b"GET", method.encode()))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Connection: close" in head
    assert body == b"This port speaks TLS; ask with https:// instead\n"
    assert failures.only()["detail"] == "plain HTTP on a TLS port"
    assert origin.received() == []


@pytest.mark.parametrize("clear", [HTTP, b"X", b"\r\n", b"GET / HTTP/1.1\r\n"])
@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_octets_in_the_clear_before_the_hello_end_the_connection(
    edge: Edge, origin: Origin, clear: bytes, pause: float
) -> None:
    answer = say(edge, clear, CLIENT_HELLO_OCTETS, pause=pause)
    assert b"\x16\x03\x03" not in answer  # no ServerHello
    assert answer in {b"", alert(UNEXPECTED_MESSAGE)} or answer.startswith(b"HTTP/1.1 400 ")
    assert origin.received() == []


@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_a_request_in_the_clear_behind_the_hello_is_never_read_as_one(
    edge: Edge, origin: Origin, pause: float
) -> None:
    failures = FailedHandshakes(edge)
    answer = say(edge, CLIENT_HELLO_OCTETS, HTTP, pause=pause)
    assert b"HTTP/1.1" not in answer
    assert failures.only()["server_name"] == "a.test"
    assert origin.received() == []


def test_a_request_in_the_clear_and_a_close_is_never_read_as_one(edge: Edge, origin: Origin) -> None:
    # CVE-2023-40217: octets left in the buffer of a socket that closed before its handshake.
    answer = say(edge, CLIENT_HELLO_OCTETS + record(HTTP, kind=23), half_close=True)
    assert b"HTTP/1.1" not in answer
    assert origin.received() == []
