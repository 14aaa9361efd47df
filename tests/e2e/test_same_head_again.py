"""The same octets of a head, again and again: what was decided on them counts while nothing else changes.

A worker remembers what it decided on a head: for one connection, under one configuration, until a time.
Each test changes one of these and nothing else. One worker, so that one memory serves them all.
"""

from __future__ import annotations

import base64
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.certificates import Authority, Credential
from tests.e2e.behaviours import OK as OK_LINE
from tests.e2e.behaviours import scripted_origin
from tests.e2e.clients import TlsClient, raw_tls
from tests.e2e.configuration import application_table, ca_table, host_table, open_config, server_table
from tests.e2e.crl_edge import OK, REVOKED, GuardedHost, crl_edge, soon
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin, Received, Wire
from tests.e2e.refusals import assert_refused
from tests.e2e.tls_client import Answer
from tests.e2e.token_edge import JAMES, SESSION, cookie_of, verified
from tests.e2e.verdicts import event_of, request_id, verdict

GRACE_SECONDS = 1.1
"""Who is accepted a moment before the end is told of it later; who is older than this is told at once."""
TIMES = 4
"""A head is remembered when it comes for the second time, and the third is served from memory."""
EXPIRED = (403, "client_certificate_expired")
MISDIRECTED = (421, "misdirected_request")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> GuardedHost:
    return GuardedHost("guarded.test", tmp_path_factory.mktemp("lists"))


@pytest.fixture(scope="module")
def guarding_edge(
    tmp_path_factory: pytest.TempPathFactory,
    server_root: Authority,
    session_origin: Origin,
    guarded: GuardedHost,
) -> Iterator[Edge]:
    directory = tmp_path_factory.mktemp("guarding")
    with crl_edge(directory, server_root, session_origin.url, guarded, workers=1) as running:
        yield running


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin) -> Iterator[Edge]:
    parts = [
        server_table(workers=1),
        'signing_algorithm = "ES256"\n',
        host_table(pki, "a.test", session_origin.url, 'forward_client_certificate = ["cloudflare"]'),
        host_table(pki, "b.test", session_origin.url),
        ca_table("CA A", pki / "ca-a.pem", "a.test", "b.test"),
        application_table("a.test/any", '"certificate"', SESSION),
        application_table("a.test/session", JAMES, SESSION),
        application_table("a.test/moment", JAMES, SESSION, 'session_duration = "1s"'),
        application_table("a.test/brief", JAMES, SESSION, 'session_duration = "4s"'),
        application_table("a.test/public", '"everyone"', decision="bypass"),
        application_table("a.test"),
        application_table("b.test", JAMES),
    ]
    directory = tmp_path_factory.mktemp("same")
    with Edge("".join(parts), directory, server_ca=pki / "server-ca.pem") as running:
        yield running


@pytest.fixture(scope="module")
def james(ca_a: Authority) -> Credential:
    return ca_a.issue("James Royal")


@pytest.fixture(scope="module")
def jane(ca_a: Authority) -> Credential:
    return ca_a.issue("Jane Doe")


