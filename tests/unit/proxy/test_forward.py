"""Both directions at once: nothing lost, nothing read ahead, and every way to end early has its name."""

from __future__ import annotations

from typing import cast

import pytest

from edge.config.schema import Limits
from edge.http1.inbox import Inbox
from edge.http1.limits import HeadLimits
from edge.model.http import RequestHead
from edge.model.refusal import MessageError, Reason, Refusal
from edge.origin.connection import OriginConnection, OriginError
from edge.origin.endpoint import Endpoint
from edge.proxy.answer import Answer, AnswerFields
from edge.proxy.forward import ClientGone, Forwarding, StaleConnection, refusal_reason
from edge.proxy.permit import Permit, Withdrawn
from edge.proxy.request_body import RequestBody
from edge.reactor.readiness import Readiness
from edge.reactor.strand import Expired
from edge.reactor.stream import StreamBroken
from edge.tls.stream import TlsStream
from tests.unit.http1.expect import get, request
from tests.unit.proxy.streams import BROKEN, Director, ScriptedStream, in_pieces

HEAD = b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
BEGUN = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def put(*fields: bytes) -> RequestHead:
    return request(b"PUT / HTTP/1.1", b"Host: a.test", *fields)


OF_TEN = put(b"Content-Length: 10")


class Scene:
    """A client, an origin, and one exchange between them."""

    def __init__(
        self,
        client: ScriptedStream | None = None,
        origin: ScriptedStream | None = None,
        *,
        head: RequestHead | None = None,
        served: int = 0,
        inbox: bytes = b"",
        websocket: bool = False,
        **limits: object,
    ) -> None:
        self.director = Director()
        self.refused: Refusal | None = None
        """Why the request may not go on, once it may not."""
        self.permit = cast("Permit", self)
        self.client = client or ScriptedStream()
        self.origin = origin or ScriptedStream()
        self.inbox = Inbox()
        if inbox:
            self.inbox.feed(inbox)
        asked = head or get()
        said = Limits.model_validate(limits)
        self.body = RequestBody(asked, self.client, self.inbox, said, HeadLimits())
        fields = AnswerFields(b"Mon, 23 Nov 2026 12:00:00 GMT", ())
        self.answer = Answer(asked, HeadLimits(), fields, lambda: True, wants_websocket=websocket)
        readiness = cast("Readiness", self.origin.readiness)
        connection = OriginConnection(Endpoint("127.0.0.1", 9000), self.origin, readiness, served=served)
        self.moving = Forwarding(
            self.director.strand,
            cast("TlsStream", self.client),
            self.inbox,
            connection,
            self.body,
            self.answer,
            said,
        )

    def check(self) -> None:
        """The permit of this request."""
        if self.refused is not None:
            raise Withdrawn(self.refused)

    def play(self) -> bytes:
        """Run to the end and return what the client got."""
        self.director.play(self.moving.run(HEAD, self.permit))
        return bytes(self.client.written)

    def start(self) -> None:
        """Run to the first wait."""
        self.director.start(self.moving.run(HEAD, self.permit))

    @property
    def waits_for(self) -> str:
        """The limit that runs now."""
        return self.director.strand.what


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


# --- moving ------------------------------------------------------------------------------------


def test_a_request_and_its_answer_are_moved() -> None:
    scene = Scene(origin=ScriptedStream([None, OK]))
    assert body_of(scene.play()) == b"hello"
    assert scene.origin.written == HEAD
    assert scene.moving.complete
    assert scene.moving.octets_out == len(scene.client.written)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_partial_writes_lose_nothing_and_repeat_nothing(size: int) -> None:
    scene = Scene(
        client=ScriptedStream(in_pieces(b"0123456789", 3, [None]), room=[size, 0] * 300),
        origin=ScriptedStream([None] * 30 + in_pieces(OK, 4, [None]), room=[size, 0] * 300),
        head=OF_TEN,
    )
    scene.director.play(scene.moving.run(HEAD, scene.permit), wake_ups=2000)
    assert scene.origin.written == HEAD + b"0123456789"
    assert body_of(bytes(scene.client.written)) == b"hello"
    assert scene.moving.complete


def test_a_client_is_not_read_ahead_of_what_the_origin_takes() -> None:
    client = ScriptedStream([b"01234", b"56789"])
    scene = Scene(client, ScriptedStream(room=[len(HEAD), 2, 0, 0, 0]), head=OF_TEN)
    scene.start()
    scene.director.wake(2)
    assert client.reads == 1
    assert scene.origin.wants[-1] == "write"
    scene.director.wake(2)
    assert scene.origin.written == HEAD + b"0123456789"


