"""The origin behind every server: nginx where it is installed, else a small one of our own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from comparison.peers.nginx import Nginx, preamble, temporary_paths
from comparison.setting import BULK_PATH, BULK_SIZE, HELLO, REFUSED_PATH, Setting


def texts(setting: Setting) -> dict[str, str]:
    """Return nginx's configuration for the origin."""
    return {"origin.conf": _conf(setting)}


def write_bulk(directory: Path) -> None:
    """Make the file that is downloaded: noise, so that nobody's compression helps."""
    (directory / "root").mkdir()
    (directory / "root" / BULK_PATH.strip("/")).write_bytes(os.urandom(BULK_SIZE))


def command(setting: Setting) -> list[str]:
    """Return what runs the origin on ``setting.origin_port``."""
    path = Nginx().path()
    if path is None:
        return [sys.executable, str(Path(__file__).with_name("origin_server.py")), str(setting.origin_port)]
    configuration = str(setting.directory / "origin.conf")
    return [path, "-p", str(setting.directory), "-e", "error.log", "-c", configuration]


def describe() -> str:
    """Name it."""
    nginx = Nginx()
    return "the script's own origin" if nginx.path() is None else nginx.version()


def _conf(setting: Setting) -> str:
    return f"""\
{preamble(setting)}http {{
{temporary_paths()}  access_log off;
  sendfile on;
  keepalive_requests 100000000;
  server {{
    listen 127.0.0.1:{setting.origin_port};
    default_type text/plain;
    root {setting.directory}/root;
    location / {{ return 200 "{HELLO.strip()}\\n"; }}
    location {REFUSED_PATH} {{ return 403; }}
    location = {BULK_PATH} {{ }}
  }}
}}
"""
