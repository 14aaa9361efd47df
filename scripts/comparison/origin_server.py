"""A tiny HTTP origin on one epoll: a greeting, a refusal, and a file of 10 MiB. Argument: the port.

It trusts what is in front of it: requests without a body, on connections of this machine. SIGTERM ends it.
"""

from __future__ import annotations

import select
import socket
import sys

BULK_SIZE = 10 * 1024 * 1024
_GREETING = b"hello world, hello world\n"
_LARGEST_HEAD = 65536


def answer(status: bytes, body: bytes) -> bytes:
    """Return a whole answer."""
    return b"HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (
        status,
        len(body),
        body,
    )


ANSWERS = {
    b"/no": answer(b"403 Forbidden", b"no\n"),
    b"/bulk": answer(b"200 OK", bytes(BULK_SIZE)),
}
GREETING = answer(b"200 OK", _GREETING)


class Connection:
    """One connection: heads come in, answers go out in their order."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._received = b""
        self._waiting = memoryview(b"")

    @property
    def wants(self) -> int:
        """What to wait for: nothing is read while an answer waits."""
        return select.EPOLLOUT if self._waiting else select.EPOLLIN

    def go(self) -> bool:
        """Do what can be done now; False when it is over."""
        try:
            if not self._waiting and not self._read():
                return False
            self._write()
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    def _read(self) -> bool:
        octets = self.sock.recv(_LARGEST_HEAD)
        self._received += octets
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if end:
            target = head.split(b" ", 2)[1] if head.count(b" ") >= 2 else b""
            self._waiting, self._received = memoryview(ANSWERS.get(target, GREETING)), rest
        return bool(octets) and len(self._received) <= _LARGEST_HEAD

    def _write(self) -> None:
        while self._waiting:
            self._waiting = self._waiting[self.sock.send(self._waiting) :]


def serve(listener: socket.socket) -> None:
    """Serve until the process is ended."""
    connections: dict[int, Connection] = {}
    with select.epoll() as poll:
        poll.register(listener, select.EPOLLIN)
        while True:
            for number, _ in poll.poll():
                if number == listener.fileno():
                    sock, _ = listener.accept()
                    sock.setblocking(False)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    connections[sock.fileno()] = Connection(sock)
                    poll.register(sock, select.EPOLLIN)
                    continue
                connection = connections[number]
                before = connection.wants
                if not connection.go():
                    poll.unregister(number)
                    connections.pop(number).sock.close()
                elif connection.wants != before:
                    poll.modify(number, connection.wants)


def main() -> None:
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024) as listener:
        serve(listener)


if __name__ == "__main__":
    main()
