"""Clients behind a proxy that says who they are; the proxy's part is written by hand."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.e2e.configuration import open_config
from tests.e2e.edge_process import Edge
from tests.e2e.tls_client import DEADLINE_SECONDS, TlsClient

PROXY = "127.0.0.1"
ELSEWHERE = "127.0.0.2"
"""An address of this machine that is none of the proxies'."""


def proxied_config(
    pki: Path, origin_url: str, *, limits: str = "", trusted: str = PROXY, more: str = ""
) -> str:
    """``open.test`` for whoever comes through the proxy at 127.0.0.1; ``more`` is added to its end."""
    config = open_config(pki, origin_url, limits=limits)
    return config.replace("[server]\n", f'[server]\ntrusted_proxies = ["{trusted}"]\n', 1) + more


def connect(edge: Edge, header: bytes = b"", source: str = PROXY) -> TlsClient:
    """Connect from an address, send the header, and do not shake hands yet."""
    client = TlsClient(edge.port, "open.test", None)
    if source != PROXY:
        client.sock.close()
        client.sock = socket.create_connection(
            ("127.0.0.1", edge.port), timeout=DEADLINE_SECONDS, source_address=(source, 0)
        )
    client.sock.sendall(header)
    return client


def through_proxy(edge: Edge, header: bytes, source: str = PROXY) -> TlsClient:
    """Connect, send the header, and shake hands."""
    client = connect(edge, header, source)
    try:
        client.handshake()
    except BaseException:
        client.close()
        raise
    return client
