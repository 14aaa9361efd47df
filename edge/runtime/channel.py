"""Short messages between the parent and one worker, some with memory that goes along by descriptor.

parent -> worker                                     worker -> parent
``crl`` + image        other CRLs are in force       ``crl``        it did not arrive, once more
``prepare n`` + memory  make generation n ready      ``prepared n`` / ``failed n why``
``commit n``           put it in force               ``committed n``
``abort n``            forget it
``serve``              begin to accept               ``serving``
``retire``             accept no more, serve on      ``leaving``    it does so by itself (SIGTERM)
``cut``                end what is left, now
``ping n``                                           ``pong n``
``counts n``           leave your numbers            ``counts n``   they are in the memory between us

One channel for everything, because the order counts: CRLs that were sent before a generation must not
come to be in force after it.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

MESSAGE_OCTETS = 4096
_MOST_DESCRIPTORS = 2
_RESERVE = 4
"""Two are needed to take memory up; the others are for those that follow before connections end."""
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ECONNREFUSED, errno.ENOTCONN)


class ParentIsGone(Exception):
    """The other end of the channel is closed."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its word, the number behind it, and its text."""

    word: str
    number: int = 0
    text: str = ""

    def encode(self) -> bytes:
        """Return the octets of a message; a text that is too long is cut."""
        octets = f"{self.word} {self.number} {self.text}".encode("utf-8", "backslashreplace")
        return octets[:MESSAGE_OCTETS]

    @classmethod
    def decode(cls, octets: bytes) -> Message:
        """Return the message that was encoded."""
        word, _, rest = octets.decode("utf-8", "replace").partition(" ")
        number, _, text = rest.partition(" ")
        return cls(word, int(number or "0"), text)


def channel() -> tuple[socket.socket, socket.socket]:
    """Return the parent's end and the worker's end; both never block."""
    parent, worker = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent.setblocking(False)
    worker.setblocking(False)
    return parent, worker


def send(sock: socket.socket, message: Message, *descriptors: int) -> bool:
    """Send a message; tell whether it is on its way. One that is gone needs none, which counts as yes."""
    try:
        if descriptors:
            socket.send_fds(sock, [message.encode()], list(descriptors))
        else:
            sock.send(message.encode())
    except OSError as error:
        return error.errno in _GONE
    return True


def messages(sock: socket.socket) -> Iterator[Message]:
    """Yield what a worker has said since; nothing if it is gone."""
    while True:
        try:
            octets = sock.recv(MESSAGE_OCTETS)
        except OSError:
            return
        if not octets:
            return
        yield Message.decode(octets)


class WorkerEnd:
    """A worker's end of the channel.

    Whoever can open connections can take every descriptor that a worker may have. That must not keep
    a revocation or a configuration from it: some are held in reserve. A mapping keeps one for as long as
    it is in use.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._reserve: list[int] = []
        self._refill()

    def receive(self) -> tuple[Message, list[int]] | None:
        """Return the next message and its descriptors, which are the caller's to close; None if none came.

        Descriptors that the system had no room for are missing. Raises ``ParentIsGone``.
        """
        self._empty()
        try:
            octets, descriptors, _, _ = socket.recv_fds(self._sock, MESSAGE_OCTETS, _MOST_DESCRIPTORS)
        except BlockingIOError:
            self._refill()
            return None
        except ConnectionResetError:
            # It ended with words of ours unread. That is said once: libuv does not look at a descriptor
            # any more that had an error.
            raise ParentIsGone from None
        except OSError:
            self._refill()
            self.answer(Message("crl"))
            return None
        if not octets:
            raise ParentIsGone
        return Message.decode(octets), descriptors

    def answer(self, message: Message) -> None:
        """Tell the parent; a parent that does not listen is not waited for."""
        with suppress(OSError):
            self._sock.send(message.encode())

    def close(self) -> None:
        """Give the reserve back; the socket is its owner's."""
        self._empty()

    def _empty(self) -> None:
        while self._reserve:
            os.close(self._reserve.pop())

    def _refill(self) -> None:
        with suppress(OSError):
            while len(self._reserve) < _RESERVE:
                self._reserve.append(os.dup(self._sock.fileno()))
