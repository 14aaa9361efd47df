"""What Linux tells about processes and cores: CPU time, memory, free ports, names of the machine."""

from __future__ import annotations

import os
import platform
import re
import socket
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_OPENSSL = re.compile(rb"OpenSSL \d+\.\d+\.\d+[a-z0-9.-]* [ \d]\d? ?[A-Z][a-z]{2} \d{4}")
_LIBRARY = re.compile(r"\s(/\S*/libcrypto[^/\s]*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core runs what. With one core all three are the same, and the figures say little."""

    server: int
    generator: int
    origin: int


def choose_cores(available: set[int]) -> Cores:
    """Give the server a core of its own, then the generator; the origin comes last.

    >>> choose_cores({0, 1})
    Cores(server=0, generator=1, origin=1)
    """
    ordered = sorted(available)
    last = len(ordered) - 1
    return Cores(ordered[0], ordered[min(1, last)], ordered[min(2, last)])


@contextmanager
def on_core(*cores: int) -> Iterator[None]:
    """Start children on these cores: they inherit it, before they start threads or children of their own."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def process_tree(pid: int) -> list[int]:
    """Return the process and all below it."""
    found, waiting = [], [pid]
    while waiting:
        each = waiting.pop()
        found.append(each)
        for task in _tasks(each):
            waiting += [int(child) for child in _read(task / "children").split()]
    return found


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU time of all threads of the process tree; None where the kernel does not count it."""
    total, counted = 0, False
    for each in process_tree(pid):
        for task in _tasks(each):
            fields = _read(task / "schedstat").split()
            if fields:
                total, counted = total + int(fields[0]), True
    return total / 1e9 if counted else None


def memory_bytes(pid: int) -> int:
    """Return the proportional set size of the process tree: shared pages count once."""
    kibibytes = 0
    for each in process_tree(pid):
        found = re.search(r"^Pss:\s+(\d+) kB$", _read(Path(f"/proc/{each}/smaps_rollup")), re.MULTILINE)
        kibibytes += int(found[1]) if found else 0
    return kibibytes * 1024


def mapped_openssl(pid: int) -> str | None:
    """Return the version of the libcrypto that is loaded: what runs, not what it was built with."""
    for each in process_tree(pid):
        found = _LIBRARY.search(_read(Path(f"/proc/{each}/maps")))
        if found and (version := _OPENSSL.search(Path(found[1]).read_bytes())):
            return " ".join(version[0].decode("ascii").split()[:2])
    return None


def describe_python() -> str:
    """Name this interpreter and whether it was built with profile-guided optimisation."""
    arguments = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    return f"{sys.implementation.name} {platform.python_version()}, {describe_build(arguments)}"


def describe_build(configure_arguments: str) -> str:
    """Say what ``./configure`` was told about optimisation."""
    if "--enable-optimizations" in configure_arguments:
        return "PGO" + (" and LTO" if "--with-lto" in configure_arguments else "")
    return "no PGO by its configure arguments (a distribution may have added it elsewhere, as Debian does)"


def describe_machine() -> str:
    """Name the processor and the kernel."""
    found = re.search(r"^model name\s*:\s*(.+)$", _read(Path("/proc/cpuinfo")), re.MULTILINE)
    return f"{found[1] if found else platform.machine()}, Linux {platform.release()}"


def _tasks(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:  # it has ended meanwhile
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
