"""Cases against servers made to have one hole, and the same servers without it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.selftest.case import Outcome
from edge.selftest.catalogue import select
from edge.selftest.run import run
from edge.selftest.slow_cases import LONG
from tests.unit.selftest.hostile import (
    OK,
    REFUSED,
    Behaviour,
    Connection,
    Server,
    answers,
    closes,
    in_turn,
    lets_in,
    request_on,
    says_nothing,
)

RESUMPTION = ("resumed-elsewhere-tls13", "resumed-elsewhere-tls12-ticket")


def outcomes(server: Server, *names: str) -> dict[str, Outcome]:
    report = run(server.aim(), select(names, ()), "nonce")
    return {case.id: finding.outcome for case, finding in report.findings}


def all_of(outcome: Outcome, *names: str) -> dict[str, Outcome]:
    return dict.fromkeys(names, outcome)


def after_the_baseline(behaviour: Behaviour) -> Behaviour:
    good = answers(OK)
    return in_turn(good, good, answers(REFUSED), good, behaviour)


def test_a_session_that_counts_for_a_certificate_is_a_hole() -> None:
    with Server(lets_in(lambda resumed, has_certificate: resumed or has_certificate)) as server:
        assert outcomes(server, *RESUMPTION) == all_of(Outcome.HOLE, *RESUMPTION)


def test_a_session_that_proves_nothing_is_none() -> None:
    with Server(lets_in(lambda resumed, has_certificate: has_certificate)) as server:
        assert outcomes(server, *RESUMPTION) == all_of(Outcome.HELD, *RESUMPTION)


def test_what_a_full_handshake_gets_as_well_is_not_the_sessions_fault() -> None:
    with Server(answers(OK)) as server:
        assert outcomes(server, *RESUMPTION) == all_of(Outcome.NOT_APPLICABLE, *RESUMPTION)


def test_early_data_is_found_in_the_ticket() -> None:
    for octets, outcome in ((0, Outcome.HELD), (1000, Outcome.HOLE)):
        with Server(lets_in(lambda _, has_certificate: has_certificate), early_data=octets) as server:
            assert outcomes(server, "early-data") == {"early-data": outcome}


def test_any_certificate_is_as_good_as_a_hole() -> None:
    names = ("no-certificate", "self-signed-certificate", "lookalike-issuer")
    with Server(lets_in(lambda _, has_certificate: has_certificate)) as server:
        found = outcomes(server, *names)
    assert found == {**all_of(Outcome.HOLE, *names), "no-certificate": Outcome.HELD}


def test_what_is_slow_for_ever_and_never_cut_is_a_hole() -> None:
    with Server(after_the_baseline(says_nothing)) as server:
        assert outcomes(server, *LONG) == all_of(Outcome.HOLE, *LONG)


def test_what_is_slow_and_cut_is_none() -> None:
    with Server(after_the_baseline(closes)) as server:
        found = outcomes(server, "slow-head-for-ever", "slow-body-for-ever")
    # A body that is refused before it is slow says nothing about slow ones.
    assert found == {"slow-head-for-ever": Outcome.HELD, "slow-body-for-ever": Outcome.COULD_NOT_TELL}


@pytest.mark.parametrize("name", ["framing-two-lengths", "framing-chunks", "framing-body-of-refused"])
def test_a_second_answer_is_a_hole_and_one_is_not(name: str) -> None:
    with Server(after_the_baseline(answers(OK + OK))) as server:
        assert outcomes(server, name) == {name: Outcome.HOLE}
    with Server(after_the_baseline(answer_once_and_close)) as server:
        assert outcomes(server, name) == {name: Outcome.HELD}


@pytest.mark.parametrize("name", ["framing-content-length", "framing-transfer-encoding", "framing-heads"])
def test_a_bad_message_that_is_answered_like_a_good_one_is_a_hole(name: str) -> None:
    with Server(after_the_baseline(answer_once_and_close)) as server:
        assert outcomes(server, name) == {name: Outcome.HOLE}


def test_forged_headers_are_a_hole_only_where_they_are_seen() -> None:
    with Server(repeats_its_head) as server:
        found = outcomes(
            server, "forged-identity-headers", "forged-header-twins", "connection-removes-identity"
        )
    assert found == {
        "forged-identity-headers": Outcome.HOLE,
        "forged-header-twins": Outcome.HOLE,
        "connection-removes-identity": Outcome.HELD,
    }
    with Server(answers(OK)) as server:
        assert outcomes(server, "forged-identity-headers") == {
            "forged-identity-headers": Outcome.COULD_NOT_TELL
        }


def test_a_default_page_for_every_host_is_no_hole() -> None:
    """The protected page is another one than what the server gives to unknown names."""
    page = answers(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nwelcome")
    with Server(after_the_baseline(page)) as server:
        assert outcomes(server, "no-sni-other-host") == {"no-sni-other-host": Outcome.HELD}


def test_a_run_whose_time_is_over_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.selftest.run._SHORT_CASES_SECONDS", 1.0)
    monkeypatch.setattr("edge.selftest.run._AFTER_PATIENCE_SECONDS", 0.0)
    with Server(after_the_baseline(says_nothing)) as server:
        report = run(replace(server.aim(), patience=0.5), select(("host", "target"), ()), "nonce")
    assert report.count(Outcome.HOLE) == 0
    assert report.findings[-1][1].came == "the time of the run was over"


def answer_once_and_close(connection: Connection) -> None:
    request_on(connection)
    connection.sendall(OK)


def repeats_its_head(connection: Connection) -> None:
    while head := request_on(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head))
