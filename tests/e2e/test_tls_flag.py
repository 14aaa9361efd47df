"""The flag belongs to one connection and to one moment: it is judged again for every request."""

from __future__ import annotations

import base64
import json
import random
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from OpenSSL import SSL

from tests.certificates import SERVER, Authority, Credential, self_signed
from tests.e2e.clients import TlsClient, raw_tls
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.tls_client import Answer
from tests.e2e.verdicts import event_of, verdict

OK = (200, "")
REQUIRED = (403, "client_certificate_required")
INVALID = (403, "client_certificate_invalid")
EXPIRED = (403, "client_certificate_expired")

CONNECTIONS = 100
REQUESTS = 3

VERSIONS = pytest.mark.parametrize(
    "version",
    [pytest.param(SSL.TLS1_2_VERSION, id="tls1.2"), pytest.param(SSL.TLS1_3_VERSION, id="tls1.3")],
)


@VERSIONS
def test_a_certificate_that_expires_on_an_open_connection_is_refused_from_the_next_request_on(
    edge: Edge, origin: Origin, ca_a: Authority, version: int
) -> None:
    credential = ca_a.issue("James Royal", not_after=timedelta(seconds=3))
    assert_refused_after(edge, origin, credential, credential, version)


def test_an_intermediate_that_expires_on_an_open_connection_is_refused_likewise(
    edge: Edge, origin: Origin, ca_a: Authority
) -> None:
    own = ca_a.intermediate("Own", not_after=timedelta(seconds=3))
    assert_refused_after(edge, origin, own.issue("James Royal"), own.credential, SSL.TLS1_3_VERSION)


def test_a_certificate_that_becomes_valid_on_an_open_connection_needs_a_new_one(
    edge: Edge, ca_a: Authority
) -> None:
    # What did not verify in the handshake is not believed later; a new handshake costs little.
    credential = ca_a.issue("James Royal", not_before=timedelta(seconds=2))
    begin = credential.certificate.not_valid_before_utc.timestamp()
    with raw_tls(edge, "a.test", credential) as client:
        assert verdict(client.ask()) == EXPIRED
        wait_until(begin)
        assert verdict(client.ask()) == EXPIRED
    with raw_tls(edge, "a.test", credential) as client:
        assert verdict(client.ask()) == OK


def test_the_flag_and_the_identity_are_the_same_on_every_request_of_a_connection(
    edge: Edge, origin: Origin, ca_a: Authority
) -> None:
    credential = ca_a.issue("James Royal")
    with raw_tls(edge, "a.test", credential) as client:
        events = [event_of(edge, client.ask("/same")) for _ in range(20)]
    assert {event["certificate_sha256"] for event in events} == {credential.fingerprint}
    assert {event["verify"] for event in events} == {"SUCCESS"}
    assert {r.value("mtls-authenticated") for r in origin.wait_for("/same", 20)} == {"true"}


def test_connections_at_the_same_time_never_get_each_others_verdict(
    edge: Edge, origin: Origin, ca_a: Authority, ca_b: Authority
) -> None:
    kinds: list[tuple[Callable[[int], Credential | None], tuple[int, str]]] = [
        (lambda n: ca_a.issue(f"device {n}"), OK),
        (lambda n: None, REQUIRED),
        (lambda n: ca_a.intermediate(f"Own {n}").issue(f"device {n}"), OK),
        (lambda n: ca_b.issue(f"device {n}"), INVALID),
        (lambda n: ca_a.issue(f"device {n}"), OK),
        (lambda n: ca_a.issue(f"device {n}", not_after=timedelta(minutes=-1)), EXPIRED),
        (lambda n: ca_a.issue(f"device {n}"), OK),
        (lambda n: self_signed(f"device {n}"), INVALID),
        (lambda n: ca_a.issue(f"device {n}"), OK),
        (lambda n: ca_a.issue(f"device {n}", eku=[SERVER]), INVALID),
    ]
    clients = [
        OneOfMany(edge, number, kinds[number % len(kinds)][0](number), kinds[number % len(kinds)][1])
        for number in range(CONNECTIONS)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join(60)
    assert [client.failure for client in clients if client.failure] == []
    for client in clients:
        assert [verdict(answer) for answer in client.answers] == [client.expected] * REQUESTS
        for answer in client.answers:
            assert_event_is_of(edge, client, answer)
    passed = [received for client in clients for received in origin.received(client.path)]
    assert len(passed) == REQUESTS * sum(client.expected == OK for client in clients)
    for received in passed:
        assert common_name(received.value("cf-access-jwt-assertion")) == f"device {received.path[1:]}"


class OneOfMany(threading.Thread):
    """One client in a crowd: it dawdles in its handshake and between its requests."""

    def __init__(
        self, edge: Edge, number: int, credential: Credential | None, expected: tuple[int, str]
    ) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self.path = f"/{number}"
        self.credential = credential
        self.expected = expected
        self.answers: list[Answer] = []
        self.failure: str = ""
        self._edge = edge
        self._chance = random.Random(number)

    def run(self) -> None:
        try:
            with Dawdler(self._edge, self.credential, self._chance) as client:
                client.handshake()
                for _ in range(REQUESTS):
                    time.sleep(self._chance.random() / 20)
                    self.answers.append(client.ask(self.path))
        except Exception as error:  # noqa: BLE001 -- told by the test, in its own thread
            self.failure = f"{self.path}: {error!r}"


class Dawdler(TlsClient):
    """A client that pauses before everything it writes in the handshake."""

    def __init__(self, edge: Edge, credential: Credential | None, chance: random.Random) -> None:
        version = chance.choice([SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
        super().__init__(edge.port, "a.test", credential, version=version, with_chain=True, segment_size=900)
        self._chance = chance

    def _write(self, *, first: bool, segment_size: int | None = None) -> None:
        if segment_size is None:
            time.sleep(self._chance.random() / 20)
        super()._write(first=first, segment_size=segment_size)


def assert_event_is_of(edge: Edge, client: OneOfMany, answer: Answer) -> None:
    event = event_of(edge, answer)
    assert event["path"] == client.path
    assert event["mtls_authenticated"] is (client.expected == OK)
    fingerprint = client.credential.fingerprint if client.credential else None
    assert event.get("certificate_sha256") == fingerprint


def assert_refused_after(
    edge: Edge, origin: Origin, credential: Credential, ends: Credential, version: int
) -> None:
    end = ends.certificate.not_valid_after_utc.timestamp()
    with raw_tls(edge, "a.test", credential, version=version, with_chain=True) as client:
        answer = client.ask("/in-time")
        assert verdict(answer) == OK
        assert event_of(edge, answer)["verify"] == "SUCCESS"
        wait_until(end)
        for _ in range(2):
            answer = client.ask("/too-late")
            assert verdict(answer) == EXPIRED
            event = event_of(edge, answer)
            assert (event["verify"], event["mtls_authenticated"]) == (
                "FAILED:certificate has expired",
                False,
            )
            assert event["certificate_sha256"] == credential.fingerprint
        assert verdict(client.ask("/public")) == OK
    assert origin.received("/too-late") == []
    assert origin.wait_for("/public")[0].value("mtls-authenticated") == "false"


def common_name(assertion: str | None) -> str:
    """What a token says of its subject; who made it is looked at elsewhere."""
    assert assertion is not None
    claims = assertion.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["common_name"])


def wait_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.time()) + 0.1)  # noqa: TID251 -- the edge under test reads this clock too
