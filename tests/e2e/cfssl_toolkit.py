"""Both toolkits, called alike: ours in this process, the real cfssl as the program it is."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from edge.cli.main import main
from tests.e2e.command_line import Output

Tool = Callable[..., Output]

INSTALLED = shutil.which("cfssl") is not None and shutil.which("cfssljson") is not None
MISSING = (
    "THE REAL cfssl IS NOT INSTALLED: this run proves nothing about working together with it; "
    "install it with `apt-get install golang-cfssl`"
)


def ours(program: str, *arguments: str | Path, stdin: bytes = b"") -> Output:
    """Call ``edge cfssl`` or ``edge cfssljson``."""
    done = CliRunner().invoke(
        main, [program, *map(str, arguments)], prog_name="edge", input=stdin, catch_exceptions=False
    )
    return Output(done.exit_code, done.stdout, done.stderr)


def real(program: str, *arguments: str | Path, stdin: bytes = b"") -> Output:
    """Call the real ``cfssl`` or ``cfssljson``."""
    done = subprocess.run(
        [program, *map(str, arguments)], input=stdin, capture_output=True, timeout=60, check=False
    )
    return Output(done.returncode, done.stdout.decode(), done.stderr.decode())


@dataclass(frozen=True)
class Pair:
    """Files of one certificate, as cfssljson names them."""

    directory: Path
    name: str

    @property
    def certificate(self) -> Path:
        return self.directory / f"{self.name}.pem"

    @property
    def key(self) -> Path:
        return self.directory / f"{self.name}-key.pem"

    @property
    def csr(self) -> Path:
        return self.directory / f"{self.name}.csr"

    @property
    def signs(self) -> tuple[str, str, str, str]:
        """The flags that sign with this pair."""
        return "-ca", str(self.certificate), "-ca-key", str(self.key)


def succeed(tool: Tool, *arguments: str | Path, stdin: bytes = b"") -> Output:
    """Call a toolkit; it must succeed."""
    output = tool("cfssl", *arguments, stdin=stdin)
    assert output.status == 0, output.err
    return output


def make(tool: Tool, directory: Path, name: str, *arguments: str | Path) -> Pair:
    """Make a certificate with a toolkit, and its files with the same toolkit's ``cfssljson``."""
    pair = Pair(directory, name)
    made = succeed(tool, *arguments)
    written = tool("cfssljson", "-bare", directory / name, stdin=made.out.encode())
    assert written.status == 0, written.err
    return pair


def write_json(path: Path, value: object) -> Path:
    """Write a CSR or configuration JSON."""
    path.write_text(json.dumps(value), encoding="utf-8")
    return path
