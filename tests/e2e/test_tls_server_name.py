"""The host is chosen from the server name, and a name that has two meanings chooses none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from OpenSSL import SSL

from tests.certificates import Authority, CredentialFiles
from tests.e2e.client_hellos import (
    DECODE_ERROR,
    ILLEGAL_PARAMETER,
    SERVER_NAME,
    UNRECOGNIZED_NAME,
    HelloParts,
    alert,
    hello_for,
    say,
    server_names,
)
from tests.e2e.clients import curl, raw_tls, s_client
from tests.e2e.configuration import application_table, ca_table, host_table, server_table
from tests.e2e.edge_process import Edge
from tests.e2e.hello_retry import hello_again
from tests.e2e.origin import Origin
from tests.e2e.tls_client import TlsRefused
from tests.e2e.verdicts import FailedHandshakes, verdict

OK = (200, "")
REQUIRED = (403, "client_certificate_required")
INVALID = (403, "client_certificate_invalid")
MISDIRECTED = (421, "misdirected_request")

VERSIONS = pytest.mark.parametrize(
    "version",
    [pytest.param(SSL.TLS1_2_VERSION, id="tls1.2"), pytest.param(SSL.TLS1_3_VERSION, id="tls1.3")],
)


@pytest.fixture(scope="module")
def with_default(
    tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin
) -> Iterator[Edge]:
    """An edge where clients without a server name come to a.test."""
    directory = tmp_path_factory.mktemp("with-default")
    config = "".join(
        [
            server_table(workers=1),
            host_table(pki, "a.test", session_origin.url, 'aliases = ["alias-of-a.test"]', "default = true"),
            host_table(pki, "b.test", session_origin.url),
            ca_table("CA A", pki / "ca-a.pem", "a.test"),
            ca_table("CA B", pki / "ca-b.pem", "b.test"),
            application_table("a.test"),
            application_table("b.test"),
        ]
    )
    with Edge(config, directory, server_ca=pki / "server-ca.pem") as running:
        yield running


def asked(edge: Edge, sni: str | None, host: str, ca: Authority | None) -> tuple[int, str]:
    credential = ca.issue("James Royal") if ca else None
    with raw_tls(edge, sni, credential) as client:
        return verdict(client.ask(host=host))


# --- no name at all ------------------------------------------------------------------------------


@VERSIONS
def test_without_a_name_and_without_a_default_host_there_is_no_handshake(edge: Edge, version: int) -> None:
    failures = FailedHandshakes(edge)
    with pytest.raises(TlsRefused, match="unrecognized name"):
        raw_tls(edge, None, version=version)
    assert failures.only()["detail"] == "no server name"


def test_openssl_without_a_name_is_told_so(edge: Edge) -> None:
    output = s_client(edge, None)
    assert "unrecognized name" in output.text
    assert "no peer certificate available" in output.text


@pytest.mark.parametrize("host", ["a.test", "A.TEST.", "alias-of-a.test"])
def test_without_a_name_the_default_host_serves_its_own_names(
    with_default: Edge, ca_a: Authority, host: str
) -> None:
    assert asked(with_default, None, host, ca_a) == OK
    assert asked(with_default, None, host, None) == REQUIRED


@pytest.mark.parametrize("host", ["b.test", "nobody.test", "127.0.0.1", "[::1]"])
def test_without_a_name_the_default_host_serves_no_other(
    with_default: Edge, origin: Origin, ca_a: Authority, ca_b: Authority, host: str
) -> None:
    assert asked(with_default, None, host, ca_a) == MISDIRECTED
    assert asked(with_default, None, host, ca_b) == MISDIRECTED
    assert origin.received() == []


def test_without_a_name_the_default_hosts_ca_judges(with_default: Edge, ca_b: Authority) -> None:
    assert asked(with_default, None, "a.test", ca_b) == INVALID


def test_an_unknown_name_does_not_fall_back_to_the_default_host(with_default: Edge) -> None:
    with pytest.raises(TlsRefused, match="unrecognized name"):
        raw_tls(with_default, "nobody.test")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty extension"),
        pytest.param(b"\x00\x00", id="empty list"),
        pytest.param(server_names(b""), id="empty name"),
        pytest.param(server_names(b"a.test", kind=1), id="unknown type"),
        pytest.param(server_names(b"a.test")[:-1], id="cut short"),
        pytest.param(server_names(b"a.test") + b"\x00", id="too long"),
    ],
)
def test_a_malformed_name_does_not_mean_no_name(with_default: Edge, content: bytes) -> None:
    hello = HelloParts.of().with_extension(SERVER_NAME, content).wire
    assert say(with_default, hello) in {
        alert(DECODE_ERROR),
        alert(ILLEGAL_PARAMETER),
        alert(UNRECOGNIZED_NAME),
    }


# --- a name --------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize(
    "sni", ["a.test", "A.TEST", "a.TeSt", "a.test.", "alias-of-a.test", "ALIAS-OF-A.TEST."]
)
def test_a_name_is_found_in_any_spelling(edge: Edge, ca_a: Authority, sni: str, version: int) -> None:
    with raw_tls(edge, sni, ca_a.issue("James Royal"), version=version) as client:
        for host in ("a.test", "A.test.", "alias-of-a.test"):
            assert verdict(client.ask(host=host)) == OK
    with raw_tls(edge, sni, version=version) as client:
        assert verdict(client.ask()) == REQUIRED


@pytest.mark.parametrize("host", ["A.TEST", "a.test.", "alias-of-a.test"])
def test_curl_reaches_a_host_in_any_spelling(edge: Edge, client_a: CredentialFiles, host: str) -> None:
    answer = curl(
        edge, "/", "--insecure", "--connect-to", f"::127.0.0.1:{edge.port}", cert=client_a, host=host
    )
    assert verdict(answer) == OK


@pytest.mark.parametrize("sni", ["x.wild.test", "X.WILD.TEST.", "xn--mnchen-3ya.wild.test"])
def test_a_wildcard_stands_for_one_label(edge: Edge, ca_a: Authority, sni: str) -> None:
    assert asked(edge, sni, sni, ca_a) == OK
    assert asked(edge, sni, "y.wild.test", ca_a) == MISDIRECTED


@pytest.mark.parametrize(
    "sni",
    [
        "nobody.test",
        "wild.test",
        "x.y.wild.test",
        ".wild.test",
        "x..wild.test",
        "*.wild.test",
        "xwild.test",
        "a.test..",
        ".a.test",
        "a.test.evil",
        "evil-a.test",
        "www.a.test",
        "a",
        "test",
        ".",
        "a.test:8443",
        "a.test/",
        "a test",
        " a.test",
        "a.test ",
        "a%2etest",
        "-a.test",
        "127.0.0.1",
        "[::1]",
        "::1",
    ],
)
def test_a_name_that_is_no_hosts_is_refused(edge: Edge, sni: str) -> None:
    failures = FailedHandshakes(edge)
    with pytest.raises(TlsRefused, match="unrecognized name"):
        raw_tls(edge, sni)
    event = failures.only()
    assert (event["server_name"], event["detail"]) == (sni, "no host of that name")


@pytest.mark.parametrize(
    ("name", "description"),
    [
        pytest.param(b"a.test\0", UNRECOGNIZED_NAME, id="NUL behind it"),
        pytest.param(b"a.test\0.evil", UNRECOGNIZED_NAME, id="NUL inside"),
        pytest.param(b"\0", UNRECOGNIZED_NAME, id="NUL alone"),
        pytest.param("ä.test".encode(), UNRECOGNIZED_NAME, id="UTF-8"),
        pytest.param("ａ.test".encode(), UNRECOGNIZED_NAME, id="full-width letter"),
        pytest.param("a。test".encode(), UNRECOGNIZED_NAME, id="ideographic full stop"),
        pytest.param(b"a.test\xff", UNRECOGNIZED_NAME, id="no UTF-8"),
        pytest.param(b"a.test\n", UNRECOGNIZED_NAME, id="line feed"),
        pytest.param(b"a" * 64 + b".wild.test", UNRECOGNIZED_NAME, id="label of 64 octets"),
        pytest.param(b"a." * 122 + b"wild.test", UNRECOGNIZED_NAME, id="253 octets"),
        pytest.param(b"a" * 255, UNRECOGNIZED_NAME, id="255 octets"),
        pytest.param(b"a" * 256, UNRECOGNIZED_NAME, id="256 octets"),
        pytest.param(b"a." * 7000 + b"test", UNRECOGNIZED_NAME, id="14004 octets"),
    ],
)
def test_a_name_that_can_be_none_is_refused(edge: Edge, name: bytes, description: int) -> None:
    failures = FailedHandshakes(edge)
    assert say(edge, hello_for(name)) == alert(description)
    event = failures.only()
    assert len(event["server_name"]) <= 200
    assert edge.process.poll() is None


@pytest.mark.parametrize("names", [(b"a.test", b"b.test"), (b"b.test", b"a.test"), (b"a.test", b"a.test")])
def test_two_names_are_refused(edge: Edge, names: tuple[bytes, ...]) -> None:
    assert say(edge, hello_for(*names)) == alert(ILLEGAL_PARAMETER)


@pytest.mark.parametrize("names", [(b"a.test", b"b.test"), (b"a.test", b"a.test")])
def test_the_same_extension_twice_is_refused(edge: Edge, names: tuple[bytes, ...]) -> None:
    hello = HelloParts.of().with_extension(SERVER_NAME, *(server_names(name) for name in names))
    failures = FailedHandshakes(edge)
    assert say(edge, hello.wire) == alert(ILLEGAL_PARAMETER)
    assert failures.only()["detail"] == "an extension comes twice"


# --- a second ClientHello ------------------------------------------------------------------------


def test_a_client_that_is_asked_for_another_hello_is_served(edge: Edge) -> None:
    assert b" 403 Forbidden\r\n" in hello_again(edge, "a.test", "a.test")


@pytest.mark.parametrize(("first", "second"), [("open.test", "a.test"), ("a.test", "open.test")])
def test_a_name_that_changes_in_the_second_hello_ends_the_handshake(
    edge: Edge, origin: Origin, first: str, second: str
) -> None:
    failures = FailedHandshakes(edge)
    assert hello_again(edge, first, second) == b""
    assert failures.only()["detail"] == "the server name changed during the handshake"
    assert origin.received() == []
