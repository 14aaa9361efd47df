"""What is decided on a head, for how long, and what of it may be done the short way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from edge.model.refusal import Reason, Refusal
from edge.proxy.connection import ClientConnection
from edge.proxy.plan import Plan, make_plan
from edge.proxy.responses import refusal_answer
from edge.reactor.strand import NEVER
from tests.certificates import Credential
from tests.unit.proxy.clients import ISSUING, SESSION, Desk, configuration, with_claims
from tests.unit.snapshot.world import application, ca, host

FOREVER_NOT = float("-inf")
HOUR = 3600.0
JAMES = ISSUING.issue("James Royal", not_after=timedelta(days=20))
JAMES_ENDS = JAMES.certificate.not_valid_after_utc.timestamp()
SESSIONS = configuration(applications=SESSION)
DATE, REQUEST_ID = b"Mon, 23 Nov 2026 12:00:00 GMT", b"0123456789ab" * 2


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def block(line: bytes, *fields: bytes) -> bytes:
    return b"\r\n".join((line, *fields, b"", b""))


def get(*fields: bytes, path: bytes = b"/") -> bytes:
    return block(b"GET %b HTTP/1.1" % path, b"Host: a.test", *fields)


def cookie(token: str) -> bytes:
    return b"Cookie: CF_Authorization=" + token.encode()


def planned(connection: ClientConnection, head: bytes) -> Plan:
    return make_plan(connection, connection.services.holder.current, head)


def plan(desk: Desk, head: bytes, credential: Credential | None = JAMES, name: str = "a.test") -> Plan:
    return planned(desk.connect(credential, name), head)


def reason(found: Plan) -> Reason:
    assert found.refusal is not None
    assert found.passage is None
    return found.refusal.reason


# --- what is done the short way ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "simple"),
    [
        (get(), True),
        (get(b"Connection: keep-alive"), True),
        (get(b"Content-Length: 0"), True),
        (get(b"Authorization: Basic x"), True),
        (block(b"DELETE / HTTP/1.1", b"Host: a.test"), True),
        (block(b"OPTIONS / HTTP/1.1", b"Host: a.test"), True),
        (block(b"PUT / HTTP/1.1", b"Host: a.test", b"Content-Length: 0"), True),
        (get(b"Content-Length: 1"), False),
        (get(b"Transfer-Encoding: chunked"), False),
        (get(b"Connection: close"), False),
        (get(b"Authorization: NTLM x"), False),
        (get(b"Authorization: Negotiate x"), False),
        (
            get(
                b"Connection: Upgrade",
                b"Upgrade: websocket",
                b"Sec-WebSocket-Version: 13",
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ),
            False,
        ),
        (block(b"HEAD / HTTP/1.1", b"Host: a.test"), False),
        (block(b"POST / HTTP/1.1", b"Host: a.test"), False),
        (block(b"POST / HTTP/1.1", b"Host: a.test", b"Content-Length: 0"), False),
        (block(b"PATCH / HTTP/1.1", b"Host: a.test"), False),
        (block(b"GET / HTTP/1.0", b"Host: a.test"), False),
        (block(b"GET / HTTP/1.0", b"Host: a.test", b"Connection: keep-alive"), False),
    ],
)
def test_only_what_has_no_body_stays_and_may_be_sent_twice_is_simple(
    desk: Desk, head: bytes, *, simple: bool
) -> None:
    desk.publish(configuration())
    found = plan(desk, head)
    assert found.passage is not None
    assert found.passage.is_simple is simple
    assert found.refusal is None
    assert found.prepared is None


@pytest.mark.parametrize(
    ("head", "repeatable"),
    [
        (get(), True),
        (block(b"HEAD / HTTP/1.1", b"Host: a.test"), True),
        (block(b"POST / HTTP/1.1", b"Host: a.test"), True),
        (get(b"Content-Length: 0"), True),
        (get(b"Content-Length: 1"), False),
        (get(b"Transfer-Encoding: chunked"), False),
        (get(b"Connection: close"), False),
        (block(b"GET / HTTP/1.0", b"Host: a.test", b"Connection: keep-alive"), False),
    ],
)
def test_a_refusal_is_prepared_only_where_the_next_head_may_be_the_same(
    desk: Desk, head: bytes, *, repeatable: bool
) -> None:
    desk.publish(configuration())
    found = plan(desk, head, None)
    assert reason(found) is Reason.CLIENT_CERTIFICATE_REQUIRED
    assert (found.prepared is not None) is repeatable
    assert (found.good_until != FOREVER_NOT) is repeatable


# --- refusals ----------------------------------------------------------------------------------

HTML = b"Accept: text/html"
HINT = b"Upgrade: h3"
REFUSALS = [
    (get(), Reason.CLIENT_CERTIFICATE_REQUIRED),
    (get(HTML), Reason.CLIENT_CERTIFICATE_REQUIRED),
    (block(b"HEAD / HTTP/1.1", b"Host: a.test"), Reason.CLIENT_CERTIFICATE_REQUIRED),
    (block(b"GET / HTTP/1.1", b"Host: b.test"), Reason.MISDIRECTED_REQUEST),
    (block(b"GET / HTTP/1.1", b"Host: b.test", HTML), Reason.MISDIRECTED_REQUEST),
    (block(b"HEAD / HTTP/1.1", b"Host: c.test"), Reason.MISDIRECTED_REQUEST),
]


@pytest.mark.parametrize(("head", "why"), REFUSALS)
def test_a_prepared_refusal_is_octet_for_octet_the_one_that_is_made_anew(
    desk: Desk, head: bytes, why: Reason
) -> None:
    desk.publish(configuration())
    found = plan(desk, head, None)
    assert reason(found) is why
    assert found.prepared is not None
    assert found.view is not None
    assert found.refusal is not None
    assert found.prepared.render(REQUEST_ID, DATE) == refusal_answer(
        found.refusal,
        found.head,
        request_id=REQUEST_ID,
        date=DATE,
        close=False,
        extra=found.view.alt_svc,
    )
    assert found.prepared.octets == len(found.prepared.render(REQUEST_ID, DATE))
    assert found.prepared.status == why.status


@pytest.mark.parametrize(
    "head",
    [
        block(b"GET / HTTP/1.1"),
        block(b"GET / HTTP/1.1", b"Host: a.test", b"Host: a.test"),
        block(b"GET  / HTTP/1.1", b"Host: a.test"),
        block(b"GET / HTTP/2.0", b"Host: a.test"),
        b"\x00\r\n\r\n",
        b"\r\n\r\n",
    ],
)
def test_a_head_that_cannot_be_read_is_refused_and_never_kept(desk: Desk, head: bytes) -> None:
    desk.publish(configuration())
    found = plan(desk, head)
    assert found.refusal is not None
    assert found.head is None
    assert found.prepared is None
    assert found.passage is None
    assert not found.keeps_connection
    assert found.good_until == FOREVER_NOT


def test_a_path_of_the_edge_is_answered_anew_each_time(desk: Desk) -> None:
    desk.publish(configuration())
    found = plan(desk, get(path=b"/cdn-cgi/access/get-identity"))
    assert found.refusal is None
    assert found.passage is None
    assert found.good_until == FOREVER_NOT


def test_a_defect_lets_nothing_pass_and_is_not_kept(desk: Desk) -> None:
    desk.publish(configuration())
    connection = desk.connect(JAMES)
    desk.look(connection)
    connection.client_ip = None  # type: ignore[assignment]  # what no connection has
    connection.address = "é"  # not what a header can say
    found = planned(connection, get())
    assert reason(found) is Reason.INTERNAL_ERROR
    assert found.prepared is None
    assert found.good_until == FOREVER_NOT
    assert not found.keeps_connection


def test_a_host_that_is_gone_is_misdirected_and_not_kept(desk: Desk) -> None:
    desk.publish(configuration())
    connection = desk.connect(JAMES)
    desk.publish(configuration(host("b.test")).replace("a.test", "b.test"))
    found = planned(connection, get())
    assert reason(found) is Reason.MISDIRECTED_REQUEST
    assert found.view is None
    assert found.prepared is None
    assert found.good_until == FOREVER_NOT


# --- tokens ------------------------------------------------------------------------------------


def test_a_request_with_a_session_cookie_that_was_refused_is_never_kept(desk: Desk) -> None:
    # A token that is not good yet is good a moment later.
    desk.publish(SESSIONS)
    token = desk.token(JAMES)
    early = with_claims(token, nbf=int(desk.began) + 100, iat=int(desk.began) + 100)
    for sent in (early, with_claims(token, aud=["another"]), "nonsense"):
        found = plan(desk, get(cookie(sent)), None)
        assert reason(found) is Reason.CLIENT_CERTIFICATE_REQUIRED
        assert found.good_until == FOREVER_NOT
    connection = desk.connect()
    assert planned(connection, get(cookie(early))).passage is None
    desk.loop.now += 200
    assert planned(connection, get(cookie(early))).passage is not None


def test_another_cookie_keeps_no_refusal_from_being_kept(desk: Desk) -> None:
    desk.publish(SESSIONS)
    found = plan(desk, get(b"Cookie: a=b"), None)
    assert reason(found) is Reason.CLIENT_CERTIFICATE_REQUIRED
    assert found.good_until > FOREVER_NOT


def test_a_refusal_that_no_time_changes_is_good_for_ever(desk: Desk) -> None:
    desk.publish(configuration())
    assert plan(desk, get(), None).good_until == NEVER


# --- until when --------------------------------------------------------------------------------


def test_a_plan_ends_with_the_certificate(desk: Desk) -> None:
    desk.publish(configuration(applications=application("a.test", '"certificate"', decision="bypass")))
    short = ISSUING.issue("James Royal", not_after=timedelta(minutes=5))
    found = plan(desk, get(), short)
    assert found.passage is not None
    assert found.good_until == short.certificate.not_valid_after_utc.timestamp()


def test_a_misdirected_request_is_kept_no_longer_than_its_certificate_is_good(desk: Desk) -> None:
    desk.publish(configuration())
    found = plan(desk, block(b"GET / HTTP/1.1", b"Host: b.test"))
    assert reason(found) is Reason.MISDIRECTED_REQUEST
    assert found.good_until <= JAMES_ENDS


def test_a_plan_ends_when_a_list_is_stale(desk: Desk) -> None:
    desk.write_crl(next_update=timedelta(minutes=10))
    desk.publish(configuration(applications=application("a.test", '"certificate"', decision="bypass")))
    assert abs(plan(desk, get()).good_until - (desk.began + 600)) < 60


def test_a_plan_ends_at_half_of_the_life_of_the_token_it_carries(desk: Desk) -> None:
    desk.publish(SESSIONS)
    found = plan(desk, get())
    assert found.passage is not None
    assert b"Set-Cookie: " in found.passage.own_lines
    assert b"Cf-Access-Jwt-Assertion: " in found.passage.request_front
    assert abs(found.good_until - (desk.began + HOUR / 2)) < 2


def test_a_plan_ends_with_the_cookie_that_was_sent(desk: Desk) -> None:
    desk.publish(SESSIONS)
    sent = with_claims(desk.token(JAMES), exp=int(desk.began) + 600)
    found = plan(desk, get(cookie(sent)))
    assert found.passage is not None
    assert b"Set-Cookie" not in found.passage.own_lines
    assert found.good_until == int(desk.began) + 600


def test_a_plan_ends_with_the_session_that_stands_in_for_a_certificate(desk: Desk) -> None:
    desk.publish(SESSIONS)
    found = plan(desk, get(cookie(desk.token(JAMES))), None)
    assert found.passage is not None
    assert found.good_until == int(desk.began) + HOUR
    assert b"CF_Authorization" not in found.passage.request_front


@pytest.mark.parametrize("first", ["certificate", "list", "token", "cookie"])
def test_the_earliest_end_counts(desk: Desk, first: str) -> None:
    minutes = dict.fromkeys(("certificate", "list", "cookie"), 1000) | {first: 10}
    desk.write_crl(next_update=timedelta(minutes=minutes["list"]))
    duration = "20m" if first == "token" else "24h"
    desk.publish(configuration(applications=SESSION.replace('"1h"', f'"{duration}"')))
    short = ISSUING.issue("James Royal", not_after=timedelta(minutes=minutes["certificate"]))
    sent = with_claims(desk.token(short), exp=int(desk.began) + 60 * minutes["cookie"])
    found = plan(desk, get(cookie(sent)), short)
    assert found.passage is not None
    # A token ends with its certificate, so that half of a short-lived one's life is over before that.
    expected = 5 if first == "certificate" else 10
    assert abs(found.good_until - (desk.began + 60 * expected)) < 30


# --- what it says ------------------------------------------------------------------------------


def test_a_plan_says_nothing_that_is_new_for_each_request(desk: Desk) -> None:
    desk.publish(SESSIONS)
    connection = desk.connect(JAMES)
    first, second = (planned(connection, get()) for _ in range(2))
    assert (first.event, first.passage) == (second.event, second.passage)
    assert b"request_id" not in first.event
    assert first.passage is not None
    assert b"X-Request-Id" not in first.passage.request_front + first.passage.own_lines


def test_the_same_head_on_another_connection_is_another_plan(desk: Desk) -> None:
    text = configuration(host(), host("b.test")) + ca("b.test", title="B") + application("b.test")
    desk.publish(text)
    other = ISSUING.issue("Jane Doe")
    heads = {
        found.passage.request_front
        for found in (plan(desk, get(), JAMES), plan(desk, get(), other))
        if found.passage is not None
    }
    assert len(heads) == 2
    assert reason(plan(desk, get(), JAMES, "b.test")) is Reason.MISDIRECTED_REQUEST
    assert reason(plan(desk, get(), None)) is Reason.CLIENT_CERTIFICATE_REQUIRED


def test_another_generation_is_another_plan(desk: Desk) -> None:
    desk.publish(configuration())
    connection = desk.connect(JAMES)
    assert planned(connection, get()).passage is not None
    desk.write_crl(JAMES, number=2)
    snapshot = desk.publish(configuration())
    found = planned(connection, get())
    assert reason(found) is Reason.CLIENT_CERTIFICATE_REVOKED
    assert found.snapshot is snapshot


def test_a_refusal_says_to_the_log_what_it_says_to_the_client(desk: Desk) -> None:
    desk.publish(configuration())
    found = plan(desk, get(path=b"/x?secret"), None)
    assert b'"reason":"client_certificate_required"' in found.event
    assert b'"path":"/x"' in found.event
    assert b"secret" not in found.event
    assert isinstance(found.refusal, Refusal)
