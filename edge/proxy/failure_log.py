"""The event of a handshake that failed: told one by one, until there are too many to be worth a line each.

Whoever can make the edge write a line can fill its disk. So an address has a few lines a second, all of
them together have a few more, and of the rest one line says how many they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial

from structlog.typing import FilteringBoundLogger

from edge.proxy.pace import Pace
from edge.reactor.reactor import Reactor

LINES_OF_AN_ADDRESS = 10
LINES_OF_A_WORKER = 100
"""A second, in the long run: at 300 octets a line 2.6 GB a day."""
_BURST_SECONDS = 5.0
_SUMMARY_SECONDS = 1.0
_MOST_CLIENTS = 1024
"""That are told apart in one summary."""
_EVERYBODY = ""


class FailureLog:
    """Writes ``handshake_failed``, or counts it for ``handshake_failed_suppressed``."""

    __slots__ = ("_by_address", "_by_worker", "_clients", "_count")

    def __init__(self) -> None:
        self._by_address = Pace(_BURST_SECONDS)
        self._by_worker = Pace(_BURST_SECONDS)
        self._count = 0
        self._clients: Counter[str] = Counter()

    def tell(
        self, reactor: Reactor, log: FilteringBoundLogger, who: str, fields: Mapping[str, object]
    ) -> None:
        """Tell of one failed handshake of a subscriber (``edge.model.network``)."""
        now = reactor.now()
        if (
            self._by_address.turn(who, LINES_OF_AN_ADDRESS, now) is not None
            and self._by_worker.turn(_EVERYBODY, LINES_OF_A_WORKER, now) is not None
        ):
            log.info("handshake_failed", **fields)
            return
        if not self._count:
            reactor.loop.call_later(_SUMMARY_SECONDS, partial(self.flush, log))
        self._count += 1
        if who in self._clients or len(self._clients) < _MOST_CLIENTS:
            self._clients[who] += 1

    def flush(self, log: FilteringBoundLogger) -> None:
        """Say how many were not told, if any; ``client`` is who had the most of them."""
        if not self._count:
            return
        ((client, most),) = self._clients.most_common(1)
        log.warning(
            "handshake_failed_suppressed",
            count=self._count,
            clients=len(self._clients),
            client=client,
            client_count=most,
        )
        self._count = 0
        self._clients.clear()
