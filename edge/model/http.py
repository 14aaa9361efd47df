"""Heads of HTTP/1.1 messages after they were given one meaning (see ``edge.http1``)."""

from __future__ import annotations

from dataclasses import field
from enum import Enum

from edge.model.record import record

HeaderField = tuple[bytes, bytes, bytes]
"""(lower-case name, name as it came, value without surrounding white space)."""


class Framing(Enum):
    """How the end of a body is found (RFC 9112 6.3)."""

    NONE = "none"
    LENGTH = "length"
    CHUNKED = "chunked"
    UNTIL_CLOSE = "until-close"
    """Responses only."""


@record
class Body:
    """Framing of one body; ``length`` is octets and only meaningful for ``Framing.LENGTH``."""

    framing: Framing
    length: int = 0


NO_BODY = Body(Framing.NONE)


@record
class Target:
    """A request target in origin-form, normalised once: what policies see is what the origin gets."""

    path: bytes
    query: bytes | None = None
    """The octets after ``?``, untouched; None if there was no ``?``."""

    @property
    def wire(self) -> bytes:
        """The target as it is sent to the origin."""
        return self.path if self.query is None else self.path + b"?" + self.query


class _Fields:
    """Look-ups in the fields of a head. Most of them are for a field that is not there."""

    __slots__ = ()
    fields: tuple[HeaderField, ...]
    names: frozenset[bytes]

    def values(self, lower_name: bytes) -> list[bytes]:
        """Return the value of every field of that lower-case name, in order."""
        if lower_name not in self.names:
            return []
        return [value for lower, _, value in self.fields if lower == lower_name]

    def value(self, lower_name: bytes) -> bytes | None:
        """Return the first value of that lower-case name, or None."""
        values = self.values(lower_name)
        return values[0] if values else None


@record
class RequestHead(_Fields):
    """A request that has exactly one meaning."""

    method: bytes
    target: Target
    version: tuple[int, int]
    """(1, 0) or (1, 1)."""
    host: str
    """Canonical; the empty string for an HTTP/1.0 request without Host."""
    fields: tuple[HeaderField, ...]
    body: Body
    keep_alive: bool
    expect_continue: bool
    connection_options: frozenset[bytes]
    """Lower-case options of ``Connection``."""
    upgrade: tuple[bytes, ...]
    """Lower-case protocols of ``Upgrade``, in order, parameters and all."""
    names: frozenset[bytes] = field(init=False, repr=False, compare=False)
    """The lower-case names of all fields."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", _names(self.fields))


@record
class ResponseHead(_Fields):
    """An answer of an origin that has exactly one meaning."""

    status: int
    phrase: bytes
    version: tuple[int, int]
    fields: tuple[HeaderField, ...]
    body: Body
    keep_alive: bool
    """Whether the origin's connection may be used again after the body."""
    connection_options: frozenset[bytes]
    upgrade: tuple[bytes, ...]
    names: frozenset[bytes] = field(init=False, repr=False, compare=False)
    """See ``RequestHead``."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", _names(self.fields))


def _names(fields: tuple[HeaderField, ...]) -> frozenset[bytes]:
    return frozenset([lower for lower, _, _ in fields])
