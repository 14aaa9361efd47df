"""Whether a tunnel may stay open: the request that opened it is judged again by every newer generation.

A tunnel has no next request at which a revoked certificate, another policy or a removed host could
show. So it asks here before it waits, and whoever publishes a generation wakes it up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.model.http import RequestHead
from edge.proxy.judgement import judge
from edge.proxy.tunnel import ACCESS_WITHDRAWN
from edge.reactor.strand import Expired
from edge.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    from edge.proxy.connection import ClientConnection


class Permit:
    """The permission of one tunnel."""

    __slots__ = ("_connection", "_head", "_snapshot", "_until")

    def __init__(self, connection: ClientConnection, head: RequestHead) -> None:
        self._connection = connection
        self._head = head
        self._snapshot: Snapshot | None = None
        """The generation that was asked last."""
        self._until = 0.0

    def until(self) -> float:
        """Return the loop time at which the permission ends. Raises ``Expired`` if it was withdrawn."""
        snapshot = self._connection.services.holder.current
        if snapshot is not self._snapshot:
            self._until = self._ask(snapshot)
            self._snapshot = snapshot
        return self._until

    def _ask(self, snapshot: Snapshot) -> float:
        connection, head = self._connection, self._head
        services = connection.services
        view = connection.view(snapshot)
        if view is None or (head.host and snapshot.identity_of(head.host) != view.site.identity):
            raise Expired(ACCESS_WITHDRAWN)
        judgement = judge(services, view, head, connection.client_ip)
        if not judgement.verdict.allowed:
            raise Expired(ACCESS_WITHDRAWN)
        return services.reactor.now() + judgement.good_until - services.clock()
