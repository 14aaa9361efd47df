"""Open loop: requests are sent when the schedule says so, and their latency counts from the schedule.

A closed loop asks again only when it has its answer. When the server stalls it stops asking, and one slow
answer stands for the thousands that real clients would have waited for (coordinated omission). Here the
schedule goes on: who had to wait for a connection has waited.
"""

from __future__ import annotations

import math
import select
import time
from collections import deque

from OpenSSL import SSL

from loadgen.answer import Answer
from loadgen.client import Client
from loadgen.plan import Plan
from loadgen.run import EVENTS, LONGEST_WAIT, Run, Tell

DRAIN_SECONDS = 5.0
"""How long late answers are waited for at the end."""
_GROUPS = 1000
"""Into so many groups of one latency the requests are put that could not even be sent."""


class Rate(Run):
    """Requests at fixed moments, on connections that are kept open."""

    def __init__(self, plan: Plan, index: int, contexts: list[SSL.Context], stop: int, tell: Tell) -> None:
        super().__init__(plan, index, contexts, stop, tell)
        self._interval = plan.processes / plan.rate
        self._offset = index / plan.rate
        self._next = 0
        """The number of the next request of this process."""
        self._free: deque[Client] = deque()

    def wait(self) -> None:
        """Send what is due; wait until the next is due, to the microsecond, or something comes."""
        now = time.perf_counter()
        while self._free and (due := self._due()) <= now and due < self.end:
            self._ask(self._free.popleft())
        wait = LONGEST_WAIT if not self._free else min(max(self._due() - now, 0), LONGEST_WAIT)
        select.select([self.poll], [], [], wait)  # epoll alone counts in milliseconds
        self.handle(self.poll.poll(0, EVENTS))

    def connected(self, client: Client) -> None:
        """Count the handshake; the connection is free."""
        self.count_handshake(client)
        self._freed(client)

    def answered(self, client: Client, answer: Answer) -> None:
        """Count the answer if its request was due after the warm-up; the connection is free."""
        if client.since >= self.begin:
            self.count(answer, time.perf_counter() - client.since)
        if answer.closes:
            self.reconnect(client)
        else:
            self._freed(client)

    def lost(self, client: Client) -> None:
        """Connect again: a server closes a connection that was idle for long."""
        if client in self._free:
            self._free.remove(client)
        super().lost(client)

    def over(self, now: float) -> bool:
        """Tell whether every request has its answer, or has been waited for long enough."""
        if self.stopped or now >= self.end + DRAIN_SECONDS:
            return True
        return now >= self.end <= self._due() and not any(client.busy for client in self.everybody)

    def measured_until(self, now: float) -> float:
        """Late answers are answers to requests that were due before the end."""
        return min(now, self.end)

    def at_the_end(self, now: float) -> None:
        """Count the requests without an answer, with the time that they have waited: it is no less."""
        waiting = [
            now - client.since
            for client in self.everybody
            if client.busy and client.since >= self.begin and client.asked
        ]
        self._next = max(self._next, math.ceil((self.plan.warm_up - self._offset) / self._interval))
        left = max(math.ceil((min(self.end, now) - self._due()) / self._interval), 0)
        for group in range(min(left, _GROUPS)):
            size = left // _GROUPS + (group < left % _GROUPS) if left > _GROUPS else 1
            self._unanswered(now - self._due(), size)
            self._next += size
        for seconds in waiting:
            self._unanswered(seconds, 1)

    def _unanswered(self, seconds: float, count: int) -> None:
        self.tally.unanswered += count
        self.tally.latencies.record(int(seconds * 1e9), count)

    def _due(self) -> float:
        return self.begin - self.plan.warm_up + self._offset + self._next * self._interval

    def _ask(self, client: Client) -> None:
        due = self._due()
        self._next += 1
        client.ask(due)

    def _freed(self, client: Client) -> None:
        """Send what is overdue already, else wait."""
        now = time.perf_counter()
        if (due := self._due()) <= now and due < self.end:
            self.tally.queued += due >= self.begin
            self._ask(client)
        else:
            self._free.append(client)
