"""A client that is asked for a second ClientHello, and says another server name in it.

The library of the other clients cannot be told which groups to offer, so this one calls the system's
OpenSSL itself. It shares a key for P-521 only; the server wants another group and sends a
HelloRetryRequest (RFC 8446 4.1.4).
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import select
import socket

import pytest

from tests.e2e.tls_client import HasPort

_GROUPS = b"P-521:X25519"
_SET_HOSTNAME, _SET_GROUPS_LIST, _SET_MIN_VERSION, _TLS1_3 = 55, 92, 123, 0x0304
_WANT_READ = 2
_DEADLINE_SECONDS = 10.0
_RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random by which a ServerHello is a HelloRetryRequest (RFC 8446 4.1.3)."""


def hello_again(server: HasPort, first: str, second: str) -> bytes:
    """Shake hands with one name in each hello, ask for ``second``, and return what comes back.

    Empty if the server closed instead. Skips the test where there is no OpenSSL to load.
    """
    path = ctypes.util.find_library("ssl")
    if path is None:
        pytest.skip("no shared library of OpenSSL to make a second ClientHello with")
    engine_side, our_side = socket.socketpair()
    with engine_side, our_side, socket.create_connection(("127.0.0.1", server.port)) as sock:
        for each in (engine_side, our_side, sock):
            each.setblocking(False)
        return _Client(ctypes.CDLL(path), engine_side, our_side, sock).run(first, second)


class _Client:
    """The library reads and writes one end of a pair; we carry its octets, so nothing goes too early."""

    def __init__(
        self, library: ctypes.CDLL, engine_side: socket.socket, our_side: socket.socket, sock: socket.socket
    ) -> None:
        for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
            getattr(library, name).restype = ctypes.c_void_p
        for name in ("SSL_CTX_ctrl", "SSL_ctrl"):
            getattr(library, name).argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p]
            getattr(library, name).restype = ctypes.c_long
        self._library = library
        self._engine_side, self._our_side, self._sock = engine_side, our_side, sock
        context = ctypes.c_void_p(library.SSL_CTX_new(ctypes.c_void_p(library.TLS_client_method())))
        assert library.SSL_CTX_ctrl(context, _SET_GROUPS_LIST, 0, _GROUPS) == 1
        assert library.SSL_CTX_ctrl(context, _SET_MIN_VERSION, _TLS1_3, None) == 1
        self._ssl = ctypes.c_void_p(library.SSL_new(context))
        assert library.SSL_set_fd(self._ssl, engine_side.fileno()) == 1

    def run(self, first: str, second: str) -> bytes:
        self._say_name(first)
        assert not self._is_connected()
        self._say_name(second)  # the first hello is written, the answer not yet read
        assert _RETRY_RANDOM in self._carry(), "no HelloRetryRequest came"
        while not self._is_connected():
            assert self._carry(), "the server closed in the handshake"
        request = f"GET / HTTP/1.1\r\nHost: {second}\r\nConnection: close\r\n\r\n".encode()
        self._library.SSL_write(self._ssl, request, len(request))
        answer = b""
        while self._carry():
            answer += self._read()
        return answer

    def _say_name(self, name: str) -> None:
        assert self._library.SSL_ctrl(self._ssl, _SET_HOSTNAME, 0, name.encode()) == 1

    def _is_connected(self) -> bool:
        result = self._library.SSL_connect(self._ssl)
        assert result == 1 or self._library.SSL_get_error(self._ssl, result) == _WANT_READ
        return bool(result == 1)

    def _read(self) -> bytes:
        buffer, octets = ctypes.create_string_buffer(16384), b""
        while (size := self._library.SSL_read(self._ssl, buffer, len(buffer))) > 0:
            octets += buffer.raw[:size]
        return octets

    def _carry(self) -> bytes:
        """Carry what the library wrote to the server, and what the server says to the library."""
        with contextlib.suppress(BlockingIOError):
            self._sock.sendall(self._our_side.recv(65536))
        readable, _, _ = select.select([self._sock], [], [], _DEADLINE_SECONDS)
        assert readable, "the server is silent"
        octets = self._sock.recv(65536)
        self._our_side.sendall(octets)
        return octets
