"""Every refusal, as a client, a browser and the log see it."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from tests.certificates import Authority, Credential, CredentialFiles
from tests.e2e.clients import curl, raw_tls
from tests.e2e.configuration import application_table, ca_table, host_table, server_table
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.refusals import assert_own_headers, assert_refused

LIMITS = """
header_timeout = "400ms"
header_size = 2048
header_count = 20
target_size = 200
body_size = 1000
origin_first_byte_timeout = "300ms"
"""


@pytest.fixture(scope="module")
def people(ca_a: Authority) -> Mapping[str, Credential | None]:
    return {
        "nobody": None,
        "james": ca_a.issue("James Royal"),
        "jane": ca_a.issue("Jane Doe"),
        "impostor": ca_a.impostor().issue("James Royal"),
        "expired": ca_a.issue("James Royal", not_before=timedelta(days=-2), not_after=timedelta(days=-1)),
        "future": ca_a.issue("James Royal", not_before=timedelta(hours=1)),
    }


@pytest.fixture(scope="module")
def strict_edge(
    tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin
) -> Iterator[Edge]:
    """One worker with limits that are quickly reached; ``b.test`` has an origin that is down."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        nobody_there = f"http://127.0.0.1:{unused.getsockname()[1]}"
    parts = [
        server_table(workers=1, limits=LIMITS),
        host_table(pki, "a.test", session_origin.url),
        host_table(pki, "b.test", nobody_there, 'unmatched = "pass"'),
        host_table(pki, "require.test", session_origin.url, 'unmatched = "deny"'),
        ca_table("CA A", pki / "ca-a.pem", "a.test", "b.test", "require.test"),
        application_table("a.test"),
        application_table("a.test/james", '{ common_name = "James Royal" }'),
        application_table("a.test/public", '"everyone"', decision="bypass"),
        application_table("a.test/closed", '"everyone"', decision="deny"),
        application_table("a.test/cdn-cgi", '"everyone"', decision="bypass"),
        *(
            application_table(f"a.test/{path}", '"everyone"', decision="bypass")
            for path in ("garbage", "sleep")
        ),
    ]
    directory = tmp_path_factory.mktemp("refusals")
    with Edge("".join(parts), directory, server_ca=pki / "server-ca.pem") as running:
        yield running


@dataclass(frozen=True, slots=True)
class Row:
    """A request and its refusal. ``head`` goes between the request line's end and the empty line."""

    reason: str
    status: int
    line: str
    head: str = "Host: a.test"
    who: str = "nobody"
    sni: str = "a.test"
    body: bytes = b""
    readable: bool = True
    """Whether the head was read, so that the log knows the path, and a browser can be told with a page."""

    @property
    def request(self) -> bytes:
        return f"{self.line}\r\n{self.head}\r\n\r\n".encode() + self.body

    @property
    def page_request(self) -> bytes:
        return f"{self.line}\r\n{self.head}\r\nAccept: text/html\r\n\r\n".encode() + self.body


