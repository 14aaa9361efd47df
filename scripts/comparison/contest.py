"""The comparison itself: start everybody, measure in rounds, side by side, and note what failed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

from comparison import origin
from comparison.generator import Generator, MeasureError
from comparison.machine import Cores, cpu_seconds, free_port, mapped_openssl, memory_bytes
from comparison.numbers import Sample, rotated
from comparison.peers.peer import Peer
from comparison.processes import Fleet, StartError, wait_until_it_listens
from comparison.rows import ROWS, Row
from comparison.setting import Pki, Setting

Say = Callable[[str], None]
_WARM_UP_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Running:
    """A server that was started and found to do what is compared."""

    peer: Peer
    process: Popen[bytes]
    port: int
    resumes: bool


@dataclass(slots=True)
class Results:
    """What was measured."""

    names: list[str] = field(default_factory=list)
    """In the order of the tables."""
    software: dict[str, str] = field(default_factory=dict)
    """Version and TLS library of each."""
    samples: dict[str, dict[str, list[Sample | None]]] = field(default_factory=dict)
    """By row and server, one entry a round."""
    idle_bytes: dict[str, float] = field(default_factory=dict)
    """Memory for one idle connection."""
    not_measured: dict[str, str] = field(default_factory=dict)
    """Who is not in the tables, and why."""
    notes: list[str] = field(default_factory=list)
    """What must be known beside the figures."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    rounds: int
    seconds: float
    idle: int
    """Idle connections that are held; 0 measures no memory."""


class Contest:
    """The servers share one core, one of them at work at a time; the clients have another."""

    def __init__(self, directory: Path, pki: Pki, cores: Cores, fleet: Fleet, say: Say) -> None:
        self._directory, self._pki, self._cores, self._fleet, self._say = directory, pki, cores, fleet, say
        self._generator = Generator(pki, cores.generator)
        self._origin_port = free_port()
        self.results = Results()

    def start_origin(self) -> None:
        """Start what all servers have behind them. Raises ``StartError``."""
        setting = self._setting("origin")
        origin.write_bulk(setting.directory)
        write_texts(setting.directory, origin.texts(setting))
        process = self._fleet.start(origin.command(setting), setting.directory, [self._cores.origin], {})
        wait_until_it_listens(process, self._origin_port, setting.directory)

    def measure(self, peers: Sequence[Peer], scale: Scale) -> Results:
        """Measure everybody who is here and works; the others get a note."""
        started = [running for peer in peers if (running := self._start(peer)) is not None]
        self.results.names = [each.peer.name for each in started]
        if scale.idle:
            for running in started:
                self._measure_memory(running, scale.idle)
        for row in ROWS:
            self._measure_row(row, started, scale)
        return self.results

    def _setting(self, name: str) -> Setting:
        directory = self._directory / name
        directory.mkdir(mode=0o700)
        return Setting(directory, self._pki, free_port(), self._origin_port, os.geteuid() == 0)

    def _start(self, peer: Peer) -> Running | None:
        if (missing := peer.missing()) is not None:
            self._leave_out(peer, missing)
            return None
        setting = self._setting(peer.name)
        write_texts(setting.directory, peer.texts(setting))
        process = self._fleet.start(
            peer.command(setting), setting.directory, [self._cores.server], peer.environment(setting)
        )
        try:
            wait_until_it_listens(process, setting.port, setting.directory)
            resumes = self._generator.probe(setting.port, "403")
        except (StartError, MeasureError) as error:
            self._fleet.stop([process])
            self._leave_out(peer, str(error))
            return None
        library = peer.tls_library or mapped_openssl(process.pid) or "unknown TLS library"
        self.results.software[peer.name] = f"{peer.version()} ({library})"
        self._say(f"started {self.results.software[peer.name]}")
        for remark in filter(None, [peer.remark]):
            self._note(remark)
        return Running(peer, process, setting.port, resumes)

    def _measure_memory(self, running: Running, connections: int) -> None:
        """Compare few connections with many more beside them: what was freed before is in use by then."""
        pid, port = running.process.pid, running.port
        try:
            with self._generator.idle(port, max(1, connections // 5)):
                before = memory_bytes(pid)
                with self._generator.idle(port, connections):
                    grown = memory_bytes(pid) - before
        except MeasureError as error:
            self._note(f"{running.peer.name}: memory not measured: {error}")
            return
        self.results.idle_bytes[running.peer.name] = grown / connections

    def _measure_row(self, row: Row, started: Sequence[Running], scale: Scale) -> None:
        samples: dict[str, list[Sample | None]] = {each.peer.name: [] for each in started}
        self.results.samples[row.key] = samples
        able = [each for each in started if self._is_able(row, each)]
        able = [each for each in able if self._attempt(row, each, _WARM_UP_SECONDS) is not None]
        for number in range(scale.rounds):
            for each in rotated(able, number):
                samples[each.peer.name].append(self._attempt(row, each, scale.seconds))
            self._say(f"{row.title}: round {number + 1} of {scale.rounds}")
        for name, measured in samples.items():
            samples[name] = measured or [None] * scale.rounds

    def _is_able(self, row: Row, running: Running) -> bool:
        name = running.peer.name
        if row.key in running.peer.leaves_out:
            self._note(f"{name}: {row.title} not measured: {running.peer.leaves_out[row.key]}")
            return False
        if row.mode == "resumed" and not running.resumes:
            self._note(f"{name}: {row.title} not measured: it does not resume sessions of TLS 1.3")
            return False
        return True

    def _attempt(self, row: Row, running: Running, seconds: float) -> Sample | None:
        pid = running.process.pid
        before = cpu_seconds(pid)
        try:
            result = self._generator.run(row, running.port, seconds)
        except MeasureError as error:
            self._note(f"{running.peer.name}: a run of {row.title} failed: {error}")
            return None
        after = cpu_seconds(pid)
        used = None if before is None or after is None else after - before
        return make_sample(result["per_second"], result["answers"], used, seconds)

    def _leave_out(self, peer: Peer, why: str) -> None:
        self.results.not_measured[peer.name] = why
        self._say(f"NOT MEASURED: {peer.name}: {why}")

    def _note(self, text: str) -> None:
        if text not in self.results.notes:
            self.results.notes.append(text)
            self._say(text)


def make_sample(per_second: float, answers: float, used: float | None, seconds: float) -> Sample:
    """Return a sample; ``used`` is the server's CPU time of the run."""
    if used is None:
        return Sample(per_second, None, None)
    return Sample(per_second, used / answers, min(1.0, used / seconds))


def write_texts(directory: Path, texts: Mapping[str, str]) -> None:
    """Write configuration files."""
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
