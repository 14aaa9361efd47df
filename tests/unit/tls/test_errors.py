"""Every error of the real library becomes a sentence for a log."""

from __future__ import annotations

import socket

import pytest
from OpenSSL import SSL

from edge.tls.errors import reason_of
from tests.certificates import Authority
from tests.unit.tls.pairs import client_context, host_context

SERVER = host_context(Authority("Servers").issue_server("a.test"), None)


def server_over(sock: socket.socket) -> SSL.Connection:
    connection = SSL.Connection(SERVER, sock)
    connection.set_accept_state()
    return connection


def error_after(octets: bytes) -> SSL.Error:
    """What the library raises when a client says these octets and leaves."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(octets)
        theirs.close()
        with pytest.raises(SSL.Error) as caught:
            server_over(ours).do_handshake()
    return caught.value


def test_octets_that_are_no_tls_have_openssls_reason() -> None:
    assert reason_of(error_after(b"\x16\x03\x01\x00\x05hello")) not in ("", "unknown TLS error")


def test_plain_http_is_called_so() -> None:
    assert reason_of(error_after(b"GET / HTTP/1.1\r\n\r\n")) == "http request"


def test_a_peer_that_leaves_ended_the_connection() -> None:
    assert reason_of(error_after(b"")) == "the connection ended"


def test_the_systems_error_is_in_the_systems_words() -> None:
    assert reason_of(SSL.SysCallError(104, "ECONNRESET")) == "ECONNRESET"


def test_a_refused_certificate_names_openssls_reason() -> None:
    context = client_context()
    context.set_verify(SSL.VERIFY_PEER)
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    with ours, theirs:
        client = SSL.Connection(context, theirs)
        client.set_connect_state()
        server = server_over(ours)
        for connection in (client, server):
            with pytest.raises(SSL.WantReadError):
                connection.do_handshake()
        with pytest.raises(SSL.Error) as caught:
            client.do_handshake()
    assert reason_of(caught.value) == "certificate verify failed"


@pytest.mark.parametrize("error", [SSL.Error(), SSL.Error([]), SSL.Error([("", "", "")]), SSL.Error("odd")])
def test_an_error_that_says_nothing_is_still_named(error: SSL.Error) -> None:
    assert reason_of(error) == "unknown TLS error"
