"""A scripted origin: a server in a thread that records what reached it and answers what it is told to.

It speaks over plain sockets, so that a handler can write any octets at all; h11 reads the requests,
because it is a stranger to the code under test. A request that h11 refuses is kept in
``Origin.unreadable``: an edge must never send one.
"""

from __future__ import annotations

import contextlib
import hashlib
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import h11

KEPT_OCTETS = 1 << 20
"""How much of a body, and of a connection, is kept; the rest is only counted and hashed."""

READ_SIZE = 65536
_SETTLE_SECONDS = 0.25
DEADLINE_SECONDS = 30.0
"""Nothing here waits longer; a test that hangs says where."""


@dataclass(slots=True)
class Received:
    """One request as it reached the origin. The body fills while the handler reads it."""

    connection: int
    """Which connection it came on, counted from 1."""
    head: bytes
    """The octets up to and with the empty line."""
    method: str
    target: str
    version: str
    headers: list[tuple[str, str]]
    """(lower-case name, value), in order."""
    body: bytes = b""
    """The decoded body, at most ``KEPT_OCTETS`` of it."""
    body_size: int = 0
    trailers: list[tuple[str, str]] = field(default_factory=list)
    complete: bool = False
    """Whether the end of the body arrived."""
    digest: hashlib._Hash = field(default_factory=hashlib.sha256, repr=False)

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The query's pairs, undecoded."""
        pairs = (pair.partition("=") for pair in self.target.partition("?")[2].split("&"))
        return {key: value for key, _, value in pairs if key}

    @property
    def body_sha256(self) -> str:
        """SHA-256 of the decoded body as far as it arrived, lower-case hex."""
        return self.digest.hexdigest()

    def values(self, name: str) -> list[str]:
        """Every value of that header, in order."""
        return [value for key, value in self.headers if key == name.lower()]

    def value(self, name: str) -> str | None:
        """The only value of that header, or None; two of one name fail the test that asks."""
        values = self.values(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None


class Hangup(Exception):
    """The connection ended: by the peer, or because a handler wants no more of it."""


class Wire:
    """One connection of the origin: what a handler reads from and writes to."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        sock.settimeout(DEADLINE_SECONDS)
        self.sock = sock
        self.number = number
        self.octets = bytearray()
        """Everything that came over this connection, at most ``KEPT_OCTETS``."""
        self._unread = b""
        self.taking = False
        """Whether octets were taken of which nothing is recorded yet."""
        self._parser = h11.Connection(h11.SERVER)
        self._current: Received | None = None

    def send(self, data: bytes) -> None:
        """Write the octets as they are."""
        self.sock.sendall(data)

    def read_request(self) -> Received | None:
        """Read the next head; None if the peer closed before it began. Raises ``h11.RemoteProtocolError``."""
        while b"\r\n\r\n" not in self._unread:
            if not (data := self.receive()):
                if self._unread:
                    raise Hangup
                return None
            self._unread += data
        self._parser = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        head, _, _ = self._unread.partition(b"\r\n\r\n")
        self._parser.receive_data(self._unread)
        self._unread = b""
        request = self._parser.next_event()
        assert isinstance(request, h11.Request)
        self._current = Received(
            self.number,
            head + b"\r\n\r\n",
            request.method.decode(),
            request.target.decode(),
            request.http_version.decode(),
            [(name.decode(), value.decode("latin-1")) for name, value in request.headers],
        )
        return self._current

    def body(self) -> Iterator[bytes]:
        """Yield the decoded body of the current request as it comes; memory does not grow with it."""
        received = self._current
        assert received is not None
        while not received.complete:
            event = self._parser.next_event()
            if event is h11.NEED_DATA:
                if not (data := self.receive()):
                    raise Hangup
                self._parser.receive_data(data)
            elif isinstance(event, h11.Data):
                data = bytes(event.data)
                received.body_size += len(data)
                received.digest.update(data)
                received.body += data[: KEPT_OCTETS - len(received.body)]
                yield data
            else:
                assert isinstance(event, h11.EndOfMessage)
                received.trailers = [(n.decode(), v.decode("latin-1")) for n, v in event.headers]
                received.complete = True
                self._unread = self._parser.trailing_data[0]

    def read_body(self) -> None:
        """Read the body of the current request to its end."""
        for _ in self.body():
            pass

    def receive(self) -> bytes:
        """Read octets that belong to no request: after an upgrade, or what should not come."""
        self.taking = False
        if not (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()):
            readable = select.poll()
            readable.register(self.sock.fileno(), select.POLLIN)
            if not readable.poll(DEADLINE_SECONDS * 1000):
                raise TimeoutError
        self.taking = True  # before nothing is left to be seen in the socket
        data = self.sock.recv(READ_SIZE)
        self.octets += data[: KEPT_OCTETS - len(self.octets)]
        return data

    def take_unread(self) -> bytes:
        """What came behind the current request: the first octets of an upgraded protocol."""
        data, self._unread = self._unread or self._parser.trailing_data[0], b""
        return data

    def close(self) -> None:
        """End the connection so that the peer sees its end now, whoever else holds the socket."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


Handler = Callable[[Received, Wire], None]
"""Answers one request. The connection stays open afterwards unless it raises ``Hangup``."""


class Origin:
    """The server. Use as a context manager; ``port`` is a free one on the loopback address."""

    def __init__(self, default: Handler, *, tls: ssl.SSLContext | None = None) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self._tls = tls
        self._default = default
        self._handlers: dict[str, Handler] = {}
        self._changed = threading.Condition()
        self._received: list[Received] = []
        self._wires: list[Wire] = []
        self._barriers: dict[int, threading.Event] = {}
        self._stopped = False
        self.unreadable: list[str] = []
        """What h11 said of requests it refused, and of handlers that failed."""
        self._acceptor = threading.Thread(target=self._accept, name="origin", daemon=True)

    @property
    def url(self) -> str:
        """What goes into a host's ``origin``."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def on(self, path: str, handler: Handler) -> None:
        """Let ``handler`` answer requests for exactly this path (any query)."""
        self._handlers[path] = handler

    def received(self, path: str | None = None) -> list[Received]:
        """Every request so far, or those for one path."""
        with self._changed:
            return [r for r in self._received if path in {None, r.path}]

    def wait_for(self, path: str, count: int = 1) -> list[Received]:
        """Wait until that many requests for the path came, heads at least."""
        with self._changed:
            arrived = self._changed.wait_for(
                lambda: sum(r.path == path for r in self._received) >= count, DEADLINE_SECONDS
            )
        assert arrived, f"{path} did not reach the origin {count} times"
        return self.received(path)

    @property
    def octets(self) -> bytes:
        """Everything that reached the origin, connection by connection: what no test may find a leak in."""
        with self._changed:
            return b"\n".join(bytes(wire.octets) for wire in self._wires)

    @property
    def connections(self) -> int:
        """How many connections were accepted and not yet forgotten."""
        with self._changed:
            return len(self._wires)

    def forget(self) -> None:
        """Forget what was recorded; open connections stay open, and are recorded on."""
        self._settle()
        with self._changed:
            self._received.clear()
            self.unreadable.clear()
            self._wires = [wire for wire in self._wires if wire.sock.fileno() >= 0]
            for wire in self._wires:
                wire.octets.clear()

    def _settle(self) -> None:
        """Let what an earlier test left in the sockets be read, or it would be recorded for the next one."""
        self._accept_the_earlier()
        deadline = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < deadline:
            # The socket first: octets are in it until the wire says that it takes them.
            if not any(_has_unread(wire.sock) or wire.taking for wire in tuple(self._wires)):
                return
            time.sleep(0.001)

    def _accept_the_earlier(self) -> None:
        """Wait until every connection made so far was accepted: they come in order, ours last."""
        with socket.socket() as barrier:
            barrier.bind(("127.0.0.1", 0))
            passed = self._barriers[barrier.getsockname()[1]] = threading.Event()
            barrier.connect(("127.0.0.1", self.port))
            assert passed.wait(DEADLINE_SECONDS), "the origin accepts nobody"

    def hang_up(self) -> None:
        """Close every open connection from this side, as an origin does that restarts."""
        with self._changed:
            wires = list(self._wires)
        for wire in wires:
            wire.close()

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept()
        self._listener.close()
        self._acceptor.join(DEADLINE_SECONDS)
        self.hang_up()

    def _accept(self) -> None:
        number = 0
        while not self._stopped:
            try:
                sock, (_, port) = self._listener.accept()
            except OSError:
                return
            barrier = self._barriers.pop(port, None)
            if barrier is not None:
                barrier.set()
                sock.close()
                continue
            number += 1
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire = Wire(sock, number)
            with self._changed:
                self._wires.append(wire)
            threading.Thread(target=self._serve, args=(wire,), name=f"origin-{number}", daemon=True).start()

    def _serve(self, wire: Wire) -> None:
        if self._tls:
            sock = wire.sock
            try:
                wire.sock = self._tls.wrap_socket(sock, server_side=True)
            except OSError as error:  # of which ssl.SSLError is one
                self._complain(f"TLS: {error}")
                wire.close()
                sock.close()
                return
        try:
            while (received := wire.read_request()) is not None:
                self._note(received)
                wire.taking = False
                self._handlers.get(received.path, self._default)(received, wire)
                wire.read_body()
        except h11.RemoteProtocolError as error:
            self._complain(f"h11 refused a request: {error}: {bytes(wire.octets[-500:])!r}")
        except (Hangup, OSError):
            pass
        except Exception as error:  # noqa: BLE001 -- a thread's failure must not pass unseen
            self._complain(f"a handler failed: {error!r}")
        finally:
            wire.close()
            wire.taking = False

    def _note(self, received: Received) -> None:
        with self._changed:
            self._received.append(received)
            self._changed.notify_all()

    def _complain(self, text: str) -> None:
        with self._changed:
            self.unreadable.append(text)


def _has_unread(sock: socket.socket) -> bool:
    """Tell whether octets, or the end, lie in a socket and nobody has taken them."""
    descriptor = sock.fileno()
    if descriptor < 0:
        return False
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
