"""aiohttp: its server in front of its own client."""

from __future__ import annotations

import sys

from comparison.peers.peer import PythonPeer
from comparison.setting import Setting


class Aiohttp(PythonPeer):
    """The handler reads the common name from the transport."""

    name = "aiohttp"
    distribution = "aiohttp"
    modules = ("aiohttp",)

    def command(self, setting: Setting) -> list[str]:
        """Run the application with this interpreter."""
        pki = setting.pki
        files = (str(pki.server), str(pki.server_key), str(pki.client_ca))
        return [sys.executable, "-m", "comparison.python_peers.aiohttp_server", str(setting.port), *files]
