"""A tunnel moves octets both ways, holds one piece each way, and ends when a side or its time does."""

from __future__ import annotations

import os
from typing import cast

import pytest

from edge.proxy.tunnel import PERMISSION_ENDED, Tunnel
from edge.reactor.strand import NEVER, Expired
from edge.reactor.stream import StreamBroken
from edge.tls.stream import TlsStream
from tests.unit.proxy.streams import BROKEN, Director, ScriptedStream, in_pieces


class Scene:
    """A tunnel between two scripts."""

    def __init__(
        self, client: ScriptedStream, origin: ScriptedStream, to_origin: bytes = b"", to_client: bytes = b""
    ) -> None:
        self.director = Director()
        self.client, self.origin = client, origin
        self.tunnel = Tunnel(
            self.director.strand,
            cast("TlsStream", client),
            origin,
            to_origin=to_origin,
            to_client=to_client,
            client_patience=3.0,
            origin_patience=5.0,
        )

    def start(self, until: float = NEVER) -> None:
        self.director.start(self.tunnel.run(lambda: until))

    def play(self, wake_ups: int = 500) -> None:
        self.director.play(self.tunnel.run(lambda: NEVER), wake_ups)


def test_what_came_before_the_tunnel_goes_first() -> None:
    scene = Scene(ScriptedStream([b"c", b""]), ScriptedStream([None]), b"before c", b"before o")
    scene.play()
    assert scene.origin.written == b"before cc"
    assert scene.client.written == b"before o"


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_octets_go_both_ways_whole(size: int) -> None:
    up, down = os.urandom(300), os.urandom(500)
    scene = Scene(
        ScriptedStream([*in_pieces(up, size, [None]), *[None] * 700], room=[3, 0] * 400),
        ScriptedStream([*in_pieces(down, size), *[None] * 700, b""], room=[7, 0] * 100),
    )
    scene.play(wake_ups=3000)
    assert scene.origin.written == up
    assert scene.client.written == down
    assert (scene.tunnel.octets_in, scene.tunnel.octets_out) == (300, 500)


@pytest.mark.parametrize("end", [b"", BROKEN])
def test_it_ends_when_the_client_does(end: bytes | str) -> None:
    scene = Scene(ScriptedStream([b"last", end]), ScriptedStream())
    if end == b"":
        scene.play()
    else:
        with pytest.raises(StreamBroken):
            scene.play()
    assert scene.origin.written == b"last"


@pytest.mark.parametrize("end", [b"", BROKEN])
def test_it_ends_when_the_origin_does(end: bytes | str) -> None:
    scene = Scene(ScriptedStream(), ScriptedStream([b"last", end]))
    if end == b"":
        scene.play()
    else:
        with pytest.raises(StreamBroken):
            scene.play()
    assert scene.client.written == b"last"


def test_what_the_origin_said_last_is_passed_on_when_the_client_ended_its_half() -> None:
    scene = Scene(ScriptedStream([b""], room=[0, 0, 2, 0]), ScriptedStream([b"last words"]))
    scene.play()
    assert scene.client.written == b"last words"


def test_what_the_client_said_last_is_passed_on_when_the_origin_ended_its_half() -> None:
    scene = Scene(ScriptedStream([b"last words"]), ScriptedStream([b""], room=[0, 0, 2, 0]))
    scene.play()
    assert scene.origin.written == b"last words"


@pytest.mark.parametrize("which", ["client", "origin"])
def test_a_side_that_has_ended_is_not_waited_for_again(which: str) -> None:
    """Its end stays readable: to wait for it would wake the worker without end."""
    ended = ScriptedStream([b""], room=[0] * 1000)
    other = ScriptedStream([b"octets that the ended side does not take"])
    scene = Scene(*((ended, other) if which == "client" else (other, ended)))
    scene.start()
    scene.director.wake(10)
    assert not scene.director.ended
    assert "read" not in ended.wants


