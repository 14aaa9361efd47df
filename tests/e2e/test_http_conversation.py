"""Several requests on one connection: in order, in step, and with an expectation kept or refused."""

from __future__ import annotations

import json
from pathlib import Path

from tests.certificates import Authority, CredentialFiles
from tests.e2e.clients import curl, raw_tls
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.refusals import assert_refused

HOST = b"Host: a.test\r\n"


def test_pipelined_requests_are_answered_in_order(edge: Edge, origin: Origin, ca_a: Authority) -> None:
    requests = [
        b"GET /sleep?seconds=0.2 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"POST /upload HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc",
        b"GET /closed HTTP/1.1\r\n" + HOST + b"\r\n",
        b"POST /upload HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n",
        b"HEAD /echo HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /cdn-cgi/access/certs HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /last HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
    ]
    with raw_tls(edge, credential=ca_a.issue("Jane Doe")) as client:
        client.send(b"".join(requests))
        answers = [client.read_answer(request.partition(b" ")[0].decode()) for request in requests]
        assert client.read_until_close() == b""
    assert [answer.status for answer in answers] == [200, 200, 403, 200, 200, 200, 200]
    assert answers[0].body == b"slept"
    assert [answers[1].body[:2], answers[3].body[:2]] == [b"3 ", b"2 "]
    assert "keys" in json.loads(answers[5].body)
    assert json.loads(answers[6].body)["target"] == "/last"
    paths = ["/sleep", "/upload", "/upload", "/echo", "/last"]
    assert [received.path for received in origin.received()] == paths
    assert len({answer.values("x-request-id")[0] for answer in answers}) == len(answers)


def test_a_hundred_pipelined_requests_each_get_their_own_answer(edge: Edge, origin: Origin) -> None:
    with raw_tls(edge, "open.test") as client:
        client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: open.test\r\n\r\n" % n for n in range(100)))
        targets = [json.loads(client.read_answer().body)["target"] for _ in range(100)]
    assert targets == [f"/{number}" for number in range(100)]


def test_a_request_that_comes_octet_by_octet_is_the_same_request(edge: Edge, origin: Origin) -> None:
    request = b"POST /slow HTTP/1.1\r\nHost: open.test\r\nContent-Length: 4\r\n\r\nbody"
    with raw_tls(edge, "open.test") as client:
        for octet in request:
            client.send(bytes([octet]))
        assert client.read_answer().status == 200
    (received,) = origin.received("/slow")
    assert received.body == b"body"


def test_a_client_that_expects_continue_is_told_to_go_on_by_the_origin(edge: Edge, origin: Origin) -> None:
    with raw_tls(edge, "open.test") as client:
        client.send(
            b"POST /accept-continue HTTP/1.1\r\nHost: open.test\r\nExpect: 100-continue\r\n"
            b"Content-Length: 4\r\n\r\n"
        )
        octets = client.read()
        assert octets.startswith(b"HTTP/1.1 100 Continue\r\n")
        client.send(b"body")
        answer = client.read_answer()
    assert (answer.status, answer.body[:2]) == (200, b"4 ")
    (received,) = origin.received("/accept-continue")
    assert (received.body, received.values("expect")) == (b"body", ["100-continue"])


def test_an_origin_that_refuses_an_expectation_is_heard(edge: Edge, origin: Origin) -> None:
    with raw_tls(edge, "open.test") as client:
        client.send(
            b"POST /refuse-continue HTTP/1.1\r\nHost: open.test\r\nExpect: 100-continue\r\n"
            b"Content-Length: 60\r\n\r\n"
        )
        answer = client.read_answer()
        assert (answer.status, answer.interim) == (417, ())
        client.send(b"GET /smuggled HTTP/1.1\r\nHost: open.test\r\n\r\n".ljust(60))
        assert client.read_until_close() == b""
    assert origin.received("/smuggled") == []