GET, POST = "GET /public HTTP/1.1", "POST /public HTTP/1.1"
ROWS = [
    Row("client_certificate_required", 403, "GET / HTTP/1.1"),
    Row("client_certificate_required", 403, "GET /james HTTP/1.1"),
    Row("client_certificate_invalid", 403, "GET / HTTP/1.1", who="impostor"),
    Row("client_certificate_expired", 403, "GET / HTTP/1.1", who="expired"),
    Row("client_certificate_expired", 403, "GET /james HTTP/1.1", who="future"),
    Row("policy_denied", 403, "GET /james HTTP/1.1", who="jane"),
    Row("policy_denied", 403, "GET /closed HTTP/1.1", who="james"),
    Row("policy_denied", 403, "GET / HTTP/1.1", "Host: require.test", sni="require.test"),
    Row("misdirected_request", 421, GET, "Host: b.test"),
    Row("misdirected_request", 421, GET, "Host: a.test\r\nAlt-Used: a.test"),
    Row("http3_not_supported", 505, GET, "Host: a.test\r\nUpgrade: h3"),
    Row("http_version_not_supported", 505, "GET /public HTTP/2.0", readable=False),
    Row("bad_request", 400, GET, "Host: a.test\r\nHost: a.test", readable=False),
    Row("uri_too_long", 414, f"GET /public/{'x' * 300} HTTP/1.1", readable=False),
    Row("header_too_large", 431, GET, f"Host: a.test\r\nX: {'x' * 3000}", readable=False),
    Row("header_too_large", 431, GET, "\r\n".join(["Host: a.test", *["X: x"] * 30]), readable=False),
    Row("body_too_large", 413, POST, "Host: a.test\r\nContent-Length: 1001"),
    Row(
        "body_too_large",
        413,
        POST,
        "Host: a.test\r\nTransfer-Encoding: chunked",
        body=b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n",
    ),
    Row("method_not_allowed", 405, "TRACE /public HTTP/1.1", readable=False),
    Row("method_not_allowed", 405, "CONNECT a.test:80 HTTP/1.1", readable=False),
    Row("method_not_allowed", 405, "DELETE /cdn-cgi/access/certs HTTP/1.1"),
    Row("not_implemented", 501, POST, "Host: a.test\r\nTransfer-Encoding: gzip, chunked", readable=False),
    Row(
        "expectation_failed", 417, POST, "Host: a.test\r\nExpect: 200-ok\r\nContent-Length: 1", readable=False
    ),
    Row("not_found", 404, "GET /cdn-cgi/access/nothing HTTP/1.1"),
    Row("origin_unreachable", 502, "GET / HTTP/1.1", "Host: b.test", sni="b.test"),
    Row("origin_bad_response", 502, "GET /garbage HTTP/1.1"),
    Row("origin_timeout", 504, "GET /sleep?seconds=1 HTTP/1.1"),
]
IDS = [f"{row.reason}-{number}" for number, row in enumerate(ROWS)]


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_a_refusal_is_a_problem_document_and_a_log_event_with_the_same_id(
    strict_edge: Edge, people: Mapping[str, Credential | None], row: Row
) -> None:
    with raw_tls(strict_edge, row.sni, people[row.who]) as client:
        client.send(row.request)
        problem = assert_refused(client.read_answer(row.line.partition(" ")[0]), row.reason, row.status)
    event = strict_edge.wait_for_event("request", request_id=problem["request_id"])
    assert (event["reason"], event["status"]) == (row.reason, row.status)
    assert event["client"] == "127.0.0.1"
    if row.readable:
        method, target, _ = row.line.split(" ")
        assert (event["method"], event["path"]) == (method, target.partition("?")[0])
        assert event["host"] == row.head.split("\r\n")[0].removeprefix("Host: ")


@pytest.mark.parametrize(
    "row",
    [row for row in ROWS if row.readable],
    ids=[i for i, r in zip(IDS, ROWS, strict=True) if r.readable],
)
def test_a_browser_gets_a_page_with_the_same_facts(
    strict_edge: Edge, people: Mapping[str, Credential | None], row: Row
) -> None:
    with raw_tls(strict_edge, row.sni, people[row.who]) as client:
        client.send(row.page_request)
        answer = client.read_answer()
    assert answer.status == row.status
    assert_own_headers(answer)
    assert answer.values("content-type") == ["text/html; charset=utf-8"]
    assert answer.values("content-security-policy")[0].startswith("default-src 'none'")
    page = answer.body.decode("utf-8")
    (request_id,) = answer.values("x-request-id")
    for fact in (str(row.status), row.reason, request_id):
        assert f">{fact}<" in page
    assert "://" not in page  # self-contained
    assert not re.search(r"<(script|img|link|iframe|form)\b", page)
    event = strict_edge.wait_for_event("request", request_id=request_id)
    assert event["reason"] == row.reason


def test_a_head_that_does_not_end_in_time_is_refused(strict_edge: Edge) -> None:
    with raw_tls(strict_edge) as client:
        client.send(b"GET /public HTTP/1.1\r\nHost: a.t")
        problem = assert_refused(client.read_answer(), "request_timeout", 408)
        assert client.read_until_close() == b""
    event = strict_edge.wait_for_event("request", request_id=problem["request_id"])
    assert (event["reason"], event["status"]) == ("request_timeout", 408)


def test_one_connection_too_many_is_told_so_and_when_to_come_again(
    tmp_path: Path, pki: Path, origin: Origin
) -> None:
    text = server_table(workers=1, limits="connections_per_address = 3")
    text += host_table(pki, "open.test", origin.url, 'unmatched = "pass"')
    with Edge(text, tmp_path, server_ca=pki / "server-ca.pem") as small_edge, ExitStack() as connections:
        for _ in range(3):
            client = connections.enter_context(raw_tls(small_edge, "open.test"))
            assert client.ask("/", host="open.test").status == 200
        with raw_tls(small_edge, "open.test") as one_more:
            answer = one_more.ask("/", host="open.test")
            assert one_more.read_until_close() == b""
        assert client.ask("/", host="open.test").status == 200
    problem = assert_refused(answer, "overloaded", 503)
    assert int(answer.values("retry-after")[0]) > 0
    event = small_edge.wait_for_event("request", request_id=problem["request_id"])
    assert (event["reason"], event["status"]) == ("overloaded", 503)


