"""A client has ten seconds, and more for every octet; who lives on what he was given once is found out."""

from __future__ import annotations

from edge.config.schema import Limits
from edge.proxy.patience import Patience


def patience(**limits: object) -> Patience:
    return Patience(Limits.model_validate(limits))


def test_who_moves_nothing_has_ten_seconds_and_then_it_is_the_rate() -> None:
    client = patience()
    assert (client.seconds, client.is_rate) == (10.0, True)
    client.waited(10.5)
    assert client.seconds == 0.0


def test_what_was_moved_buys_no_more_than_the_idle_time() -> None:
    client = patience()
    client.moved(4_000_000)
    assert (client.seconds, client.is_rate) == (60.0, False)
    client.waited(59.0)
    client.moved(128)
    assert (client.seconds, client.is_rate) == (12.0, True)


def test_who_took_much_and_then_nothing_runs_out_of_the_idle_time() -> None:
    client = patience()
    client.moved(4_000_000)
    for _ in range(9):
        client.waited(1.0)
        assert (client.seconds, client.is_rate) == (60.0, False)


def test_a_short_idle_time_comes_before_the_rate() -> None:
    client = patience(body_idle_timeout="2s")
    assert (client.seconds, client.is_rate) == (2.0, False)


def test_an_octet_now_and_then_is_not_enough() -> None:
    client = patience()
    client.moved(1_000_000)
    seconds = 0.0
    while client.seconds > 0:
        client.waited(20.0)
        client.moved(1448)
        seconds += 20.0
        assert seconds < 200
    assert client.is_rate


def test_the_minimum_rate_is_enough_for_ever() -> None:
    client = patience()
    for _ in range(100_000):
        client.waited(1.0)
        client.moved(128)
    assert client.seconds > 9


def test_without_a_minimum_rate_only_standing_still_counts() -> None:
    client = patience(body_minimum_rate=0)
    for _ in range(1000):
        client.waited(50.0)
        client.moved(1)
        assert (client.seconds, client.is_rate) == (60.0, False)
