"""What the edge made of a client: the reason it was given, the worker that served it, and the log's word."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

from tests.e2e.clients import raw_tls
from tests.e2e.edge_process import Edge, Event
from tests.e2e.refusals import AnyAnswer
from tests.e2e.tls_client import Answer

_MOST_ATTEMPTS = 100
"""So many connections in a row never reach only one of two workers."""


A = TypeVar("A", bound=AnyAnswer)


def verdict(answer: AnyAnswer) -> tuple[int, str]:
    """Return the status and the ``reason`` of a refusal, which is empty for a success."""
    if answer.values("content-type") != ["application/problem+json"]:
        return answer.status, ""
    return answer.status, json.loads(answer.body)["reason"]


def request_id(answer: AnyAnswer) -> str:
    """Return the one request id of the answer."""
    (found,) = answer.values("x-request-id")
    return found


def worker(answer: AnyAnswer) -> str:
    """Return what the request ids of one worker begin with."""
    return request_id(answer)[:12]


def event_of(edge: Edge, answer: AnyAnswer) -> Event:
    """Return the log's event for the request that was answered."""
    return edge.wait_for_event("request", request_id=request_id(answer))


def until_every_worker_answered(attempt: Callable[[], A], *, workers: int = 2) -> list[A]:
    """Repeat the attempt until each worker has answered at least twice; return all the answers."""
    answers: list[A] = []
    for _ in range(_MOST_ATTEMPTS):
        answers.append(attempt())
        served = [worker(answer) for answer in answers]
        if len(set(served)) == workers and all(served.count(each) > 1 for each in served):
            return answers
    raise AssertionError(f"{_MOST_ATTEMPTS} connections did not reach {workers} workers")


class FailedHandshakes:
    """The ``handshake_failed`` events since this object was made."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self._before = self._count()

    def only(self) -> Event:
        """Wait for one event and return it; none, or more than one, fails the test."""
        self._edge.wait_for_event("handshake_failed", count=self._before + 1)
        events = self._edge.log_events("handshake_failed")[self._before : self._count()]
        assert len(events) == 1, events
        return events[0]

    def _count(self) -> int:
        """Count when every worker has answered since: before that it logged all that it had to log."""
        answers = until_every_worker_answered(self._ask, workers=len(self._edge.workers()))
        for answer in answers:
            event_of(self._edge, answer)
        return len(self._edge.log_events("handshake_failed"))

    def _ask(self) -> Answer:
        with raw_tls(self._edge) as client:
            return client.ask()
