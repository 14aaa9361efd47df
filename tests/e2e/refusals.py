"""What every refusal looks like, judged in one place: status, reason, members and headers."""

from __future__ import annotations

import json
import re
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

MEMBERS = {"type", "title", "status", "detail", "reason", "request_id"}
MAX_DETAIL_CHARACTERS = 200
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


class AnyAnswer(Protocol):
    """An answer that curl or the raw client read."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def body(self) -> bytes:
        """The content."""

    def values(self, name: str) -> list[str]:
        """Every value of that header."""


def assert_refused(answer: AnyAnswer, reason: str, status: int = 403) -> dict[str, Any]:
    """Check a problem document and its headers; return the document."""
    assert answer.status == status, (answer.status, answer.body)
    assert answer.values("content-type") == ["application/problem+json"]
    problem: dict[str, Any] = json.loads(answer.body)
    assert problem.keys() == MEMBERS
    assert (problem["reason"], problem["status"]) == (reason, status), problem
    assert problem["title"]
    assert 0 < len(problem["detail"]) <= MAX_DETAIL_CHARACTERS
    assert reason in problem["type"]
    assert_own_headers(answer)
    assert answer.values("x-request-id") == [problem["request_id"]]
    return problem


def assert_own_headers(answer: AnyAnswer) -> None:
    """Check the headers that every answer of the edge itself carries."""
    assert answer.values("cache-control") == ["no-store"]
    assert answer.values("set-cookie") == []
    assert parsedate_to_datetime(answer.values("date")[0]).utcoffset() is not None
    (request_id,) = answer.values("x-request-id")
    assert REQUEST_ID.fullmatch(request_id)
