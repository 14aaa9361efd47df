"""``edge pki`` run here, what it must and must not say, and a configuration that trusts a PKI."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from cryptography import x509

from tests.certificates import Authority
from tests.e2e.command_line import Output, run
from tests.e2e.configuration import ca_table

CONFIG = """
[server]
listen = ["127.0.0.1:0"]

[[hosts]]
name = "{host}"
certificate = "server.pem"
private_key = "server-key.pem"
origin = "demo:"

[[applications]]
name = "all"
domain = "{host}"

  [[applications.policies]]
  name = "any"
  decision = "non_identity"
  include = ["certificate"]

"""


def ok(*arguments: str | Path) -> Output:
    got = run("pki", *arguments)
    assert got.status == 0, got.err
    return got


def refused(*arguments: str | Path) -> str:
    """Run a command that must fail with one line, and return the line."""
    got = run("pki", *arguments)
    assert got.status == 1, got.out
    errors = [line for line in got.lines if line.startswith("error: ")]
    assert len(errors) == 1, got.err
    return errors[0]


def shown(pki: Path, which: str | Path) -> Any:
    return ok("show", which, "--dir", pki, "--json").json


def revoked_serials(path: Path) -> set[int]:
    text = path.read_bytes()
    blocks = re.findall(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----\n", text, re.DOTALL)
    assert len(blocks) == 2
    return {entry.serial_number for block in blocks for entry in x509.load_pem_x509_crl(block)}


def configured(tmp_path: Path, pki: Path, *lists: str) -> Path:
    """Write ``edge.toml`` with an entry for this PKI that names these lists."""
    Authority("Server Root").issue_server("a.test").write(tmp_path, "server")
    config = tmp_path / "edge.toml"
    entry = ca_table("Widgetcorp", pki / "ca.pem", "a.test") + (
        f"crl = {json.dumps(lists)}\n" if lists else ""
    )
    config.write_text(CONFIG.format(host="a.test") + entry, encoding="utf-8")
    return config
