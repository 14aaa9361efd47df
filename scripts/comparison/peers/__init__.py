"""The servers that are compared, in the order of the tables."""

from __future__ import annotations

from comparison.peers.aiohttp import Aiohttp
from comparison.peers.asgi import Granian, Hypercorn, Uvicorn
from comparison.peers.caddy import Caddy
from comparison.peers.edge import Edge
from comparison.peers.envoy import Envoy
from comparison.peers.haproxy import Haproxy
from comparison.peers.hitch import Hitch
from comparison.peers.nginx import Nginx
from comparison.peers.peer import Peer
from comparison.peers.twisted import Twisted

BASE = "nginx"
"""Everything is divided by this server's figures, where it is measured."""

PEERS: tuple[Peer, ...] = (
    Nginx(),
    Edge(),
    Haproxy(),
    Caddy(),
    Envoy(),
    Hitch(),
    Uvicorn(),
    Hypercorn(),
    Granian(),
    Aiohttp(),
    Twisted(),
)
