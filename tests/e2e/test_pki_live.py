"""``edge pki`` and ``edge run`` together: what one issues the other lets in, until one revokes it."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from tests.certificates import CredentialFiles
from tests.e2e.clients import CurlAnswer, curl
from tests.e2e.command_line import run
from tests.e2e.configuration import application_table, ca_table, server_table
from tests.e2e.edge_process import Edge

PATIENCE_SECONDS = 8.0
"""The edge promises two seconds; a busy machine is given more."""


def pki(*arguments: str | Path) -> str:
    got = run("pki", *arguments)
    assert got.status == 0, got.err
    return got.out


def pair(directory: Path, name: str) -> CredentialFiles:
    chain, key = (directory / f"{name}{suffix}" for suffix in ("-chain.pem", "-key.pem"))
    return CredentialFiles(chain, key, combined=chain)


def configuration(directory: Path) -> str:
    """A host whose own certificate and whose clients' are of the same PKI."""
    server = pair(directory, "a.test")
    host = f"""
[[hosts]]
name = "a.test"
certificate = "{server.certificate}"
private_key = "{server.key}"
origin = "demo:"
"""
    ca = ca_table("Widgetcorp", directory / "ca.pem", "a.test") + f'crl = ["{directory / "crl.pem"}"]\n'
    return server_table() + host + ca + application_table("a.test")


def refused_soon(edge: Edge, credential: CredentialFiles) -> CurlAnswer:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (answer := curl(edge, "/", cert=credential)).status == 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer


def test_a_device_is_in_until_it_is_revoked_and_its_renewed_certificate_stays_in(tmp_path: Path) -> None:
    directory = tmp_path / "pki"
    pki("init", directory)
    pki("issue", "a.test", "--profile", "server", "--dir", directory)
    pki("issue", "lost", "--dir", directory)
    pki("issue", "other", "--dir", directory)
    with Edge(configuration(directory), tmp_path, server_ca=directory / "root.pem") as edge:
        for name in ("lost-chain.pem", "lost-key.pem"):
            shutil.copy(directory / name, tmp_path / name)
        old = pair(tmp_path, "lost")
        pki("renew", "lost", "--dir", directory)
        for credential in (old, pair(directory, "lost"), pair(directory, "other")):
            assert curl(edge, "/", cert=credential).status == 200
        pki("revoke", old.certificate, "--dir", directory, "--now", "-c", edge.config_path)
        answer = refused_soon(edge, old)
        assert answer.status == 403
        assert b"client_certificate_revoked" in answer.body
        for name in ("lost", "other"):
            assert curl(edge, "/", cert=pair(directory, name)).status == 200
