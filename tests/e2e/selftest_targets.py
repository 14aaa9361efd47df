"""Servers to try ``edge selftest`` against: nginx as most people would write it, and a sieve."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
_START_SECONDS = 15.0
_MOST = 1 << 20


@dataclass(frozen=True, slots=True)
class Listener:
    """Somebody who listens on 127.0.0.1."""

    port: int


def _nginx_server(pki: Path, port: int, host: str, ca: str) -> str:
    return f"""
  server {{
    listen 127.0.0.1:{port} ssl;
    server_name {host};
    ssl_certificate {pki / host}.pem;
    ssl_certificate_key {pki / host}-key.pem;
    ssl_client_certificate {pki / ca};
    ssl_verify_client on;
    ssl_verify_depth 3;
    location / {{ return 200 "this is {host}"; }}
  }}
"""


@contextlib.contextmanager
def nginx(pki: Path, directory: Path) -> Iterator[Listener]:
    """Run nginx with ``a.test`` and ``b.test``, each with the client CA of its own."""
    assert NGINX is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    user = "user root;\n" if os.getuid() == 0 else ""
    places = "".join(
        f"  {kind}_temp_path t-{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    servers = _nginx_server(pki, port, "a.test", "ca-a.pem") + _nginx_server(pki, port, "b.test", "ca-b.pem")
    (directory / "nginx.conf").write_text(
        f"{user}daemon off;\nworker_processes 1;\npid nginx.pid;\nevents {{ }}\n"
        f"http {{\n{places}  access_log off;\n  ssl_protocols TLSv1.2 TLSv1.3;\n"
        f"  ssl_session_cache shared:tls:1m;\n{servers}}}\n",
        encoding="utf-8",
    )
    process = subprocess.Popen(
        [NGINX, "-p", str(directory), "-e", "error.log", "-c", str(directory / "nginx.conf")],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_until_it_listens(port, process)
        yield Listener(port)
    finally:
        process.terminate()
        process.wait(_START_SECONDS)


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise AssertionError("nginx does not listen")


@contextlib.contextmanager
def sieve(certificate: Path, key: Path) -> Iterator[Listener]:
    """Run a terminator that asks for no certificate, before an origin that shows what it got.

    The origin takes every line end, every length and every chunk for what it may have been meant to be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(_answer_all, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever, name="sieve")
    thread.start()
    try:
        yield Listener(server.sockets[0].getsockname()[1])
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(_START_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: asyncio.Server) -> None:
    server.close()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"chunked" in head:
                await reader.readuntil(b"0\r\n\r\n")
            elif length := re.search(rb"Content-Length: *(\d{1,6})\r", head):
                await reader.readexactly(int(length[1]))
            body = b"" if head.startswith(b"HEAD") else head
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head) + body)
            await writer.drain()
    writer.close()