def test_an_origin_is_not_read_ahead_of_what_the_client_takes() -> None:
    origin = ScriptedStream([OK[:-2], OK[-2:]])
    scene = Scene(ScriptedStream(room=[10, 0, 0]), origin)
    scene.start()
    assert origin.reads == 1
    assert scene.client.wants == ["write"]
    scene.director.wake(3)
    assert body_of(bytes(scene.client.written)) == b"hello"


def test_a_long_download_lets_others_run() -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    scene = Scene(origin=ScriptedStream([long, *[b"x"] * 1000]))
    scene.start()
    rests = 0
    while not scene.director.ended:
        assert scene.director.loop.soon, "it waits although it could move"
        scene.director.loop.turn()
        rests += 1
    assert 20 <= rests <= 50
    assert len(body_of(bytes(scene.client.written))) == 1000


def test_what_a_client_does_not_take_at_once_survives_the_next_read_of_another() -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"
    slow = Scene(ScriptedStream(room=[1000, 3, 0, 0]), ScriptedStream([long, b"01234567"]))
    slow.start()
    other = Scene(origin=ScriptedStream([long, b"abcdefgh"]))
    assert body_of(other.play()) == b"abcdefgh"
    slow.director.wake(3)
    assert body_of(bytes(slow.client.written)) == b"01234567"
    assert slow.moving.complete


def test_what_an_origin_says_after_its_answer_is_no_part_of_it() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"
    scene = Scene(origin=ScriptedStream([answer, b"01234567HTTP/1.1 200 OK\r\n"]))
    assert body_of(scene.play()) == b"01234567"
    assert not scene.origin.is_silent()


def test_an_answer_until_the_origin_closes_ends_with_a_last_chunk() -> None:
    scene = Scene(origin=ScriptedStream([b"HTTP/1.1 200 OK\r\n\r\nhello", None, b""]))
    assert scene.play().endswith(b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    assert not scene.moving.complete


def test_a_pipelined_request_in_the_inbox_stays_there() -> None:
    following = b"GET /next HTTP/1.1\r\n\r\n"
    scene = Scene(origin=ScriptedStream([None, OK]), head=OF_TEN, inbox=b"0123456789" + following)
    scene.play()
    assert scene.origin.written == HEAD + b"0123456789"
    assert scene.inbox.take() == following


def test_a_switch_ends_the_forwarding_and_leaves_the_rest_for_the_tunnel() -> None:
    key = b"dGhlIHNhbXBsZSBub25jZQ=="
    head = get(
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: " + key,
    )
    switching = (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    scene = Scene(
        ScriptedStream(room=[20, 0]), ScriptedStream([switching + b"frame"]), head=head, websocket=True
    )
    assert scene.play().startswith(b"HTTP/1.1 101")
    assert scene.answer.take_tunnel_octets() == b"frame"
    assert not scene.moving.complete


# --- early answers -----------------------------------------------------------------------------

TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno"


def test_an_early_answer_is_passed_on_while_the_body_is_still_coming() -> None:
    client = ScriptedStream([b"01", None, None])
    scene = Scene(client, ScriptedStream([None, TOO_LARGE]), head=OF_TEN)
    assert body_of(scene.play()) == b"no"
    assert not scene.moving.complete
    assert not scene.body.done


def test_an_early_answer_of_an_origin_that_takes_no_more_is_passed_on() -> None:
    client = ScriptedStream([b"01234", b"56789"])
    origin = ScriptedStream([TOO_LARGE], room=[len(HEAD), BROKEN])
    origin.says.insert(0, None)
    assert body_of(Scene(client, origin, head=OF_TEN).play()) == b"no"


def test_no_more_of_the_body_is_read_for_an_origin_that_takes_none() -> None:
    client = ScriptedStream([b"01234", b"56789"])
    origin = ScriptedStream([None, BEGUN, None], room=[len(HEAD), BROKEN])
    scene = Scene(client, origin, head=OF_TEN)
    scene.start()
    assert client.reads == 1
    assert scene.waits_for == "origin_idle"


# --- origins that end too early ----------------------------------------------------------------


@pytest.mark.parametrize("end", [b"", BROKEN])
def test_a_used_connection_that_dies_before_an_octet_is_stale(end: bytes | str) -> None:
    with pytest.raises(StaleConnection):
        Scene(origin=ScriptedStream([None, end]), served=1).play()


def test_a_used_connection_that_takes_nothing_is_stale() -> None:
    with pytest.raises(StaleConnection):
        Scene(origin=ScriptedStream([b""], room=[BROKEN]), served=1).play()


@pytest.mark.parametrize("end", [b"", BROKEN])
def test_a_new_connection_that_dies_is_the_origins_fault(end: bytes | str) -> None:
    scene = Scene(origin=ScriptedStream([None, end]))
    with pytest.raises(OriginError) as caught:
        scene.play()
    assert caught.value.reason is Reason.ORIGIN_BAD_RESPONSE
    assert not scene.moving.began


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (OF_TEN, b"0123456789"),
        (OF_TEN, b"0"),
        (put(b"Transfer-Encoding: chunked"), b"1\r\nx\r\n0\r\n\r\n"),
        (put(b"Transfer-Encoding: chunked"), b"0\r\n\r\n"),
    ],
)
def test_a_request_whose_body_was_begun_is_never_stale(head: RequestHead, body: bytes) -> None:
    """Sent again it would have no body, and the origin would wait for one."""
    scene = Scene(ScriptedStream([body]), ScriptedStream([None, b""]), head=head, served=1)
    with pytest.raises(OriginError):
        scene.play()