def head_of(path: str, host: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {host}", *fields, "", ""]).encode()


def unexplained(client: TlsClient) -> None:
    """Compare no answer with its explanation: that is made a moment later, when the time may be over."""
    client.witness = None


def ask(client: TlsClient, head: bytes) -> Answer:
    client.send(head)
    return client.read_answer()


def again(client: TlsClient, head: bytes, times: int = TIMES) -> list[Answer]:
    return [ask(client, head) for _ in range(times)]


def told(answer: Answer, name: str) -> str | None:
    """What the origin was told in that field, by the answer of ``echo``."""
    assert answer.status == 200, answer
    values = [value for key, value in json.loads(answer.body)["headers"] if key == name]
    assert len(values) <= 1
    return values[0] if values else None


# --- the configuration: which lists are in force ------------------------------------------------


def test_a_head_that_passed_is_refused_once_its_certificate_is_revoked(
    guarding_edge: Edge, origin: Origin, guarded: GuardedHost
) -> None:
    # Part of the key: the snapshot. Each list that is taken up makes another one.
    revoked, other = guarded.issue("revoked"), guarded.issue("other")
    head = head_of("/", guarded.name)
    with (
        raw_tls(guarding_edge, guarded.name, revoked) as client,
        raw_tls(guarding_edge, guarded.name, other) as unaffected,
    ):
        assert {verdict(answer) for answer in again(client, head) + again(unaffected, head)} == {OK}
        guarded.ca.revoke(revoked)
        soon(lambda: ask(client, head), REVOKED)
        guarded.wait_in_force(guarding_edge, guarded.ca)
        reached = len(origin.received())
        refused = again(client, head)
        assert {verdict(answer) for answer in refused} == {REVOKED}
        assert len(origin.received()) == reached
        assert {verdict(answer) for answer in again(unaffected, head)} == {OK}
    assert len({request_id(answer) for answer in refused}) == TIMES
    for answer in refused:
        event = event_of(guarding_edge, answer)
        assert (event["reason"], event["mtls_authenticated"]) == ("client_certificate_revoked", False)


def test_a_head_that_was_refused_passes_once_its_certificate_is_off_the_list(
    guarding_edge: Edge, guarded: GuardedHost
) -> None:
    # Part of the key: the snapshot, for what is refused as well.
    held = guarded.issue("held")
    head = head_of("/", guarded.name)
    guarded.ca.revoke(held)
    guarded.wait_in_force(guarding_edge, guarded.ca)
    with raw_tls(guarding_edge, guarded.name, held) as client:
        assert {verdict(answer) for answer in again(client, head)} == {REVOKED}
        guarded.ca.revoked.remove(held)
        guarded.ca.publish()
        soon(lambda: ask(client, head), OK)
        assert {verdict(answer) for answer in again(client, head)} == {OK}


# --- the time ----------------------------------------------------------------------------------


def test_a_head_that_passed_is_refused_once_its_certificate_has_expired(edge: Edge, ca_a: Authority) -> None:
    # Part of the key: good_until, where the certificate ends first.
    short = ca_a.issue("James Royal", not_after=timedelta(seconds=3))
    ends = short.certificate.not_valid_after_utc.timestamp()
    head = head_of("/any", "a.test")
    with raw_tls(edge, "a.test", short) as client:
        unexplained(client)
        assert {verdict(answer) for answer in again(client, head)} == {OK}
        while (found := verdict(ask(client, head))) == OK:
            assert time.time() <= ends + 0.5  # noqa: TID251
        assert found == EXPIRED
        assert time.time() > ends  # noqa: TID251
        assert {verdict(answer) for answer in again(client, head)} == {EXPIRED}


def test_what_the_origin_and_the_client_are_given_is_good_at_every_time(
    edge: Edge, james: Credential
) -> None:
    # Part of the key: good_until, where half of a token's life is over first. The session lasts four seconds.
    head = head_of("/brief", "a.test")
    assertions, cookies = set[str](), set[str]()
    with raw_tls(edge, "a.test", james) as client:
        unexplained(client)
        end = time.monotonic() + 4.5
        while time.monotonic() < end:
            answer = ask(client, head)
            assertion = told(answer, "cf-access-jwt-assertion")
            assert assertion is not None
            left = json.loads(_segment(assertion))["exp"] - time.time()  # noqa: TID251
            assert left > 0.5, "more than half of its life, but for the second it was issued in"
            if assertion not in assertions:
                verified(edge, assertion, "ES256")
            assertions.add(assertion)
            cookies.add(cookie_of(answer))
            time.sleep(0.02)
    assert len(assertions) > 2
    assert cookies == assertions


def test_a_head_with_a_good_cookie_is_given_another_when_that_one_ends(edge: Edge, james: Credential) -> None:
    # Part of the key: good_until, where the cookie that was sent expires first.
    with raw_tls(edge, "a.test", james) as client:
        unexplained(client)
        cookie = cookie_of(ask(client, head_of("/moment", "a.test")))
        expires = json.loads(_segment(cookie))["exp"]
        head = head_of("/moment", "a.test", f"Cookie: CF_Authorization={cookie}")
        while not (sets := ask(client, head).values("set-cookie")):
            assert time.time() < expires + 0.5, "a cookie that has expired is taken for good"  # noqa: TID251
        assert sets[0].partition(";")[0] != f"CF_Authorization={cookie}"


def test_a_head_with_a_session_is_refused_when_that_ends(edge: Edge, james: Credential) -> None:
    # Part of the key: good_until, where the token that stands in for a certificate expires first.
    with raw_tls(edge, "a.test", james) as client:
        unexplained(client)
        cookie = cookie_of(ask(client, head_of("/moment", "a.test")))
    expires = json.loads(_segment(cookie))["exp"]
    head = head_of("/moment", "a.test", f"Cookie: CF_Authorization={cookie}")
    with raw_tls(edge, "a.test") as client:
        unexplained(client)
        assert verdict(ask(client, head)) == OK
        while verdict(ask(client, head)) == OK:
            assert time.time() < expires + 0.5  # noqa: TID251
        assert {verdict(answer) for answer in again(client, head)} == {(403, "client_certificate_required")}


def _segment(token: str) -> bytes:
    payload = token.split(".")[1]
    return base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))


