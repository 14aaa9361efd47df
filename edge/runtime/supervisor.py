"""The parent process: it opens the sockets, forks the workers, and waits. It serves nothing itself.

The contexts exist before the fork, so all workers share their ticket keys: a session made by one is
resumed by any other.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from edge.config.schema import Configuration
from edge.runtime.crl_image import channel
from edge.runtime.crl_watch import POLL_SECONDS, CrlWatch
from edge.runtime.sockets import address_text, open_listeners
from edge.runtime.worker import run_worker
from edge.snapshot.build import Built
from edge.snapshot.snapshot import Snapshot
from edge.telemetry.logging import logger
from edge.tls.chain_hints import ChainHints
from edge.tls.openssl import OPENSSL_VERSION

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


def serve(config: Configuration, built: Built, started: Callable[[list[str]], None] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status. Raises ``ListenError``.

    ``started`` is called with the addresses once every worker accepts connections.
    """
    count = config.server.workers or len(os.sched_getaffinity(0))
    _allow_many_descriptors()
    listeners = open_listeners(config.server.listen, count)
    addresses = [address_text(sock) for sock in listeners[0]]
    hints = ChainHints()
    gc.collect()
    gc.freeze()  # what lives for ever stays out of the collector, and its pages stay shared
    # Blocked before the fork, so that no signal is lost between the fork and the wait.
    with _blocked_signals():
        supervisor = _Supervisor(built.snapshot, hints)
        supervisor.fork_workers(listeners)
        log = logger()
        for address in addresses:
            log.info("listening", address=address, workers=count, openssl=OPENSSL_VERSION)
        supervisor.watch_crls(built)
        if started is not None:
            started(addresses)
        return supervisor.wait()


def _allow_many_descriptors() -> None:
    """Take what the system grants: the usual soft limit of 1024 is far below ``connections_per_worker``."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def _blocked_signals() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Supervisor:
    """The parent's side of its workers."""

    def __init__(self, snapshot: Snapshot, hints: ChainHints) -> None:
        self._snapshot = snapshot
        self._hints = hints
        self._workers: dict[int, socket.socket] = {}
        """Process id -> our end of the channel; a worker stops when that closes, however we end."""
        self._crls: CrlWatch | None = None
        self._stopping = False
        self._failed = False

    def fork_workers(self, listeners: list[list[socket.socket]]) -> None:
        """Start one worker for each set of sockets; return when all accept connections."""
        ready_read, ready_write = os.pipe()
        for number in range(len(listeners)):
            ours, theirs = channel()
            pid = os.fork()
            if pid == 0:
                os.close(ready_read)
                _close(sock for other, sockets in enumerate(listeners) if other != number for sock in sockets)
                _close((ours, *self._workers.values()))
                _become_worker(self._snapshot, self._hints, listeners[number], theirs, ready_write)
            theirs.close()
            self._workers[pid] = ours
        os.close(ready_write)
        # A copy left open here would go on being given connections that nobody accepts.
        _close(sock for sockets in listeners for sock in sockets)
        while os.read(ready_read, 1):
            pass
        os.close(ready_read)

    def watch_crls(self, built: Built) -> None:
        """Take up changed CRL files from now on."""
        if built.crl_sources:
            self._crls = CrlWatch(
                built.crl_sources,
                built.crl_stamps,
                built.snapshot.revocation,
                self._workers.values(),
                time.time,  # noqa: TID251 - a shell
                time.monotonic,
            )

    def wait(self) -> int:
        """Wait for the end. A worker that dies is reported; the others serve on."""
        log = logger()
        while self._workers:
            received = self._next_signal()
            if received in (signal.SIGTERM, signal.SIGINT) and not self._stopping:
                self._stopping = True
                log.info("stopping", signal=signal.Signals(received).name)
                for pid in self._workers:
                    os.kill(pid, signal.SIGTERM)
                if self._crls is not None:
                    self._crls.stop()
            elif received == signal.SIGHUP:
                log.warning("reload_not_supported", detail="restart the edge to take up a new configuration")
            self._reap()
            if self._crls is not None and not self._stopping:
                self._crls.poll()
        log.info("stopped")
        return 1 if self._failed else 0

    def _next_signal(self) -> int | None:
        """Return the next signal; None if it is time to look at the CRL files."""
        if self._crls is None or self._stopping:
            return signal.sigwait(_SIGNALS)
        received = signal.sigtimedwait(_SIGNALS, POLL_SECONDS)
        return None if received is None else received.si_signo

    def _reap(self) -> None:
        """Take note of the children that ended, and of a worker that should not have."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            if pid in self._workers:
                self._workers.pop(pid).close()
                if code or not self._stopping:
                    self._failed = True
                    logger().error("worker_died", pid=pid, status=code, workers_left=len(self._workers))
            elif self._crls is not None:
                self._crls.reap(pid, code)


def _become_worker(
    snapshot: Snapshot, hints: ChainHints, listeners: list[socket.socket], parent: socket.socket, ready: int
) -> None:
    """Never returns: the child of a fork must not run its parent's code."""
    status = 1
    try:
        run_worker(snapshot, hints, listeners, parent, lambda: os.close(ready))
        status = 0
    except BaseException:  # noqa: BLE001 - nothing may get past this line in a forked child
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _close(sockets: Iterable[socket.socket]) -> None:
    for sock in sockets:
        sock.close()
