"""Interest in one descriptor, armed lazily: a system call only when interest really changes.

Polling is level-triggered. A reader stays armed between requests, so the usual keep-alive request
costs no ``epoll_ctl`` at all. If the descriptor becomes readable while nobody wants to read (the
client pipelines, or goes away, while the origin works) the event would fire without end: the first
such event disarms the reader, sets ``unwanted`` and wakes the strand once, which may then look
whether the peer has gone. Backpressure is the same mechanism: who does not ask is not told.
"""

from __future__ import annotations

from edge.reactor.poller import READ, WRITE
from edge.reactor.strand import Strand


class Readiness:
    """Readability and writability of one non-blocking descriptor, for one strand at a time."""

    __slots__ = ("_armed", "_fd", "_poller", "_reading", "_strand", "_writing", "unwanted")

    def __init__(self, fd: int, strand: Strand) -> None:
        self._fd = fd
        self._poller = strand.reactor.poller
        self._strand: Strand | None = strand
        self._reading = self._writing = False
        self._armed = 0
        """What the descriptor is watched for."""
        self.unwanted = False
        """The descriptor became readable while nobody wanted to read."""

    def move_to(self, strand: Strand) -> None:
        """Wake another strand from now on."""
        self._strand = strand
        self._reading = self._writing = False

    def lend(self, strand: Strand) -> None:
        """Wake this strand from now on, and first when there is something to read."""
        self._strand = strand
        self._reading = True
        self._writing = False
        if not self._armed & READ:
            self.watch()

    def rest(self) -> None:
        """Wake nobody while the descriptor rests in a pool, but take note of what comes."""
        self._strand = None
        self._reading = self._writing = False
        self.watch()

    def want_read(self) -> None:
        """Wake the strand once when there is something to read."""
        self._reading = True
        if not self._armed & READ:
            self.watch()

    def watch(self) -> None:
        """Take note, as ``unwanted``, of what comes while nobody wants to read. Free while armed."""
        if not self._armed & READ:
            self.unwanted = False
            self._arm(self._armed | READ)

    def want_write(self) -> None:
        """Wake the strand once when there is room to write."""
        self._writing = True
        if not self._armed & WRITE:
            self._arm(self._armed | WRITE)

    def close(self) -> None:
        """Forget the descriptor. Must come before the descriptor is closed."""
        if self._armed:
            self._armed = 0
            self._poller.forget(self._fd)
        self._strand = None

    def _arm(self, events: int) -> None:
        if not events:
            self._poller.rest(self._fd)  # an end or an error is told even to who asks for nothing
        elif self._armed:
            self._poller.change(self._fd, events)
        else:
            self._poller.watch(self._fd, events, self._on_events)
        self._armed = events

    def _on_events(self, events: int) -> None:
        if events != READ or not self._reading:
            self._sort_out(events)
            return
        self._reading = False
        if self._strand is not None:
            self._strand.resume()

    def _sort_out(self, events: int) -> None:
        """Everything but what was waited for: the other direction, an end, an event that nobody wants."""
        if events & ~(READ | WRITE):
            events = READ | WRITE  # an error or the end: whoever waits for anything finds out by trying
        events &= self._armed
        wake = False
        if events & READ:
            if not self._reading:
                self.unwanted = True
                self._arm(self._armed & ~READ)
            wake = True
            self._reading = False
        if events & WRITE:
            if self._writing:
                wake = True
                self._writing = False
            else:
                # Nearly always writable: an armed writer nobody waits for would spin.
                self._arm(self._armed & ~WRITE)
        if wake and self._strand is not None:
            self._strand.resume()