# --- the connection ----------------------------------------------------------------------------


def test_a_head_that_passed_on_one_host_is_misdirected_on_the_connection_of_another(
    edge: Edge, origin: Origin, james: Credential
) -> None:
    # Part of the key: the connection, for its host. The head, the client and the worker are the same.
    head = head_of("/any", "a.test")
    with raw_tls(edge, "a.test", james) as here, raw_tls(edge, "b.test", james) as there:
        for _ in range(TIMES):
            assert verdict(ask(here, head)) == OK
            answer = ask(there, head)
            assert_refused(answer, "misdirected_request", 421)
        with raw_tls(edge, "b.test") as nobody:
            assert {verdict(found) for found in again(nobody, head)} == {MISDIRECTED}
    assert len(origin.received("/any")) == TIMES
    event = event_of(edge, answer)
    assert (event["host"], event["reason"]) == ("a.test", "misdirected_request")
    assert "application" not in event
    assert "policy" not in event


def test_a_head_without_a_policy_on_one_host_has_the_policy_of_the_other(
    edge: Edge, james: Credential, jane: Credential
) -> None:
    # Part of the key: the connection. One head names both hosts at once: by the name it does not say.
    head = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    with (
        raw_tls(edge, "a.test", jane) as open_here,
        raw_tls(edge, "b.test", jane) as closed_there,
        raw_tls(edge, "b.test", james) as open_there,
    ):
        for _ in range(TIMES):
            here, there = ask(open_here, head), ask(open_there, head)
            assert (told(here, "host"), told(there, "host")) == ("a.test", "b.test")
            assert verdict(ask(closed_there, head)) == (403, "policy_denied")


def test_the_same_head_has_the_verdict_of_the_certificate_it_came_with(
    edge: Edge, origin: Origin, james: Credential, jane: Credential
) -> None:
    # Part of the key: the connection, for its certificate.
    head = head_of("/session", "a.test")
    with (
        raw_tls(edge, "a.test", james) as allowed,
        raw_tls(edge, "a.test", jane) as denied,
        raw_tls(edge, "a.test") as nobody,
    ):
        for _ in range(TIMES):
            assert verdict(ask(allowed, head)) == OK
            assert verdict(ask(denied, head)) == (403, "policy_denied")
            assert verdict(ask(nobody, head)) == (403, "client_certificate_required")
    assert len(origin.received("/session")) == TIMES


def test_the_same_head_carries_the_identity_of_the_certificate_it_came_with(
    edge: Edge, james: Credential, jane: Credential
) -> None:
    # Part of the key: the connection, for its certificate: what the origin is told, and the cookie.
    head = head_of("/any", "a.test")
    with raw_tls(edge, "a.test", james) as one, raw_tls(edge, "a.test", jane) as other:
        for _ in range(TIMES):
            for client, credential in ((one, james), (other, jane)):
                answer = ask(client, head)
                assert told(answer, "cf-client-cert-sha256") == credential.fingerprint
                assertion = told(answer, "cf-access-jwt-assertion")
                assert assertion == cookie_of(answer)
                claims = verified(edge, assertion, "ES256")
                assert claims["common_name"] == credential.certificate.subject.rfc4514_string()[3:]