def test_nothing_is_read_ahead_of_a_side_that_does_not_take() -> None:
    client = ScriptedStream([b"x"] * 100)
    scene = Scene(client, ScriptedStream(room=[0] * 20))
    scene.start()
    scene.director.wake(10)
    assert client.reads == 1
    assert "write" in scene.origin.wants


def test_a_busy_tunnel_lets_others_run() -> None:
    scene = Scene(ScriptedStream([b"x"] * 1000 + [b""]), ScriptedStream())
    scene.start()
    rests = 0
    while not scene.director.ended:
        assert scene.director.loop.soon, "it waits although it could move"
        scene.director.loop.turn()
        rests += 1
    assert 20 <= rests <= 50
    assert len(scene.origin.written) == 1000


def test_it_ends_with_the_certificate_that_opened_it() -> None:
    scene = Scene(ScriptedStream(), ScriptedStream())
    scene.start(until=scene.director.loop.now + 100)
    scene.director.loop.advance(99)
    assert not scene.director.ended
    scene.director.loop.advance(2)
    with pytest.raises(Expired, match=PERMISSION_ENDED):
        scene.director.result()


def test_a_busy_tunnel_ends_with_its_certificate_too() -> None:
    scene = Scene(ScriptedStream(), ScriptedStream())
    scene.start(until=scene.director.loop.now + 10)
    for _ in range(20):
        scene.director.loop.advance(1)
        scene.client.says = [b"ping"]
        scene.director.wake()
    with pytest.raises(Expired, match=PERMISSION_ENDED):
        scene.director.result()


def test_a_tunnel_that_never_rests_ends_with_its_certificate_too() -> None:
    """A client that keeps the octets coming never lets the tunnel park, where deadlines are thrown in."""
    scene = Scene(ScriptedStream(), ScriptedStream())
    scene.start(until=scene.director.loop.now + 10)
    for _ in range(200):
        scene.client.says = [b"x"] * 100
        scene.director.loop.turn()
        scene.director.loop.advance(0.1)
        if not scene.director.loop.soon:
            scene.director.wake()
    with pytest.raises(Expired, match=PERMISSION_ENDED):
        scene.director.result()


def test_an_idle_tunnel_without_a_certificate_lives_on() -> None:
    scene = Scene(ScriptedStream(), ScriptedStream())
    scene.start()
    scene.director.loop.advance(10_000, step=100)
    assert not scene.director.ended


def test_a_client_that_takes_nothing_is_given_up() -> None:
    scene = Scene(ScriptedStream(room=[0] * 10), ScriptedStream([b"news"]))
    scene.start()
    scene.director.loop.advance(2.9)
    assert not scene.director.ended
    scene.director.loop.advance(0.5)
    with pytest.raises(Expired, match="client_write"):
        scene.director.result()


def test_an_origin_that_takes_nothing_is_given_up() -> None:
    scene = Scene(ScriptedStream([b"news"]), ScriptedStream(room=[0] * 10))
    scene.start()
    scene.director.loop.advance(4.9)
    assert not scene.director.ended
    scene.director.loop.advance(0.5)
    with pytest.raises(Expired, match="origin_write"):
        scene.director.result()


def test_who_takes_a_little_of_it_is_not_given_up() -> None:
    scene = Scene(ScriptedStream(room=[1, 0] * 100), ScriptedStream([b"x" * 20]))
    scene.start()
    for _ in range(10):
        scene.director.loop.advance(2)
        scene.director.wake()
    assert not scene.director.ended


def test_who_takes_what_the_kernel_holds_is_not_given_up() -> None:
    scene = Scene(ScriptedStream(room=[0] * 100), ScriptedStream([b"news"]))
    scene.client.queued = 100
    scene.start()
    for _ in range(20):
        scene.director.loop.advance(1)
        scene.client.queued -= 1
    assert not scene.director.ended
    scene.director.loop.advance(7)
    with pytest.raises(Expired, match="client_write"):
        scene.director.result()


def test_silence_is_no_reason_to_end_a_tunnel() -> None:
    scene = Scene(ScriptedStream([b"a"]), ScriptedStream([b"b"]))
    scene.start()
    scene.director.loop.advance(1000)
    assert not scene.director.ended
