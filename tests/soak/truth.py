"""What every customer must be told at this moment: the model that the edge is held against.

While something changes, both the old and the new verdict are right: from just before the operator begins
until the edge has said that it is in force. At all other times exactly one is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Verdict = tuple[int, str]
"""Status and reason; the reason is empty for a success."""

ALLOWED: Verdict = (200, "")
REQUIRED: Verdict = (403, "client_certificate_required")
INVALID: Verdict = (403, "client_certificate_invalid")
DENIED: Verdict = (403, "policy_denied")
REVOKED: Verdict = (403, "client_certificate_revoked")
MISDIRECTED: Verdict = (421, "misdirected_request")
BAD: Verdict = (400, "bad_request")


@dataclass
class Truth:
    """By what is asked for, the verdicts that are right now; and what went wrong."""

    wrong: list[str] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    """By kind of customer."""
    reopened: int = 0
    """Kept connections that the edge had closed, found out by asking once more on a new one."""
    lost: int = 0
    """Connections of workers that were killed."""
    latest: float = 0.0
    """Seconds the slowest answer took that had not to wait."""
    _right: dict[str, frozenset[Verdict]] = field(default_factory=dict)
    _kills: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def right(self, what: str) -> frozenset[Verdict]:
        """Return the verdicts that are right now."""
        with self._lock:
            return self._right[what]

    def settle(self, what: str, verdict: Verdict) -> None:
        """Say that this is in force everywhere."""
        with self._lock:
            self._right[what] = frozenset((verdict,))

    def begin(self, what: str, verdict: Verdict) -> None:
        """Say that it is about to become this."""
        with self._lock:
            self._right[what] |= {verdict}

    @contextmanager
    def killing(self) -> Iterator[None]:
        """While somebody kills a worker, and its place is empty, connections may be lost."""
        with self._lock:
            self._kills.append(time.monotonic())
        yield
        with self._lock:
            self._kills.append(time.monotonic() + 1)

    def killed_since(self, moment: float) -> bool:
        """Tell whether a worker was killed, or about to be, at that time or later."""
        with self._lock:
            return any(kill >= moment for kill in self._kills)

    def told(self, customer: str, verdict: Verdict, right: frozenset[Verdict], seconds: float) -> None:
        """Hold an answer against what was right when it was asked for, or since."""
        with self._lock:
            self.answers[customer] = self.answers.get(customer, 0) + 1
            self.latest = max(self.latest, seconds)
            if verdict not in right:
                self.wrong.append(f"{customer}: {verdict}, not {sorted(right)}")

    def failed(self, customer: str, error: BaseException) -> None:
        """Take down an error that no customer should have seen."""
        with self._lock:
            self.wrong.append(f"{customer}: {error!r}")
