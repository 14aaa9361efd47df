"""uvicorn, hypercorn and granian: servers of the same little ASGI proxy."""

from __future__ import annotations

import sys

from comparison.peers.peer import PythonPeer
from comparison.setting import Setting

_APPLICATION = "comparison.python_peers.asgi:application"
_REMARK = "uvicorn, hypercorn, granian: their application does not see the certificate, so no rule by name"


class Uvicorn(PythonPeer):
    """With uvloop and httptools where they are installed, as it chooses itself."""

    name = "uvicorn"
    distribution = "uvicorn"
    modules = ("uvicorn",)
    remark = _REMARK

    def command(self, setting: Setting) -> list[str]:
        """``--ssl-cert-reqs 2``: a client certificate is required."""
        pki = setting.pki
        return [
            *(sys.executable, "-m", "uvicorn", _APPLICATION),
            *("--host", "127.0.0.1", "--port", str(setting.port), "--timeout-keep-alive", "75"),
            *("--ssl-certfile", str(pki.server), "--ssl-keyfile", str(pki.server_key)),
            *("--ssl-ca-certs", str(pki.client_ca), "--ssl-cert-reqs", "2"),
        ]


class Hypercorn(PythonPeer):
    """With its own event loop class of asyncio."""

    name = "hypercorn"
    distribution = "hypercorn"
    modules = ("hypercorn",)
    remark = _REMARK

    def command(self, setting: Setting) -> list[str]:  # noqa: ARG002 - the rest is in its file
        """The verify mode is the one thing that its file cannot say."""
        mode = ("--verify-mode", "CERT_REQUIRED")
        return [sys.executable, "-m", "hypercorn", *mode, "--config", "hypercorn.toml", _APPLICATION]

    def texts(self, setting: Setting) -> dict[str, str]:
        """One file. The bind address has no scheme: with a certificate it is TLS."""
        pki = setting.pki
        return {
            "hypercorn.toml": f"""\
bind = "127.0.0.1:{setting.port}"
certfile = "{pki.server}"
keyfile = "{pki.server_key}"
ca_certs = "{pki.client_ca}"
alpn_protocols = ["http/1.1"]
accesslog = "access.log"
workers = 1
keep_alive_timeout = 75
keep_alive_max_requests = 100000000
"""
        }


class Granian(PythonPeer):
    """Rust and rustls below Python."""

    name = "granian"
    distribution = "granian"
    modules = ("granian",)
    remark = _REMARK
    tls_library = "rustls"

    def command(self, setting: Setting) -> list[str]:
        """One worker with one thread of each kind."""
        pki = setting.pki
        return [
            *(sys.executable, "-m", "granian", "--interface", "asgi", _APPLICATION, "--access-log"),
            *("--host", "127.0.0.1", "--port", str(setting.port), "--http", "1"),
            *("--workers", "1", "--runtime-threads", "1"),
            *("--ssl-certificate", str(pki.server), "--ssl-keyfile", str(pki.server_key)),
            *("--ssl-ca", str(pki.client_ca), "--ssl-client-verify"),
        ]
