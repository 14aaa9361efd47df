"""The parent process: it opens the sockets, forks the workers, and waits. It serves nothing itself.

The contexts exist before the fork, so all workers share their ticket keys: a session made by one is
resumed by any other.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge.config.schema import Configuration
from edge.runtime.sockets import address_text, open_listeners
from edge.runtime.worker import run_worker
from edge.snapshot.snapshot import Snapshot
from edge.telemetry.logging import logger
from edge.tls.chain_hints import ChainHints
from edge.tls.openssl import OPENSSL_VERSION

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


def serve(
    config: Configuration, snapshot: Snapshot, started: Callable[[list[str]], None] | None = None
) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status. Raises ``ListenError``.

    ``started`` is called with the addresses once every worker accepts connections.
    """
    count = config.server.workers or len(os.sched_getaffinity(0))
    listeners = open_listeners(config.server.listen, count)
    addresses = [address_text(sock) for sock in listeners[0]]
    hints = ChainHints()
    gc.collect()
    gc.freeze()  # what lives for ever stays out of the collector, and its pages stay shared
    # Blocked before the fork, so that no signal is lost between the fork and the wait.
    with _blocked_signals():
        pids = _fork_workers(count, snapshot, hints, listeners)
        log = logger()
        for address in addresses:
            log.info("listening", address=address, workers=count, openssl=OPENSSL_VERSION)
        if started is not None:
            started(addresses)
        return _wait(pids)


@contextmanager
def _blocked_signals() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _fork_workers(
    count: int, snapshot: Snapshot, hints: ChainHints, listeners: list[list[socket.socket]]
) -> set[int]:
    alive_read, alive_write = os.pipe()
    """The workers hold the reading end: it ends when the parent does, however that happens."""
    ready_read, ready_write = os.pipe()
    pids = set()
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            os.close(alive_write)
            os.close(ready_read)
            for other, sockets in enumerate(listeners):
                if other != number:
                    _close(sockets)
            _become_worker(snapshot, hints, listeners[number], alive_read, ready_write)
        pids.add(pid)
    os.close(alive_read)
    os.close(ready_write)
    for sockets in listeners:
        # A copy left open here would go on being given connections that nobody accepts.
        _close(sockets)
    while os.read(ready_read, 1):
        pass
    os.close(ready_read)
    # alive_write stays open for as long as this process lives.
    return pids


def _become_worker(
    snapshot: Snapshot, hints: ChainHints, listeners: list[socket.socket], alive: int, ready: int
) -> None:
    """Never returns: the child of a fork must not run its parent's code."""
    status = 1
    try:
        run_worker(snapshot, hints, listeners, alive, lambda: os.close(ready))
        status = 0
    except BaseException:  # noqa: BLE001 - nothing may get past this line in a forked child
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _wait(pids: set[int]) -> int:
    """Wait for the end. A worker that dies is reported; the others serve on."""
    log = logger()
    stopping = False
    failed = False
    while pids:
        received = signal.sigwait(_SIGNALS)
        if received in (signal.SIGTERM, signal.SIGINT) and not stopping:
            stopping = True
            log.info("stopping", signal=signal.Signals(received).name)
            for pid in pids:
                os.kill(pid, signal.SIGTERM)
        elif received == signal.SIGHUP:
            log.warning("reload_not_supported", detail="restart the edge to take up a new configuration")
        failed = _reap(pids, stopping=stopping) or failed
    log.info("stopped")
    return 1 if failed else 0


def _reap(pids: set[int], *, stopping: bool) -> bool:
    """Take note of the workers that ended; tell whether one ended that should not have."""
    failed = False
    for pid in tuple(pids):
        found, status = os.waitpid(pid, os.WNOHANG)
        if not found:
            continue
        pids.discard(pid)
        code = os.waitstatus_to_exitcode(status)
        if code or not stopping:
            failed = True
            logger().error("worker_died", pid=pid, status=code, workers_left=len(pids))
    return failed


def _close(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.close()
