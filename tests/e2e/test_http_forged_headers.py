"""What the edge says about a client no client can say, in any spelling, and none can take it away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority, Credential, CredentialFiles
from tests.e2e.clients import curl, raw_tls
from tests.e2e.configuration import application_table, ca_table, host_table, server_table
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin, Received

FORMS = 'forward_client_certificate = ["cloudflare", "rfc9440", "xfcc", "nginx"]'

FORGEABLE = [
    "Mtls-Authenticated",
    "Mtls-Verify",
    "Cf-Access-Jwt-Assertion",
    "Cf-Access-Authenticated-User-Email",
    "Cf-Client-Cert-Der-Base64",
    "Cf-Client-Cert-Sha256",
    "Cf-Connecting-Ip",
    "Client-Cert",
    "Client-Cert-Chain",
    "X-Client-Verify",
    "X-Forwarded-Client-Cert",
    "X-SSL-Client-Verify",
    "X-SSL-Client-S-DN",
    "X-SSL-Client-I-DN",
    "X-SSL-Client-Serial",
    "X-SSL-Client-Fingerprint",
    "X-SSL-Client-Cert",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Real-IP",
    "X-Request-Id",
    "Forwarded",
    "True-Client-IP",
]

SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "lower case": str.lower,
    "upper case": str.upper,
    "underscores": lambda name: name.replace("-", "_"),
    "dots": lambda name: name.replace("-", "."),
    "one underscore": lambda name: name.replace("-", "_", 1),
    "mixed": lambda name: name.replace("-", "_", 1).replace("-", ".").upper(),
}


@pytest.fixture(scope="module")
def telling_edge(
    tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin
) -> Iterator[Edge]:
    """``a.test`` writes every header that there is; ``b.test`` none of the certificate."""
    parts = [
        server_table(workers=1),
        host_table(pki, "a.test", session_origin.url, FORMS),
        host_table(pki, "b.test", session_origin.url, 'unmatched = "pass"'),
        host_table(pki, "open.test", session_origin.url, FORMS, 'unmatched = "pass"'),
        ca_table("CA A", pki / "ca-a.pem", "a.test", "b.test"),
        application_table("a.test"),
        application_table("a.test/public", '"everyone"', decision="bypass"),
        application_table("a.test/service", '"everyone"'),
    ]
    directory = tmp_path_factory.mktemp("forged")
    with Edge("".join(parts), directory, server_ca=pki / "server-ca.pem") as running:
        yield running


@pytest.fixture(scope="module")
def clients(ca_a: Authority) -> dict[str, Credential | None]:
    return {
        "nobody": None,
        "james": ca_a.issue("James Royal"),
        "impostor": ca_a.impostor().issue("James Royal"),
    }


def send(edge: Edge, host: str, credential: Credential | None, path: str, lines: list[str]) -> None:
    request = "".join(f"{line}\r\n" for line in [f"GET {path} HTTP/1.1", f"Host: {host}", *lines])
    with raw_tls(edge, host, credential) as client:
        client.send(request.encode() + b"\r\n")
        assert client.read_answer().status == 200


PLACES = [
    ("a.test", "/", "james", "true"),
    ("a.test", "/public", "james", "true"),
    ("a.test", "/public", "nobody", "false"),
    ("a.test", "/public", "impostor", "false"),
    ("a.test", "/service", "nobody", "false"),
    ("a.test", "/service", "impostor", "false"),
    ("b.test", "/", "james", "true"),
    ("b.test", "/", "nobody", "false"),
    ("open.test", "/", "nobody", "false"),
    ("open.test", "/", "james", "false"),
]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("place", PLACES)
def test_nothing_forged_reaches_the_origin(
    telling_edge: Edge,
    origin: Origin,
    clients: dict[str, Credential | None],
    place: tuple[str, str, str, str],
    spelling: str,
) -> None:
    host, path, who, flag = place
    names = [SPELLINGS[spelling](name) for name in FORGEABLE]
    lines = [f"{name}: FORGED" for name in names]
    send(telling_edge, host, clients[who], path, lines + lines)
    (received,) = origin.received()
    assert b"FORGED" not in received.head
    assert received.value("mtls-authenticated") == flag
    assert received.value("x-forwarded-for") == "127.0.0.1"
    assert received.value("x-forwarded-proto") == "https"
    assert received.value("x-forwarded-host") == host
    assert len(received.values("x-request-id")) == 1
    certificate_shown = host == "a.test" and who == "james"
    for name in ("cf-client-cert-sha256", "client-cert", "x-forwarded-client-cert", "x-ssl-client-verify"):
        assert len(received.values(name)) == certificate_shown
    assert not [name for name, _ in received.headers if "_" in name or "." in name]


def test_every_request_of_a_connection_is_cleaned(
    telling_edge: Edge, origin: Origin, clients: dict[str, Credential | None]
) -> None:
    with raw_tls(telling_edge, credential=clients["james"]) as client:
        for _ in range(3):
            client.send(
                b"GET / HTTP/1.1\r\nHost: a.test\r\nMtls-Authenticated: FORGED\r\n\r\n"
                b"GET /public HTTP/1.1\r\nHost: a.test\r\nmtls_authenticated: FORGED\r\n\r\n"
            )
            assert client.read_answer().status == client.read_answer().status == 200
    assert [received.values("mtls-authenticated") for received in origin.received()] == [["true"]] * 6
    assert b"FORGED" not in origin.octets


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "Host", "Cookie", "Authorization"])
def test_a_twin_of_a_routing_or_framing_header_stays_here(
    telling_edge: Edge, origin: Origin, name: str
) -> None:
    twins = {name.replace("-", "_"), name.replace("-", ".")} - {name}
    send(telling_edge, "open.test", None, "/", [f"{twin}: FORGED" for twin in twins])
    assert b"FORGED" not in origin.octets


@pytest.mark.parametrize(
    "options",
    [
        "Mtls-Authenticated",
        "mtls_authenticated, MTLS.AUTHENTICATED",
        "Host, Cookie, X-Forwarded-For",
        "close, Cf-Access-Jwt-Assertion",
        "keep-alive, X-Forwarded-Proto, X-Forwarded-Host, X-Request-Id, Authorization",
        "Cf-Client-Cert-Sha256, Cf-Client-Cert-Der-Base64, Client-Cert, Client-Cert-Chain",
        "X-Forwarded-Client-Cert, X-SSL-Client-Verify, X-SSL-Client-S-DN, X-SSL-Client-Serial",
        "Content-Length, Transfer-Encoding",
    ],
)
def test_a_connection_option_takes_nothing_of_the_edges_away(
    telling_edge: Edge, origin: Origin, clients: dict[str, Credential | None], options: str
) -> None:
    with raw_tls(telling_edge, credential=clients["james"]) as client:
        client.send(
            b"POST /x HTTP/1.1\r\nHost: a.test\r\nCookie: app=1\r\nAuthorization: Basic eDp5\r\n"
            b"Content-Length: 5\r\nConnection: " + options.encode() + b"\r\n\r\nhello"
        )
        assert client.read_answer().status == 200
    (received,) = origin.received()
    assert received.body == b"hello"
    assert received.value("mtls-authenticated") == "true"
    assert received.value("x-ssl-client-verify") == "SUCCESS"
    for name in (
        *("host", "cookie", "authorization", "cf-access-jwt-assertion", "x-request-id"),
        *("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-client-cert"),
        *("cf-client-cert-sha256", "cf-client-cert-der-base64", "client-cert", "client-cert-chain"),
    ):
        assert len(received.values(name)) == 1, name
    assert received.values("connection") == []


def test_what_ends_at_this_hop_is_not_passed_on(telling_edge: Edge, origin: Origin) -> None:
    lines = [
        "Connection: X-Hop, keep-alive",
        "Connection: X-Other",
        "X-Hop: FORGED",
        "X-Other: FORGED",
        "Keep-Alive: FORGED",
        "Proxy-Connection: FORGED",
        "Proxy-Authorization: FORGED",
        "TE: FORGED",
        "Trailer: FORGED",
        "X-Kept: 1",
    ]
    send(telling_edge, "open.test", None, "/", lines)
    (received,) = origin.received()
    assert b"FORGED" not in received.head
    assert received.value("x-kept") == "1"


def test_ordinary_headers_reach_the_origin_as_they_came(telling_edge: Edge, origin: Origin) -> None:
    lines = ["X-App: a", "X-App: b", "x-Odd-CASE: v", "Accept: text/html", "X-Utf8: caf\u00e9", "X-Empty:"]
    send(telling_edge, "open.test", None, "/", lines)
    (received,) = origin.received()
    assert received.values("x-app") == ["a", "b"]
    assert b"x-Odd-CASE: v\r\n" in received.head
    assert "X-Utf8: caf\u00e9\r\n".encode() in received.head
    assert received.value("x-empty") == ""


def test_one_request_id_is_told_to_the_client_the_origin_and_the_log(
    telling_edge: Edge, origin: Origin, client_a: CredentialFiles
) -> None:
    answer = curl(telling_edge, "/id", "--header", "X-Request-Id: mine", cert=client_a)
    (received,) = origin.received("/id")
    request_id = answer.value("x-request-id")
    assert request_id == received.value("x-request-id")
    assert request_id != "mine"
    assert telling_edge.wait_for_event("request", request_id=request_id)["path"] == "/id"


def forwarded(received: Received) -> dict[str, str]:
    return {name: value for name, value in received.headers if name.startswith("x-forwarded-")}


def test_the_origin_is_told_who_asked_how_and_for_which_host(telling_edge: Edge, origin: Origin) -> None:
    curl(telling_edge, "/", "--header", "Host: OPEN.test:1", host="open.test")
    (received,) = origin.received()
    assert forwarded(received) == {
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "OPEN.test:1",
    }
    assert received.value("host") == "OPEN.test:1"


def test_an_origin_cannot_speak_for_the_edge(
    telling_edge: Edge, origin: Origin, clients: dict[str, Credential | None]
) -> None:
    with raw_tls(telling_edge, "open.test") as client:
        answer = client.ask("/echo", host="open.test")
    assert answer.values("x-request-id") == [origin.received("/echo")[0].value("x-request-id")]
    assert answer.values("mtls-authenticated") == []
