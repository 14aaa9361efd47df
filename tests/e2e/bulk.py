"""Big bodies in constant memory: every block has a number, so that a lost or moved one changes the hash."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.e2e.clients import Server
from tests.e2e.origin import Hangup, Received, Wire

BLOCK = 65536
MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30
_FILLER = bytes(range(256)) * 256
TRANSFER_SECONDS = 100


def blocks(size: int) -> Iterator[bytes]:
    """Yield ``size`` octets, at most ``BLOCK`` at a time."""
    for number, start in enumerate(range(0, size, BLOCK)):
        block = number.to_bytes(8) + _FILLER[8:]
        yield block[: size - start]


@cache
def sha256(size: int) -> str:
    """SHA-256 of ``blocks(size)``, lower-case hex."""
    digest = hashlib.sha256()
    for block in blocks(size):
        digest.update(block)
    return digest.hexdigest()


def numbered(received: Received, wire: Wire) -> None:
    """A behaviour of the origin: send ``?size=`` octets in ``&framing=`` length, chunked or close."""
    wire.read_body()
    size, framing = int(received.query["size"]), received.query.get("framing", "length")
    field = {"length": f"Content-Length: {size}", "chunked": "Transfer-Encoding: chunked", "close": "X-A: b"}
    wire.send(f"HTTP/1.1 200 OK\r\n{field[framing]}\r\n\r\n".encode())
    for block in blocks(size):
        wire.send(b"%x\r\n%b\r\n" % (len(block), block) if framing == "chunked" else block)
    if framing == "chunked":
        wire.send(b"0\r\n\r\n")
    if framing == "close":
        raise Hangup


@dataclass(frozen=True, slots=True)
class Transfer:
    """What came back through curl."""

    size: int
    sha256: str
    body: bytes
    """The beginning of it."""
    exit_code: int


def curl_download(server: Server, path: str, *arguments: str, host: str = "open.test") -> Transfer:
    """Fetch with curl."""
    process = subprocess.Popen(
        _curl(server, path, host, *arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    return _receive(process)


def curl_upload(server: Server, path: str, size: int, *arguments: str, host: str = "open.test") -> Transfer:
    """Send the numbered octets with curl, which knows no length and so sends chunks."""
    process = subprocess.Popen(
        _curl(server, path, host, "--upload-file", "-", "-H", "Expect:", *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    feeder = threading.Thread(target=_feed, args=(process, size), daemon=True)
    feeder.start()
    got = _receive(process)
    feeder.join()
    return got


def _feed(process: subprocess.Popen[bytes], size: int) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin:  # an early answer: curl has had enough
        for block in blocks(size):
            process.stdin.write(block)


def _receive(process: subprocess.Popen[bytes]) -> Transfer:
    assert process.stdout is not None
    digest, size, body = hashlib.sha256(), 0, b""
    with process.stdout:
        while data := process.stdout.read(BLOCK):
            digest.update(data)
            size += len(data)
            body += data[: BLOCK - len(body)]
    return Transfer(size, digest.hexdigest(), body, process.wait(TRANSFER_SECONDS))


def _curl(server: Server, path: str, host: str, *arguments: str) -> list[str]:
    command = ["curl", "-q", "--silent", "--show-error", "--noproxy", "*"]
    command += ["--max-time", str(TRANSFER_SECONDS)]
    command += ["--resolve", f"*:{server.port}:127.0.0.1", "--cacert", str(server.server_ca)]
    return [*command, *arguments, f"https://{host}:{server.port}{path}"]
