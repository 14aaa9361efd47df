"""A real nginx as a plain reverse proxy in front of an origin, to be asked the same as the edge."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
_DEADLINE_SECONDS = 20.0


class Nginx:
    """Use as a context manager. Bodies are streamed, and who stalls is given up after a second."""

    def __init__(self, directory: Path, origin_port: int) -> None:
        self._directory = directory
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        (directory / "nginx.conf").write_text(self._conf(origin_port), encoding="ascii")

    def __enter__(self) -> Self:
        command = [NGINX or "nginx", "-p", str(self._directory), "-e", "error.log", "-c", "nginx.conf"]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while True:
            with suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            assert self._process.poll() is None, self._process.communicate()[1]
            assert time.monotonic() < deadline, "nginx does not listen"
            time.sleep(0.01)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate(timeout=_DEADLINE_SECONDS)

    def tell(self, octets: bytes) -> bytes:
        """Send octets over a connection of their own, and return everything that came until its end."""
        answer = b""
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=_DEADLINE_SECONDS)
        with sock, suppress(ConnectionError):  # it closes while there is more to read
            sock.sendall(octets)
            while octets := sock.recv(65536):
                answer += octets
        return answer

    def _conf(self, origin_port: int) -> str:
        temporary = "".join(
            f"  {kind}_temp_path temporary-{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;\n" if os.geteuid() == 0 else ""
        return f"""\
{user}daemon off;
worker_processes 1;
pid nginx.pid;
events {{ worker_connections 128; }}
http {{
{temporary}  access_log off;
  client_header_timeout 1s;
  client_body_timeout 1s;
  keepalive_timeout 1s;
  proxy_read_timeout 5s;
  lingering_close off;
  server {{
    listen 127.0.0.1:{self.port};
    location / {{
      proxy_pass http://127.0.0.1:{origin_port};
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_set_header Host open.test;
      proxy_set_header Connection "";
    }}
  }}
}}
"""