def test_the_same_head_on_another_connection_without_a_certificate_carries_no_identity(
    edge: Edge, james: Credential
) -> None:
    # Part of the key: the connection, for its certificate: none is not another's.
    head = head_of("/public", "a.test")
    with raw_tls(edge, "a.test", james) as one, raw_tls(edge, "a.test") as nobody:
        for _ in range(TIMES):
            assert told(ask(one, head), "mtls-authenticated") == "true"
            answer = ask(nobody, head)
            assert told(answer, "mtls-authenticated") == "false"
            assert told(answer, "cf-client-cert-sha256") is None
            assert told(answer, "cf-access-jwt-assertion") is None


# --- the head ----------------------------------------------------------------------------------


def test_heads_that_differ_in_one_octet_are_different(edge: Edge, james: Credential) -> None:
    # Part of the key: every octet of the head.
    with raw_tls(edge, "a.test", james) as client:
        plain = head_of("/any", "a.test", "X-One: 1")
        again(client, plain)
        for other, name, value in [
            (head_of("/any", "a.test", "X-One: 2"), "x-one", "2"),
            (head_of("/any", "a.test", "X-Two: 1"), "x-two", "1"),
            (head_of("/any", "A.test", "X-One: 1"), "host", "A.test"),
        ]:
            assert told(ask(client, other), name) == value
        assert json.loads(ask(client, head_of("/any?x", "a.test", "X-One: 1")).body)["target"] == "/any?x"
        assert told(ask(client, plain), "x-one") == "1"
        assert verdict(ask(client, head_of("/any", "b.test", "X-One: 1"))) == MISDIRECTED


def test_a_known_head_that_comes_with_more_is_not_taken_for_it(
    edge: Edge, origin: Origin, james: Credential
) -> None:
    # The memory is asked for what was read in one piece: that must be the head, and nothing beside it.
    head = head_of("/any", "a.test")
    with raw_tls(edge, "a.test", james) as client:
        again(client, head)
        client.send(head + head_of("/session", "a.test"))
        paths = [json.loads(client.read_answer().body)["target"] for _ in range(2)]
        assert paths == ["/any", "/session"]
        client.send(head[:-2])
        client.send(b"X-Late: 1\r\n\r\n")
        assert told(client.read_answer(), "x-late") == "1"
        client.send(b"POST /any HTTP/1.1\r\nHost: a.test\r\nContent-Length: %d\r\n\r\n" % len(head))
        origin.wait_for("/any", TIMES + 3)
        client.send(head)  # a body that looks like a head
        assert json.loads(client.read_answer("POST").body)["body_size"] == len(head)
    assert [received.method for received in origin.received("/any")] == ["GET"] * (TIMES + 2) + ["POST"]


@pytest.mark.parametrize("filler", [100, 5000])
def test_every_request_has_an_identifier_of_its_own_and_reaches_the_origin(
    edge: Edge, origin: Origin, james: Credential, filler: int
) -> None:
    head = head_of("/any", "a.test", "X-Filler: " + "x" * filler)
    with raw_tls(edge, "a.test", james) as client:
        answers = again(client, head, 20)
    identifiers = [request_id(answer) for answer in answers]
    assert len(set(identifiers)) == 20
    assert [received.value("x-request-id") for received in origin.received("/any")] == identifiers
    assert [told(answer, "x-request-id") for answer in answers] == identifiers
    for answer in answers:
        event = event_of(edge, answer)
        assert (event["status"], event["path"], event["host"]) == (200, "/any", "a.test")
        assert event["certificate_sha256"] == james.fingerprint


# --- the end of the edge -----------------------------------------------------------------------


@pytest.fixture
def ending(tmp_path: Path, pki: Path) -> Iterator[tuple[Edge, Origin]]:
    """An edge that a test ends itself."""
    with scripted_origin() as origin:
        closed = application_table("open.test/closed", '"everyone"', decision="deny")
        edge = Edge(open_config(pki, origin.url) + closed, tmp_path, server_ca=pki / "server-ca.pem")
        edge.start()
        yield edge, origin
        if edge.process.poll() is None:
            edge.stop()


