"""Clients for the end-to-end tests: curl and openssl as people have them, and one without manners."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edge.explain.certificates import read_presented
from tests.certificates import CredentialFiles
from tests.e2e import agreement
from tests.e2e.tls_client import TlsClient, raw_tls

__all__ = ["CurlAnswer", "SClientOutput", "Server", "TlsClient", "curl", "raw_tls", "s_client"]

DEADLINE_SECONDS = 30
_PLAIN_PATH = re.compile(r"/(?!.*/\.)[!-\"$-\[\]^-z|~]*", re.ASCII)
"""What curl asks for as it stands, and does not take for a pattern."""


class Server(Protocol):
    """What a client needs to know of whom it talks to: an edge, or anything else on the loopback address."""

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1."""

    @property
    def server_ca(self) -> Path:
        """The root of the server's certificates."""


@dataclass(frozen=True, slots=True)
class CurlAnswer:
    """What curl got. ``status`` is 0 if no answer came; ``verbose`` is what ``-v`` printed."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """(lower-case name, value) of the final answer, in order."""
    body: bytes
    exit_code: int
    verbose: str
    interim: tuple[int, ...] = ()
    """The 1xx statuses before the final one."""
    trailers: tuple[tuple[str, str], ...] = ()

    def values(self, name: str) -> list[str]:
        """Every value of that header."""
        return [value for key, value in self.headers if key == name.lower()]

    def value(self, name: str) -> str | None:
        """The only value of that header, or None."""
        values = self.values(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None


def curl(
    server: Server, path: str, *arguments: str, cert: CredentialFiles | None = None, host: str = "a.test"
) -> CurlAnswer:
    """Fetch ``https://host:port/path`` with the real curl, ``arguments`` added; never raises for an answer.

    Further URLs in ``arguments`` go over the same connection if curl can; the last answer is returned.
    """
    agreement.prepare(server)
    with tempfile.TemporaryDirectory() as directory:
        head, body = Path(directory, "head"), Path(directory, "body")
        command = ["curl", "-q", "--silent", "--show-error", "--verbose", "--noproxy", "*"]
        command += ["--max-time", str(DEADLINE_SECONDS), "--dump-header", str(head), "--output", str(body)]
        command += ["--resolve", f"*:{server.port}:127.0.0.1", "--cacert", str(server.server_ca)]
        if cert is not None:
            command += ["--cert", str(cert.certificate), "--key", str(cert.key)]
        command += [*arguments, f"https://{host}:{server.port}{path}"]
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=DEADLINE_SECONDS + 10, check=False
        )
        heads = _heads(head.read_bytes()) if head.exists() else []
        final = next((h for h in reversed(heads) if h.status), _Head(0, ()))
        answer = CurlAnswer(
            final.status,
            final.fields,
            body.read_bytes() if body.exists() else b"",
            done.returncode,
            done.stderr.decode("utf-8", "backslashreplace"),
            tuple(h.status for h in heads if 100 <= h.status < 200),
            heads[-1].fields if heads and not heads[-1].status else (),
        )
        if answer.status and _PLAIN_PATH.fullmatch(path):
            _compare(server, host, path, arguments, cert, answer)
        return answer


def _compare(
    server: Server,
    host: str,
    path: str,
    arguments: tuple[str, ...],
    cert: CredentialFiles | None,
    answer: CurlAnswer,
) -> None:
    """Hold an answer against its explanation, if all that was asked for is a method and header fields."""
    method, fields = "GET", []
    for option, value in zip(arguments[::2], arguments[1::2], strict=False):
        if option in ("-X", "--request"):
            method = value
        elif option in ("-H", "--header") and ":" in value:
            fields.append(value)
        else:
            return
    if len(arguments) % 2 or any(field.lower().startswith("host:") for field in fields):
        return
    lines = (f"{method} {path} HTTP/1.1", f"Host: {host}:{server.port}", *fields, "", "")
    certificate = read_presented(cert.certificate.read_bytes()) if cert else None
    question = agreement.question_of("\r\n".join(lines).encode(), host, certificate)
    agreement.hold(server, question, answer)


@dataclass(frozen=True, slots=True)
class _Head:
    status: int
    """0 for the trailers, which curl writes behind the heads."""
    fields: tuple[tuple[str, str], ...]


def _heads(data: bytes) -> list[_Head]:
    heads: list[_Head] = []
    for block in filter(None, data.decode("latin-1").replace("\r\n", "\n").split("\n\n")):
        lines = block.strip("\n").split("\n")
        is_head = lines[0].startswith("HTTP/")
        fields = (line.partition(":") for line in (lines[1:] if is_head else lines))
        heads.append(
            _Head(
                int(lines[0].split()[1]) if is_head else 0,
                tuple((name.lower(), value.strip()) for name, _, value in fields),
            )
        )
    return heads


@dataclass(frozen=True, slots=True)
class SClientOutput:
    """What ``openssl s_client`` printed, session lines and answer together."""

    text: str
    exit_code: int

    @property
    def resumed(self) -> bool:
        """Whether the session was taken up again."""
        return "\nReused, " in self.text

    @property
    def client_ca_names(self) -> list[str]:
        """The CA names the server asked for a certificate with; empty if it did not ask."""
        _, found, rest = self.text.partition("\nAcceptable client certificate CA names\n")
        lines = rest.splitlines() if found else []
        end = next(
            (i for i, line in enumerate(lines) if ":" in line and "=" not in line.partition(":")[0]),
            len(lines),
        )
        return lines[:end]


def s_client(
    server: Server,
    servername: str | None,
    *arguments: str,
    stdin: bytes = b"",
    cert: CredentialFiles | None = None,
) -> SClientOutput:
    """Connect with the real ``openssl s_client``; without ``stdin`` it closes after the handshake.

    With ``stdin`` it reads until the server closes, so a request should say ``Connection: close``.
    """
    command = [
        "openssl",
        "s_client",
        "-connect",
        f"127.0.0.1:{server.port}",
        "-CAfile",
        str(server.server_ca),
    ]
    command += ["-servername", servername] if servername is not None else ["-noservername"]
    if stdin:
        command.append("-ign_eof")
    if cert is not None:
        command += ["-cert", str(cert.certificate), "-key", str(cert.key)]
    done = subprocess.run(
        [*command, *arguments],
        input=stdin,
        capture_output=True,
        timeout=DEADLINE_SECONDS,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    return SClientOutput((done.stdout + done.stderr).decode("utf-8", "backslashreplace"), done.returncode)
