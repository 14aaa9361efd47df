"""A worker as a process: its loop, its signals, and what it hears from its parent.

A new generation is made ready first and put in force by a second message, so that it is in force in all
workers or in none.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from contextlib import suppress

import uvloop

from edge.runtime.channel import Message, ParentIsGone, WorkerEnd
from edge.runtime.counted_memory import leave
from edge.runtime.crl_image import CRL, map_image, take_image
from edge.runtime.memory import mapped
from edge.runtime.worker import Worker
from edge.snapshot.snapshot import Snapshot
from edge.snapshot.transfer import unpack
from edge.telemetry.logging import defer, flush
from edge.tls.chain_hints import ChainHints
from edge.trust.revocation import Revocation


def run_worker(
    snapshot: Snapshot,
    hints: ChainHints,
    listeners: list[socket.socket],
    parent: socket.socket,
    memory: int | None = None,
) -> None:
    """Serve until SIGTERM, or until the parent is gone (its end of the channel closes).

    ``memory`` is the descriptor of where numbers are left for the parent; None if it wants none.
    """
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    defer(loop.call_later)
    worker = Worker(loop, snapshot, hints, listeners)
    orders = Orders(loop, worker, WorkerEnd(parent), memory)
    loop.add_signal_handler(signal.SIGTERM, orders.leave)
    loop.add_signal_handler(signal.SIGINT, _ignore)  # Ctrl-C reaches the whole group; the parent decides
    loop.add_signal_handler(signal.SIGHUP, _ignore)
    # The parent blocked them before the fork. A loop that does not run yet forgets a signal, handler or
    # not, and a worker that missed its SIGTERM would keep its parent waiting for ever.
    loop.call_soon(signal.pthread_sigmask, signal.SIG_SETMASK, ())

    def hear() -> None:
        try:
            orders.hear()
        except ParentIsGone:
            loop.remove_reader(parent.fileno())
            worker.stop()
        except Exception as defect:  # noqa: BLE001 - what was in force stays, and somebody is told
            worker.report_defect(defect)

    loop.add_reader(parent.fileno(), hear)
    loop.call_soon(orders.report_ready)
    try:
        loop.run_until_complete(worker.finished())
        orders.leave_numbers()
    finally:
        flush()
        loop.close()


class Orders:
    """Does what the parent says, and answers."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, worker: Worker, end: WorkerEnd, memory: int | None = None
    ) -> None:
        self._loop = loop
        self._worker = worker
        self._end = end
        self._memory = memory
        self._preparing = 0
        """The generation that is asked for; 0 for none."""
        self._prepared: tuple[int, Snapshot] | None = None

    def report_ready(self) -> None:
        """Tell that everything is there but the order to serve."""
        self._end.answer(Message("ready"))

    def leave(self) -> None:
        """Stop. The parent may not know why, and must have somebody else accept."""
        self._end.answer(Message("leaving"))
        self._worker.stop()

    def hear(self) -> None:
        """Take every message that has arrived. Raises ``ParentIsGone``."""
        while (received := self._end.receive()) is not None:
            message, descriptors = received
            if message.word == CRL:
                revocation = take_image(self._end, descriptors)
                if revocation is not None:
                    self._worker.take_up(revocation)
            elif message.word == "prepare":
                self._prepare(message, descriptors)
            else:
                self._obey(message)

    def _obey(self, message: Message) -> None:
        match message.word:
            case "commit":
                self._commit(message.number)
            case "abort":
                self._preparing, self._prepared = 0, None
            case "serve":
                self._worker.start()
                self._end.answer(Message("serving"))
            case "retire":
                self._worker.retire()
            case "cut":
                self._worker.cut()
            case "ping":
                self._end.answer(Message("pong", message.number))
            case "counts":
                self.leave_numbers()
                self._end.answer(message)

    def leave_numbers(self) -> None:
        """Write what was counted where the parent finds it. If that fails, the parent has the ones before."""
        if self._memory is not None:
            with suppress(OSError):
                leave(self._memory, self._worker.numbers())

    def _prepare(self, message: Message, descriptors: list[int]) -> None:
        """Begin to make a generation ready: what is new in it, and the CRLs unless these are as before."""
        self._prepared = None
        self._preparing = message.number
        try:
            if len(descriptors) != int(message.text):
                raise OSError("there was no descriptor left for it")
            octets = mapped(descriptors[0])
            revocation = map_image(descriptors[1]) if len(descriptors) > 1 else None
        except Exception as defect:  # noqa: BLE001 - whatever it is, the old generation stays, everywhere
            self._end.answer(Message("failed", message.number, repr(defect)))
        else:
            # With thousands of applications it takes a second; connections are served meanwhile.
            arguments = (message.number, octets, self._worker.current, revocation)
            threading.Thread(target=self._unpack, args=arguments, daemon=True).start()
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _unpack(
        self, number: int, octets: memoryview, before: Snapshot, revocation: Revocation | None
    ) -> None:
        """On a thread that lives for this only."""
        found: Snapshot | Exception
        try:
            found = unpack(octets, before, revocation)
        except Exception as defect:  # noqa: BLE001 - as above
            found = defect
        with suppress(RuntimeError):  # the loop is closed: the worker has ended meanwhile
            self._loop.call_soon_threadsafe(self._finish, number, found)

    def _finish(self, number: int, found: Snapshot | Exception) -> None:
        if isinstance(found, Exception):
            self._end.answer(Message("failed", number, repr(found)))
        elif number == self._preparing:
            self._prepared = (number, found)
            self._end.answer(Message("prepared", number))

    def _commit(self, number: int) -> None:
        if self._prepared is not None and self._prepared[0] == number:
            snapshot = self._prepared[1]
            self._prepared = None
            self._worker.publish(snapshot)
            self._end.answer(Message("committed", number))


def _ignore() -> None:
    """Take the signal and do nothing."""
