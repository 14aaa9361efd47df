"""Where requests go: the addresses of one host's origins, fixed by the configuration alone.

Nothing a client sends ever becomes part of an address (Apache CVE-2021-40438 was a proxied target).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edge.tls.context import TlsContext


@dataclass(frozen=True, slots=True)
class OriginTls:
    """How to speak TLS to an origin. ``server_name`` is what its certificate must be for."""

    context: TlsContext = field(repr=False)
    """Compared by identity: hosts that show origins different certificates share no connection."""
    server_name: str
    verify: bool


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One origin: host name or IP literal, port, and TLS if it is ``https``."""

    host: str
    port: int
    tls: OriginTls | None = None

    def __hash__(self) -> int:
        return hash((self.host, self.port))  # what is left out, equality asks

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"
