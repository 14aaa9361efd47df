"""nginx, as most people would write it: one worker, keep-alive to the origin, the rule by the common name."""

from __future__ import annotations

import re

from comparison.peers.peer import Program
from comparison.setting import COMMON_NAME, HOST, NOBODY, REFUSAL, REFUSED_PATH, Setting


class Nginx(Program):
    """Buffers and caches are its defaults."""

    name = "nginx"
    program = "nginx"
    version_arguments = ("-v",)

    def read_version(self, said: str) -> str:
        """``nginx version: nginx/1.22.1``."""
        found = re.search(r"nginx/(\S+)", said)
        return f"nginx {found[1] if found else 'of unknown version'}"

    def texts(self, setting: Setting) -> dict[str, str]:
        """One file."""
        return {"nginx.conf": _conf(setting)}

    def command(self, setting: Setting) -> list[str]:
        """``-e``: else it first tries its log in /var/log."""
        directory = setting.directory
        return [
            self.path() or self.program,
            *("-p", str(directory), "-e", "error.log", "-c", str(directory / "nginx.conf")),
        ]


def preamble(setting: Setting) -> str:
    """Return what every nginx needs that runs in a directory of its own."""
    user = "user root;\n" if setting.root else ""
    return f"{user}daemon off;\nworker_processes 1;\npid nginx.pid;\nevents {{ worker_connections 8192; }}\n"


def temporary_paths() -> str:
    """Return directives that keep temporary files out of /var."""
    return "".join(
        f"  {kind}_temp_path temporary-{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )


def _conf(setting: Setting) -> str:
    pki = setting.pki
    return f"""\
{preamble(setting)}http {{
{temporary_paths()}  access_log access.log;
  keepalive_requests 100000000;
  map $ssl_client_s_dn $is_client {{ default 0; "~(^|,)CN={COMMON_NAME}(,|$)" 1; }}
  map $ssl_client_s_dn $is_nobody {{ default 0; "~(^|,)CN={NOBODY}(,|$)" 1; }}
  upstream origin {{ server 127.0.0.1:{setting.origin_port}; keepalive 64; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{setting.port} ssl;
    server_name {HOST};
    ssl_certificate {pki.server};
    ssl_certificate_key {pki.server_key};
    ssl_client_certificate {pki.client_ca};
    ssl_verify_client on;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_tickets on;
    default_type application/json;
    location / {{
      if ($is_client = 0) {{ return 403 '{REFUSAL}'; }}
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-SSL-Client-S-DN $ssl_client_s_dn;
    }}
    location {REFUSED_PATH} {{
      if ($is_nobody = 0) {{ return 403 '{REFUSAL}'; }}
      proxy_pass http://origin;
    }}
  }}
}}
"""
