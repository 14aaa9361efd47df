"""The end of all workers: gracefully, or at once if somebody asks twice.

hand over (if another process listens here) -> close -> drain -> cut -> kill
"""

from __future__ import annotations

import signal
from collections.abc import Callable

from edge.runtime.channel import Message
from edge.runtime.crew import Crew
from edge.runtime.handover import count_others, let_kernel_choose, steer_to_others
from edge.telemetry.logging import logger

_HANDOVER_SECONDS = 1.0
"""For TCP handshakes that were begun with us: a round trip to the other side of the world, and once more."""
_LAST_SECONDS = 1.0
"""What workers get that were told to end at once."""


class Ending:
    """Begins when it is made. ``timer`` gives seconds that only ever grow."""

    def __init__(self, crew: Crew, timer: Callable[[], float]) -> None:
        self._crew = crew
        self._timer = timer
        self._others = count_others([sock for sockets in crew.listeners for sock in sockets])
        self._tell_at: float | None = None
        """When the workers are told, after those who began to come have arrived."""
        self._closed = False
        self._kill_at: float | None = None
        if self._others:
            logger().info("handing_over", detail="another process listens here, and gets who comes now")
            for sock in crew.listeners[0]:
                steer_to_others(sock, crew.size)
            self._tell_at = timer() + _HANDOVER_SECONDS
        else:
            # The workers let in who waits; a copy left open here would go on being given connections.
            self._close()
            crew.signal(signal.SIGTERM)

    @property
    def was_cut(self) -> bool:
        """Whether connections were cut because somebody asked twice."""
        return self._kill_at is not None

    def go_on(self) -> None:
        """Do what is due."""
        now = self._timer()
        if self._tell_at is not None and now >= self._tell_at:
            self._tell_at = None
            self._crew.signal(signal.SIGTERM)
        if not self._closed and self._tell_at is None and not self._crew.accepts:
            if self._others > self._crew.size:
                # The kernel was told a number of sockets that would now mean one of theirs.
                for sock in self._crew.listeners[0]:
                    let_kernel_choose(sock)
            self._close()
        if self._kill_at is not None and now >= self._kill_at:
            self._crew.signal(signal.SIGKILL)

    def cut(self) -> None:
        """End at once."""
        if self._kill_at is None:
            logger().warning("cutting", detail="asked twice: open connections are cut")
            self._kill_at = self._timer() + _LAST_SECONDS
            self._tell_at = None
            self._close()
            self._crew.signal(signal.SIGTERM)
            self._crew.tell(Message("cut"))

    def _close(self) -> None:
        self._closed = True
        self._crew.close_places()
