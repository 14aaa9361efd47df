"""Interest in one descriptor, armed lazily: a system call only when interest really changes.

Polling is level-triggered. A reader stays armed between requests, so the usual keep-alive request
costs no ``epoll_ctl`` at all. If the descriptor becomes readable while nobody wants to read (the
client pipelines, or goes away, while the origin works) the event would fire without end: the first
such event disarms the reader, sets ``unwanted`` and wakes the strand once, which may then look
whether the peer has gone. Backpressure is the same mechanism: who does not ask is not told.
"""

from __future__ import annotations

from edge.reactor.strand import Strand


class Readiness:
    """Readability and writability of one non-blocking descriptor, for one strand at a time."""

    __slots__ = ("_fd", "_loop", "_read_armed", "_reading", "_strand", "_write_armed", "_writing", "unwanted")

    def __init__(self, fd: int, strand: Strand) -> None:
        self._fd = fd
        self._loop = strand.reactor.loop
        self._strand: Strand | None = strand
        self._reading = self._writing = False
        self._read_armed = self._write_armed = False
        self.unwanted = False
        """The descriptor became readable while nobody wanted to read."""

    def move_to(self, strand: Strand | None) -> None:
        """Wake another strand from now on; None while the descriptor rests in a pool."""
        self._strand = strand
        self._reading = self._writing = False

    def want_read(self) -> None:
        """Wake the strand once when there is something to read."""
        self._reading = True
        self.watch()

    def watch(self) -> None:
        """Take note, as ``unwanted``, of what comes while nobody wants to read. Free while armed."""
        if not self._read_armed:
            self._read_armed = True
            self.unwanted = False
            self._loop.add_reader(self._fd, self._on_readable)

    def want_write(self) -> None:
        """Wake the strand once when there is room to write."""
        self._writing = True
        if not self._write_armed:
            self._write_armed = True
            self._loop.add_writer(self._fd, self._on_writable)

    def close(self) -> None:
        """Forget the descriptor. Must come before the descriptor is closed."""
        if self._read_armed:
            self._read_armed = False
            self._loop.remove_reader(self._fd)
        if self._write_armed:
            self._write_armed = False
            self._loop.remove_writer(self._fd)
        self._strand = None

    def _on_readable(self) -> None:
        if not self._reading:
            self._read_armed = False
            self.unwanted = True
            self._loop.remove_reader(self._fd)
        self._reading = False
        if self._strand is not None:
            self._strand.resume()

    def _on_writable(self) -> None:
        if not self._writing:
            # Nearly always writable: an armed writer nobody waits for would spin.
            self._write_armed = False
            self._loop.remove_writer(self._fd)
            return
        self._writing = False
        if self._strand is not None:
            self._strand.resume()