@pytest.mark.parametrize("said", [b"H", CONTINUE, b"HTTP/1.1 200 OK\r\n"])
@pytest.mark.parametrize("end", [b"", BROKEN])
def test_a_connection_that_dies_after_an_octet_is_not_stale(said: bytes, end: bytes | str) -> None:
    with pytest.raises((OriginError, MessageError)):
        Scene(origin=ScriptedStream([said, None, end]), served=1).play()


@pytest.mark.parametrize("end", [b"", BROKEN])
def test_an_answer_that_breaks_off_has_begun(end: bytes | str) -> None:
    scene = Scene(origin=ScriptedStream([BEGUN, None, end]))
    with pytest.raises((OriginError, MessageError)):
        scene.play()
    assert scene.moving.began
    assert b"hello" in scene.client.written


def test_an_interim_answer_alone_has_not_begun() -> None:
    scene = Scene(origin=ScriptedStream([CONTINUE, None, b""]))
    with pytest.raises(MessageError):
        scene.play()
    assert not scene.moving.began


def test_a_part_of_an_interim_answer_has_begun() -> None:
    """The client holds half a head: an answer of the edge would become its other half."""
    scene = Scene(ScriptedStream(room=[5, 0]), ScriptedStream([CONTINUE]))
    scene.start()
    assert scene.moving.began


def test_an_answer_with_two_meanings_is_refused_before_an_octet_is_passed_on() -> None:
    bad = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    scene = Scene(origin=ScriptedStream([bad]))
    with pytest.raises(MessageError) as caught:
        scene.play()
    assert caught.value.refusal.reason is Reason.ORIGIN_BAD_RESPONSE
    assert scene.client.written == b""
    assert not scene.moving.began


# --- clients that go ---------------------------------------------------------------------------


def test_a_client_that_leaves_while_the_origin_works_is_gone() -> None:
    scene = Scene(ScriptedStream([b""]))
    scene.start()
    scene.client.readiness.unwanted = scene.client.left = True
    scene.director.wake()
    with pytest.raises(ClientGone):
        scene.director.result()


def test_a_client_that_only_ended_its_half_gets_its_answer() -> None:
    scene = Scene(ScriptedStream([b""]))
    scene.start()
    scene.client.readiness.unwanted = True
    scene.director.wake(3)
    assert not scene.director.ended
    scene.origin.says = [OK]
    scene.director.wake()
    assert body_of(bytes(scene.client.written)) == b"hello"


def test_a_client_that_does_not_take_its_answer_and_is_gone_is_broken() -> None:
    with pytest.raises(StreamBroken):
        Scene(ScriptedStream(room=[BROKEN]), ScriptedStream([OK])).play()


def test_of_an_eager_client_no_more_is_kept_than_one_piece() -> None:
    """Else a client could fill the memory with requests while one long answer is on its way."""
    scene = Scene(ScriptedStream([b"x" * 16384] * 100), ScriptedStream([BEGUN]))
    scene.start()
    for _ in range(50):
        scene.client.readiness.unwanted = scene.client.reads == 0
        scene.origin.says = [b"y", None]
        scene.director.wake()
    assert not scene.director.ended
    assert len(scene.inbox) <= 16384


def test_a_client_that_ends_in_the_middle_of_its_body_is_broken() -> None:
    with pytest.raises(StreamBroken, match="middle"):
        Scene(ScriptedStream([b"01", b""]), head=OF_TEN).play()


