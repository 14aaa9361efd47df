"""Takes up changed CRL files, in the parent process, without a worker noticing the work.

    look (every quarter of a second) -> changed and quiet -> a child reads, checks and indexes them
        -> sealed memory -> the workers map it -> in force

The child is thrown away afterwards, and with it the hundreds of megabytes that a list of a million
takes while it is read. What cannot be taken up is told in the log, again every minute, and changes
nothing. The parent only ever looks at names, sizes and times.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from edge.reactor.strand import NEVER
from edge.runtime.crl_image import map_image, send_image, write_image
from edge.runtime.memory import new_memory
from edge.snapshot.revocation import CrlSource, Stamp, read_revocation, stamps_of
from edge.telemetry.logging import logger
from edge.trust.crl import Crl
from edge.trust.revocation import Revocation

POLL_SECONDS = 0.25
_RETRY_SECONDS = 60.0
_READ_SECONDS = 300.0
"""Ten million certificates take less; a disk that hangs must not hold up every other list."""
_NICENESS = 10
"""The child must not take the processor from the workers."""
_DONE, _CHANGED, _PROBLEMS = 8, 1, 2
"""Bits of the child's exit status; without the first it failed in a way nobody foresaw."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """A child at work: the descriptor it writes to, the files it reads, and how long it may take."""

    pid: int
    image: int
    files: frozenset[Path]
    until: float

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


class CrlWatch:
    """Watches the files of all CRLs.

    ``channels`` are the parent's ends to the workers that live. ``let_go`` closes in a child what only its
    parent may hold: a worker must see its parent's end close, and a listening socket its last. ``clock``
    gives seconds since the epoch, ``timer`` seconds that only ever grow.
    """

    def __init__(
        self,
        sources: tuple[CrlSource, ...],
        stamps: Mapping[Path, Stamp],
        revocation: Revocation,
        channels: Collection[socket.socket],
        let_go: Callable[[], None],
        clock: Callable[[], float],
        timer: Callable[[], float],
    ) -> None:
        self.revocation = revocation
        self._sources = sources
        self._channels = channels
        self._let_go = let_go
        self._clock = clock
        self._timer = timer
        self._taken = dict(stamps)
        """As the files were when they were read last."""
        self._seen = dict(stamps)
        """As the files were at the last look: one that is being written changes between two looks."""
        self._retry: frozenset[Path] = frozenset()
        self._retry_at = NEVER
        self._reading: _Reading | None = None
        self._published: int | None = None
        self._all_reached = True
        self._told: set[tuple[str | None, str, bytes, float]] = set()
        for entry, crl in _each(revocation):
            _tell_in_force(entry, crl)

    def poll(self) -> None:
        """Look once."""
        if not self._all_reached:
            self.deliver()
        self._tell_stale()
        if self._reading is not None:
            if self._timer() > self._reading.until:
                self._reading.kill()  # told of, and tried again, when it is reaped
            return
        before, self._seen = self._seen, stamps_of(self._sources)
        moving = _differences(before, self._seen)
        files = _differences(self._taken, self._seen) - moving
        if not files and self._timer() >= self._retry_at:
            # One at a time: the file on which a child hung or died must not take good ones with it.
            files = frozenset(sorted(self._retry - moving)[:1])
            self._retry -= files
            if not self._retry:
                self._retry_at = NEVER
        if files:
            self._read(files)

    def reap(self, pid: int, code: int) -> bool:
        """Take note of a child that ended; tell whether it was ours."""
        if self._reading is None or self._reading.pid != pid:
            return False
        image, files = self._reading.image, self._reading.files
        self._reading = None
        if code < _DONE:
            logger().error("crl_reading_failed", status=code, detail="what is in force stays")
        if code < _DONE or code & _PROBLEMS:
            self._read_later(files)
        if code >= _DONE and code & _CHANGED:
            self._publish(image, files)
        else:
            os.close(image)
        return True

    def stop(self) -> None:
        """End a child that is still reading. That it does not finish is then no failure."""
        if self._reading is None:
            return
        reading, self._reading = self._reading, None
        reading.kill()
        os.close(reading.image)
        for file in reading.files:
            self._taken[file] = ()  # whoever goes on watching reads it again

    def take_over(
        self,
        sources: tuple[CrlSource, ...],
        stamps: Mapping[Path, Stamp],
        revocation: Revocation,
        image: int | None,
    ) -> None:
        """Watch what another configuration names. All workers have ``revocation`` already.

        ``stamps`` are of the files before they were read for it; those that were known are not looked at.
        ``image`` is the memory it went to the workers by; None if it is what was in force.
        """
        self.stop()
        kept = {file: stamp for file, stamp in self._taken.items() if file in stamps}
        self._sources = sources
        self._taken = {**stamps, **kept}
        self._seen = dict(self._taken)
        self._retry &= stamps.keys()
        if image is None:
            return
        before = {(entry, crl.issuer): crl for entry, crl in _each(self.revocation)}
        self.revocation = revocation
        if self._published is not None:
            os.close(self._published)
        self._published = image
        self._all_reached = True
        self._tell_news(before)

    def _read(self, files: frozenset[Path]) -> None:
        """Let a child read these files again."""
        for file in files:
            stamp = self._seen.get(file)
            if stamp is None:
                self._taken.pop(file, None)
            else:
                self._taken[file] = stamp
        image = None
        try:
            image = new_memory()
            pid = os.fork()
        except OSError as error:
            if image is not None:
                os.close(image)
            self._fail(error, files)
            return
        if pid == 0:
            self._let_go()
            _become_reader(self._sources, self.revocation, files, self._clock(), image)
        self._reading = _Reading(pid, image, files, self._timer() + _READ_SECONDS)

    def _fail(self, error: OSError, files: frozenset[Path]) -> None:
        """Out of memory, processes or descriptors: that may pass."""
        logger().error("crl_reading_failed", detail=f"{error.strerror}; what is in force stays")
        self._read_later(files)

    def _read_later(self, files: frozenset[Path]) -> None:
        self._retry |= files
        self._retry_at = min(self._retry_at, self._timer() + _RETRY_SECONDS)

    def _publish(self, image: int, files: frozenset[Path]) -> None:
        before = {(entry, crl.issuer): crl for entry, crl in _each(self.revocation)}
        try:
            self.revocation = map_image(image)
        except OSError as error:
            os.close(image)
            self._fail(error, files)
            return
        if self._published is not None:
            os.close(self._published)
        self._published = image
        self.deliver()
        self._tell_news(before)

    def deliver(self) -> None:
        """Give every worker the newest image; one that has it already does not mind."""
        if self._published is not None:
            published = self._published
            reached = [send_image(sock, published) for sock in self._channels]
            self._all_reached = all(reached)

    def _tell_news(self, before: Mapping[tuple[str, bytes], Crl]) -> None:
        for entry, crl in _each(self.revocation):
            known = before.get((entry, crl.issuer))
            if known is None or not crl.says_the_same_as(known):
                _tell_in_force(entry, crl)

    def _tell_stale(self) -> None:
        """Warn once when a list should be renewed, and once when it is too late."""
        now = self._clock()
        for entry, crl in _each(self.revocation):
            event = "crl_stale" if crl.is_stale(now) else "crl_due" if crl.is_due(now) else None
            told = (event, entry, crl.issuer, crl.next_update)
            if event is not None and told not in self._told:
                self._told.add(told)
                logger().warning(event, ca=entry, **crl.facts())


