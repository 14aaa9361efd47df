"""A worker process: one thread, one loop, its own listening sockets, many connections.

It accepts, gives every connection a strand, and ends in one of two ways. Retired, because another worker
has taken its place, it accepts no more and serves its connections for as long as they last. Stopped, it
gives a last answer on each of them, and has no more patience after the drain time.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import orjson

from edge.model.network import one_of, read_peer
from edge.origin.pool import OriginPool
from edge.proxy.admission import Admission, Doorkeeper
from edge.proxy.connection import ClientConnection
from edge.proxy.cuts import DRAIN, count_cut
from edge.proxy.services import RequestIds, Services
from edge.reactor.reactor import Reactor
from edge.reactor.strand import Cancelled, Strand
from edge.snapshot.snapshot import Snapshot, SnapshotHolder
from edge.telemetry import families
from edge.telemetry.logging import EventWriter, lines_lost, logger
from edge.telemetry.metrics import Metrics
from edge.tls.chain_hints import ChainHints
from edge.trust.revocation import Revocation

_ACCEPTS_PER_WAKE_UP = 16
"""New connections must not starve the requests of open connections."""
_WAKE_UPS_PER_TURN = 64
"""Connections woken up, or looked at, in a row before others get their turn."""
_SWEEP_SECONDS = 5.0
_CERTIFICATES_SECONDS = 3600.0
"""How often the certificates of open connections are looked at: they end without a handshake."""
_ACCEPT_PAUSE_SECONDS = 0.5
"""How long a worker without descriptors waits before it accepts again."""
_GRACE_SECONDS = 1.0
"""Who was let in so shortly before the end may still ask: to be let in and sent away is an error."""
_MOST_IN_QUEUE = 65536
"""More than any queue of a listening socket holds."""
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Worker:
    """Serves from ``start`` until ``retire`` or ``stop``, and the last connection."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        snapshot: Snapshot,
        hints: ChainHints,
        listeners: list[socket.socket],
    ) -> None:
        limits, metrics = snapshot.limits, Metrics()
        self._loop = loop
        self._listeners = listeners
        self._connections: dict[Strand, tuple[ClientConnection, float]] = {}
        """With the time (of the loop) at which it was accepted."""
        self._accepting = False
        self._retired = False
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
            doorkeeper=Doorkeeper(limits.connections_per_worker, limits.connections_per_address, metrics),
            metrics=metrics,
        )

    def start(self) -> None:
        """Begin to accept."""
        self._accepting = True
        for listener in self._listeners:
            self._loop.add_reader(listener.fileno(), self._accept, listener)
        self._loop.call_later(_SWEEP_SECONDS, self._sweep)
        self._loop.call_later(_CERTIFICATES_SECONDS, self.look_at_certificates)

    async def finished(self) -> None:
        """Return when the worker has stopped and its last connection is closed."""
        await self._stopped

    def publish(self, snapshot: Snapshot) -> None:
        """Put another generation in force: the next request on every connection is judged by it.

        What lasts (a tunnel, an upload, an endless answer) has no next request: all connections are
        woken up, a few at a time, and whoever is in the middle of something asks whether it may go on.
        """
        self._services.holder.swap(snapshot)
        self._drain_seconds = snapshot.limits.drain_timeout
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

    @property
    def current(self) -> Snapshot:
        """The generation in force."""
        return self._services.holder.current

    def numbers(self) -> bytes:
        """Return everything that this worker has counted, as ``edge.runtime.tally`` reads it."""
        services = self._services
        services.metrics.cell(families.CONNECTIONS_OPEN).value = services.doorkeeper.open
        services.metrics.cell(families.LOG_LINES_LOST).value = lines_lost()
        metrics = orjson.Fragment(services.metrics.dump())
        return orjson.dumps({"metrics": metrics, "refusals": services.refusals.told()}, default=str)

    def retire(self) -> None:
        """Accept no more, because others do; end with the last connection, whenever that is."""
        self._retired = True
        self._close_listeners()
        self._finish_if_empty()

    def stop(self) -> None:
        """Accept no more, let open requests end, and cut what is left after the drain time."""
        if self._services.draining:
            return
        for listener in self._listeners if self._accepting else ():
            self._accept(listener, _MOST_IN_QUEUE)  # who waits in the queue would be reset
        self._close_listeners()
        self._spare_the_latest()
        self._services.draining = True
        self._wake_up(iter(tuple(self._connections)))  # the idle ones see that it ends, and close
        self._loop.call_later(self._drain_seconds, self._cut_late)
        self._finish_if_empty()

    def _spare_the_latest(self) -> None:
        """Let those who were accepted a moment ago, and have not asked, hear of the end a little later."""
        after = self._loop.time() - _GRACE_SECONDS
        spared = replace(self._services)
        strands = []
        for strand, (connection, accepted) in self._connections.items():
            if accepted > after and not connection.has_asked:
                connection.services = spared
                strands.append(strand)

        def end() -> None:
            spared.draining = True
            self._wake_up(iter(strands))

        self._loop.call_later(_GRACE_SECONDS, end)

    def _close_listeners(self) -> None:
        self._accepting = False
        for listener in self._listeners:
            self._loop.remove_reader(listener.fileno())
            listener.close()
        self._listeners = []

    def _accept(self, listener: socket.socket, most: int = _ACCEPTS_PER_WAKE_UP) -> None:
        for _ in range(most):
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
        client_ip, who = read_peer(address)
        proxied = one_of(self.current.trusted_proxies, client_ip)
        admission = self._services.doorkeeper.admit(None if proxied else who)
        if not proxied or admission is Admission.TURNED_AWAY:
            self._services.counts.admitted[admission].value += 1
        if admission is Admission.TURNED_AWAY:
            sock.close()
            return
        sock.setblocking(False)
        strand = Strand(self._services.reactor)
        connection = ClientConnection(self._services, strand, sock, address, admission, is_proxied=proxied)
        self._connections[strand] = (connection, self._loop.time())
        strand.start(connection.serve(), self._end)

    def _end(self, strand: Strand) -> None:
        del self._connections[strand]
        self._finish_if_empty()

    def _pause(self, listener: socket.socket, error: OSError) -> None:
        """Out of descriptors: a readable listener would spin. Leave the clients in the queue for a while."""
        self._services.log.warning("accept_paused", detail=error.strerror)
        self._loop.remove_reader(listener.fileno())
        self._loop.call_later(_ACCEPT_PAUSE_SECONDS, self._accept_again, listener)

    def _accept_again(self, listener: socket.socket) -> None:
        if self._accepting:
            self._loop.add_reader(listener.fileno(), self._accept, listener)

    def _sweep(self) -> None:
        self._services.pool.sweep(self._services.reactor.now())
        self._loop.call_later(_SWEEP_SECONDS, self._sweep)

    def look_at_certificates(self) -> None:
        """Tell of the certificates of open connections that end soon."""
        self._services.expiring.forget_the_past(self._services.clock())
        self._look_on(iter([connection for connection, _ in self._connections.values()]))
        self._loop.call_later(_CERTIFICATES_SECONDS, self.look_at_certificates)

    def _look_on(self, connections: Iterator[ClientConnection]) -> None:
        batch = list(islice(connections, _WAKE_UPS_PER_TURN))
        for connection in batch:
            connection.look_at_certificate(self._services.clock())
        if batch:
            self._loop.call_soon(self._look_on, connections)

    def _cut_late(self) -> None:
        """End who is not done within the drain time."""
        count_cut(self._services.metrics, DRAIN, len(self._connections))
        self.cut()

    def cut(self) -> None:
        """End what is left."""
        for strand in tuple(self._connections):
            strand.throw(Cancelled())
        self._finish_if_empty()

    def _finish_if_empty(self) -> None:
        ending = self._retired or self._services.draining
        if ending and not self._connections and not self._stopped.done():
            self._services.pool.close()
            self._services.failures.flush(self._services.log)
            self._stopped.set_result(None)

    def report_defect(self, defect: Exception) -> None:
        """A connection failed in a way nobody foresaw: it is closed, the others never notice."""
        self._services.log.error("defect", error=repr(defect), exc_info=defect)