class Gate:
    """A handler that answers at once until it is shut, and then when it is opened."""

    def __init__(self, octets: Callable[[int], bytes]) -> None:
        self.open = threading.Event()
        self.open.set()
        self._octets = octets
        self._count = 0

    def __call__(self, received: Received, wire: Wire) -> None:
        self._count += 1
        assert self.open.wait(20)
        wire.send(self._octets(self._count))


DATE = b"Date: Mon, 23 Nov 2026 12:00:00 GMT\r\n"


def in_octets(size: int) -> bytes:
    """An answer of so many octets, head and all, that says which octet of its body is which."""
    head = OK_LINE + DATE + b"Content-Length: %05d\r\n\r\n"
    room = size - len(head % 0)
    body = b"".join(b"%07d\n" % number for number in range(room // 8 + 1))[:room]
    return head % room + body


@pytest.mark.parametrize("size", [200, 16384, 30000])
def test_an_edge_that_ends_while_an_origin_thinks_says_so_and_says_it_right(
    ending: tuple[Edge, Origin], size: int
) -> None:
    # The end is not part of the key: it is asked for when the answer is written. A read of the origin
    # brings 16384 octets, and with what the edge adds they are too many for one record of TLS.
    edge, origin = ending
    gate = Gate(lambda _: in_octets(size))
    origin.on("/gate", gate)
    head = head_of("/gate", "open.test")
    with raw_tls(edge, "open.test") as client:
        before = again(client, head)
        assert [answer.values("connection") for answer in before] == [[]] * TIMES
        time.sleep(GRACE_SECONDS)
        gate.open.clear()
        client.send(head)
        origin.wait_for("/gate", TIMES + 1)
        edge.signal(signal.SIGTERM)
        edge.wait_for_event("stopping")
        time.sleep(0.3)  # the worker has heard of it, too
        gate.open.set()
        answer = client.read_answer()
        assert answer.body == before[0].body
        assert answer.values("connection") == ["close"]
        assert client.read() == b""
    began = time.monotonic()
    assert edge.wait() == 0
    assert time.monotonic() - began < 5


def test_an_edge_that_ends_does_not_wait_for_a_client_that_has_its_answer(
    ending: tuple[Edge, Origin],
) -> None:
    edge, origin = ending
    gate = Gate(lambda _: in_octets(200))
    origin.on("/gate", gate)
    head = head_of("/gate", "open.test")
    with raw_tls(edge, "open.test") as client:
        again(client, head)
        time.sleep(GRACE_SECONDS)
        gate.open.clear()
        client.send(head)
        origin.wait_for("/gate", TIMES + 1)
        edge.signal(signal.SIGTERM)
        edge.wait_for_event("stopping")
        time.sleep(0.3)
        gate.open.set()
        assert client.read_answer().status == 200
        client.sock.settimeout(3)
        assert client.read() == b""  # the edge closes; the client does not
    assert edge.wait() == 0


def test_an_edge_that_ends_does_not_keep_a_connection_for_a_known_refusal(
    ending: tuple[Edge, Origin],
) -> None:
    # The request of another keeps the worker alive while the refused one asks again.
    edge, origin = ending
    gate = Gate(lambda _: in_octets(200))
    origin.on("/gate", gate)
    closed, passing = head_of("/closed", "open.test"), head_of("/gate", "open.test")
    with raw_tls(edge, "open.test") as client, raw_tls(edge, "open.test") as other:
        for answer in again(client, closed):
            assert_refused(answer, "policy_denied")
            assert answer.values("connection") == []
        again(other, passing)
        time.sleep(GRACE_SECONDS)
        gate.open.clear()
        other.send(passing)
        origin.wait_for("/gate", TIMES + 1)
        client.send(closed[:-2])  # what has begun is served
        time.sleep(0.2)
        edge.signal(signal.SIGTERM)
        edge.wait_for_event("stopping")
        time.sleep(0.3)
        client.send(b"\r\n")
        answer = client.read_answer()
        assert_refused(answer, "policy_denied")
        assert answer.values("connection") == ["close"]
        assert client.read() == b""
        gate.open.set()
        assert other.read_answer().status == 200
    assert edge.wait() == 0