def test_a_denied_request_is_never_told_to_continue(edge: Edge, origin: Origin) -> None:
    with raw_tls(edge) as client:
        client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 60\r\n\r\n")
        answer = client.read_answer()
        assert_refused(answer, "client_certificate_required")
        assert answer.interim == ()
        client.send(b"GET /public/smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n".ljust(60))
        assert client.read_until_close() == b""
    assert origin.received() == []


def test_curl_uploads_with_an_expectation(
    edge: Edge, origin: Origin, client_a: CredentialFiles, tmp_path: Path
) -> None:
    (tmp_path / "data").write_bytes(b"x" * 2_000_000)
    upload = ("--data-binary", f"@{tmp_path / 'data'}", "--header", "Expect: 100-continue")
    answer = curl(edge, "/accept-continue", *upload, cert=client_a)
    assert (answer.status, answer.interim) == (200, (100,))
    assert answer.body.startswith(b"2000000 ")
    refused = curl(edge, "/accept-continue", *upload)
    assert (refused.status, refused.interim) == (403, ())
    assert len(origin.received()) == 1


def test_an_expectation_without_a_body_or_from_http_1_0_is_ignored(edge: Edge, origin: Origin) -> None:
    with raw_tls(edge, "open.test") as client:
        client.send(b"GET /x HTTP/1.1\r\nHost: open.test\r\nExpect: 100-continue\r\n\r\n")
        assert client.read_answer().status == 200
        client.send(
            b"POST /x HTTP/1.0\r\nHost: open.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi"
        )
        assert client.read_answer().status == 200
    assert [received.values("expect") for received in origin.received()] == [[], []]


def test_a_malformed_request_behind_good_ones_ends_the_connection(edge: Edge, origin: Origin) -> None:
    with raw_tls(edge, "open.test") as client:
        client.send(
            b"GET /one HTTP/1.1\r\nHost: open.test\r\n\r\n"
            b"GET /two HTTP/1.1\r\nHost : open.test\r\n\r\n"
            b"GET /three HTTP/1.1\r\nHost: open.test\r\n\r\n"
        )
        assert client.read_answer().status == 200
        assert_refused(client.read_answer(), "bad_request", 400)
        assert client.read_until_close() == b""
        assert client.closed_cleanly
    assert [received.path for received in origin.received()] == ["/one"]


def test_connection_close_is_kept_to(edge: Edge, origin: Origin) -> None:
    for head in (
        b"GET /one HTTP/1.1\r\nHost: open.test\r\nConnection: close\r\n\r\n",
        b"GET /one HTTP/1.1\r\nHost: open.test\r\nConnection: keep-alive, Close\r\n\r\n",
        b"GET /one HTTP/1.0\r\nHost: open.test\r\n\r\n",
    ):
        with raw_tls(edge, "open.test") as client:
            client.send(head + b"GET /two HTTP/1.1\r\nHost: open.test\r\n\r\n")
            answer = client.read_answer()
            assert (answer.status, answer.values("connection")) == (200, ["close"])
            assert client.read_until_close() == b""
    assert origin.received("/two") == []


def test_an_http_1_0_client_may_keep_its_connection(edge: Edge, origin: Origin) -> None:
    with raw_tls(edge, "open.test") as client:
        for _ in range(2):
            client.send(b"GET /x HTTP/1.0\r\nHost: open.test\r\nConnection: Keep-Alive\r\n\r\n")
            answer = client.read_answer()
            assert (answer.status, answer.values("connection")) == (200, ["keep-alive"])
            assert answer.values("transfer-encoding") == []
    assert len(origin.received("/x")) == 2


def test_curl_keeps_one_connection_for_many_requests(
    edge: Edge, origin: Origin, client_a: CredentialFiles
) -> None:
    url = f"https://a.test:{edge.port}"
    answer = curl(edge, "/last", f"{url}/one", f"{url}/closed", f"{url}/two", cert=client_a)
    assert answer.status == 200
    assert answer.verbose.count("SSL connection using") == 1
    assert [received.path for received in origin.received()] == ["/one", "/two", "/last"]
