"""Tells the service manager how it goes: sd_notify(3), by hand.

Datagrams to ``$NOTIFY_SOCKET``. With a watchdog (``$WATCHDOG_USEC``) the manager is told in time that the
parent lives and that every worker has answered a moment ago: a loop that hangs is never vouched for.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

_MICROSECONDS = 1_000_000


class Notifier:
    """Speaks to the service manager that ``environ`` tells of; to nobody, if there is none."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        # sd_notify(3): a path, or "@" and a name that is in no file system.
        self._address = "\0" + name[1:] if name.startswith("@") else name
        self.watchdog_seconds = _watchdog_seconds(environ) if name else 0.0
        """Within this time the manager wants to hear from us; 0: it does not mind."""

    def ready(self) -> None:
        """Every worker serves."""
        self._send("READY=1")

    def reloading(self) -> None:
        """A configuration is being taken up; ``ready`` tells the end, however it goes."""
        # CLOCK_MONOTONIC in microseconds: what Type=notify-reload demands.
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """All is well."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """A line for people, for ``systemctl status``."""
        self._send("STATUS=" + text.replace("\n", " "))

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with (
            suppress(OSError),
            socket.socket(
                socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
            ) as sock,
        ):
            sock.sendto(message.encode("utf-8", "replace"), self._address)


def _watchdog_seconds(environ: Mapping[str, str]) -> float:
    """sd_watchdog_enabled(3): a time in microseconds, and the process it is meant for."""
    microseconds, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not (microseconds.isascii() and microseconds.isdigit()) or pid not in ("", str(os.getpid())):
        return 0.0
    return int(microseconds) / _MICROSECONDS