def test_a_malformed_body_is_the_clients_fault() -> None:
    scene = Scene(ScriptedStream([b"x\r\n"]), head=put(b"Transfer-Encoding: chunked"))
    with pytest.raises(MessageError) as caught:
        scene.play()
    assert caught.value.refusal.reason is Reason.BAD_REQUEST


# --- limits ------------------------------------------------------------------------------------


def expired(scene: Scene) -> str:
    with pytest.raises(Expired) as caught:
        scene.director.result()
    return caught.value.what


def test_an_origin_that_says_nothing_runs_out_of_its_time() -> None:
    scene = Scene(origin_first_byte_timeout="3s")
    scene.start()
    scene.director.loop.advance(2.9)
    assert not scene.director.ended
    scene.director.loop.advance(0.5)
    assert expired(scene) == "origin_first_byte"


def test_the_origins_time_begins_when_it_has_the_whole_request() -> None:
    client = ScriptedStream([None])
    scene = Scene(client, head=OF_TEN, origin_first_byte_timeout="3s", body_minimum_rate=0)
    scene.start()
    scene.director.loop.advance(20)
    client.says = [b"0123456789"]
    scene.director.wake()
    scene.director.loop.advance(2.9)
    assert not scene.director.ended
    scene.director.loop.advance(0.5)
    assert expired(scene) == "origin_first_byte"


def test_an_origin_that_stops_in_the_middle_runs_out_of_its_time() -> None:
    scene = Scene(origin=ScriptedStream([BEGUN]), origin_idle_timeout="3s")
    scene.start()
    for _ in range(5):
        scene.director.loop.advance(2)
        scene.origin.says = [b"x"]
        scene.director.wake()
    assert not scene.director.ended
    scene.director.loop.advance(3.5)
    assert expired(scene) == "origin_idle"


def test_an_origin_that_takes_nothing_runs_out_of_its_time() -> None:
    scene = Scene(
        ScriptedStream([b"0123456789"]),
        ScriptedStream(room=[len(HEAD)] + [0] * 100),
        head=OF_TEN,
        origin_idle_timeout="3s",
    )
    scene.start()
    scene.director.loop.advance(3.5)
    assert expired(scene) == "origin_write"


def test_a_client_that_takes_nothing_runs_out_of_its_time() -> None:
    scene = Scene(ScriptedStream(room=[0] * 100), ScriptedStream([OK]), body_idle_timeout="3s")
    scene.start()
    scene.director.loop.advance(3.5)
    assert expired(scene) == "client_write"


def test_a_client_that_stops_in_its_body_runs_out_of_its_time() -> None:
    scene = Scene(ScriptedStream([b"01"]), head=OF_TEN, body_idle_timeout="3s")
    scene.start()
    scene.director.loop.advance(3.5)
    assert expired(scene) == "client_body"


def test_a_client_that_drips_runs_out_of_its_time() -> None:
    scene = Scene(
        ScriptedStream([b"0"]),
        head=put(b"Content-Length: 1000"),
        body_idle_timeout="60s",
        body_minimum_rate=100,
    )
    scene.start()
    for _ in range(12):
        scene.director.loop.advance(1)
        scene.client.says = [b"x"]
        scene.director.wake()
    assert expired(scene) == "client_body_rate"


def test_a_client_that_sips_its_answer_runs_out_of_its_time() -> None:
    scene = Scene(
        ScriptedStream(room=[10, *[1, 0] * 100]),
        ScriptedStream([OK[:-5].replace(b"5", b"500") + b"x" * 500]),
        body_idle_timeout="60s",
        body_minimum_rate=100,
    )
    scene.start()
    for _ in range(8):
        scene.director.loop.advance(1)
        scene.director.wake()
    assert not scene.director.ended
    scene.director.loop.advance(3)
    assert expired(scene) == "client_write_rate"


def test_what_lies_in_the_kernel_is_not_taken_by_the_client() -> None:
    """A buffer of megabytes that swallows an answer at once says nothing of its reader."""
    size = 3_000_000
    head = OK[:-5].replace(b"5", b"%d" % (size + 1))
    scene = Scene(
        ScriptedStream(room=[size, *[0] * 100]),
        ScriptedStream([head + bytes(size + 1)]),
        body_idle_timeout="60s",
        body_minimum_rate=100,
    )
    scene.client.queued = size
    scene.start()
    for _ in range(9):
        scene.director.loop.advance(1)
        scene.client.queued -= 10
        scene.director.wake()
    assert not scene.director.ended
    scene.director.loop.advance(3)
    assert expired(scene) == "client_write_rate"


