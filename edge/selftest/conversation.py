"""One connection to the server under test: what is sent, and what comes back, as a value.

It never raises: whatever a server does, also a hostile one, becomes an ``Attempt``.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from edge.http1.body import BodyReader, body_reader
from edge.http1.inbox import Inbox
from edge.http1.limits import HeadLimits, Side
from edge.http1.response_parser import read_response_head
from edge.model.http import ResponseHead
from edge.model.refusal import MessageError
from edge.selftest.aim import Aim
from edge.tls.raw_client import Hello, RawClient, SavedSession, TlsRefused

ANSWER_SECONDS = 5.0
"""How long a handshake and its answers may take together."""
QUIET_SECONDS = 1.5
"""After an answer: for so long another may follow that nobody should get."""
_MOST_BODY = 65536
"""Octets of a body that are kept, to compare."""
_LIMITS = HeadLimits(header_size=131072, header_count=500)


class End(Enum):
    """How a conversation ended."""

    ENOUGH = "no more was waited for"
    CLOSED = "the connection was closed"
    REFUSED = "TLS was refused"
    SILENT = "nothing more came"
    UNREADABLE = "what came is not HTTP/1.1"
    UNREACHABLE = "no connection"


@dataclass(frozen=True, slots=True)
class Answer:
    """One final answer; 101 is one, 100 is not."""

    head: ResponseHead
    body: bytes = b""
    """The beginning of it."""

    @property
    def status(self) -> int:
        """The status code."""
        return self.head.status


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came back."""

    answers: tuple[Answer, ...]
    end: End
    detail: str = ""
    resumed: bool = False
    protocol: bytes = b""
    session: SavedSession | None = field(default=None, repr=False)

    @property
    def told_nothing(self) -> bool:
        """Whether neither an answer nor a refusal came."""
        return not self.answers and self.end in (End.SILENT, End.UNREADABLE, End.UNREACHABLE)

    def __str__(self) -> str:
        words = " and ".join(str(answer.status) for answer in self.answers)
        ending = "" if self.answers and self.end is End.ENOUGH else self.end.value
        if self.detail:
            ending += f" ({self.detail})"
        return ", then ".join(part for part in (words, ending) if part)


class Dialler:
    """Opens connections to one endpoint until the run's time is over."""

    def __init__(self, aim: Aim, run_ends: float) -> None:
        """``run_ends`` is on the monotonic clock."""
        self.aim = aim
        self.run_ends = run_ends

    def deadline(self, seconds: float = ANSWER_SECONDS) -> float:
        """Return when a wait that begins now must end."""
        return min(time.monotonic() + seconds, self.run_ends)

    def dial(self, seconds: float = ANSWER_SECONDS) -> socket.socket:
        """Open a TCP connection. Raises ``OSError``."""
        left = self.deadline(seconds) - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time of the run is over")
        endpoint = self.aim.endpoint
        sock = socket.create_connection((endpoint.address, endpoint.port), timeout=left)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def ask(
        self,
        hello: Hello,
        octets: bytes,
        *,
        methods: Sequence[bytes] = (b"GET",),
        wanted: int = 1,
        verify: bool = False,
    ) -> Attempt:
        """Shake hands, send, and read up to ``wanted`` answers.

        ``methods`` are those of the requests; the last one stands for all that follow.
        """
        return self._attempt(
            hello, lambda client: _Answers(client, methods).read(octets, wanted), verify=verify
        )

    def shake_hands(
        self, hello: Hello, then: Callable[[RawClient], bool], seconds: float = ANSWER_SECONDS
    ) -> tuple[bool, Attempt]:
        """Shake hands and do something with the connection; what it says, or False."""
        said: list[bool] = []

        def do(client: RawClient) -> Attempt:
            said.append(then(client))
            return Attempt((), End.ENOUGH)

        attempt = self._attempt(hello, do, seconds=seconds)
        return bool(said and said[0]), attempt

    def _attempt(
        self,
        hello: Hello,
        do: Callable[[RawClient], Attempt],
        *,
        seconds: float = ANSWER_SECONDS,
        verify: bool = False,
    ) -> Attempt:
        try:
            sock = self.dial()
        except OSError as error:
            return Attempt((), End.UNREACHABLE, str(error))
        client = RawClient(sock, hello, self.deadline(seconds), self.aim.trust if verify else None)
        try:
            client.shake_hands()
            if verify and self.aim.trust is not None:
                client.check_name(self.aim.url.host)
            return do(client)
        except TlsRefused as error:
            return Attempt((), End.REFUSED, str(error))
        except TimeoutError:
            return Attempt((), End.SILENT)
        finally:
            client.close()

    def speak_plainly(self, octets: bytes, *, most: int = 65536) -> tuple[bytes, End]:
        """Write octets to the port without TLS; return the beginning of what comes back."""
        deadline = self.deadline()
        came = b""
        try:
            with self.dial() as sock:
                sock.sendall(octets)
                while len(came) < most:
                    sock.settimeout(max(deadline - time.monotonic(), 0.001))
                    piece = sock.recv(4096)
                    if not piece:
                        return came, End.CLOSED
                    came += piece
                    deadline = min(deadline, time.monotonic() + QUIET_SECONDS)
        except TimeoutError:
            return came, End.SILENT
        except OSError:
            return came, End.CLOSED
        return came, End.ENOUGH


class _Answers:
    """Reads answers from one connection."""

    def __init__(self, client: RawClient, methods: Sequence[bytes]) -> None:
        self._client = client
        self._methods = methods
        self._inbox = Inbox(Side.ORIGIN)
        self._answers: list[Answer] = []

    def read(self, octets: bytes, wanted: int) -> Attempt:
        """Send and read. What came counts, however it ended."""
        end, detail = End.ENOUGH, ""
        try:
            self._client.send(octets)
            while len(self._answers) < wanted:
                if not self._read_one():
                    end = End.CLOSED
                    break
                self._client.deadline = min(self._client.deadline, time.monotonic() + QUIET_SECONDS)
        except TlsRefused as error:
            end, detail = End.REFUSED, str(error)
        except TimeoutError:
            end = End.SILENT
        except MessageError as error:
            end, detail = End.UNREADABLE, error.refusal.detail
        client = self._client
        return Attempt(tuple(self._answers), end, detail, client.resumed, client.protocol, client.session)

    def _read_one(self) -> bool:
        head = self._read_head()
        while head is not None and 100 <= head.status < 200 and head.status != 101:
            head = self._read_head()
        if head is None:
            return False
        position = len(self._answers)
        self._answers.append(Answer(head))  # it counts from its head on: the body may never end
        if head.status != 101:
            self._read_body(position, body_reader(head.body, _LIMITS, Side.ORIGIN))
        return True

    def _read_head(self) -> ResponseHead | None:
        while (block := self._inbox.next_head(_LIMITS)) is None:
            octets = self._client.read()
            if not octets:
                return None
            self._inbox.feed(octets)
        method = self._methods[min(len(self._answers), len(self._methods) - 1)]
        return read_response_head(block, method, _LIMITS)

    def _read_body(self, position: int, body: BodyReader) -> None:
        octets, kept = self._inbox.take(), b""
        while True:
            kept = (kept + body.feed(octets))[:_MOST_BODY]
            self._answers[position] = Answer(self._answers[position].head, kept)
            if body.done:
                self._inbox.feed(body.excess)
                return
            octets = self._client.read()
            if not octets:
                body.finish()
                return
