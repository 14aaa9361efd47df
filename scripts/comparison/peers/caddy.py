"""Caddy with GOMAXPROCS=1 and HTTP/1.1."""

from __future__ import annotations

from comparison.peers.peer import Program
from comparison.setting import COMMON_NAME, HOST, NOBODY, REFUSAL, REFUSED_PATH, Setting


class Caddy(Program):
    """The rule matches the subject of the certificate."""

    name = "Caddy"
    program = "caddy"
    version_arguments = ("version",)
    tls_library = "Go crypto/tls"

    def texts(self, setting: Setting) -> dict[str, str]:
        """One Caddyfile."""
        return {"Caddyfile": _caddyfile(setting)}

    def command(self, setting: Setting) -> list[str]:
        """In the foreground."""
        path = str(setting.directory / "Caddyfile")
        return [self.path() or self.program, "run", "--config", path, "--adapter", "caddyfile"]

    def environment(self, setting: Setting) -> dict[str, str]:
        """It writes into its home unless it is told otherwise."""
        home = str(setting.directory)
        return {"GOMAXPROCS": "1", "HOME": home, "XDG_DATA_HOME": home, "XDG_CONFIG_HOME": home}


def _caddyfile(setting: Setting) -> str:
    pki = setting.pki
    return f"""\
{{
  admin off
  persist_config off
  auto_https disable_redirects
  skip_install_trust
  servers {{
    protocols h1
  }}
}}
https://{HOST}:{setting.port} {{
  bind 127.0.0.1
  tls {pki.server} {pki.server_key} {{
    client_auth {{
      mode require_and_verify
      trusted_ca_cert_file {pki.client_ca}
    }}
  }}
  log {{
    output file {setting.directory}/access.log
  }}
  @refused {{
    path {REFUSED_PATH}*
    not vars {{http.request.tls.client.subject}} "CN={NOBODY}"
  }}
  @stranger not vars {{http.request.tls.client.subject}} "CN={COMMON_NAME}"
  route {{
    respond @refused `{REFUSAL}` 403
    respond @stranger `{REFUSAL}` 403
    reverse_proxy 127.0.0.1:{setting.origin_port}
  }}
}}
"""
