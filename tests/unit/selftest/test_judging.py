"""When an answer means that something was let through, and when it does not."""

from __future__ import annotations

import pytest

from edge.http1.limits import HeadLimits
from edge.http1.response_parser import read_response_head
from edge.selftest.aim import Host
from edge.selftest.case import Case, Family, Outcome, Severity, hole
from edge.selftest.conversation import Answer, Attempt, End
from edge.selftest.host_cases import spellings
from edge.selftest.identity_cases import twins
from edge.selftest.report import document_of, lines_of, printable
from edge.selftest.run import Report
from edge.selftest.scene import NOBODY, Known, Scene, learn
from edge.selftest.target_cases import dotted
from tests.unit.selftest.hostile import OK, REFUSED, Connection, Server, answers, in_turn, request_on


def answer(status: int, body: bytes = b"") -> Answer:
    block = b"HTTP/1.1 %d X\r\n\r\n" % status
    return Answer(read_response_head(block, b"GET", HeadLimits()), body)


def known(allowed: int | None, refused: int | None) -> Known:
    return Known(
        Host("a.test", b"a.test"),
        "/",
        None if allowed is None else answer(allowed),
        None if refused is None else Attempt((answer(refused),), End.CLOSED),
        (NOBODY,),
    )


@pytest.mark.parametrize(
    ("allowed", "refused", "status", "is_let_through"),
    [
        (200, 403, 403, False),
        (200, 403, 400, False),
        (200, 403, 302, False),
        (200, 403, 500, False),
        (302, 302, 302, False),
        (None, 403, 404, False),
        (200, 403, 200, True),
        (200, 403, 204, True),
        (200, 403, 101, True),
        (302, 403, 302, True),
        (None, None, 200, True),
    ],
)
def test_let_through_is_what_looks_like_the_answer_of_who_is_let_in(
    allowed: int | None, refused: int | None, status: int, *, is_let_through: bool
) -> None:
    assert known(allowed, refused).lets_through(answer(status)) is is_let_through


def test_who_is_let_in_everywhere_turns_nobody_away_at_the_other_host() -> None:
    with Server(answers(OK)) as server:
        dialler = server.dialler()
        object.__setattr__(dialler.aim, "other", Host("open.test", b"open.test"))
        scene = learn(dialler, "nonce")
    assert scene.other is not None
    assert scene.other.turned_away == ()
    assert scene.hosts == (scene.protected,)


def test_an_origin_that_repeats_its_head_is_found() -> None:
    def repeat(connection: Connection) -> None:
        while head := request_on(connection):
            body = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head)
            connection.sendall(body)

    with Server(repeat) as server:
        assert learn(server.dialler(), "nonce").echo_target == "/"
    with Server(answers(OK)) as server:
        assert learn(server.dialler(), "nonce").echo_target is None


def scene() -> Scene:
    good = answers(OK)
    with Server(in_turn(good, good, answers(REFUSED), good)) as server:
        return learn(server.dialler(), "nonce")


def test_what_came_from_a_server_does_nothing_to_a_terminal() -> None:
    case = Case(
        "x", Family.HOST, Severity.HIGH, "Sends.", "must not", lambda _: hole("\x1b[2J\u202e", "\r\n")
    )
    learned = scene()
    report = Report(learned, ((case, case.run(learned)),), 1.0)
    lines = [text for text, _ in lines_of(report)]
    assert all(line == printable(line) for line in lines)
    assert "  sent: \\x1b[2J\\u202e" in lines
    assert "1 cases in 1.0 s: 0 held, 1 HOLE, 0 does not apply, 0 could not tell" in lines
    document = document_of(report)
    assert document["schema_version"] == 1
    assert document["totals"] == {"held": 0, "hole": 1, "not_applicable": 0, "could_not_tell": 0}
    assert document["cases"][0]["documentation"] == "docs/selftest.md#x"
    assert document["cases"][0]["outcome"] == Outcome.HOLE.value
    assert document["baseline"]["without_certificate"] == "403"


def test_spellings_are_never_the_name_itself() -> None:
    for name in ("a.test:8443", "localhost", "127.0.0.1:1", "[::1]:1"):
        assert name not in spellings(name)
    assert twins("X-Client-Verify") == ("X_Client_Verify", "X.Client.Verify", "X_Client-Verify")
    for path in ("/", "/admin", "/a/b/"):
        assert path not in dotted(path)
