"""How the edge speaks to OpenSSL: directly where that works, by pyOpenSSL's methods where it is told to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.clients import raw_tls
from tests.e2e.configuration import open_config
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin


@pytest.mark.parametrize(("told", "expected"), [("", "direct"), ("public", "public")])
def test_the_log_says_how_openssl_is_called(
    told: str, expected: str, tmp_path: Path, pki: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_TLS_CALLS", told)
    with Edge(open_config(pki, origin.url), tmp_path, server_ca=pki / "server-ca.pem") as edge:
        assert edge.wait_for_event("listening")["tls_calls"] == expected
        with raw_tls(edge, "open.test") as client:
            assert client.ask("/echo", host="open.test").status == 200
