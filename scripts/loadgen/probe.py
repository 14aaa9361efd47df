"""One request before the measurement: what is wrong with the order is said once and at once, in one line."""

from __future__ import annotations

import select
import time

from OpenSSL import SSL

from loadgen.answer import Answer
from loadgen.client import Client
from loadgen.plan import Plan, Unusable

_HINTS = {
    "certificate verify failed": "is --cacert the CA of the server's certificate?",
    "alert": "the server refused the client certificate, its absence, or the version of TLS",
}


class Probe:
    """The course of the one connection."""

    def __init__(self) -> None:
        self.status = ""
        self.error = ""

    def connected(self, client: Client) -> None:
        """Ask."""
        client.ask(client.since)

    def answered(self, client: Client, answer: Answer) -> None:
        """Keep the status."""
        self.status = answer.status
        client.close()

    def failed(self, _: Client, error: str) -> None:
        """Keep the error."""
        self.error = error

    def lost(self, _: Client) -> None:
        """Nothing waits, so nothing is lost."""


def probe(plan: Plan, context: SSL.Context) -> str:
    """Return the status of one answer. Raises ``Unusable`` if there is none."""
    course = Probe()
    with select.epoll() as poll:
        client = Client(plan, course, poll)
        client.open(context, 0, None)
        deadline = time.perf_counter() + plan.timeout
        while not course.status and not course.error:
            if time.perf_counter() > deadline:
                client.fail(f"no answer within {plan.timeout:g} s")
            for _, events in poll.poll(0.1):
                client.go(events)
                break
    if course.error:
        where = f"[{plan.address[0]}]" if ":" in plan.address[0] else plan.address[0]
        hint = next((f"; {text}" for part, text in _HINTS.items() if part in course.error), "")
        raise Unusable(f"{plan.host} at {where}:{plan.address[1]}: {course.error}{hint}")
    return course.status
