"""Every host has client CAs of its own: it names no others, and it believes no others."""

from __future__ import annotations

import pytest

from tests.certificates import CredentialFiles
from tests.e2e.clients import SClientOutput, curl, s_client
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.verdicts import event_of, verdict

CLIENT_A, CLIENT_B = "client_a", "client_b"


@pytest.fixture
def clients(client_a: CredentialFiles, client_b: CredentialFiles) -> dict[str, CredentialFiles]:
    return {CLIENT_A: client_a, CLIENT_B: client_b}


@pytest.mark.parametrize(
    ("host", "client"), [("a.test", CLIENT_A), ("b.test", CLIENT_B), ("x.wild.test", CLIENT_A)]
)
def test_a_host_lets_the_clients_of_its_own_ca_in(
    edge: Edge, origin: Origin, clients: dict[str, CredentialFiles], host: str, client: str
) -> None:
    answer = curl(edge, "/own", host=host, cert=clients[client])
    assert verdict(answer) == (200, "")
    assert origin.wait_for("/own")[0].value("mtls-authenticated") == "true"
    assert event_of(edge, answer)["verify"] == "SUCCESS"


@pytest.mark.parametrize(
    ("host", "client"), [("a.test", CLIENT_B), ("b.test", CLIENT_A), ("x.wild.test", CLIENT_B)]
)
def test_a_host_turns_the_clients_of_another_hosts_ca_away(
    edge: Edge, origin: Origin, clients: dict[str, CredentialFiles], host: str, client: str
) -> None:
    answer = curl(edge, "/foreign", host=host, cert=clients[client])
    assert verdict(answer) == (403, "client_certificate_invalid")
    assert origin.received("/foreign") == []
    assert event_of(edge, answer)["mtls_authenticated"] is False


@pytest.mark.parametrize("host", ["a.test", "b.test", "x.wild.test"])
def test_without_a_certificate_the_handshake_is_done_and_http_says_what_is_missing(
    edge: Edge, origin: Origin, host: str
) -> None:
    answer = curl(edge, "/nothing", host=host)
    assert verdict(answer) == (403, "client_certificate_required")
    assert origin.received("/nothing") == []
    assert event_of(edge, answer)["verify"] == "NONE"


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("a.test", ["O = Test, CN = CA A", "O = Test, CN = CA A Root"]),
        ("b.test", ["O = Test, CN = CA B"]),
        ("x.wild.test", ["O = Test, CN = CA A", "O = Test, CN = CA A Root"]),
        ("require.test", ["O = Test, CN = CA A", "O = Test, CN = CA A Root"]),
    ],
)
def test_a_host_names_its_own_cas_and_no_others(
    edge: Edge, host: str, names: list[str], version: str
) -> None:
    assert sorted(s_client(edge, host, version).client_ca_names) == names


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_host_with_a_ca_asks_for_a_certificate(edge: Edge, version: str) -> None:
    assert _asks_for_a_certificate(s_client(edge, "a.test", version, "-msg"))


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_a_host_without_a_ca_asks_for_no_certificate(edge: Edge, version: str) -> None:
    output = s_client(edge, "open.test", version, "-msg")
    assert "ServerHello" in output.text
    assert not _asks_for_a_certificate(output)


def test_a_certificate_brought_to_a_host_without_a_ca_means_nothing(
    edge: Edge, origin: Origin, client_a: CredentialFiles
) -> None:
    answer = curl(edge, "/open", host="open.test", cert=client_a)
    assert verdict(answer) == (200, "")
    (received,) = origin.wait_for("/open")
    assert received.value("mtls-authenticated") == "false"
    event = event_of(edge, answer)
    assert (event["verify"], event["mtls_authenticated"]) == ("NONE", False)
    assert "certificate_serial" not in event


def test_every_host_shows_its_own_server_certificate(edge: Edge) -> None:
    for host in ("a.test", "b.test", "open.test", "require.test"):
        assert f"subject=CN = {host}\n" in s_client(edge, host).text


def _asks_for_a_certificate(output: SClientOutput) -> bool:
    return any(
        line.startswith("<<<") and line.endswith("CertificateRequest") for line in output.text.splitlines()
    )
