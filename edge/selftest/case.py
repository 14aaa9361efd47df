"""What a case is, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.selftest.scene import Scene

DOCUMENTATION = "docs/selftest.md"


class Family(Enum):
    """What a case is about."""

    CERTIFICATE = "certificate"
    RESUMPTION = "resumption"
    HOST = "host"
    HELLO = "hello"
    IDENTITY = "identity"
    FRAMING = "framing"
    TARGET = "target"
    PROTOCOL = "protocol"
    SLOW = "slow"


class Severity(Enum):
    """What it is worth to an attacker."""

    HIGH = "high"
    """A protected resource, or another client's identity."""
    MEDIUM = "medium"
    """A piece of such a way, which needs another weakness beside it."""
    LOW = "low"
    """Against good practice."""


class Outcome(Enum):
    """What came of a case."""

    HELD = "held"
    HOLE = "hole"
    NOT_APPLICABLE = "not_applicable"
    COULD_NOT_TELL = "could_not_tell"


@dataclass(frozen=True, slots=True)
class Finding:
    """An outcome, and what it rests on."""

    outcome: Outcome
    sent: str = ""
    """What was sent, where that is not the same for the whole case."""
    came: str = ""
    """What came back, or why the case says nothing."""


HELD = Finding(Outcome.HELD)


def hole(sent: str, came: object) -> Finding:
    """Something was let through."""
    return Finding(Outcome.HOLE, sent, str(came))


def could_not_tell(why: object, sent: str = "") -> Finding:
    """Nothing can be said."""
    return Finding(Outcome.COULD_NOT_TELL, sent, str(why))


def not_applicable(why: str) -> Finding:
    """There is nothing to try."""
    return Finding(Outcome.NOT_APPLICABLE, came=why)


@dataclass(frozen=True, slots=True)
class Case:
    """One known way past a terminator."""

    id: str
    """Stable; the anchor of its description."""
    family: Family
    severity: Severity
    sends: str
    """In one sentence."""
    must_not: str
    """What must not happen, and why it matters."""
    run: Callable[[Scene], Finding]

    @property
    def link(self) -> str:
        """Where it is described."""
        return f"{DOCUMENTATION}#{self.id}"
