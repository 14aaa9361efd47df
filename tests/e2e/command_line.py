"""The command line under test, and a directory with all that a configuration can name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

import edge as package
from edge.cli.main import main
from tests.certificates import Authority

SOURCE = Path(package.__file__).parent.parent


@dataclass(frozen=True)
class Output:
    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Lines on standard error."""
        return self.err.splitlines()

    @property
    def json(self) -> Any:
        """Standard output decoded."""
        return json.loads(self.out)


def spawn(*arguments: str | Path) -> Output:
    """Run the command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "edge", *map(str, arguments)],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        timeout=60,
        check=False,
    )
    output = Output(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in output.err, output.err
    return output


def run(*arguments: str | Path) -> Output:
    """Run the same command here, which saves the second that Python takes to start."""
    result = CliRunner().invoke(main, [*map(str, arguments)], prog_name="edge", catch_exceptions=False)
    return Output(result.exit_code, result.stdout, result.stderr)


def everything_in(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Names, modes and contents of all files and directories."""
    return {
        str(path.relative_to(directory)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(directory.rglob("*"))
    }


PATHS = {
    "hosts[0].certificate": "server.pem",
    "hosts[0].private_key": "server-key.pem",
    "hosts[0].origin_tls.ca": "origin-ca.pem",
    "hosts[0].origin_tls.certificate": "origin-client.pem",
    "hosts[0].origin_tls.private_key": "origin-client-key.pem",
    "mtls_certificates[0].certificate": "clients.pem",
}
"""Every key of the configuration that names a file."""

CONFIG = """
[server]
listen = ["127.0.0.1:0"]

[[hosts]]
name = "a.test"
certificate = "server.pem"
private_key = "server-key.pem"
origin = "https://127.0.0.1:9"

[hosts.origin_tls]
ca = "origin-ca.pem"
certificate = "origin-client.pem"
private_key = "origin-client-key.pem"

[[mtls_certificates]]
name = "CA"
certificate = "clients.pem"
associated_hostnames = ["a.test"]

[[applications]]
name = "all"
domain = "a.test"

  [[applications.policies]]
  name = "any"
  decision = "non_identity"
  include = ["certificate"]
"""


def configure(directory: Path) -> None:
    """Write ``edge.toml`` and every file that it can name."""
    root = Authority("Root")
    root.issue_server("a.test").write(directory, "server")
    root.issue("the edge").write(directory, "origin-client")
    root.write(directory / "origin-ca.pem")
    root.write(directory / "clients.pem")
    (directory / "edge.toml").write_text(CONFIG, encoding="utf-8")


def cut_in_the_middle(data: bytes) -> bytes:
    return data[: len(data) // 2]