def _differences(left: Mapping[Path, Stamp], right: Mapping[Path, Stamp]) -> frozenset[Path]:
    return frozenset(file for file in left.keys() | right.keys() if left.get(file) != right.get(file))


def _become_reader(
    sources: tuple[CrlSource, ...],
    previous: Revocation,
    files: frozenset[Path],
    now: float,
    image: int,
) -> NoReturn:
    """Be the child: read, tell what is wrong, write the image, end."""
    status = 1
    try:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.nice(_NICENESS)
        revocation, problems = read_revocation(sources, datetime.fromtimestamp(now, UTC), previous, files)
        for problem in problems:
            logger().warning(
                "crl_refused",
                file=problem.file,
                detail=f"{problem.message}; what was in force stays",
                hint=problem.hint,
            )
        told = _PROBLEMS if any(problem.heals for problem in problems) else 0
        if _is_same(revocation, previous):
            status = _DONE | told
        else:
            write_image(image, revocation)
            status = _DONE | _CHANGED | told
    except BaseException:  # noqa: BLE001 - nothing may get past this line in a forked child
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _is_same(left: Revocation, right: Revocation) -> bool:
    before = {(entry, crl.issuer): crl for entry, crl in _each(left)}
    after = {(entry, crl.issuer): crl for entry, crl in _each(right)}
    return before.keys() == after.keys() and all(
        crl.says_the_same_as(after[key]) for key, crl in before.items()
    )


def _each(revocation: Revocation) -> Iterator[tuple[str, Crl]]:
    return ((name, crl) for name, entry in revocation.items() for crl in entry.crls.values())


def _tell_in_force(entry: str, crl: Crl) -> None:
    logger().info("crl_in_force", ca=entry, **crl.facts())
