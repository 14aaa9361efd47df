"""One process of a measurement: its connections, its event loop, and what each mode does with them."""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from OpenSSL import SSL

from loadgen.answer import Answer
from loadgen.client import Client
from loadgen.plan import Plan, share_of
from loadgen.tally import Tally

EVENTS = 64
"""Handled before the clock is read again."""
LONGEST_WAIT = 0.1
_RETRY_SECONDS = 0.05
"""A connection that failed is opened again after this: a dead server must not make a busy loop."""


@dataclass(slots=True)
class Stretch:
    """What a process tells of one second. ``index`` is -1 for the warm-up."""

    index: int
    tally: Tally
    open: int
    """Connections that are open."""
    seconds: float
    """How long it really was."""
    last: bool = False
    settled: bool = False
    """Mode ``idle``: everything that can be opened is open."""


Tell = Callable[[Stretch], None]


class Run:
    """The part of one process. ``stop`` is a descriptor that becomes readable when it shall end early."""

    def __init__(self, plan: Plan, index: int, contexts: list[SSL.Context], stop: int, tell: Tell) -> None:
        self.plan, self._index, self._stop, self._tell = plan, index, stop, tell
        self._contexts = contexts
        self._sessions: list[list[SSL.Session]] = [[] for _ in contexts]
        self._next_identity = index
        self._again: deque[tuple[float, Client]] = deque()
        self._clients: dict[int, Client] = {}
        self.tally = Tally()
        self.begin = self.end = self.now = self._cut_at = 0.0
        self.stopped = self.settled = False

    def go(self, begin: float) -> None:
        """Warm up from ``begin`` on, measure, and tell of every second. Times are of ``perf_counter``."""
        self.begin = begin + self.plan.warm_up
        self.end = self.begin + self.plan.seconds
        count = share_of(self.plan.connections, self._index, self.plan.processes)
        with select.epoll() as self.poll:
            self.poll.register(self._stop, select.EPOLLIN)
            time.sleep(max(begin - time.perf_counter(), 0))
            self.everybody = [Client(self.plan, self, self.poll) for _ in range(count)]
            self.opening()
            self._loop()
            for client in self.everybody:
                client.close()

    def _loop(self) -> None:
        index, cut_began, used = -1, time.perf_counter(), time.process_time()
        self.now, self._cut_at = cut_began, self.begin
        while True:
            self.wait()
            self.now = now = time.perf_counter()
            while self._again and self._again[0][0] <= now:
                self.open(self._again.popleft()[1])
            over = self.over(now)
            if now < self._cut_at and not over:
                continue
            self._give_up_on_the_silent(now)
            if over:
                self.at_the_end(now)
            before, used = used, time.process_time()
            self.tally.processor_seconds, self.tally.wall_seconds = used - before, now - cut_began
            opened = sum(client.descriptor >= 0 for client in self.everybody)
            length = self.measured_until(now) - self.measured_until(cut_began)
            self._tell(Stretch(index, self.tally, opened, length, over, self.settled))
            if over:
                return
            self.tally, cut_began = Tally(), now
            index = int(now - self.begin)
            self._cut_at = self.begin + index + 1
            if now < self.end < self._cut_at:
                self._cut_at = self.end

    def wait(self) -> None:
        """Handle what is ready, or wait a moment for it."""
        self.handle(self.poll.poll(min(LONGEST_WAIT, max(self._cut_at - self.now, 0)), EVENTS))

    def handle(self, ready: list[tuple[int, int]]) -> None:
        """Let connections go on."""
        for descriptor, events in ready:
            client = self._clients.get(descriptor)
            if client is not None and client.descriptor == descriptor:
                client.go(events)
            elif descriptor == self._stop:
                self.stopped = True

    def opening(self) -> None:
        """Open the connections at the beginning."""
        for client in self.everybody:
            self.open(client)

    def over(self, now: float) -> bool:
        """Tell whether it is time to end."""
        return self.stopped or now >= self.end

    def measured_until(self, now: float) -> float:
        """Return the moment up to which answers count that have come by now."""
        return now

    def at_the_end(self, now: float) -> None:
        """Count what can be counted only at the end."""

    def connected(self, client: Client) -> None:
        """Count the handshake and send the first request."""
        self.count_handshake(client)
        client.ask(client.since if self.plan.mode in {"full", "resumed"} else time.perf_counter())

    def answered(self, client: Client, answer: Answer) -> None:
        """Count the answer; ask again, or connect again."""
        now = time.perf_counter()
        self.count(answer, now - client.since)
        if self.plan.mode in {"full", "resumed"} or answer.closes:
            self.reconnect(client)
        else:
            client.ask(now)

    def failed(self, client: Client, error: str) -> None:
        """Count the error and connect again a little later."""
        self.tally.failed(error)
        self._again.append((time.perf_counter() + _RETRY_SECONDS, client))

    def lost(self, client: Client) -> None:
        """Connect again: a server may close a connection on which it has answered."""
        self.open(client)

    def count(self, answer: Answer, seconds: float) -> None:
        """Count an answer, unless it is not what was ordered."""
        if self.plan.answer_body not in {None, answer.body}:
            self.tally.failed(f"an answer of {answer.body} octets instead of {self.plan.answer_body}")
            return
        self.tally.answered(answer.status, int(seconds * 1e9), answer.body + self.plan.body)

    def count_handshake(self, client: Client) -> None:
        """Count a handshake."""
        self.tally.handshakes += 1
        self.tally.resumed += client.resumed

    def reconnect(self, client: Client) -> None:
        """Close the connection, keep its session if sessions are resumed, and open another one."""
        if self.plan.mode == "resumed" and (session := client.session()) is not None:
            self._sessions[client.identity].append(session)
        client.close()
        self.open(client)

    def open(self, client: Client) -> None:
        """Connect, with the next identity in turn."""
        identity = self._next_identity % len(self._contexts)
        self._next_identity += self.plan.processes
        sessions = self._sessions[identity]
        client.open(self._contexts[identity], identity, sessions.pop() if sessions else None)
        if client.descriptor >= 0:
            self._clients[client.descriptor] = client

    def _give_up_on_the_silent(self, now: float) -> None:
        for client in self.everybody:
            if client.busy and now - client.began > self.plan.timeout:
                client.fail(f"no answer within {self.plan.timeout:g} s")
