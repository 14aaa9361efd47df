"""Twisted's web server in front of its own HTTP client, with a pool of connections."""

from __future__ import annotations

import sys

from comparison.peers.peer import PythonPeer
from comparison.setting import Setting


class Twisted(PythonPeer):
    """TLS by pyOpenSSL in memory."""

    name = "Twisted"
    distribution = "Twisted"
    modules = ("twisted", "service_identity")

    tls_library = "OpenSSL of pyca/cryptography, as the edge"

    def command(self, setting: Setting) -> list[str]:
        """Run the application with this interpreter."""
        pki = setting.pki
        files = (str(pki.server_both), str(pki.client_ca))
        return [sys.executable, "-m", "comparison.python_peers.twisted_server", str(setting.port), *files]
