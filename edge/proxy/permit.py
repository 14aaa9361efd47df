"""Whether a tunnel may stay open: the request that opened it is judged again by every newer generation.

A tunnel has no next request at which a revoked certificate, another policy or a removed host could
show. So it asks here before it waits, and whoever publishes a generation wakes it up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.model.http import RequestHead
from edge.proxy.judgement import judge
from edge.proxy.tunnel import ACCESS_WITHDRAWN
from edge.proxy.view import View
from edge.reactor.strand import Expired

if TYPE_CHECKING:
    from edge.proxy.connection import ClientConnection


class Permit:
    """The permission of one tunnel."""

    __slots__ = ("_connection", "_head", "_snapshot", "_until")

    def __init__(self, connection: ClientConnection, head: RequestHead, view: View) -> None:
        self._connection = connection
        self._head = head
        self._snapshot = view.snapshot
        self._until = self._loop_time(view)

    def until(self) -> float:
        """Return the loop time at which the permission ends. Raises ``Expired`` if it was withdrawn."""
        snapshot = self._connection.services.holder.current
        if snapshot is not self._snapshot:
            self._snapshot = snapshot
            view = self._connection.view(snapshot)
            if view is None or not self._holds(view):
                raise Expired(ACCESS_WITHDRAWN)
            self._until = self._loop_time(view)
        return self._until

    def _holds(self, view: View) -> bool:
        connection, head = self._connection, self._head
        if head.host and view.snapshot.identity_of(head.host) != view.site.identity:
            return False
        return judge(connection.services, view, head, connection.client_ip).verdict.allowed

    def _loop_time(self, view: View) -> float:
        services = self._connection.services
        return services.reactor.now() + view.auth.good_until - services.clock()
