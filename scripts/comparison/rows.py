"""What is measured: the rows."""

from __future__ import annotations

from dataclasses import dataclass

from comparison.setting import BULK_PATH, REFUSED_PATH

REQUEST_HEADERS = (
    "User-Agent: comparison/1.0",
    "Accept: */*",
    "Accept-Language: en",
    "Accept-Encoding: gzip",
    "X-Request-Id: 0123456789abcdef",
    "X-Device: sensor-17",
    "Cookie: theme=dark",
    "Referer: https://localhost/",
)
"""Nine with Host."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that is measured. ``mode`` is one of ``scripts/load.py``, or ``download``."""

    key: str
    title: str
    mode: str
    path: str
    status: str
    connections: int
    unit: str = "/s"
    operation: str = "one"


ROWS = (
    Row("full", "full handshake, refusal", "full", REFUSED_PATH, "403", 16),
    Row("resumed", "resumed handshake, refusal", "resumed", REFUSED_PATH, "403", 16),
    Row("refusal", "refusal, keep-alive", "keepalive", REFUSED_PATH, "403", 16),
    Row("proxied", "proxied, keep-alive", "keepalive", "/", "200", 16),
    Row("download", "download of 10 MiB", "download", BULK_PATH, "200", 4, " MiB/s", "MiB"),
)
