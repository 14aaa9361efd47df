"""Starts the servers of one table side by side and measures them in turn, round by round."""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from subprocess import Popen

from comparison import origin
from comparison.contest import make_sample, write_texts
from comparison.generator import Generator, MeasureError
from comparison.machine import cpu_seconds, free_port, memory_bytes, process_tree
from comparison.numbers import Sample, rotated
from comparison.processes import Fleet, StartError, has_ended, last_words, wait_until_it_listens
from comparison.rows import ROWS, Row
from comparison.setting import Setting, make_pki

import edge
from growth.material import Material, toml
from growth.tables import Size, Table

MEASURED = tuple(row for row in ROWS if row.key in ("full", "resumed", "refusal", "proxied"))
START_SECONDS = 900.0
_WARM_UP_SECONDS = 0.3
_RSS = re.compile(r"^Rss:\s+(\d+) kB$", re.MULTILINE)
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Placing:
    """Which cores run what."""

    servers: tuple[int, ...]
    """The first runs the servers with one worker, all together those with more."""
    generators: tuple[int, ...]
    origin: int

    @property
    def shared(self) -> bool:
        """Whether a server with two workers and the clients want the same core."""
        return bool(set(self.servers) & {*self.generators, self.origin})


def place(available: set[int]) -> Placing:
    """Give two workers cores of their own where there are four.

    >>> place({0, 1, 2, 3})
    Placing(servers=(0, 1), generators=(2, 3), origin=3)
    >>> place({0, 1})
    Placing(servers=(0, 1), generators=(1,), origin=1)
    """
    cores = sorted(available)
    generators = tuple(cores[2:4]) if len(cores) >= 4 else (cores[-1],)
    return Placing(tuple(cores[:2]), generators, cores[min(4, len(cores) - 1)])


@dataclass(frozen=True, slots=True)
class Started:
    """What is known of a server when it has just begun to serve; memory in octets."""

    seconds: float
    cpu_seconds: float | None
    parent: int
    """Resident, whether shared or not."""
    worker: int
    """The same, of the largest worker."""
    together: int
    """What processes share counts once (Pss)."""


@dataclass(slots=True)
class Outcome:
    """One table that was measured. Lists have an entry for each step."""

    table: Table
    started: list[Started] = field(default_factory=list)
    idle_octets: list[float | None] = field(default_factory=list)
    """Memory for one idle connection."""
    samples: dict[str, list[list[Sample | None]]] = field(default_factory=dict)
    """By row; for each step an entry a round."""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Server:
    size: Size
    process: Popen[bytes]
    port: int


class Trial:
    """One origin for all, and one table after the other. Raises ``StartError`` and ``MeasureError``."""

    def __init__(self, directory: Path, placing: Placing, fleet: Fleet, now: datetime, say: Say) -> None:
        self._directory, self._placing, self._fleet, self._say = directory, placing, fleet, say
        self._pki = make_pki(directory / "pki", now)
        self._material = Material(directory / "cas", now)
        self._material.replace_client(self._pki.client, self._pki.client_key, self._pki.client_ca)
        self._generator = Generator(self._pki, *placing.generators)
        self._origin_port = free_port()

    def start_origin(self) -> None:
        """Start what all servers have behind them."""
        setting = self._setting("origin")
        origin.write_bulk(setting.directory)
        write_texts(setting.directory, origin.texts(setting))
        process = self._fleet.start(origin.command(setting), setting.directory, [self._placing.origin], {})
        wait_until_it_listens(process, self._origin_port, setting.directory)

    def measure(self, table: Table, rounds: int, seconds: float) -> Outcome:
        """Measure one table; its servers are ended afterwards."""
        outcome = Outcome(table)
        servers: list[_Server] = []
        try:
            for count, size in table.steps:
                server, started = self._start(f"{table.key}-{count}", size)
                servers.append(server)
                outcome.started.append(started)
                self._say(f"{table.quantity} {count:,}: started in {started.seconds:.1f} s")
            with ExitStack() as held:
                outcome.idle_octets = [self._hold(server, held) for server in servers]
                for row in MEASURED:
                    outcome.samples[row.key] = self._measure_row(row, servers, rounds, seconds)
                    self._say(f"{table.title}: {row.title}")
        finally:
            self._fleet.stop([server.process for server in servers])
        return outcome

    def _setting(self, name: str) -> Setting:
        directory = self._directory / name
        directory.mkdir(mode=0o700)
        return Setting(directory, self._pki, free_port(), self._origin_port, os.geteuid() == 0)

    def _start(self, name: str, size: Size) -> tuple[_Server, Started]:
        setting = self._setting(name)
        write_texts(setting.directory, {"edge.toml": toml(size, setting, self._material)})
        cores = self._placing.servers[: size.workers]
        command = [sys.executable, "-m", "edge", "run", "-c", "edge.toml"]
        began = time.perf_counter()
        process = self._fleet.start(command, setting.directory, cores, self._environment())
        try:
            self._wait(process, setting)
            lasted = time.perf_counter() - began
            self._generator.probe(setting.port, "403")
        except BaseException:
            self._fleet.stop([process])
            raise
        return _Server(size, process, setting.port), _look(process.pid, lasted)

    def _environment(self) -> Mapping[str, str]:
        return {"PYTHONPATH": str(Path(edge.__file__).parents[1])}

    def _wait(self, process: Popen[bytes], setting: Setting) -> None:
        """Return as soon as it accepts: it listens only when all is built."""
        deadline = time.perf_counter() + START_SECONDS
        while time.perf_counter() < deadline and not has_ended(process):
            with suppress(OSError), socket.create_connection(("127.0.0.1", setting.port), 1.0):
                return
            time.sleep(0.02)
        raise StartError(f"edge run does not accept: {last_words(setting.directory)}")

    def _hold(self, server: _Server, held: ExitStack) -> float | None:
        if not server.size.idle:
            return None
        before = memory_bytes(server.process.pid)
        held.enter_context(self._generator.idle(server.port, server.size.idle))
        return (memory_bytes(server.process.pid) - before) / server.size.idle

    def _measure_row(
        self, row: Row, servers: list[_Server], rounds: int, seconds: float
    ) -> list[list[Sample | None]]:
        for server in servers:
            self._attempt(row, server, _WARM_UP_SECONDS)
        samples: list[list[Sample | None]] = [[] for _ in servers]
        for number in range(rounds):
            for index in rotated(range(len(servers)), number):
                samples[index].append(self._attempt(row, servers[index], seconds))
        return samples

    def _attempt(self, row: Row, server: _Server, seconds: float) -> Sample | None:
        before = cpu_seconds(server.process.pid)
        try:
            result = self._generator.run(row, server.port, seconds)
        except MeasureError as error:
            self._say(f"a run of {row.title} failed: {error}")
            return None
        after = cpu_seconds(server.process.pid)
        used = None if before is None or after is None else after - before
        return make_sample(result["per_second"], result["answers"], used, seconds)


def _look(pid: int, seconds: float) -> Started:
    sizes = [_resident(each) for each in process_tree(pid)]
    return Started(seconds, cpu_seconds(pid), sizes[0], max(sizes[1:], default=0), memory_bytes(pid))


def _resident(pid: int) -> int:
    with suppress(OSError):
        found = _RSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii"))
        return 1024 * int(found[1]) if found else 0
    return 0
