"""The process that answers on ``admin_listen``: it is started, fed, started again when it dies, and ended.

It is another program, not a fork: no private key is in its memory, and its libraries are in nobody
else's. It gets the listening sockets and one end of a channel, over which a document is handed to it in
sealed memory whenever it has taken the one before. When its parent ends, the channel does, and so does it.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress

from edge.config.endpoints import ListenAddress
from edge.runtime.channel import Message, channel, messages, send
from edge.runtime.memory import fill, new_memory
from edge.runtime.sockets import ListenError, open_listeners
from edge.telemetry.logging import logger

_LIBRARIES = ("jinja2", "prometheus_client", "starlette", "uvicorn")
_ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "PYTHONHOME", "PYTHONPATH", "TZ")
"""What it may know of ours. Secrets of the configuration come from the environment too."""
_FIRST_DELAY_SECONDS = 0.5
_MOST_DELAY_SECONDS = 30.0
_GOOD_LIFE_SECONDS = 10.0
_SILENCE_SECONDS = 30.0
"""One that has not taken a document for so long hangs."""
_DEFAULTS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGALRM, signal.SIGPIPE)


def open_admin_listeners(address: ListenAddress) -> list[socket.socket]:
    """Return the sockets of ``admin_listen``. Raises ``ListenError``, also if a library is missing."""
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise ListenError(
            f"cannot serve admin_listen: {', '.join(missing)} is not installed; "
            "install mtls-edge with its dependencies, or remove the key"
        )
    return open_listeners((address,), 1)[0]


class AdminProcess:
    """One process at a time. ``timer`` gives seconds that only ever grow."""

    def __init__(
        self,
        listeners: list[socket.socket],
        name: str,
        timer: Callable[[], float],
        environ: Mapping[str, str],
    ) -> None:
        """``name`` is the host of ``admin_listen``, for which it answers besides addresses."""
        self.listeners = listeners
        self._name = name
        self._timer = timer
        self._environ = {key: environ[key] for key in _ENVIRONMENT if key in environ}
        self._pid: int | None = None
        self._started = 0.0
        self._deaths = 0
        self._due = 0.0
        self._handed_at: float | None = None
        """When it got a document that it has not taken yet."""
        self.channels: list[socket.socket] = []
        """Our end, while it lives. A child of ours must close it, else it would not see us end."""

    def look_after(self) -> None:
        """Start it if it does not run; end it if it hangs."""
        now = self._timer()
        if self._pid is None:
            if now >= self._due and self.listeners:
                self._start(now)
            return
        if not self.channels:
            return
        if list(messages(self.channels[0])):
            self._handed_at = None
        if self._handed_at is not None and now - self._handed_at > _SILENCE_SECONDS:
            logger().error("admin_hangs", pid=self._pid)
            self._handed_at = now
            _kill(self._pid)

    @property
    def takes(self) -> bool:
        """Whether it wants the next document."""
        return bool(self.channels) and self._handed_at is None

    def hand(self, document: bytes) -> None:
        """Give it a document. Raises ``OSError`` if there is no memory or descriptor for it."""
        memory = new_memory()
        try:
            fill(memory, [document])
            if send(self.channels[0], Message("document"), memory):
                self._handed_at = self._timer()
        finally:
            os.close(memory)

    def reap(self, pid: int, code: int, *, ending: bool) -> bool:
        """Take note of a child that ended; tell whether it was this one."""
        if pid != self._pid:
            return False
        self._pid = self._handed_at = None
        self._hang_up()
        if ending:
            return True
        now = self._timer()
        self._deaths = 0 if now - self._started >= _GOOD_LIFE_SECONDS else self._deaths + 1
        delay = min(_FIRST_DELAY_SECONDS * 2.0**self._deaths, _MOST_DELAY_SECONDS)
        self._due = now + delay
        logger().error("admin_died", status=code, pid=pid, detail=f"started again in {delay:g} s")
        return True

    def leave(self) -> None:
        """Let it end, and nobody follow: who asks at its address is answered by somebody else, or nobody."""
        for sock in self.listeners:
            sock.close()
        self.listeners.clear()
        self._hang_up()

    def end(self, seconds: float) -> None:
        """Let it end, and wait for that; for so long at most."""
        self.leave()
        if self._pid is None:
            return
        give_up = self._timer() + seconds
        while self._timer() < give_up:
            try:
                if os.waitpid(self._pid, os.WNOHANG) != (0, 0):
                    return
            except ChildProcessError:
                return
            signal.sigtimedwait((signal.SIGCHLD,), 0.05)
        _kill(self._pid)
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)

    def _start(self, now: float) -> None:
        ours, theirs = channel()
        inherited = [theirs, *self.listeners]
        numbers = [str(sock.fileno()) for sock in inherited]
        # -P: what lies in the current directory is nobody's module.
        command = [sys.executable, "-P", "-m", "edge.admin", "--name", self._name, *numbers]
        try:
            for sock in inherited:
                sock.set_inheritable(True)
            self._pid = os.posix_spawn(
                sys.executable,
                command,
                self._environ,
                file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
                setsigmask=(),
                setsigdef=_DEFAULTS,
            )
        except OSError as error:
            ours.close()
            self._due = now + _MOST_DELAY_SECONDS
            logger().error("admin_not_started", detail=error.strerror)
        else:
            self._started = now
            self.channels.append(ours)
            logger().info("admin_started", pid=self._pid)
        finally:
            theirs.close()
            for sock in self.listeners:
                sock.set_inheritable(False)

    def _hang_up(self) -> None:
        while self.channels:
            self.channels.pop().close()


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
