"""The first octets of a connection: one reading, or none and a reason."""

from __future__ import annotations

import pytest
from OpenSSL import SSL

from edge.tls import client_hello
from edge.tls.client_hello import (
    DECODE_ERROR,
    ILLEGAL_PARAMETER,
    MAX_HELLO_OCTETS,
    MAX_WIRE_OCTETS,
    RECORD_OVERFLOW,
    UNEXPECTED_MESSAGE,
    UNRECOGNIZED_NAME,
    ClientHello,
    ClientHelloError,
    ClientHelloReader,
    alert_record,
)
from tests.unit.tls.hellos import alpn, extension, message, pyopenssls, pythons, records, server_name, vector

PADDING = 21


def read(octets: bytes) -> ClientHello | None:
    return ClientHelloReader().feed(octets)


def alert_for(octets: bytes) -> int:
    with pytest.raises(ClientHelloError) as caught:
        read(octets)
    assert str(caught.value)
    return caught.value.alert


BASE = message(server_name(b"a.test"), alpn(b"http/1.1"))

# --- what is no hello --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "alert"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", UNEXPECTED_MESSAGE),
        (b"\x80\x2e\x01\x03\x01", UNEXPECTED_MESSAGE),  # SSL 2's hello
        (b"\x15\x03\x01\x00\x02\x02\x28", UNEXPECTED_MESSAGE),
        (b"\x17\x03\x03\x00\x01x", UNEXPECTED_MESSAGE),
        (b"\x16\x02\x00\x00\x05", DECODE_ERROR),
        (b"\x16\x04", DECODE_ERROR),
        (b"\x16\x03\x01\x00\x00", RECORD_OVERFLOW),  # RFC 8446 5.1: no empty fragments
        (b"\x16\x03\x01\x40\x01", RECORD_OVERFLOW),
        (b"\x16\x03\x01\xff\xff", RECORD_OVERFLOW),
        (records(b"\x02\x00\x00\x00"), UNEXPECTED_MESSAGE),  # a ServerHello
        (records(b"\x00"), UNEXPECTED_MESSAGE),
        (records(BASE + b"\x01"), UNEXPECTED_MESSAGE),
        (records(BASE, [10]).replace(b"\x16", b"\x17"), UNEXPECTED_MESSAGE),
        (records(BASE, [10])[:15] + b"\x17\x03\x03\x00\x01x", UNEXPECTED_MESSAGE),
    ],
)
def test_what_is_no_hello_is_refused_at_once(octets: bytes, alert: int) -> None:
    assert alert_for(octets) == alert


@pytest.mark.parametrize(
    ("hello", "alert"),
    [
        (message(session_id=bytes(33)), DECODE_ERROR),
        (message(suites=b""), DECODE_ERROR),
        (message(suites=b"\x13"), DECODE_ERROR),
        (message(compression=b""), DECODE_ERROR),
        (message(server_name(b"a.test"), tail=b"\0"), DECODE_ERROR),
        (message(tail=b"\0"), DECODE_ERROR),
        (message(tail=b"\0\5\0"), DECODE_ERROR),
        (message(b"\0\0"), DECODE_ERROR),
        (message(b"\0\0\0\5ab"), DECODE_ERROR),
        (message(server_name(b"a.test"), server_name(b"b.test")), ILLEGAL_PARAMETER),
        (message(server_name(b"a.test"), server_name(b"a.test")), ILLEGAL_PARAMETER),
        (message(extension(23, b""), extension(23, b"")), ILLEGAL_PARAMETER),
        (message(extension(0, b"")), DECODE_ERROR),
        (message(extension(0, b"\0\0")), DECODE_ERROR),
        (message(extension(0, vector(2, b"\0" + vector(2, b"a.test")) + b"x")), DECODE_ERROR),
        (
            message(extension(0, vector(2, b"\0" + vector(2, b"a") + b"\0" + vector(2, b"b")))),
            ILLEGAL_PARAMETER,
        ),
        (message(server_name(b"a.test", kind=1)), ILLEGAL_PARAMETER),
        (message(server_name(b"")), UNRECOGNIZED_NAME),
        (message(server_name(b"a.test\0.evil.test")), UNRECOGNIZED_NAME),
        (message(server_name("bücher.test".encode())), UNRECOGNIZED_NAME),
        (message(extension(16, b"")), DECODE_ERROR),
        (message(extension(16, b"\0\0")), DECODE_ERROR),
        (message(alpn(b"")), DECODE_ERROR),
        (message(alpn(b"http/1.1", b"")), DECODE_ERROR),
        (message(extension(16, vector(2, b"\x09http/1.1"))), DECODE_ERROR),
        (message(extension(16, vector(2, vector(1, b"h2")) + b"x")), DECODE_ERROR),
        (b"\1" + vector(3, b"\3\3" + bytes(10)), DECODE_ERROR),
        (b"\1\0\0\0", DECODE_ERROR),
    ],
)
def test_a_malformed_hello_never_means_a_hello_without_a_name(hello: bytes, alert: int) -> None:
    assert alert_for(records(hello)) == alert


