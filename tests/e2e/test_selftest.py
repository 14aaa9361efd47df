"""``edge selftest`` against the edge, against nginx, and against a sieve."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.selftest.slow_cases import LONG
from tests.certificates import CredentialFiles
from tests.e2e.command_line import Output, run
from tests.e2e.edge_process import Edge
from tests.e2e.selftest_targets import NGINX, nginx, sieve

KNOWN_HOLE = "no-sni-other-host"


def selftest(
    port: int,
    pki: Path,
    host: str,
    client: CredentialFiles,
    *more: str | Path,
    server_ca: str = "server-ca.pem",
) -> Output:
    return run(
        "selftest",
        f"https://{host}:{port}/",
        *("--connect", f"127.0.0.1:{port}", "--ca", pki / server_ca),
        *("--cert", client.certificate, "--key", client.key, "--json"),
        *more,
    )


def outcomes(output: Output, outcome: str) -> dict[str, str]:
    """The cases that ended so, each with what came back."""
    return {case["id"]: case["came"] for case in output.json["cases"] if case["outcome"] == outcome}


def test_the_edge_with_two_cas_holds(
    edge: Edge, pki: Path, client_a: CredentialFiles, client_b: CredentialFiles
) -> None:
    output = selftest(
        *(edge.port, pki, "a.test", client_a, "--other-host", "b.test"),
        *("--other-cert", client_b.certificate, "--other-key", client_b.key, "--echo-path", "/echo"),
        *(word for name in sorted(LONG) for word in ("--skip", name)),
    )
    assert outcomes(output, "hole") == {}
    assert outcomes(output, "could_not_tell") == {}
    assert outcomes(output, "not_applicable") == {}
    assert output.status == 0


@pytest.mark.parametrize("host", ["a.test", "require.test"])
def test_the_edge_holds_beside_an_open_host(
    edge: Edge, pki: Path, client_a: CredentialFiles, host: str
) -> None:
    output = selftest(
        *(edge.port, pki, host, client_a, "--other-host", "open.test", "--echo-path", "/echo"),
        *("--skip", "slow"),
    )
    assert outcomes(output, "hole") == {}
    assert outcomes(output, "could_not_tell") == {}
    assert output.status == 0


@pytest.mark.skipif(NGINX is None, reason="NGINX IS NOT INSTALLED: its known hole was not looked for")
def test_the_known_hole_of_nginx_is_found(
    tmp_path: Path, pki: Path, client_a: CredentialFiles, client_b: CredentialFiles
) -> None:
    with nginx(pki, tmp_path) as server:
        output = selftest(
            *(server.port, pki, "b.test", client_b, "--other-host", "a.test"),
            *("--other-cert", client_a.certificate, "--other-key", client_a.key),
            *("--only", "certificate", "--only", "host", "--only", "resumption"),
        )
    assert KNOWN_HOLE in outcomes(output, "hole")
    assert "no-certificate" in outcomes(output, "held")
    assert "foreign-certificate" in outcomes(output, "held")
    assert output.status == 1


def test_a_sieve_is_told_to_be_one(tmp_path: Path, pki: Path, client_a: CredentialFiles) -> None:
    with sieve(pki / "a.test.pem", pki / "a.test-key.pem") as server:
        output = selftest(
            *(server.port, pki, "a.test", client_a, "--other-host", "b.test", "--patience", "2"),
        )
    found = outcomes(output, "hole")
    assert found.keys() >= {
        "no-certificate",
        "self-signed-certificate",
        KNOWN_HOLE,
        "forged-identity-headers",
    }
    assert {"framing-two-lengths", "framing-transfer-encoding", "slow-head-for-ever"} <= found.keys()
    assert len(found) > 25
    assert output.status == 1
