"""``edge explain`` says what the running edge does: here on purpose, elsewhere beside every request."""

from __future__ import annotations

import ipaddress
import time
from dataclasses import replace

import pytest

from tests.certificates import Authority, Credential, CredentialFiles
from tests.e2e import agreement
from tests.e2e.agreement import TALLY, hold, question_of
from tests.e2e.clients import curl, raw_tls
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.tls_client import Answer, TlsRefused

PATHS = ("/", "/james", "/james/x", "/public", "/closed", "/a;b", "/cdn-cgi/access/certs")
MALFORMED = ("//x", "/%zz", "/..", "/\\")
HOSTS = ("a.test", "b.test", "open.test", "one.wild.test")


BLOCK = b"GET / HTTP/1.1\r\nHost: require.test\r\n\r\n"


@pytest.fixture(scope="module")
def people(ca_a: Authority, ca_b: Authority) -> list[Credential | None]:
    return [
        None,
        ca_a.issue("James Royal"),
        ca_a.issue("Jane Doe"),
        ca_b.issue("James Royal"),
        ca_a.impostor().issue("James Royal"),
    ]


@pytest.mark.parametrize("host", HOSTS)
def test_every_answer_is_the_one_that_is_explained(
    edge: Edge, origin: Origin, people: list[Credential | None], host: str
) -> None:
    before = TALLY.compared
    for person in people:
        with raw_tls(edge, host, person, with_chain=True) as client:
            for path in PATHS:
                client.ask(path, host=host)
        for path in MALFORMED:  # the edge closes the connection after each
            with raw_tls(edge, host, person, with_chain=True) as client:
                client.ask(path, host=host)
    assert TALLY.compared - before == len(people) * (len(PATHS) + len(MALFORMED))


def test_another_host_on_the_connection_is_explained(edge: Edge, people: list[Credential | None]) -> None:
    before = TALLY.compared
    for host in ("b.test", "alias-of-a.test", "A.TEST.", "nobody.test"):
        with raw_tls(edge, "a.test", people[1], with_chain=True) as client:
            client.ask("/", host=host)
    assert TALLY.compared - before == 4


def test_what_curl_asks_for_is_explained(edge: Edge, origin: Origin, client_a: CredentialFiles) -> None:
    before = TALLY.compared
    for cert in (None, client_a):
        curl(edge, "/james", cert=cert)
        curl(edge, "/", "-H", "Accept: text/html", cert=cert)
        curl(edge, "/", "-X", "DELETE", cert=cert)
    assert TALLY.compared - before == 6


def test_a_host_that_requires_a_certificate_shakes_hands_with_whom_it_is_explained_to(
    edge: Edge, people: list[Credential | None]
) -> None:
    allowed = []
    for person in people:
        certificate = None if person is None else agreement.presented(person.certificate, person.chain)
        explanation = agreement.explained(edge, "require.test", BLOCK, certificate)
        assert explanation is not None
        try:
            with raw_tls(edge, "require.test", person, with_chain=True) as client:
                status = client.ask("/", host="require.test").status
        except TlsRefused:
            status = None
        assert explanation.outcome.in_handshake is (status is None)
        assert explanation.outcome.allowed is (status == 200)
        allowed.append(status == 200)
    assert allowed == [False, True, True, False, False]


REFUSED = Answer(
    403,
    (("content-type", "application/problem+json"), ("cache-control", "no-store")),
    b'{"reason": "policy_denied"}',
)


def test_an_answer_that_is_not_the_explained_one_fails_the_test(edge: Edge) -> None:
    """Otherwise the comparison would compare nothing."""
    question = question_of(b"GET /public HTTP/1.1\r\nHost: a.test\r\n\r\n", "a.test", None)
    with pytest.raises(AssertionError, match="explained"):
        hold(edge, question, REFUSED)
    question = question_of(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "a.test", None)
    for answer in (REFUSED, replace(REFUSED, status=200, headers=(), body=b"")):
        with pytest.raises(AssertionError, match="explained"):
            hold(edge, question, answer)


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.0\r\nHost: a.test\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\nGET",
        b"GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.test\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_plain_request_is_not_compared(block: bytes) -> None:
    assert question_of(block, "a.test", None) is None


def test_a_question_has_the_octets_that_were_sent(edge: Edge) -> None:
    block = b"GET /\xff%zz HTTP/1.1\r\nHost: a.test\r\nX-\xc3\xa9: y\r\n\r\n"
    question = question_of(block, "a.test", None)
    assert question is not None
    assert question.head == block
    assert question.client == ipaddress.ip_address("127.0.0.1")
    assert question.at <= time.time()  # noqa: TID251 - the clock that the edge reads
