"""Runs a plan in several processes that begin together, and adds up what they tell while they run."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import cast

from loadgen import server
from loadgen.identities import make_contexts
from loadgen.idle import OPENING_SECONDS, Idle
from loadgen.plan import Plan, Unusable, make_room_for, share_of
from loadgen.rate import DRAIN_SECONDS, Rate
from loadgen.run import Run, Stretch
from loadgen.tally import Tally

_PATIENCE = 30.0
"""How much longer than planned a process may need to begin, or to end."""
_TICK = 0.2
_SPAWN = multiprocessing.get_context("spawn")  # a forked process would share descriptors with its siblings


@dataclass(slots=True)
class Second:
    """One second of all processes together."""

    tally: Tally = field(default_factory=Tally)
    open: int = 0
    told: int = 0
    """How many processes have told of it."""
    seconds: float = 0.0
    """How long it really was, the mean of all processes."""


@dataclass(slots=True)
class Outcome:
    """What came of a measurement."""

    total: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    """How long was measured, the mean of all processes."""
    seconds_told: dict[int, Second] = field(default_factory=dict)
    """By their number; -1 is the warm-up, the planned number of seconds and above are late answers."""
    interrupted: bool = False
    opened: int = 0
    """Connections that were open at the end."""
    held: float = 0.0
    """How long the idle connections were held."""
    memory_before: int | None = None
    memory_after: int | None = None
    """Octets of the server without and with the idle connections."""
    server_processor_seconds: float | None = None


Watch = Callable[[int, Second], None]
"""Is told of every second as soon as all processes have told of it; -1 is the warm-up."""


def work(plan: Plan, index: int, pipe: Connection) -> None:
    """Be one of the processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process tells when to stop
    with contextlib.suppress(OSError, EOFError):  # the first process has gone: there is nobody to work for
        try:
            run = _prepare(plan, index, pipe)
        except Unusable as error:
            pipe.send(error)
            return
        pipe.send(None)
        run.go(pipe.recv())


def _prepare(plan: Plan, index: int, pipe: Connection) -> Run:
    if plan.pinned:
        processors = sorted(os.sched_getaffinity(0), reverse=True)
        os.sched_setaffinity(0, {processors[index % len(processors)]})
    make_room_for(share_of(plan.connections, index, plan.processes))
    kind = {"rate": Rate, "idle": Idle}.get(plan.mode, Run)
    run = kind(plan, index, make_contexts(plan), pipe.fileno(), pipe.send)
    gc.freeze()
    return run


class Measurement:
    """The first process's part: begin, listen, end."""

    def __init__(self, plan: Plan, server_pid: int | None, watch: Watch) -> None:
        self._plan, self._pid, self._watch = plan, server_pid, watch
        self._outcome = Outcome()
        self._running: list[Connection] = []
        self._settled: set[int] = set()
        self._agenda: list[tuple[float, Callable[[], None]]] = []
        self._used: float | None = None
        self._interrupts = 0

    def run(self) -> Outcome:
        """Measure. Ctrl-C ends it early, with what there is. Raises ``Unusable``."""
        processes = []
        try:
            for index in range(self._plan.processes):
                ours, theirs = _SPAWN.Pipe()
                process = _SPAWN.Process(target=work, args=(self._plan, index, theirs), daemon=True)
                process.start()
                processes.append(process)
                theirs.close()
                self._running.append(ours)
            self._begin()
            with self._ctrl_c_noted():
                self._listen()
        finally:
            for process in processes:
                process.join(0 if self._running else _PATIENCE)
                process.kill()
                process.join()
        return self._outcome

    def _begin(self) -> None:
        """Wait until everybody is ready, note how the server is, and let everybody begin."""
        for pipe in self._running:
            if not pipe.poll(_PATIENCE):
                raise Unusable("a process of the load generator does not begin")
            self._receive(pipe)
        if self._plan.mode == "idle" and self._pid is not None:
            self._outcome.memory_before = server.memory(self._pid)
        start = time.perf_counter() + 0.02
        begin = start + self._plan.warm_up
        if self._plan.mode != "idle" and self._pid is not None:
            self._agenda = [(begin, self._note_use), (begin + self._plan.seconds, self._note_use_again)]
        self._deadline = begin + self._plan.seconds + OPENING_SECONDS + DRAIN_SECONDS + _PATIENCE
        for pipe in self._running:
            pipe.send(start)

    def _listen(self) -> None:
        while self._running:
            now = time.perf_counter()
            if now > self._deadline:
                raise Unusable("a process of the load generator does not end")
            while self._agenda and self._agenda[0][0] <= now:
                self._agenda.pop(0)[1]()
            pause = min(_TICK, max(self._agenda[0][0] - now, 0)) if self._agenda else _TICK
            for pipe in wait(self._running, pause):
                self._receive(cast("Connection", pipe))
            if self._interrupts and not self._outcome.interrupted:
                self._outcome.interrupted = True
                if len(self._settled) == self._plan.processes:
                    self._end_idling()
                self._stop()
        if self._used is not None and self._outcome.server_processor_seconds is None:
            self._note_use_again()

    @contextlib.contextmanager
    def _ctrl_c_noted(self) -> Iterator[None]:
        """Count Ctrl-C instead of raising, so that no message is cut in two; the second one raises."""
        before = signal.getsignal(signal.SIGINT)
        if before != signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self._interrupts += 1
        if self._interrupts > 1:
            raise KeyboardInterrupt

    def _receive(self, pipe: Connection) -> None:
        try:
            told: Stretch | Unusable | None = pipe.recv()
        except (EOFError, OSError):
            raise Unusable("a process of the load generator has died") from None
        if isinstance(told, Unusable):
            raise told
        if told is None:
            return
        self._count(told)
        if told.settled:
            self._settle(pipe.fileno())
        if told.last:
            self._running.remove(pipe)
            self._outcome.opened += told.open
            pipe.close()

    def _count(self, told: Stretch) -> None:
        second = self._outcome.seconds_told.setdefault(told.index, Second())
        second.tally.add(told.tally)
        second.open += told.open
        second.seconds += told.seconds / self._plan.processes
        second.told += 1
        if told.index >= 0:
            self._outcome.total.add(told.tally)
            self._outcome.seconds += told.seconds / self._plan.processes
        if second.told == self._plan.processes:
            self._watch(told.index, second)

    def _settle(self, descriptor: int) -> None:
        """Note that a process has opened its idle connections; the last one starts the clock."""
        if descriptor in self._settled:
            return
        self._settled.add(descriptor)
        if len(self._settled) == self._plan.processes:
            self._held_since = time.perf_counter()
            self._agenda = [(self._held_since + self._plan.seconds, self._end_idling)]

    def _end_idling(self) -> None:
        self._outcome.held = time.perf_counter() - self._held_since
        if self._pid is not None:
            self._outcome.memory_after = server.memory(self._pid)
        self._stop()

    def _note_use(self) -> None:
        assert self._pid is not None
        self._used = server.processor_seconds(self._pid)

    def _note_use_again(self) -> None:
        assert self._pid is not None
        assert self._used is not None
        self._outcome.server_processor_seconds = server.processor_seconds(self._pid) - self._used

    def _stop(self) -> None:
        for pipe in self._running:
            with contextlib.suppress(OSError):
                pipe.send(None)
