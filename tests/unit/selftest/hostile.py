"""A TLS server in this process that does whatever a test wants, and what is aimed at it."""

from __future__ import annotations

import contextlib
import functools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from OpenSSL import SSL
from OpenSSL._util import lib as _lib

from edge.config.request_url import read_request_url
from edge.selftest.aim import Aim, Endpoint
from edge.selftest.conversation import Dialler
from edge.tls.openssl import session_reused
from edge.tls.raw_client import ClientIdentity
from tests.certificates import Authority

_T = TypeVar("_T")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"


class Connection(Protocol):
    """TCP, or TLS over it."""

    def recv(self, most: int, /) -> bytes:
        """Return some octets; none at the end."""

    def sendall(self, octets: bytes, /) -> None:
        """Send them."""


Behaviour = Callable[[Connection], None]
"""Gets the connection after the handshake, or before it if the server speaks no TLS."""


@functools.cache
def root() -> Authority:
    return Authority("Root")


def request_on(connection: Connection) -> bytes:
    """Read one head."""
    octets = b""
    while b"\r\n\r\n" not in octets and (piece := connection.recv(65536)):
        octets += piece
    return octets


def answers(octets: bytes) -> Behaviour:
    """Answer every request of a connection with that."""

    def behave(connection: Connection) -> None:
        while request_on(connection):
            connection.sendall(octets)

    return behave


def says_nothing(connection: Connection) -> None:
    while connection.recv(65536):
        pass


def closes(connection: Connection) -> None:
    """Return at once."""


def never_ends(beginning: bytes) -> Behaviour:
    def behave(connection: Connection) -> None:
        connection.sendall(beginning)
        while True:
            connection.sendall(b"x" * 65536)

    return behave


class Server:
    """Serves each connection in a thread of its own until the end of the ``with`` block."""

    def __init__(self, behaviour: Behaviour, *, tls: bool = True, early_data: int = 0) -> None:
        self.behaviour = behaviour
        self.accepted = 0
        self._tls = tls
        self._early_data = early_data
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def aim(self, *, patience: float = 1.0) -> Aim:
        """The server, with a certificate, and with another host of the same name and address."""
        credential = root().issue("James")
        return Aim(
            url=read_request_url(f"https://localhost:{self.port}/"),
            endpoint=Endpoint("127.0.0.1", self.port),
            identity=ClientIdentity(credential.certificate, credential.key),
            trust=(root().certificate,),
            patience=patience,
        )

    def dialler(self, seconds: float = 30.0) -> Dialler:
        return Dialler(self.aim(), time.monotonic() + seconds)

    def __enter__(self) -> Server:
        credential = root().issue_server("localhost")
        self._context = SSL.Context(SSL.TLS_SERVER_METHOD)
        self._context.use_certificate(credential.certificate)
        self._context.use_privatekey(credential.key)
        self._context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        self._context.set_session_id(b"all hosts")
        _lib.SSL_CTX_set_max_early_data(self._context._context, self._early_data)
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.accepted += 1
                self._connections.append(connection)
                self._start(functools.partial(self._serve, connection))

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            self.behaviour(_Tls(connection, self._context) if self._tls else connection)


class _Tls:
    """The server's side of TLS, with the errors of a socket. It takes any certificate and any session."""

    def __init__(self, sock: socket.socket, context: SSL.Context) -> None:
        self._tls = SSL.Connection(context, sock)
        self._tls.set_accept_state()
        self._do(self._tls.do_handshake)

    @property
    def resumed(self) -> bool:
        return session_reused(self._tls)

    @property
    def has_certificate(self) -> bool:
        return self._tls.get_peer_certificate() is not None

    def recv(self, most: int, /) -> bytes:
        return self._do(lambda: self._tls.recv(most)) or b""

    def sendall(self, octets: bytes, /) -> None:
        self._do(lambda: self._tls.sendall(octets))

    def _do(self, work: Callable[[], _T]) -> _T | None:
        try:
            return work()
        except SSL.ZeroReturnError:
            return None
        except SSL.Error as error:
            raise OSError(str(error)) from None


def lets_in(judge: Callable[[bool, bool], bool]) -> Behaviour:
    """Judge each connection by whether it is resumed, and whether it has a certificate."""

    def behave(connection: Connection) -> None:
        assert isinstance(connection, _Tls)
        good = judge(connection.resumed, connection.has_certificate)
        answers(OK if good else REFUSED)(connection)

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Behave like each in turn, and like the last one ever after."""
    left: Iterator[Behaviour] = iter(behaviours[:-1])
    lock = threading.Lock()

    def behave(connection: Connection) -> None:
        with lock:
            now = next(left, behaviours[-1])
        now(connection)

    return behave
