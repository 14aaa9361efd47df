"""Scripted ends of connections: what they say, how much they take, and what was asked of them."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from edge.reactor.reactor import Reactor
from edge.reactor.strand import Strand
from edge.reactor.stream import StreamBroken
from tests.unit.strands import ManualLoop, manual_reactor

_T = TypeVar("_T")
BROKEN = "broken"
"""In a script: the peer is gone."""


@dataclass(slots=True)
class Watched:
    """The part of ``Readiness`` that those who forward look at."""

    unwanted: bool = False

    def watch(self) -> None:
        """See ``Readiness``."""

    def move_to(self, strand: Strand) -> None:
        """See ``Readiness``."""

    def rest(self) -> None:
        """See ``Readiness``."""


_SHARED = bytearray(1 << 16)


class ScriptedStream:
    """One end. ``says``: octets, None for nothing yet, ``b""`` for the end, BROKEN. ``room``: how many
    octets each write takes, or BROKEN; when it is used up, everything is taken.
    """

    def __init__(self, says: Sequence[bytes | str | None] = (), room: Sequence[int | str] = ()) -> None:
        self.says = list(says)
        self.room = list(room)
        self.written = bytearray()
        self.wants: list[str] = []
        self.reads = 0
        self.closed = self.left = False
        self.queued = 0
        """What the kernel would hold because this peer has not taken it."""
        self.readiness = Watched()

    def try_read(self) -> bytes | None:
        """See ``Stream``."""
        self.reads += 1
        said = self.says.pop(0) if self.says else None
        if said == b"":
            self.says.insert(0, b"")  # an end stays an end
        if isinstance(said, str):
            raise StreamBroken(said)
        return said

    def try_read_shared(self, most: int) -> bytes | memoryview | None:
        """See ``Stream``. The memory is used again, as the real one is."""
        said = self.try_read()
        if not said:
            return said
        if len(said) > most:
            self.says.insert(0, said[most:])
        _SHARED[:] = b"#" * len(_SHARED)
        _SHARED[: len(said[:most])] = said[:most]
        return memoryview(_SHARED)[: len(said[:most])]

    def try_write(self, octets: bytes | memoryview) -> int:
        """See ``Stream``."""
        assert len(octets), "an empty write"
        room = self.room.pop(0) if self.room else len(octets)
        if isinstance(room, str):
            raise StreamBroken(room)
        self.written += octets[:room]
        return min(room, len(octets))

    def is_silent(self) -> bool:
        """See ``Stream``."""
        return not self.says or self.says[0] is None

    def want_read(self) -> None:
        """See ``Stream``."""
        self.wants.append("read")

    def want_write(self) -> None:
        """See ``Stream``."""
        self.wants.append("write")

    def unacknowledged(self) -> int:
        """See ``TlsStream``."""
        return self.queued

    def peer_has_left(self) -> bool:
        """See ``TlsStream``."""
        return self.left

    def close(self) -> None:
        """See ``Stream``."""
        self.closed = True


class Director:
    """Drives one coroutine on a clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.loop = ManualLoop()
        self.defects: list[Exception] = []
        self.reactor: Reactor = manual_reactor(self.loop, self.defects)
        self.strand = Strand(self.reactor)
        self._outcome: list[Any] = []

    def start(self, main: Coroutine[Any, Any, Any]) -> None:
        """Begin, up to the first wait."""

        async def whole() -> None:
            try:
                self._outcome.append(await main)
            except Exception as error:  # noqa: BLE001 - carried over to the test
                self._outcome.append(error)

        self.strand.start(whole())

    def wake(self, times: int = 1) -> None:
        """Let it look again, so many times."""
        for _ in range(times):
            self.loop.turn()
            self.strand.resume()

    @property
    def ended(self) -> bool:
        """Whether it came to its end."""
        return bool(self._outcome)

    def result(self) -> Any:
        """Return what came of it, or raise its error."""
        assert self._outcome, "it is still waiting"
        if isinstance(self._outcome[0], Exception):
            raise self._outcome[0]
        return self._outcome[0]

    def play(self, main: Coroutine[Any, Any, _T], wake_ups: int = 200) -> _T:
        """Run to the end, with at most so many wake-ups."""
        self.start(main)
        for _ in range(wake_ups):
            if self.ended:
                break
            self.wake()
        outcome: _T = self.result()
        return outcome


def in_pieces(octets: bytes, size: int, between: Iterable[None] = ()) -> list[bytes | str | None]:
    """Cut a script into pieces, with pauses between them."""
    pieces: list[bytes | str | None] = []
    for at in range(0, len(octets), size):
        pieces += [octets[at : at + size], *between]
    return pieces
