"""One connection: shakes hands, sends a request, reads the answer, and asks its course what comes next."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import time
from collections.abc import Callable
from typing import Protocol

from OpenSSL import SSL

from edge.tls.openssl import session_reused
from loadgen.answer import Answer, BadAnswer
from loadgen.plan import Plan

_READ, _READ_WRITE = select.EPOLLIN, select.EPOLLIN | select.EPOLLOUT
_RECORD = 16384
"""The most that one TLS record holds: one read empties OpenSSL, and epoll sees the rest."""
_BLOCK = bytes(_RECORD)
_RECORDS_IN_A_TURN = 32
"""Sent before other connections have their turn."""


class Course(Protocol):
    """What decides when a connection asks, and counts what came of it."""

    def connected(self, client: Client) -> None:
        """The handshake is done."""

    def answered(self, client: Client, answer: Answer) -> None:
        """A whole answer came. The course asks again, closes the connection, or leaves it idle."""

    def failed(self, client: Client, error: str) -> None:
        """Something was waited for and did not come; the connection is closed."""

    def lost(self, client: Client) -> None:
        """The server closed a connection that waited for nothing."""


class Client:
    """One connection at a time; ``open`` may be called again after ``close``."""

    def __init__(self, plan: Plan, course: Course, poll: select.epoll) -> None:
        self._plan, self._course, self._poll = plan, course, poll
        self._family = socket.AF_INET6 if ":" in plan.address[0] else socket.AF_INET
        self._name = plan.host.encode("idna") if plan.host else b""
        self._head_only = plan.head_only
        self.since = 0.0
        """From when the latency counts."""
        self.began = 0.0
        """When what it waits for was begun: the connection, or the request."""
        self.busy = False
        """Whether an answer, or the handshake, is being waited for."""
        self.asked = False
        """Whether a request was sent on this connection."""
        self.resumed = False
        self.identity = 0
        self.descriptor = -1

    def open(self, context: SSL.Context, identity: int, session: SSL.Session | None) -> None:
        """Begin to connect. ``session`` is taken up if the server wants to."""
        self.since = self.began = time.perf_counter()
        self.identity, self.busy, self.asked, self.resumed = identity, True, False, False
        self._sock = socket.socket(self._family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.descriptor = self._sock.fileno()
        self._interest = _READ_WRITE
        self._poll.register(self.descriptor, _READ_WRITE)
        self._tls = SSL.Connection(context, self._sock)
        self._tls.set_connect_state()
        if self._name:
            self._tls.set_tlsext_host_name(self._name)
        if session is not None:
            self._tls.set_session(session)
        self._answer = Answer()
        self._unsent = b""
        self._body_left = 0
        self._step: Callable[[int], None] = self._shake
        result = self._sock.connect_ex(self._plan.address)
        if result not in {0, errno.EINPROGRESS}:
            self.fail(f"cannot connect: {os.strerror(result)}")

    def ask(self, since: float) -> None:
        """Send the request. ``since`` is the moment from which its latency counts."""
        self.since, self.began, self.busy = since, time.perf_counter(), True
        self.asked = True
        self._answer = Answer(head_only=self._head_only)
        self._unsent = self._plan.head
        self._body_left = self._plan.body
        self._step = self._exchange
        self._turn(0, self._send)

    def go(self, events: int) -> None:
        """Do what can be done now."""
        self._turn(events, self._step)

    def close(self) -> None:
        """Let go of the connection, as a client does that says goodbye."""
        if self.descriptor < 0:
            return
        self.descriptor, self.busy = -1, False
        try:
            self._tls.shutdown()
        except SSL.Error:  # there is nobody to say goodbye to
            self._tls.set_shutdown(SSL.SENT_SHUTDOWN)
        self._sock.close()

    def fail(self, error: str) -> None:
        """Give the connection up."""
        self.descriptor, waited = -1, self.busy
        self.busy = False
        self._sock.close()
        if waited:
            self._course.failed(self, error)
        else:
            self._course.lost(self)

    def session(self) -> SSL.Session | None:
        """What a later connection may resume."""
        return self._tls.get_session()

    def _turn(self, events: int, step: Callable[[int], None]) -> None:
        try:
            step(events)
        except SSL.WantReadError:
            self._want(_READ)
        except SSL.WantWriteError:
            self._want(_READ_WRITE)
        except SSL.ZeroReturnError:
            self._ended("the server closed the connection")
        except SSL.SysCallError as error:
            if error.args[0] == -1:
                self._ended("the server closed the connection without a goodbye")
            else:
                self.fail(os.strerror(error.args[0]))
        except SSL.Error as error:
            self.fail(_say(error))
        except BadAnswer as error:
            self.fail(str(error))

    def _want(self, interest: int) -> None:
        if self._interest != interest:
            self._interest = interest
            self._poll.modify(self.descriptor, interest)

    def _shake(self, _: int) -> None:
        self._tls.do_handshake()
        self.resumed = session_reused(self._tls)
        self.busy = False
        self._step = self._exchange
        self._want(_READ)
        self._course.connected(self)

    def _exchange(self, events: int) -> None:
        """Read, and send if there is something left to send."""
        if self._unsent:
            if events & select.EPOLLIN:
                with contextlib.suppress(SSL.WantReadError):  # only a message of TLS
                    self._read(events)
            if self.busy:
                self._send(events)
        else:
            self._read(events)

    def _send(self, _: int) -> None:
        for _record in range(_RECORDS_IN_A_TURN):
            self._unsent = self._unsent[self._tls.send(self._unsent) :]
            if not self._unsent:
                if not self._body_left:
                    self._want(_READ)
                    return
                self._unsent = _BLOCK[: self._body_left]
                self._body_left -= len(self._unsent)
        self._want(_READ_WRITE)

    def _read(self, _: int) -> None:
        data = self._tls.recv(_RECORD)
        if not self.busy:
            raise BadAnswer("octets that nobody asked for")
        if self._answer.feed(data):
            self._whole()

    def _whole(self) -> None:
        """Hand the answer on; an answer that came before the request was sent ends the connection."""
        answer = self._answer
        answer.closes = answer.closes or bool(self._unsent)
        self.busy = False
        self._course.answered(self, answer)

    def _ended(self, error: str) -> None:
        if self.busy and self._answer.end():
            self._whole()
        else:
            self.fail(error)


def _say(error: SSL.Error) -> str:
    """Return what OpenSSL says, without the names of its parts."""
    reasons = [str(reason[-1]) for reason in error.args[0]] if error.args else []
    return "TLS: " + (", ".join(filter(None, reasons)) or "an error without a reason")
