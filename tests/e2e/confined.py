"""Runs a command under what a systemd unit forbids: system calls and address families.

As ``python -m tests.e2e.confined UNIT COMMAND...``. The lists of system calls are those of systemd-analyze
here; the filter is made with libseccomp, as systemd makes it. Name spaces and users of a unit are left out:
they take a systemd that runs.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_EQUAL = 4
_NAME = re.compile(r"^    (\S+)$", re.MULTILINE)


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


def why_not() -> str:
    """Say why nothing can be confined here; empty if it can."""
    if shutil.which("systemd-analyze") is None:
        return "systemd-analyze is not installed"
    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return "libseccomp is not installed"
    return ""


def settings(unit: Path) -> dict[str, list[str]]:
    """Return the settings of a unit's ``[Service]``: every value of each name, in order."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in unit.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def allowed_calls(lines: list[str]) -> set[str]:
    """Return the system calls that a unit's ``SystemCallFilter`` lines leave."""
    allowed: set[str] = set()
    for line in lines:
        names = {call for word in line.removeprefix("~").split() for call in _calls(word)}
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed | set(_calls("@default"))  # systemd allows these in every list


def _calls(word: str) -> Iterator[str]:
    if not word.startswith("@"):
        yield word
        return
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", word], capture_output=True, text=True, check=True
    ).stdout
    for name in _NAME.findall(listed):
        yield from _calls(name)


class _Filter:
    """One filter of the kernel: what becomes of a call that no rule names, and the rules."""

    def __init__(self, otherwise: int) -> None:
        self._library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        self._library.seccomp_init.restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(self._library.seccomp_init(ctypes.c_uint32(otherwise)))

    def add(self, action: int, name: str, *comparisons: _Comparison) -> None:
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return  # another architecture's
        array = (_Comparison * len(comparisons))(*comparisons)
        result = self._library.seccomp_rule_add_array(
            self._context, ctypes.c_uint32(action), number, len(comparisons), array
        )
        assert result == 0, (name, result)

    def load(self) -> None:
        assert self._library.seccomp_load(self._context) == 0


def confine(unit: Path) -> None:
    """Put this process, and all that it starts, under the unit's filters."""
    said = settings(unit)
    refused = _ERRNO | errno.EPERM
    calls = _Filter(refused)
    for name in allowed_calls(said["SystemCallFilter"]):
        calls.add(_ALLOW, name)
    families = _Filter(_ALLOW)
    named = {getattr(socket, name).value for name in said["RestrictAddressFamilies"][0].split()}
    for family in set(range(64)) - named:
        families.add(_ERRNO | errno.EAFNOSUPPORT, "socket", _Comparison(0, _EQUAL, family, 0))
    for each in (families, calls):
        each.load()


if __name__ == "__main__":
    confine(Path(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
