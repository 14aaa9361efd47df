"""How much of a head is taken, and which peer sent it.

Both are needed wherever octets are read: the limits bound memory and time per head, the side decides
whose fault a bad message is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from edge.model.refusal import MessageError, Reason


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """The most that one head may hold. What is over it is refused, never cut."""

    header_size: int = 32768
    """Octets of a whole head, start line and final empty line included; of a trailer section likewise."""
    header_count: int = 100
    """Field lines of a head, or of a trailer section."""
    target_size: int = 8192
    """Octets of a request target as it came."""


class Side(Enum):
    """The peer whose octets are read."""

    CLIENT = "client"
    ORIGIN = "origin"

    def error(self, reason: Reason, detail: str) -> MessageError:
        """Make the error for a bad message: a client is told ``reason``, an origin gave a bad response."""
        if self is Side.ORIGIN:
            return MessageError(Reason.ORIGIN_BAD_RESPONSE, detail)
        return MessageError(reason, detail)
