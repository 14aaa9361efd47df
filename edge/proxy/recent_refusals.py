"""The last requests and handshakes that a worker refused, for people who look at the status page.

What the log says of them, no more and no less: nothing is here that must not be there. To note one is to
keep two references; it is read when somebody asks. A flood is sampled, a few a second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import orjson

_MOST = 32
_MOST_A_SECOND = 8
_FIELDS = (
    "client",
    "host",
    "method",
    "path",
    "reason",
    "detail",
    "application",
    "certificate_subject",
    "certificate_serial",
)


class RecentRefusals:
    """A bounded memory; what was there longest goes first."""

    __slots__ = ("_count", "_kept", "_second", "due")

    def __init__(self) -> None:
        self._kept: deque[tuple[float, bytes | Mapping[str, object]]] = deque(maxlen=_MOST)
        self._second = float("-inf")
        self._count = 0
        self.due = float("-inf")
        """The loop's time from which on another one is wanted."""

    def note(self, moment: float, now: float, event: bytes | Mapping[str, object]) -> None:
        """Keep one. ``moment`` is the loop's time, ``now`` is in seconds since the epoch.

        ``event`` has what the log is told: its fields, or the octets of ``EventWriter.prepare``.
        """
        if moment < self.due:
            return
        if moment - self._second >= 1.0:
            self._second, self._count = moment, 0
        self._count += 1
        if self._count >= _MOST_A_SECOND:
            self.due = self._second + 1.0
        self._kept.append((now, event))

    def told(self) -> list[dict[str, object]]:
        """Return them, the oldest first, each with its ``time`` in seconds since the epoch."""
        return [{"time": now, **_fields(event)} for now, event in self._kept]


def _fields(event: bytes | Mapping[str, object]) -> dict[str, object]:
    if isinstance(event, bytes):
        said = orjson.loads(event + b"}")
        return {name: said[name] for name in _FIELDS if name in said}
    return {name: _encodable(str(event[name])) for name in _FIELDS if name in event}


def _encodable(text: str) -> str:
    """A name in a certificate may hold a lone surrogate, which JSON does not."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
