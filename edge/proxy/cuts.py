"""Counts who was cut by which limit. The labels are the limits' own names in the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from edge.telemetry.families import CUT
from edge.telemetry.metrics import Metrics

HANDSHAKE, HEADER, DRAIN = "handshake", "header", "drain"
CLIENT_BODY, CLIENT_BODY_RATE = "client_body", "client_body_rate"
CLIENT_WRITE, CLIENT_WRITE_RATE = "client_write", "client_write_rate"
ORIGIN_WRITE, ORIGIN_FIRST_BYTE, ORIGIN_IDLE = "origin_write", "origin_first_byte", "origin_idle"

LIMIT_OF: Mapping[str, str] = {
    HANDSHAKE: "handshake_timeout",
    HEADER: "header_timeout",
    CLIENT_BODY: "body_idle_timeout",
    CLIENT_BODY_RATE: "body_minimum_rate",
    CLIENT_WRITE: "body_idle_timeout",
    CLIENT_WRITE_RATE: "body_minimum_rate",
    ORIGIN_FIRST_BYTE: "origin_first_byte_timeout",
    ORIGIN_IDLE: "origin_idle_timeout",
    ORIGIN_WRITE: "origin_idle_timeout",
    DRAIN: "drain_timeout",
}
"""By what a strand waited for. Waits that end without anybody's fault (keep_alive, linger) are not here."""

CONNECTIONS_PER_WORKER, CONNECTIONS_PER_ADDRESS = "connections_per_worker", "connections_per_address"
HANDSHAKES_PER_ADDRESS = "handshakes_per_address"


def count_cut(metrics: Metrics, waited_for: str, count: int = 1) -> None:
    """Count that the time for this ran out; nothing if it is no limit's."""
    limit = LIMIT_OF.get(waited_for)
    if limit is not None:
        metrics.cell(CUT, limit).value += count
