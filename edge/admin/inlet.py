"""Where the documents of the edge arrive: about one a second, over a channel, in sealed memory."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import orjson

from edge.admin.rates import Rates, totals
from edge.telemetry.series import Series

_MESSAGE_OCTETS = 4096
_FRESH_SECONDS = 5.0
_USEFUL_SECONDS = 30.0


class EdgeIsGone(Exception):
    """The other end of the channel is closed: there is nobody any more to tell of."""


class Inlet:
    """The last document. ``timer`` gives seconds that only ever grow."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._at: float | None = None
        self._rates = Rates()
        self.series = Series()
        self.status: Mapping[str, Any] = {}

    @property
    def age(self) -> float | None:
        """How old the document is, in seconds; None if there is none yet."""
        return None if self._at is None else self._timer() - self._at

    @property
    def is_fresh(self) -> bool:
        """Whether the edge has told something a moment ago."""
        return self.age is not None and self.age < _FRESH_SECONDS

    @property
    def is_useful(self) -> bool:
        """Whether the numbers may still be taken for those of now."""
        return self.age is not None and self.age < _USEFUL_SECONDS

    def receive(self, channel: socket.socket) -> None:
        """Take what has arrived, and ask for the next. Raises ``EdgeIsGone``."""
        try:
            octets, descriptors, _, _ = socket.recv_fds(channel, _MESSAGE_OCTETS, 1)
        except BlockingIOError:
            return
        except ConnectionError:
            raise EdgeIsGone from None
        if not octets:
            raise EdgeIsGone
        for descriptor in descriptors:
            with os.fdopen(descriptor, "rb") as memory:
                memory.seek(0)
                self.take(memory.read())
        with suppress(OSError):
            channel.send(b"taken")

    def take(self, octets: bytes) -> None:
        """Know a newer document. Raises ``ValueError`` or ``KeyError`` if it is none."""
        document = orjson.loads(octets)
        series, status = Series.read(document["numbers"]), document["status"]
        self._at = self._timer()
        self._rates.take(self._at, totals(series))
        self.series = series
        self.status = {**status, "rates": self._rates.now(), "history": self._rates.history()}
