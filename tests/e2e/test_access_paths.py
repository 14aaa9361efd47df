"""An open host with one closed application: no spelling of its path reaches what lies behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest

from tests.certificates import Authority
from tests.e2e.clients import curl, raw_tls
from tests.e2e.configuration import application_table, ca_table, host_table, server_table
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin, Received
from tests.e2e.refusals import assert_refused


@pytest.fixture(scope="module")
def fenced_edge(
    tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin
) -> Iterator[Edge]:
    """Everybody may see everything of ``a.test``, but nobody ``/admin``."""
    parts = [
        server_table(workers=1),
        host_table(pki, "a.test", session_origin.url),
        ca_table("CA A", pki / "ca-a.pem", "a.test"),
        application_table("a.test", '"everyone"', decision="bypass"),
        application_table("a.test/admin", '"everyone"', decision="deny"),
        application_table("a.test/caf\u00e9", '"everyone"', decision="deny"),
    ]
    directory = tmp_path_factory.mktemp("paths")
    with Edge("".join(parts), directory, server_ca=pki / "server-ca.pem") as running:
        yield running


def as_the_laxest_origin_reads_it(received: Received) -> bytes:
    """Cut parameters, decode once, read backslashes as slashes, fold empty segments, resolve dots."""
    path = "/".join(segment.partition(";")[0] for segment in received.path.partition("#")[0].split("/"))
    octets = unquote_to_bytes(path).replace(b"\\", b"/").partition(b"\0")[0]
    kept: list[bytes] = []
    for segment in octets.split(b"/"):
        if segment == b"..":
            kept = kept[:-1]
        elif segment not in (b"", b"."):
            kept.append(segment)
    return b"/" + b"/".join(kept)


def is_fenced(received: Received) -> bool:
    first = as_the_laxest_origin_reads_it(received).split(b"/")[1]
    return first in (b"admin", "caf\u00e9".encode())


SPELLINGS = [
    "/admin",
    "/admin/",
    "/admin/x",
    "/admin?",
    "/admin?/public",
    "/admin/.",
    "/admin/..",
    "/admin/../admin",
    "/admin/x/..",
    "/./admin",
    "/.//admin",
    "/x/../admin",
    "/x/y/../../admin",
    "/x/..//admin",
    "/../admin",
    "/x/../../admin",
    "/..%2fadmin",
    "/%61dmin",
    "/%61%64%6D%69%6e",
    "/%41dmin",
    "/admi%6E/x",
    "/%2e/admin",
    "/x/%2e%2e/admin",
    "/x/.%2e/admin",
    "/x/%2E./admin",
    "/%2e%2e/admin",
    "/x%2f..%2fadmin",
    "/x%2F../admin",
    "/%2fadmin",
    "/%2Fadmin",
    "/admin%2f",
    "/admin%2f..",
    "/admin%2fx",
    "//admin",
    "///admin",
    "//x/../admin",
    "/x//../admin",
    "/\\admin",
    "\\admin",
    "/x\\..\\admin",
    "/x/..\\admin",
    "/%5cadmin",
    "/x/..%5cadmin",
    "/x%5c..%5cadmin",
    "/admin%5c",
    "/admin%00",
    "/admin%00.html",
    "/%00/admin",
    "/admin%0a",
    "/admin%0d%0a",
    "/admin%09",
    "/admin%7f",
    "/admin%1f",
    "/admin#x",
    "/#/admin",
    "/x#/../admin",
    "/%2561dmin",
    "/%252e%252e/admin",
    "/x/%252e%252e%252fadmin",
    "/x%252f..%252fadmin",
    "/%u0061dmin",
    "/%",
    "/%6",
    "/%zz/admin",
    "/%6/admin",
    "/%6_admin",
    "/% 61dmin",
    "/admin%",
    "/admin/%",
    "/\xc0\xaf/admin",
    "/%c0%afadmin",
    "/%c0%ae%c0%ae/admin",
    "/%e0%80%afadmin",
    "/caf%c3%a9",
    "/caf%C3%A9",
    "/c%61f%C3%a9/x",
    "/caf\xe9",
    "/\ttab",
    "/admin\t",
    "/admin\x0b",
    "/admin\x7f",
    "/admin\x00",
    "/\x01admin",
    '/ad"min',
    "/admin|x",
    "/<admin>",
    "/admin^",
    "/admin`",
    "/{admin}",
    "/admin;x=1",
    "/admin;",
    "/admin;x/y",
    "/%61dmin;x",
    "/x/..;/admin",
    "/x/..;y=1/admin",
    "/.;/admin",
    "/;/admin",
    "/;x=1/admin",
    "/admin;/../x",
    "https://a.test/admin",
    "https://a.test/x/../admin",
    "https://a.test//admin",
    "https://a.test/%61dmin",
    "https://a.test\\admin",
    "https://a.test/\\admin",
    "https://a.test#/admin",
    "admin",
    "?/admin",
    "*",
    "*/admin",
    "./admin",
    "../admin",
    "",
]


@pytest.mark.parametrize("target", SPELLINGS)
def test_no_spelling_of_a_closed_path_reaches_it(fenced_edge: Edge, origin: Origin, target: str) -> None:
    octets = target.encode("latin-1")
    with raw_tls(fenced_edge) as client:
        client.send(b"GET " + octets + b" HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        answer = client.read_until_close()
    received = origin.received()
    assert not [request.target for request in received if is_fenced(request)]
    status = int(answer.split(b" ", 2)[1])
    assert status in ({200} if received else {400, 403})
    assert origin.unreadable == []


@pytest.mark.parametrize(
    ("target", "passed_on"),
    [
        ("/", "/"),
        ("/x", "/x"),
        ("/%78", "/x"),
        ("/%7ex", "/~x"),
        ("/a%20b", "/a%20b"),
        ("/%c3%a9", "/%C3%A9"),
        ("/x/./y", "/x/y"),
        ("/x/../y", "/y"),
        ("/x/..", "/"),
        ("/x/.", "/x/"),
        ("/%2e%2e%2e", "/..."),
        ("/a%3Fb", "/a%3Fb"),
        ("/a%23b", "/a%23b"),
        ("/a%25b", "/a%25b"),
        ("/%2561dmin", "/%2561dmin"),
        ("/a%3bb;c=1", "/a%3Bb;c=1"),
        ("/x?a=/../admin", "/x?a=/../admin"),
        ("/x?%61=%zz", "/x?%61=%zz"),
        ("/x?", "/x?"),
        ("/x??", "/x??"),
        ("/adminx", "/adminx"),
        ("/x/admin", "/x/admin"),
        ("/admin/../x", "/x"),
        ("https://a.test", "/"),
        ("https://a.test?x", "/?x"),
    ],
)
def test_the_origin_gets_the_path_that_the_policy_saw(
    fenced_edge: Edge, origin: Origin, target: str, passed_on: str
) -> None:
    with raw_tls(fenced_edge) as client:
        assert client.ask(target).status == 200
    (received,) = origin.received()
    assert received.target == passed_on


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "GET-", "FOO", "PROPFIND"]
)
def test_no_method_passes_a_closed_path(fenced_edge: Edge, origin: Origin, method: str) -> None:
    with raw_tls(fenced_edge) as client:
        client.send(
            f"{method} /admin HTTP/1.1\r\nHost: a.test\r\nOrigin: https://x.test\r\n"
            "Access-Control-Request-Method: GET\r\nX-Original-URL: /x\r\nX-Rewrite-URL: /x\r\n\r\n".encode()
        )
        assert client.read_answer(method).status == 403
    assert origin.received() == []


def test_a_path_of_the_edge_itself_opens_nothing(fenced_edge: Edge, origin: Origin) -> None:
    for target in (
        "/cdn-cgi/access/../../admin",
        "/cdn-cgi/access/certs/../../../admin",
        "/admin/../cdn-cgi/access/../../admin",
        "/.well-known/acme-challenge/../../admin",
        "/admin/cdn-cgi/access/certs",
    ):
        with raw_tls(fenced_edge) as client:
            assert client.ask(target).status == 403
    assert origin.received() == []


@pytest.mark.parametrize("path", ["/x/../admin", "/%2e/admin", "//admin", "/x/%2e%2e/admin", "/%61dmin"])
def test_curl_that_sends_a_path_as_it_is_does_not_reach_it_either(
    fenced_edge: Edge, origin: Origin, path: str
) -> None:
    assert curl(fenced_edge, path, "--path-as-is").status in {400, 403}
    assert origin.received() == []


@pytest.mark.parametrize(
    "path", ["//", "//x", "/x//y", "/x//", "/x/.//y", "/%2e//x", "/x/..//y", "/admin//x", "/cdn-cgi//access"]
)
def test_an_empty_segment_is_refused_where_an_application_has_a_path(
    fenced_edge: Edge, origin: Origin, path: str
) -> None:
    with raw_tls(fenced_edge) as client:
        assert_refused(client.ask(path), "bad_request", 400)
    assert origin.received() == []


def test_an_empty_segment_is_passed_on_where_no_application_has_a_path(
    edge: Edge, origin: Origin, ca_a: Authority
) -> None:
    paths = ["//", "//x", "/x//y"]
    with raw_tls(edge, "require.test", ca_a.issue("James Royal")) as client:
        for path in paths:
            assert client.ask(path, host="require.test").status == 200
    assert [received.target for received in origin.received()] == paths
