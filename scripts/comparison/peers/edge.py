"""mtls-edge itself, as ``edge run`` with one worker."""

from __future__ import annotations

import sys
from pathlib import Path

import edge
from comparison.peers.peer import Peer
from comparison.setting import COMMON_NAME, HOST, NOBODY, REFUSED_PATH, Setting
from edge.tls.openssl import OPENSSL_VERSION


class Edge(Peer):
    """The access log is its standard error."""

    name = "edge"
    tls_library = " ".join(OPENSSL_VERSION.split()[:2])

    def missing(self) -> str | None:
        """It is here."""
        return None

    def version(self) -> str:
        """Return the version of this tree."""
        return f"mtls-edge {edge.__version__}"

    def texts(self, setting: Setting) -> dict[str, str]:
        """Two applications: one for the client, one for nobody."""
        return {"edge.toml": _toml(setting)}

    def command(self, setting: Setting) -> list[str]:
        """Run it with this interpreter."""
        return [sys.executable, "-m", "edge", "run", "-c", str(setting.directory / "edge.toml")]

    def environment(self, setting: Setting) -> dict[str, str]:  # noqa: ARG002 - the same for all
        """Measure this tree, wherever it is started."""
        return {"PYTHONPATH": str(Path(edge.__file__).parents[1])}


def _toml(setting: Setting) -> str:
    pki = setting.pki
    return f"""\
[server]
listen = ["127.0.0.1:{setting.port}"]
workers = 1

[server.limits]
connections_per_address = 10000
handshakes_per_address = 0
drain_timeout = "1s"

[[hosts]]
name = "{HOST}"
certificate = "{pki.server}"
private_key = "{pki.server_key}"
origin = "http://127.0.0.1:{setting.origin_port}"

[[mtls_certificates]]
name = "Clients"
certificate = "{pki.client_ca}"
associated_hostnames = ["{HOST}"]

[[applications]]
name = "Everything"
domain = "{HOST}"

  [[applications.policies]]
  name = "the client"
  decision = "non_identity"
  include = [{{ common_name = "{COMMON_NAME}" }}]

[[applications]]
name = "Nothing"
domain = "{HOST}{REFUSED_PATH}"

  [[applications.policies]]
  name = "nobody"
  decision = "non_identity"
  include = [{{ common_name = "{NOBODY}" }}]
"""
