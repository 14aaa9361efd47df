"""The plans of one connection, by the octets of the head they were made for.

Most clients send the same head again and again. What was decided on it follows from the head, the
connection (its certificate, its host, its address), the configuration, and the time. The first is the
key; the second is why each connection has a memory of its own, which ends with it, credentials and
all; the other two stand in the plan: whoever takes one from here asks whether its snapshot is the one in
force, and its time not over.

Bounded: so many heads, so many octets. A head is kept when it comes for the second time, so that ten
thousand connections that asked once cost nothing.
"""

from __future__ import annotations

from edge.proxy.plan import Plan
from edge.snapshot.snapshot import Snapshot

_MOST_HEADS = 16
_MOST_OCTETS = 16384
_MOST_OCTETS_OF_A_HEAD = 4096


class Plans:
    """What one connection remembers of its requests."""

    __slots__ = ("_octets", "_snapshot", "by_head")

    def __init__(self) -> None:
        self.by_head: dict[bytes, Plan | None] = {}
        """None for a head that came once. A plan in here may be out of date."""
        self._octets = 0
        self._snapshot: Snapshot | None = None

    def keep(self, block: bytes, plan: Plan) -> None:
        """Remember a plan, or that this head was here once."""
        plans = self.by_head
        if plan.snapshot is not self._snapshot:  # nothing of an older one is good any more; let go of it
            plans.clear()
            self._octets = 0
            self._snapshot = plan.snapshot
        if block in plans:
            plans[block] = plan
            return
        size = len(block)
        if size > _MOST_OCTETS_OF_A_HEAD:
            return
        if len(plans) >= _MOST_HEADS or self._octets + size > _MOST_OCTETS:
            plans.clear()
            self._octets = 0
        plans[block] = None
        self._octets += size
