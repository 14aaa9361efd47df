"""HAProxy with one thread. Its log goes to standard output, which is a file."""

from __future__ import annotations

import re

from comparison.peers.peer import Program
from comparison.setting import COMMON_NAME, NOBODY, REFUSAL, REFUSED_PATH, Setting


class Haproxy(Program):
    """The rule is an ACL on the common name."""

    name = "HAProxy"
    program = "haproxy"
    version_arguments = ("-v",)

    def read_version(self, said: str) -> str:
        """``HAProxy version 2.6.12-1+deb12u4 2023/12/16 - https://haproxy.org/``."""
        found = re.search(r"version (\d[\d.]*)", said)
        return f"HAProxy {found[1] if found else 'of unknown version'}"

    def texts(self, setting: Setting) -> dict[str, str]:
        """One file."""
        return {"haproxy.cfg": _cfg(setting)}

    def command(self, setting: Setting) -> list[str]:
        """``-db``: in the foreground."""
        return [self.path() or self.program, "-db", "-f", str(setting.directory / "haproxy.cfg")]


def _cfg(setting: Setting) -> str:
    pki = setting.pki
    tls = (
        f"ssl crt {pki.server_both} ca-file {pki.client_ca} verify required ssl-min-ver TLSv1.2 alpn http/1.1"
    )
    refusal = "http-request return status 403 content-type application/json string '" + REFUSAL + "'"
    return f"""\
global
  nbthread 1
  maxconn 8192
  log stdout format raw local0

defaults
  mode http
  log global
  option httplog
  timeout connect 5s
  timeout client 75s
  timeout server 60s
  timeout http-keep-alive 75s

frontend clients
  bind 127.0.0.1:{setting.port} {tls}
  acl is_client ssl_c_s_dn(cn) -m str "{COMMON_NAME}"
  acl is_nobody ssl_c_s_dn(cn) -m str "{NOBODY}"
  {refusal} if {{ path_beg {REFUSED_PATH} }} !is_nobody
  {refusal} if !is_client
  http-request set-header X-SSL-Client-S-DN %[ssl_c_s_dn]
  option forwardfor
  default_backend origin

backend origin
  server origin 127.0.0.1:{setting.origin_port}
"""
