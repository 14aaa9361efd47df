"""A worker process: one thread, one loop, its own listening sockets, many connections.

It accepts, gives every connection a strand, and ends when it is told to: no new connections, a last
answer on the open ones, and after the drain time no more patience.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from itertools import islice

import uvloop

from edge.origin.pool import OriginPool
from edge.proxy.admission import Admission, Doorkeeper
from edge.proxy.connection import ClientConnection
from edge.proxy.services import RequestIds, Services
from edge.reactor.reactor import Reactor
from edge.reactor.strand import Cancelled, Strand
from edge.runtime.crl_image import ImageReceiver, ParentIsGone
from edge.snapshot.snapshot import Snapshot, SnapshotHolder
from edge.telemetry.logging import EventWriter, defer, flush, logger
from edge.tls.chain_hints import ChainHints
from edge.trust.revocation import Revocation

_ACCEPTS_PER_WAKE_UP = 32
"""Handshakes must not starve the requests of open connections."""
_WAKE_UPS_PER_TURN = 64
"""Connections woken up in a row by a newer generation before others get their turn."""
_SWEEP_SECONDS = 5.0
_ACCEPT_PAUSE_SECONDS = 0.5
"""How long a worker without descriptors waits before it accepts again."""
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Worker:
    """Serves until ``stop`` and the last connection."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        snapshot: Snapshot,
        hints: ChainHints,
        listeners: list[socket.socket],
    ) -> None:
        limits = snapshot.limits
        self._loop = loop
        self._listeners = listeners
        self._connections: set[Strand] = set()
        self._stopped = loop.create_future()
        self._drain_seconds = limits.drain_timeout
        self._services = Services(
            reactor=Reactor(loop, self.report_defect),
            holder=SnapshotHolder(snapshot),
            pool=OriginPool(limits.origin_connect_timeout, limits.origin_idle_timeout),
            log=logger(),
            events=EventWriter(),
            request_ids=RequestIds(secrets.token_hex(6)),
            hints=hints,
            clock=time.time,  # noqa: TID251 - the shell that reads the clock for everybody below
            doorkeeper=Doorkeeper(limits.connections_per_worker, limits.connections_per_address),
        )

    def start(self) -> None:
        """Begin to accept."""
        for listener in self._listeners:
            self._loop.add_reader(listener.fileno(), self._accept, listener)
        self._loop.call_later(_SWEEP_SECONDS, self._sweep)

    async def finished(self) -> None:
        """Return when the worker has stopped and its last connection is closed."""
        await self._stopped

    def publish(self, snapshot: Snapshot) -> None:
        """Put another generation in force: the next request on every connection is judged by it.

        What lasts (a tunnel, an upload, an endless answer) has no next request: all connections are
        woken up, a few at a time, and whoever is in the middle of something asks whether it may go on.
        """
        self._services.holder.swap(snapshot)
        self._wake_up(iter(tuple(self._connections)))

    def _wake_up(self, strands: Iterator[Strand]) -> None:
        batch = list(islice(strands, _WAKE_UPS_PER_TURN))
        for strand in batch:
            strand.resume()
        if batch:
            self._loop.call_soon(self._wake_up, strands)

    def take_up(self, revocation: Revocation) -> None:
        """Put other CRLs in force."""
        self.publish(self._services.holder.current.with_revocation(revocation))

    def stop(self) -> None:
        """Accept no more, let open requests end, and cut what is left after the drain time."""
        if self._services.draining:
            return
        self._services.draining = True
        for listener in self._listeners:
            self._loop.remove_reader(listener.fileno())
            listener.close()
        for strand in tuple(self._connections):
            strand.resume()  # the idle ones see that the worker is draining, and close
        self._loop.call_later(self._drain_seconds, self._cut)
        self._finish_if_empty()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTS_PER_WAKE_UP):
            try:
                sock, peer = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _OUT_OF_DESCRIPTORS:
                    self._pause(listener, error)
                    return
                continue  # the client left between its SYN and our accept
            self._admit(sock, str(peer[0]))

    def _admit(self, sock: socket.socket, address: str) -> None:
        admission = self._services.doorkeeper.admit(address)
        if admission is Admission.TURNED_AWAY:
            sock.close()
            return
        sock.setblocking(False)
        strand = Strand(self._services.reactor)
        connection = ClientConnection(self._services, strand, sock, address, admission)
        self._connections.add(strand)
        strand.start(connection.serve(), self._end)

    def _end(self, strand: Strand) -> None:
        self._connections.discard(strand)
        self._finish_if_empty()

    def _pause(self, listener: socket.socket, error: OSError) -> None:
        """Out of descriptors: a readable listener would spin. Leave the clients in the queue for a while."""
        self._services.log.warning("accept_paused", detail=error.strerror)
        self._loop.remove_reader(listener.fileno())
        self._loop.call_later(_ACCEPT_PAUSE_SECONDS, self._accept_again, listener)

    def _accept_again(self, listener: socket.socket) -> None:
        if not self._services.draining:
            self._loop.add_reader(listener.fileno(), self._accept, listener)

    def _sweep(self) -> None:
        self._services.pool.sweep(self._services.reactor.now())
        self._loop.call_later(_SWEEP_SECONDS, self._sweep)

    def _cut(self) -> None:
        for strand in tuple(self._connections):
            strand.throw(Cancelled())
        self._finish_if_empty()

    def _finish_if_empty(self) -> None:
        if self._services.draining and not self._connections and not self._stopped.done():
            self._services.pool.close()
            self._stopped.set_result(None)

    def report_defect(self, defect: Exception) -> None:
        """A connection failed in a way nobody foresaw: it is closed, the others never notice."""
        self._services.log.error("defect", error=repr(defect), exc_info=defect)


def run_worker(
    snapshot: Snapshot,
    hints: ChainHints,
    listeners: list[socket.socket],
    parent: socket.socket,
    ready: Callable[[], None],
) -> None:
    """Serve until SIGTERM, or until the parent is gone (its end of the channel closes)."""
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    defer(loop.call_later)
    worker = Worker(loop, snapshot, hints, listeners)
    loop.add_signal_handler(signal.SIGTERM, worker.stop)
    loop.add_signal_handler(signal.SIGINT, _ignore)  # Ctrl-C reaches the whole group; the parent decides
    loop.add_signal_handler(signal.SIGHUP, _ignore)
    # The parent blocked them before the fork. A loop that does not run yet forgets a signal, handler or
    # not, and a worker that missed its SIGTERM would keep its parent waiting for ever.
    loop.call_soon(signal.pthread_sigmask, signal.SIG_SETMASK, ())

    images = ImageReceiver(parent)

    def hear() -> None:
        try:
            revocation = images.receive()
        except ParentIsGone:
            loop.remove_reader(parent.fileno())
            worker.stop()
        except Exception as defect:  # noqa: BLE001 - what was in force stays, and somebody is told
            worker.report_defect(defect)
        else:
            if revocation is not None:
                worker.take_up(revocation)

    loop.add_reader(parent.fileno(), hear)
    worker.start()
    ready()
    try:
        loop.run_until_complete(worker.finished())
    finally:
        flush()
        loop.close()


def _ignore() -> None:
    """Take the signal and do nothing."""
