"""The host of a request is the host of its connection, in every spelling, on every request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority, Credential, CredentialFiles
from tests.e2e.clients import curl, raw_tls
from tests.e2e.configuration import application_table, ca_table, host_table, server_table
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.refusals import assert_refused


@pytest.fixture(scope="module")
def default_edge(
    tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin
) -> Iterator[Edge]:
    """``a.test`` serves clients that send no server name."""
    parts = [
        server_table(workers=1),
        host_table(
            pki,
            "a.test",
            session_origin.url,
            "default = true",
            'aliases = ["alias-of-a.test", "127.0.0.1", "::1"]',
        ),
        host_table(pki, "b.test", session_origin.url),
        host_table(pki, "open.test", session_origin.url, 'unmatched = "pass"'),
        ca_table("CA A", pki / "ca-a.pem", "a.test"),
        ca_table("CA B", pki / "ca-b.pem", "b.test"),
        application_table("a.test"),
        application_table("b.test"),
    ]
    directory = tmp_path_factory.mktemp("default")
    with Edge("".join(parts), directory, server_ca=pki / "server-ca.pem") as running:
        yield running


@pytest.fixture(scope="module")
def james(ca_a: Authority) -> Credential:
    return ca_a.issue("James Royal")


def host_line(host: str, target: str = "/x") -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("latin-1")


OTHER_HOST = [
    "a.test",
    "A.TEST",
    "a.tEsT",
    "a.test.",
    "A.Test.:8443",
    "a.test:443",
    "a.test:8443",
    "a.test:",
    "alias-of-a.test",
    "b.test",
    "one.wild.test",
    "unknown.test",
    "test",
    "open.test.evil",
    "xopen.test",
    "sub.open.test",
    "127.0.0.1",
    "[::1]",
    "[::ffff:127.0.0.1]:8443",
]


@pytest.mark.parametrize("host", OTHER_HOST)
def test_a_connection_to_an_open_host_does_not_reach_another(edge: Edge, origin: Origin, host: str) -> None:
    with raw_tls(edge, "open.test") as client:
        client.send(host_line(host))
        assert_refused(client.read_answer(), "misdirected_request", 421)
        assert client.ask("/still-here", host="open.test").status == 200  # 421 alone is no reason to close
        client.send(host_line(host))
        assert_refused(client.read_answer(), "misdirected_request", 421)
    assert [received.path for received in origin.received()] == ["/still-here"]


@pytest.mark.parametrize(
    "host",
    [
        "a%2etest",
        "a.test\tb",
        "a.test, open.test",
        "open.test, a.test",
        "open.test@a.test",
        "a.test@open.test",
        "a.test/x",
        "a.test#open.test",
        "a.test\\open.test",
        "a.test:80:443",
        "a.test:99999",
        "a.test:-1",
        "a.test:８443",
        "*.wild.test",
        "a..test",
        ".a.test",
        "a.test..",
        "[a.test]",
        "[::1",
        "0x7f.0.0.1",
        "127.1",
        "2130706433",
        "[::1%25lo]",
        "\xef\xbd\x81.test",
        "",
        " ",
        ":8443",
    ],
)
def test_a_host_that_is_none_is_a_bad_request(edge: Edge, origin: Origin, host: str) -> None:
    with raw_tls(edge, "open.test") as client:
        client.send(b"GET /x HTTP/1.1\r\nHost: " + host.encode("utf-8") + b"\r\n\r\n")
        assert_refused(client.read_answer(), "bad_request", 400)
        assert client.read_until_close() == b""
    assert origin.received() == []


@pytest.mark.parametrize(
    "host", ["open.test", "OPEN.test", "open.test.", "Open.Test.:8443", "open.test:1", "open.test:"]
)
def test_every_spelling_of_the_right_host_is_served_and_passed_on_as_it_came(
    edge: Edge, origin: Origin, host: str
) -> None:
    with raw_tls(edge, "open.test") as client:
        assert client.ask("/x", host=host).status == 200
    (received,) = origin.received()
    assert (received.value("host"), received.value("x-forwarded-host")) == (host, host)


@pytest.mark.parametrize("sni", ["OPEN.TEST", "Open.test", "open.test."])
def test_every_spelling_of_the_server_name_is_the_same_host(edge: Edge, origin: Origin, sni: str) -> None:
    with raw_tls(edge, sni) as client:
        assert client.ask("/x", host="open.test").status == 200
        assert client.ask("/x", host="a.test").status == 421
    assert len(origin.received()) == 1


def test_an_upper_case_server_name_does_not_lose_the_policy(edge: Edge, origin: Origin) -> None:
    for sni in ("A.TEST", "a.test."):
        with raw_tls(edge, sni) as client:
            assert_refused(client.ask("/x", host="A.Test."), "client_certificate_required")
    assert origin.received() == []


def test_pipelined_requests_are_judged_one_by_one(edge: Edge, origin: Origin) -> None:
    hosts = ["open.test", "a.test", "open.test", "b.test", "A.TEST.", "open.test"]
    with raw_tls(edge, "open.test") as client:
        client.send(b"".join(host_line(host, f"/{number}") for number, host in enumerate(hosts)))
        statuses = [client.read_answer().status for _ in hosts]
    assert statuses == [200, 421, 200, 421, 421, 200]
    assert [received.path for received in origin.received()] == ["/0", "/2", "/5"]


ABSOLUTE = [
    ("https://a.test/x", "a.test", 421),
    ("https://A.TEST/x", "A.TEST", 421),
    ("http://a.test/x", "a.test", 421),
    ("HTTPS://a.test:443/x", "a.test:443", 421),
    ("https://a.test/x", "open.test", 400),
    ("https://open.test/x", "a.test", 400),
    ("https://open.test:1/x", "open.test:2", 400),
    ("https://open.test@a.test/x", "a.test", 400),
    ("https://a.test@open.test/x", "open.test", 400),
    ("https:///x", "open.test", 400),
    ("//a.test/x", "open.test", 200),
    ("ftp://open.test/x", "open.test", 400),
    ("a.test/x", "open.test", 400),
    ("a.test:443", "open.test", 400),
    ("@a.test/x", "open.test", 400),
    ("https://open.test/x", "open.test", 200),
    ("https://OPEN.test./x", "open.test", 200),
    ("https://open.test", "open.test", 200),
    ("https://open.test?q", "open.test", 200),
]


@pytest.mark.parametrize(("target", "host", "status"), ABSOLUTE)
def test_an_absolute_target_names_the_same_host_or_is_refused(
    edge: Edge, origin: Origin, target: str, host: str, status: int
) -> None:
    with raw_tls(edge, "open.test") as client:
        client.send(host_line(host, target))
        assert client.read_answer().status == status
    received = origin.received()
    assert len(received) == (status == 200)
    for request in received:
        assert request.target.startswith("/")
        assert request.value("host") == host


def test_an_http_1_0_request_without_host_means_the_host_of_its_connection(
    edge: Edge, origin: Origin
) -> None:
    with raw_tls(edge, "open.test") as client:
        client.send(b"GET /x HTTP/1.0\r\n\r\n")
        assert client.read_answer().status == 200
    with raw_tls(edge, "a.test") as client:
        client.send(b"GET /y HTTP/1.0\r\n\r\n")
        assert_refused(client.read_answer(), "client_certificate_required")
    (received,) = origin.received()
    assert received.value("host") == "open.test"


@pytest.mark.parametrize("target", ["https://open.test/x", "https://open.test:1/x"])
def test_an_http_1_0_request_may_name_its_host_in_the_target_alone(
    edge: Edge, origin: Origin, target: str
) -> None:
    with raw_tls(edge, "open.test") as client:
        client.send(f"GET {target} HTTP/1.0\r\n\r\n".encode())
        assert client.read_answer().status == 200
    with raw_tls(edge, "open.test") as client:
        client.send(b"GET https://a.test/x HTTP/1.0\r\n\r\n")
        assert client.read_answer().status == 421
    (received,) = origin.received()
    assert received.value("host") == "open.test"
    assert received.value("x-forwarded-host") == "open.test"
    assert origin.unreadable == []


def test_two_names_under_a_wildcard_are_two_hosts(edge: Edge, origin: Origin, james: Credential) -> None:
    with raw_tls(edge, "one.wild.test", james) as client:
        assert client.ask("/x", host="one.wild.test").status == 200
        assert client.ask("/x", host="ONE.wild.test.").status == 200
        for host in ("two.wild.test", "wild.test", "x.one.wild.test", "a.test"):
            assert_refused(client.ask("/x", host=host), "misdirected_request", 421)
    assert len(origin.received()) == 2


def test_a_host_and_its_alias_are_one(edge: Edge, origin: Origin, james: Credential) -> None:
    for sni, host in (("a.test", "alias-of-a.test"), ("alias-of-a.test", "a.test")):
        with raw_tls(edge, sni, james) as client:
            assert client.ask("/james", host=host).status == 200
        with raw_tls(edge, sni) as client:
            assert_refused(client.ask("/james", host=host), "client_certificate_required")
    assert [received.value("host") for received in origin.received()] == ["alias-of-a.test", "a.test"]


def test_without_a_server_name_only_the_default_host_is_served(
    default_edge: Edge, origin: Origin, james: Credential
) -> None:
    with raw_tls(default_edge, None, james) as client:
        for host in ("b.test", "open.test", "B.TEST", "unknown.test", "127.0.0.2", "[::2]"):
            assert_refused(client.ask("/x", host=host), "misdirected_request", 421)
        assert origin.received() == []
        for host in ("a.test", "alias-of-a.test", "127.0.0.1", "127.0.0.1:8443", "[::1]:8443", "A.TEST."):
            assert client.ask("/x", host=host).status == 200
    with raw_tls(default_edge, None) as client:
        assert_refused(client.ask("/x", host="a.test"), "client_certificate_required")
        assert_refused(client.ask("/x", host="127.0.0.1"), "client_certificate_required")
        assert_refused(client.ask("/x", host="open.test"), "misdirected_request", 421)


def test_an_address_in_an_http_1_0_target_becomes_a_well_formed_host(
    default_edge: Edge, origin: Origin, james: Credential
) -> None:
    with raw_tls(default_edge, None, james) as client:
        client.send(b"GET https://[0::1]/x HTTP/1.0\r\n\r\n")
        assert client.read_answer().status == 200
    (received,) = origin.received()
    assert (received.value("host"), received.value("x-forwarded-host")) == ("[::1]", "[::1]")


def test_another_hosts_certificate_does_not_help_without_a_server_name(
    default_edge: Edge, origin: Origin, ca_b: Authority
) -> None:
    with raw_tls(default_edge, None, ca_b.issue("James Royal")) as client:
        assert_refused(client.ask("/x", host="b.test"), "misdirected_request", 421)
        assert_refused(client.ask("/x", host="a.test"), "client_certificate_invalid")
    assert origin.received() == []


def test_a_misdirected_request_with_a_body_that_was_not_read_ends_the_connection(
    edge: Edge, origin: Origin
) -> None:
    with raw_tls(edge, "open.test") as client:
        client.send(
            b"POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 40\r\n\r\n" + host_line("open.test")
        )
        assert_refused(client.read_answer(), "misdirected_request", 421)
        assert client.read_until_close() == b""
    assert origin.received() == []


def test_the_log_of_a_misdirected_request_names_the_host_that_was_asked_for(
    edge: Edge, james: Credential
) -> None:
    with raw_tls(edge, "a.test", james) as client:
        problem = assert_refused(client.ask("/x", host="B.test."), "misdirected_request", 421)
    event = edge.wait_for_event("request", request_id=problem["request_id"])
    assert event["host"] == "b.test"
    assert event["mtls_authenticated"] is True
    assert event["certificate_sha256"] == james.fingerprint


def test_curl_is_misdirected_when_it_says_another_host(
    edge: Edge, origin: Origin, client_a: CredentialFiles
) -> None:
    answer = curl(edge, "/x", "--header", "Host: a.test", host="open.test")
    assert_refused(answer, "misdirected_request", 421)
    answer = curl(edge, "/x", "--header", "Host: b.test", host="a.test", cert=client_a)
    assert_refused(answer, "misdirected_request", 421)
    assert origin.received() == []