def test_a_hello_that_says_it_is_too_large_is_refused_before_it_arrives() -> None:
    assert alert_for(records(b"\1" + (MAX_HELLO_OCTETS + 1).to_bytes(3, "big"))) == RECORD_OVERFLOW


def test_the_largest_hello_is_read() -> None:
    room = MAX_HELLO_OCTETS - (len(message(extension(PADDING, b""))) - 4)
    hello = message(extension(PADDING, bytes(room)))
    assert read(records(hello, [16384])) == ClientHello(None, None)


def test_too_many_octets_in_tiny_records_are_refused() -> None:
    hello = message(extension(PADDING, bytes(12000)))
    wire = records(hello, [1] * len(hello))
    assert len(wire) > MAX_WIRE_OCTETS
    assert alert_for(wire) == RECORD_OVERFLOW


def test_too_many_octets_are_refused_however_they_arrive() -> None:
    hello = message(extension(PADDING, bytes(12000)))
    wire = records(hello, [1] * len(hello))
    reader = ClientHelloReader()
    assert reader.feed(wire[:MAX_WIRE_OCTETS]) is None
    with pytest.raises(ClientHelloError):
        reader.feed(wire[MAX_WIRE_OCTETS : MAX_WIRE_OCTETS + 1])


# --- what is one -------------------------------------------------------------------------------


def test_name_and_protocols_are_read() -> None:
    assert read(records(BASE)) == ClientHello("a.test", (b"http/1.1",))


def test_a_name_is_the_text_as_it_came() -> None:
    assert read(records(message(server_name(b"A.Test.")))) == ClientHello("A.Test.", None)


@pytest.mark.parametrize("hello", [message(), message(extension(PADDING, b""))])
def test_a_hello_without_a_name_has_none(hello: bytes) -> None:
    assert read(records(hello)) == ClientHello(None, None)


def test_a_hello_of_a_usual_client_in_records_of_one_octet_is_read() -> None:
    hello = message(server_name(b"a.test"), extension(PADDING, bytes(1500)))
    assert read(records(hello, [1] * len(hello))) == ClientHello("a.test", None)


def test_octets_after_the_hellos_record_are_not_looked_at() -> None:
    assert read(records(BASE) + b"\x17\3\3" + bytes(2 * MAX_WIRE_OCTETS)) == read(records(BASE))


@pytest.mark.parametrize("cut", range(1, len(records(BASE))))
def test_a_part_of_a_hello_is_not_enough_yet(cut: int) -> None:
    reader = ClientHelloReader()
    assert reader.feed(records(BASE)[:cut]) is None
    assert reader.feed(records(BASE)[cut:]) is not None


def test_a_hello_is_not_whole_while_its_record_promises_more() -> None:
    wire = records(BASE + b"\x01")
    reader = ClientHelloReader()
    assert reader.feed(wire[:-1]) is None
    with pytest.raises(ClientHelloError, match="follows"):
        reader.feed(wire[-1:])


@pytest.mark.parametrize("sizes", [(), (1, 1, 1, 1), (3,), (4,), (40,)])
def test_what_is_still_needed_is_never_more_than_what_comes(sizes: tuple[int, ...]) -> None:
    """It is the low-water mark of the socket: too high, and a hello that is whole would wait for ever."""
    wire = records(BASE, sizes)
    for seen in range(len(wire)):
        reader = ClientHelloReader()
        reader.feed(wire[:seen])
        assert 1 <= reader.needed <= len(wire) - seen


@pytest.mark.parametrize(
    "name", [None, "a.test", "xn--bcher-kva.test", "a" * 63 + ".test", "device_1.iot.test"]
)
@pytest.mark.parametrize("protocols", [[], ["http/1.1"], ["h2", "http/1.1"], ["x" * 255]])
def test_the_hellos_of_real_libraries_are_read_as_they_were_meant(
    name: str | None, protocols: list[str]
) -> None:
    offered = [protocol.encode() for protocol in protocols]
    meant = ClientHello(name, tuple(offered) or None)
    assert read(pythons(name, protocols)) == meant
    assert read(pyopenssls(name, offered)) == meant
    assert read(pyopenssls(name, offered, version=SSL.TLS1_2_VERSION)) == meant


def test_an_alert_is_a_fatal_record_of_its_own() -> None:
    assert alert_record(client_hello.UNRECOGNIZED_NAME) == b"\x15\x03\x03\x00\x02\x02\x70"
