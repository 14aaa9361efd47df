"""Whatever a server does, a run ends in time, with findings, and without an exception."""

from __future__ import annotations

import time

import pytest

from edge.selftest.case import Outcome
from edge.selftest.catalogue import CASES
from edge.selftest.conversation import ANSWER_SECONDS, Attempt, End
from edge.selftest.run import run
from edge.selftest.scene import NoBaseline, learn, request
from edge.tls.raw_client import Hello
from tests.unit.selftest.hostile import (
    OK,
    REFUSED,
    Behaviour,
    Server,
    answers,
    closes,
    in_turn,
    never_ends,
    says_nothing,
)

GARBAGE = answers(b"\x00\xff\x1b[2J garbage\r\n\r\n")
HOSTILE: dict[str, Behaviour] = {
    "garbage": GARBAGE,
    "closes": closes,
    "endless head": never_ends(b"HTTP/1.1 200 OK\r\nX: "),
    "endless octets": never_ends(b""),
    "silent": says_nothing,
}


def ask(server: Server, seconds: float = 10.0) -> Attempt:
    return server.dialler(seconds).ask(Hello(b"localhost"), request("localhost", "/"))


@pytest.mark.parametrize("behaviour", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_server_that_never_answers_gives_no_baseline(behaviour: Behaviour) -> None:
    with Server(behaviour) as server, pytest.raises(NoBaseline):
        learn(server.dialler(1.0), "nonce")


@pytest.mark.parametrize("behaviour", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_server_that_becomes_hostile_after_the_baseline_ends_in_findings(behaviour: Behaviour) -> None:
    good = answers(OK)
    with Server(in_turn(good, good, answers(REFUSED), good, behaviour)) as server:
        dialler = server.dialler()
        scene = learn(dialler, "nonce")
        assert scene.protected.refused is not None
        dialler.run_ends = time.monotonic() + 1.0
        outcomes = {case.id: case.run(scene).outcome for case in CASES}
        assert time.monotonic() < dialler.run_ends + 2 * ANSWER_SECONDS
    assert not [identifier for identifier, outcome in outcomes.items() if outcome is Outcome.HOLE]


def test_octets_that_are_no_tls_are_a_refusal() -> None:
    with Server(never_ends(b"HTTP/1.1 200 OK\r\n\r\n"), tls=False) as server:
        assert ask(server).end is End.REFUSED


def test_a_port_where_nobody_listens_is_no_connection() -> None:
    with Server(closes) as server:
        dialler = server.dialler()
    assert dialler.ask(Hello(None), b"").end is End.UNREACHABLE


def test_an_answer_counts_though_its_body_never_ends() -> None:
    with Server(never_ends(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")) as server:
        came = ask(server)
    assert [answer.status for answer in came.answers] == [200]
    assert len(came.answers[0].body) == 65536


def test_interim_answers_are_passed_over_and_a_101_is_not() -> None:
    with Server(answers(b"HTTP/1.1 103 Early\r\n\r\n" + OK)) as server:
        assert [answer.status for answer in ask(server).answers] == [200]
    with Server(answers(b"HTTP/1.1 101 Switching\r\n\r\n")) as server:
        assert [answer.status for answer in ask(server).answers] == [101]


def test_a_server_of_another_ca_is_not_spoken_to() -> None:
    with Server(answers(OK)) as server:
        dialler = server.dialler()
        object.__setattr__(dialler.aim, "trust", ())
        with pytest.raises(NoBaseline, match="verify failed"):
            learn(dialler, "nonce")


def test_a_server_of_another_name_is_not_spoken_to() -> None:
    with Server(answers(OK)) as server:
        dialler = server.dialler()
        object.__setattr__(dialler.aim.url, "host", "other.test")
        with pytest.raises(NoBaseline, match=r"not for other\.test"):
            learn(dialler, "nonce")


def test_a_certificate_that_is_refused_gives_no_baseline() -> None:
    with (
        Server(answers(REFUSED)) as server,
        pytest.raises(NoBaseline, match="answers 403 to your certificate"),
    ):
        learn(server.dialler(), "nonce")


def test_a_server_that_answers_everybody_is_full_of_holes() -> None:
    quick = [case for case in CASES if case.family.value in ("certificate", "host", "target", "hello")]
    with Server(answers(OK)) as server:
        report = run(server.aim(), quick, "nonce")
    found = {case.id for case, finding in report.findings if finding.outcome is Outcome.HOLE}
    assert found >= {"no-certificate", "lookalike-issuer", "no-sni-other-host", "target-methods"}
    assert report.count(Outcome.HELD) < report.count(Outcome.HOLE)
