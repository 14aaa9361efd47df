"""One epoll of our own for the descriptors of all connections, seen by the loop as a single descriptor.

The loop's own way to watch a descriptor costs five system calls for each connection and an object for
each kind of interest. Here it is one call to begin, none to end (the kernel forgets a descriptor that is
closed), and one wake-up of the loop serves every descriptor that is ready.

Level-triggered, as ``readiness`` expects. An error or the end of a connection is told as everything that
was asked for: whoever was waiting tries, and finds out.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from contextlib import suppress

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
_MOST_EVENTS = 256
"""Served in one turn; the loop's timers and signals get theirs in between."""

OnEvents = Callable[[int], None]


class Poller:
    """Tells who asked for it that a descriptor can be read or written."""

    __slots__ = ("_epoll", "_listeners", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._listeners: dict[int, OnEvents] = {}
        loop.add_reader(self._epoll.fileno(), self._serve)

    def watch(self, fd: int, events: int, listener: OnEvents) -> None:
        """Begin to watch a descriptor for READ, WRITE or both."""
        try:
            self._epoll.register(fd, events)
        except FileExistsError:  # somebody let go of the number without closing it
            self._epoll.modify(fd, events)
        self._listeners[fd] = listener

    def change(self, fd: int, events: int) -> None:
        """Watch for something else from now on."""
        self._epoll.modify(fd, events)

    def rest(self, fd: int) -> None:
        """Watch no more for a while; the descriptor stays open."""
        del self._listeners[fd]
        self._epoll.unregister(fd)

    def forget(self, fd: int) -> None:
        """Watch no more: the descriptor is closed next, and the kernel forgets it then."""
        self._listeners.pop(fd, None)

    def close(self) -> None:
        """Let go of everything."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _serve(self) -> None:
        listeners = self._listeners
        for fd, events in self._epoll.poll(0, _MOST_EVENTS):
            listener = listeners.get(fd)
            if listener is not None:
                listener(events)
            else:  # forgotten, but not closed: it would wake us for ever
                with suppress(OSError):
                    self._epoll.unregister(fd)
