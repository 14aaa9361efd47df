"""Who comes too often: turns for everybody, so many a second, and memory only of those who came lately.

A token bucket for each subscriber, kept as one number: the time at which its turns so far are used up
(the generic cell rate algorithm, ITU-T I.371). A turn that lies ahead is waited for, so a crowd that
comes at once gets in one after the other instead of being sent away to come again.
"""

from __future__ import annotations

MOST_REMEMBERED = 65536
_FIRST_SWEEP = 1024
_MOMENT = 1e-6
"""Seconds by which sums of floating-point numbers may be off."""


class Pace:
    """Gives turns. ``burst_seconds`` is how many seconds' turns may be taken at once."""

    __slots__ = ("_burst_seconds", "_sweep_at", "_used_until")

    def __init__(self, burst_seconds: float) -> None:
        self._burst_seconds = burst_seconds
        self._used_until: dict[str, float] = {}
        self._sweep_at = _FIRST_SWEEP

    def turn(self, who: str, a_second: float, now: float, patience: float = 0.0) -> float | None:
        """Take a turn and return how many seconds it lies ahead.

        None if that is more than ``patience``: then no turn was taken. ``now`` is monotonic seconds.
        """
        gap = 1 / a_second
        used_until = max(self._used_until.get(who, now), now)
        ahead = used_until + gap - now - max(self._burst_seconds, gap)
        if ahead > patience + _MOMENT:
            return None
        self._used_until[who] = used_until + gap
        if len(self._used_until) >= self._sweep_at:
            self._sweep(now)
        return ahead if ahead > _MOMENT else 0.0

    def give_back(self, who: str, a_second: float) -> None:
        """Undo a turn that was not worth one."""
        if who in self._used_until:
            self._used_until[who] -= 1 / a_second

    def _sweep(self, now: float) -> None:
        """Forget who may come again as if it had never come. The cost is spread over those who came."""
        left = {who: until for who, until in self._used_until.items() if until > now}
        if len(left) >= MOST_REMEMBERED:
            # More addresses at once than one worker can shake hands with: the turnstile holds them up.
            left = {}
        self._used_until = left
        self._sweep_at = min(max(2 * len(left), _FIRST_SWEEP), MOST_REMEMBERED)