def test_the_detail_of_an_invalid_certificate_is_what_openssl_said(
    strict_edge: Edge, people: Mapping[str, Credential | None]
) -> None:
    with raw_tls(strict_edge, credential=people["impostor"]) as client:
        problem = assert_refused(client.ask("/"), "client_certificate_invalid")
    assert "certificate" in problem["detail"]
    event = strict_edge.wait_for_event("request", request_id=problem["request_id"])
    assert event["verify"] == f"FAILED:{problem['detail']}"
    assert event["mtls_authenticated"] is False
    impostor = people["impostor"]
    assert impostor is not None
    assert event["certificate_sha256"] == impostor.fingerprint


def test_a_refusal_tells_nothing_of_what_would_be_accepted(
    strict_edge: Edge, people: Mapping[str, Credential | None]
) -> None:
    with raw_tls(strict_edge, credential=people["jane"]) as client:
        answer = client.ask("/james")
    assert_refused(answer, "policy_denied")
    everything = answer.body.decode() + str(answer.headers)
    for secret in ("James", "Royal", "CA A", 'policy"', "Jane"):
        assert secret not in everything


def test_the_address_of_a_broken_origin_is_for_the_log_only(strict_edge: Edge) -> None:
    with raw_tls(strict_edge, "b.test") as client:
        problem = assert_refused(client.ask("/", host="b.test"), "origin_unreachable", 502)
    assert "127.0.0.1" not in json.dumps(problem)
    event = strict_edge.wait_for_event("request", request_id=problem["request_id"])
    assert "127.0.0.1" in event["detail"]


def test_a_method_that_is_not_allowed_is_answered_with_those_that_are(edge: Edge) -> None:
    with raw_tls(edge) as client:
        answer = client.ask("/public", method="TRACE")
    allowed = {method.strip() for method in answer.values("allow")[0].split(",")}
    assert {"GET", "HEAD", "POST"} <= allowed
    assert not allowed & {"TRACE", "CONNECT"}


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/problem+json"),
        ("application/json", "application/problem+json"),
        ("application/problem+json, text/html;q=0.9", "application/problem+json"),
        ("text/html;q=0, */*", "application/problem+json"),
        ("text/html-not", "application/problem+json"),
        ("garbage;;;,,;q=x", "application/problem+json"),
        ("text/html", "text/html; charset=utf-8"),
        ("TEXT/HTML", "text/html; charset=utf-8"),
        ("text/html;q=0.5, application/json;q=0.4", "text/html; charset=utf-8"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8"),
    ],
)
def test_a_page_is_for_those_who_prefer_it(
    edge: Edge, stranger_a: CredentialFiles, accept: str, kind: str
) -> None:
    answer = curl(edge, "/james", "--header", f"Accept: {accept}", cert=stranger_a)
    assert (answer.status, answer.value("content-type")) == (403, kind)


@pytest.mark.parametrize("host", ["<script>alert(1)</script>", 'a"b', "x" * 500, "<" * 4000, "a.test\\u0000"])
def test_what_a_client_wrote_is_cut_and_escaped_in_an_answer(edge: Edge, host: str) -> None:
    with raw_tls(edge) as client:
        client.send(f"GET / HTTP/1.1\r\nAccept: text/html\r\nHost: {host}\r\n\r\n".encode())
        answer = client.read_answer()
    assert answer.status == 400
    if answer.values("content-type") == ["application/problem+json"]:
        assert_refused(answer, "bad_request", 400)
        assert answer.values("x-content-type-options") == ["nosniff"]
    else:
        assert b"<script" not in answer.body
    assert len(answer.body) < 4096


def test_a_refused_head_request_gets_the_head_alone(edge: Edge) -> None:
    with raw_tls(edge) as client:
        answer = client.ask("/", method="HEAD")
        assert (answer.status, answer.body) == (403, b"")
        assert int(answer.values("content-length")[0]) > 0
        assert client.ask("/public").status == 200  # and the connection is still in step


@pytest.mark.parametrize("form", [(), ("--header", "Accept: text/html")], ids=["json", "page"])
def test_curl_without_a_certificate_is_refused_and_with_one_served(
    edge: Edge, origin: Origin, client_a: CredentialFiles, form: tuple[str, ...]
) -> None:
    refused = curl(edge, "/", *form)
    assert refused.status == 403
    assert b"client_certificate_required" in refused.body
    assert refused.values("set-cookie") == []
    assert origin.received() == []
    assert curl(edge, "/", *form, cert=client_a).status == 200
