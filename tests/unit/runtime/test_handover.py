"""The kernel deals connections out to another process, where there is one."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from edge.config.endpoints import ListenAddress
from edge.runtime.handover import count_others, let_kernel_choose, steer_to_others
from edge.runtime.sockets import ListenError, open_listeners

HOSTS = ["127.0.0.1", "::1"]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listen(stack: ExitStack, host: str, port: int = 0, workers: int = 2) -> list[socket.socket]:
    sockets = [own[0] for own in open_listeners((ListenAddress(host, port),), workers)]
    for sock in sockets:
        stack.callback(sock.close)
    return sockets


def port_of(sockets: list[socket.socket]) -> int:
    return int(sockets[0].getsockname()[1])


def arrivals(host: str, sockets: list[socket.socket], count: int = 40) -> list[int]:
    """Connect, and return how many came to each socket."""
    clients = [socket.create_connection((host, port_of(sockets))) for _ in range(count)]
    counts = []
    for sock in sockets:
        number = 0
        while True:
            try:
                accepted, _ = sock.accept()
            except BlockingIOError:
                break
            accepted.close()
            number += 1
        counts.append(number)
    for client in clients:
        client.close()
    return counts


@pytest.mark.parametrize("host", HOSTS)
def test_others_are_counted(stack: ExitStack, host: str) -> None:
    own = listen(stack, host)
    assert count_others(own) == 0
    other = listen(stack, host, port_of(own), workers=3)
    assert count_others(own) == 3
    assert count_others(other) == 2
    listen(stack, host)  # another port is none of our business
    assert count_others(own + other) == 0


@pytest.mark.parametrize("host", HOSTS)
def test_who_comes_while_we_end_comes_to_the_other_process(stack: ExitStack, host: str) -> None:
    own = listen(stack, host)
    other = listen(stack, host, port_of(own))
    steer_to_others(own[0], len(own))
    assert arrivals(host, own + other) == [0, 0, 40, 0]
    for sock in own:
        sock.close()
    assert all(arrivals(host, other)), "both sockets of the other have their share again"


def test_without_another_process_the_kernel_goes_on_choosing(stack: ExitStack) -> None:
    own = listen(stack, "127.0.0.1")
    steer_to_others(own[0], len(own))
    assert all(arrivals("127.0.0.1", own))


def test_a_process_with_more_sockets_gets_all_of_them_back(stack: ExitStack) -> None:
    own = listen(stack, "127.0.0.1", workers=1)
    other = listen(stack, "127.0.0.1", port_of(own), workers=3)
    steer_to_others(own[0], len(own))
    assert arrivals("127.0.0.1", own + other)[0] == 0
    let_kernel_choose(own[0])
    own[0].close()
    assert all(arrivals("127.0.0.1", other))


def test_a_process_that_begins_to_listen_wants_the_kernel_to_choose(stack: ExitStack) -> None:
    own = listen(stack, "127.0.0.1", workers=1)
    steer_to_others(own[0], len(own))
    other = listen(stack, "127.0.0.1", port_of(own))
    assert all(arrivals("127.0.0.1", own + other))


@pytest.mark.skipif(os.geteuid() != 0, reason="to be another user takes root")
def test_another_user_does_not_get_in(stack: ExitStack) -> None:
    own = listen(stack, "127.0.0.1")
    os.seteuid(65534)
    try:
        with pytest.raises(ListenError, match="in use"):
            listen(stack, "127.0.0.1", port_of(own))
    finally:
        os.seteuid(0)