def test_a_drop_at_every_look_does_not_buy_more_time() -> None:
    size = 3_000_000
    head = OK[:-5].replace(b"5", b"%d" % (size + 1))
    scene = Scene(
        ScriptedStream(room=[size, *[0] * 100]),
        ScriptedStream([head + bytes(size + 1)]),
        body_idle_timeout="60s",
        body_minimum_rate=100,
    )
    scene.client.queued = size
    scene.start()
    for _ in range(240):
        scene.director.loop.advance(0.05)
        scene.client.queued -= 1  # 20 a second
    assert not scene.director.ended, "20 octets a second make twelve seconds of ten"
    for _ in range(40):
        scene.director.loop.advance(0.05)
        scene.client.queued -= 1
    assert expired(scene) == "client_write_rate"


def test_a_client_that_takes_what_the_kernel_holds_is_left_alone() -> None:
    size = 3_000_000
    head = OK[:-5].replace(b"5", b"%d" % (size + 1))
    scene = Scene(
        ScriptedStream(room=[size, *[0] * 1000]),
        ScriptedStream([head + bytes(size + 1)]),
        body_idle_timeout="4s",
        body_minimum_rate=100,
    )
    scene.client.queued = size
    scene.start()
    for _ in range(60):
        scene.director.loop.advance(1)
        scene.client.queued -= 200
    assert not scene.director.ended
    scene.director.loop.advance(6)
    assert expired(scene) == "client_write"


def test_a_client_that_takes_its_answer_at_the_minimum_rate_is_left_alone() -> None:
    scene = Scene(
        ScriptedStream(room=[0, *[100, 0] * 100]),
        ScriptedStream([OK[:-5].replace(b"5", b"5000") + b"x" * 5000]),
        body_idle_timeout="60s",
        body_minimum_rate=100,
    )
    scene.start()
    for _ in range(55):
        scene.director.loop.advance(1)
        scene.director.wake()
    assert scene.director.ended
    scene.director.result()


def test_time_in_which_the_origin_sends_nothing_is_not_the_clients() -> None:
    scene = Scene(
        ScriptedStream(room=[1000, 0, 1000]),
        ScriptedStream([BEGUN, None, b"x" * 100, b"y" * 395]),
        body_minimum_rate=100,
        origin_idle_timeout="1000s",
    )
    scene.start()
    scene.director.loop.advance(200)
    scene.director.wake()
    assert not scene.director.ended
    scene.director.loop.advance(9)
    scene.director.wake(3)
    scene.director.result()


def test_time_in_which_the_origin_lets_both_wait_is_not_the_clients() -> None:
    scene = Scene(
        ScriptedStream([b"01234"]),
        ScriptedStream(room=[len(HEAD)] + [0] * 60),
        head=OF_TEN,
        body_minimum_rate=100,
        origin_idle_timeout="1000s",
    )
    scene.start()
    for _ in range(50):
        scene.director.loop.advance(1)
        scene.director.wake()
    assert not scene.director.ended
    assert scene.body.patience.seconds > 9


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("client_body", Reason.REQUEST_TIMEOUT),
        ("client_body_rate", Reason.REQUEST_TIMEOUT),
        ("origin_first_byte", Reason.ORIGIN_TIMEOUT),
        ("origin_write", Reason.ORIGIN_TIMEOUT),
        ("origin_idle", Reason.ORIGIN_TIMEOUT),
    ],
)
def test_who_was_too_slow_decides_what_the_client_is_told(what: str, reason: Reason) -> None:
    assert refusal_reason(Expired(what)) is reason


# --- access that is withdrawn ------------------------------------------------------------------


def test_an_answer_that_does_not_end_is_given_up_when_access_is_withdrawn() -> None:
    begun = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
    scene = Scene(origin=ScriptedStream([begun, None, b"1\r\nb\r\n", None]))
    scene.start()
    written = bytes(scene.client.written)
    assert scene.moving.began
    scene.refused = Refusal(Reason.CLIENT_CERTIFICATE_REVOKED)
    scene.director.wake()
    with pytest.raises(Withdrawn):
        scene.director.result()
    assert bytes(scene.client.written) == written


def test_an_upload_is_given_up_when_access_is_withdrawn() -> None:
    scene = Scene(client=ScriptedStream([b"12345", None, b"67890"]), head=OF_TEN)
    scene.start()
    assert scene.origin.written.endswith(b"12345")
    scene.refused = Refusal(Reason.CLIENT_CERTIFICATE_REVOKED)
    scene.director.wake()
    with pytest.raises(Withdrawn):
        scene.director.result()
    assert not scene.moving.began
    assert scene.origin.written.endswith(b"12345")
