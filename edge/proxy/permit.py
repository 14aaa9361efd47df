"""Whether what began may go on: a request that lasts is judged again by every newer generation.

A tunnel, an endless answer and a long upload have no next request at which a revoked certificate,
another policy or a removed host could show. So they ask here whenever they have waited, and whoever
publishes a generation wakes all connections up. A tunnel ends at once. A request that will soon be over
is not torn off in the middle: its origin has begun the work that was allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.model.http import RequestHead
from edge.model.refusal import Reason, Refusal
from edge.proxy.judgement import judge
from edge.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    from edge.proxy.connection import ClientConnection


LASTING_SECONDS = 10.0
"""From its beginning on a request is left in peace for so long."""


class Withdrawn(Exception):
    """The request would not be let through any more; ``refusal`` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__("access_withdrawn")
        self.refusal = refusal


class Permit:
    """The permission of one request.

    ``snapshot`` is the generation it was judged by, and ``good_until`` for how long, in seconds since
    the epoch. Without them it is judged as soon as somebody asks. ``began`` is in the loop's seconds.
    """

    __slots__ = ("_began", "_connection", "_good_until", "_head", "_refusal", "_snapshot")

    def __init__(
        self,
        connection: ClientConnection,
        head: RequestHead,
        snapshot: Snapshot | None = None,
        good_until: float = 0.0,
        began: float | None = None,
    ) -> None:
        self._connection = connection
        self._head = head
        self._snapshot = snapshot
        self._good_until = good_until
        self._began = connection.services.reactor.now() if began is None else began
        self._refusal: Refusal | None = None

    def check(self) -> None:
        """Raise ``Withdrawn`` if a request that lasts would be refused now. Cheap while nothing changes."""
        refusal = self._ask()
        if refusal is not None and self._connection.services.reactor.now() >= self._began + LASTING_SECONDS:
            raise Withdrawn(refusal)

    def until(self) -> float:
        """Return the loop time at which a tunnel has to ask again. Raises ``Withdrawn``."""
        refusal = self._ask()
        if refusal is not None:
            raise Withdrawn(refusal)
        services = self._connection.services
        return services.reactor.now() + self._good_until - services.clock()

    def _ask(self) -> Refusal | None:
        """Return why the request would be refused now; None if it would not."""
        services = self._connection.services
        snapshot = services.holder.current
        if snapshot is not self._snapshot or services.clock() > self._good_until:
            self._refusal = self._judge(snapshot)
            self._snapshot = snapshot
        return self._refusal

    def _judge(self, snapshot: Snapshot) -> Refusal | None:
        connection, head = self._connection, self._head
        view = connection.view(snapshot)
        if view is None or (head.host and snapshot.identity_of(head.host) != view.site.identity):
            return Refusal(Reason.MISDIRECTED_REQUEST, "this host is not served any more")
        judgement = judge(connection.services, view, head, connection.client_ip)
        self._good_until = judgement.good_until
        verdict = judgement.verdict
        return None if verdict.allowed else Refusal(verdict.reason or Reason.POLICY_DENIED, verdict.detail)
