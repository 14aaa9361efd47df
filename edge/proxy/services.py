"""What all connections of one worker share. Built once when the worker starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate

from structlog.typing import FilteringBoundLogger

from edge.access.token import KeyRing, TokenMint, TokenReader
from edge.origin.pool import OriginPool
from edge.proxy.admission import Doorkeeper
from edge.proxy.counts import Counts
from edge.proxy.expiring import ExpiringCertificates
from edge.proxy.failure_log import FailureLog
from edge.proxy.origin_answers import OriginAnswers
from edge.proxy.pace import Pace
from edge.proxy.recent_refusals import RecentRefusals
from edge.proxy.view import Views
from edge.reactor.reactor import Reactor
from edge.snapshot.snapshot import Snapshot, SnapshotHolder
from edge.telemetry.logging import EventWriter
from edge.telemetry.metrics import Metrics
from edge.tls.chain_hints import ChainHints
from edge.tls.verification import VerifiedMemory

_HEX = tuple(b"%02x" % octet for octet in range(256))
HANDSHAKE_BURST_SECONDS = 1.0
"""Of how many seconds the handshakes of one address may come at once."""


class RequestIds:
    """Identifiers of requests: unique, not secret. The prefix is chance, one for each worker.

    ``prefix`` has 12 letters or digits. The count outlives every worker.
    """

    __slots__ = ("_count", "_front", "_prefix")

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix.encode("ascii")
        self._count = 0
        self._front = b"%b%010x" % (self._prefix, 0)
        """Everything but the last octet of the count, which is made into text once in 256 times."""

    def next(self) -> bytes:
        """Return a new identifier of ``REQUEST_ID_OCTETS`` letters and digits."""
        self._count = count = self._count + 1
        last = count & 0xFF
        if not last:
            self._front = b"%b%010x" % (self._prefix, count >> 8)
        return self._front + _HEX[last]


class DateHeader:
    """The Date field, formatted once a second (RFC 9110 6.6.1)."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = b""

    def at(self, now: float) -> bytes:
        """Return the field's value for a time in seconds since the epoch."""
        second = int(now)
        if second != self._second:
            self._second = second
            self._text = formatdate(second, usegmt=True).encode("ascii")
        return self._text


class Tokens:
    """Mints and reads tokens with the keys of the generation in force."""

    __slots__ = ("_issuer", "_key_ring", "_mint", "_reader")

    def __init__(self) -> None:
        self._key_ring: KeyRing | None = None
        self._issuer = ""
        self._mint: TokenMint
        self._reader: TokenReader

    def mint(self, snapshot: Snapshot) -> TokenMint:
        """Return the mint of this generation."""
        self._serve(snapshot)
        return self._mint

    def reader(self, snapshot: Snapshot) -> TokenReader:
        """Return the reader of this generation."""
        self._serve(snapshot)
        return self._reader

    def _serve(self, snapshot: Snapshot) -> None:
        if snapshot.key_ring is not self._key_ring or snapshot.issuer != self._issuer:
            self._key_ring, self._issuer = snapshot.key_ring, snapshot.issuer
            self._mint = TokenMint(snapshot.key_ring, snapshot.issuer)
            self._reader = TokenReader(snapshot.key_ring, snapshot.issuer)


@dataclass(slots=True)
class Services:
    """The surroundings of a connection."""

    reactor: Reactor
    holder: SnapshotHolder
    pool: OriginPool
    log: FilteringBoundLogger
    events: EventWriter
    """For the event of every request."""
    request_ids: RequestIds
    hints: ChainHints
    clock: Callable[[], float]
    """Seconds since the epoch: for certificates, tokens and dates; never for durations."""
    doorkeeper: Doorkeeper
    failures: FailureLog = field(default_factory=FailureLog)
    handshakes: Pace = field(default_factory=lambda: Pace(HANDSHAKE_BURST_SECONDS))
    """Whose turn it is, by subscriber."""
    origin_answers: OriginAnswers = field(default_factory=OriginAnswers)
    origin_members: dict[str, bytes] = field(default_factory=dict)
    """What the log says of each origin, by its name. As many as the configuration has."""
    views: Views = field(default_factory=Views)
    memory: VerifiedMemory = field(default_factory=VerifiedMemory)
    date: DateHeader = field(default_factory=DateHeader)
    tokens: Tokens = field(default_factory=Tokens)
    metrics: Metrics = field(default_factory=Metrics)
    expiring: ExpiringCertificates = field(init=False)
    counts: Counts = field(init=False)
    refusals: RecentRefusals = field(default_factory=RecentRefusals)
    draining: bool = False
    """The worker is ending: every answer closes its connection."""

    def __post_init__(self) -> None:
        self.expiring = ExpiringCertificates(self.metrics, self.log)
        self.counts = Counts(self.metrics)
