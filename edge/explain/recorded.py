"""What the log recorded of one request, found by its identifier.

The log has no certificate, no query and no cookie; it cuts a path after 200 characters. What is missing
has to be given by whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import orjson

from edge.config.endpoints import bracketed
from edge.config.request_url import ALLOW, EXPECTATIONS, read_time
from edge.config.text import Problem
from edge.explain.explanation import Explanation
from edge.telemetry.logging import MAX_TEXT

_MOST_OCTETS = 1 << 16
"""Of a line; no event is as long, and a line that is has nothing to tell."""
_NO_CERTIFICATE = "NONE"


class RecordUnusable(ValueError):
    """The event cannot be explained; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One ``request`` event."""

    at: float
    client: str
    host: str
    method: str
    path: str
    status: int
    reason: str
    detail: str
    application: str
    policy: str
    would_be: str
    """What would have become of it without any ``report_only``; empty where that had no say."""
    session: bool
    """Whether a token stood in for the certificate."""
    verify: str
    certificate_sha256: str
    certificate_subject: str

    @property
    def presented(self) -> bool:
        """Whether the client presented a certificate."""
        return self.verify != _NO_CERTIFICATE

    @property
    def verdict(self) -> str:
        """``allow``, or why it was refused; what happens to an allowed request later is no verdict."""
        return self.reason if self.reason in EXPECTATIONS else ALLOW

    @property
    def url(self) -> str:
        """The URL, without the query that the log does not have. Raises ``RecordUnusable``."""
        if not self.path.startswith("/") or not self.host:
            raise RecordUnusable("the log has no readable request for it: give its --url")
        if len(self.path) >= MAX_TEXT:
            raise RecordUnusable(f"the log cut its path after {MAX_TEXT} characters: give its --url")
        return f"https://{bracketed(self.host)}{self.path}"

    def agrees_with(self, explanation: Explanation) -> bool:
        """Tell whether the same would be decided now, by the same policy."""
        outcome, verdict = explanation.outcome, explanation.way.verdict
        application = verdict.application.name if verdict and verdict.application else ""
        policy = verdict.policy.name if verdict and verdict.policy else ""
        would_be = outcome.would_be if outcome.reported else ""
        now = (outcome.word, would_be, application, policy)
        return (self.verdict, self.would_be, self.application, self.policy) == now


def find_request(log: BinaryIO, request_id: str) -> Recorded | None:
    """Return the ``request`` event of that identifier; None if there is none. Raises ``RecordUnusable``.

    The log is read once, line by line, and never held as a whole.
    """
    wanted = request_id.encode("utf-8", "surrogateescape")
    for line in _lines(log):
        if wanted not in line:
            continue
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(event, dict) and (event.get("event"), event.get("request_id")) == (
            "request",
            request_id,
        ):
            return _recorded(event)
    return None


def _lines(log: BinaryIO) -> Iterator[bytes]:
    """Yield the lines that are short enough; of a longer one nothing."""
    whole = True
    while piece := log.readline(_MOST_OCTETS):
        ends = piece.endswith(b"\n")
        if whole and (ends or len(piece) < _MOST_OCTETS):
            yield piece
        whole = ends


def _recorded(event: dict[str, object]) -> Recorded:
    def text(key: str) -> str:
        value = event.get(key, "")
        return value if isinstance(value, str) else ""

    status = event.get("status")
    try:
        at = read_time(event.get("time", "")).timestamp()
    except Problem:
        raise RecordUnusable("its event has no time that can be read") from None
    return Recorded(
        at=at,
        client=text("client"),
        host=text("host"),
        method=text("method"),
        path=text("path"),
        status=status if isinstance(status, int) else 0,
        reason=text("reason"),
        detail=text("detail"),
        application=text("application"),
        policy=text("policy"),
        would_be=text("would_be"),
        session=event.get("session") is True,
        verify=text("verify") or _NO_CERTIFICATE,
        certificate_sha256=text("certificate_sha256"),
        certificate_subject=text("certificate_subject"),
    )
