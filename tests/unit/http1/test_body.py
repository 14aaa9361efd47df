import pytest

from edge.http1.body import (
    BodyReader,
    ChunkedReader,
    LengthReader,
    NoBodyReader,
    UntilCloseReader,
    body_reader,
)
from edge.http1.limits import HeadLimits, Side
from edge.model.http import NO_BODY, Body, Framing
from edge.model.refusal import Reason
from tests.unit.http1.expect import LIMITS, refused


def read_all(reader: BodyReader, data: bytes, step: int) -> bytes:
    return b"".join(reader.feed(data[start : start + step]) for start in range(0, len(data), step))


def test_no_body_leaves_everything_to_the_next_message() -> None:
    reader = NoBodyReader()
    assert reader.done
    assert reader.feed(b"ab") + reader.feed(b"cd") == b""
    assert reader.excess == b"abcd"
    reader.finish()


def test_a_body_of_a_length_ends_there() -> None:
    reader = LengthReader(5)
    assert [(reader.feed(data), reader.done) for data in (b"abc", b"deXY", b"Z")] == [
        (b"abc", False),
        (b"de", True),
        (b"", True),
    ]
    assert reader.excess == b"XYZ"
    reader.finish()


def test_a_body_of_length_zero_is_done_at_once() -> None:
    reader = LengthReader(0)
    assert reader.done
    assert reader.feed(b"X") == b""
    assert reader.excess == b"X"


def test_data_within_a_length_is_handed_on_without_a_copy() -> None:
    reader = LengthReader(200000)
    data = b"x" * 100000
    assert reader.feed(data) is data
    assert reader.feed(data) is data
    assert reader.done


def test_octets_of_a_length_may_be_handed_on_unread() -> None:
    reader = LengthReader(5)
    reader.feed(b"a")
    assert reader.verbatim == 4
    reader.skip(3)
    assert (reader.verbatim, reader.done) == (1, False)
    reader.skip(1)
    assert (reader.verbatim, reader.done) == (0, True)
    reader.finish()


def test_octets_until_close_may_all_be_handed_on_unread() -> None:
    reader = UntilCloseReader()
    reader.skip(1 << 40)
    assert not reader.done
    assert reader.verbatim > 1 << 40


def test_chunks_are_never_handed_on_unread() -> None:
    reader = ChunkedReader(HeadLimits())
    reader.feed(b"5\r\nab")
    assert reader.verbatim == 0


@pytest.mark.parametrize(
    ("side", "reason"), [(Side.CLIENT, Reason.BAD_REQUEST), (Side.ORIGIN, Reason.ORIGIN_BAD_RESPONSE)]
)
@pytest.mark.parametrize("body", [Body(Framing.LENGTH, 5), Body(Framing.CHUNKED)])
@pytest.mark.parametrize("data", [b"", b"4"])
def test_a_body_that_is_cut_short_is_refused(side: Side, reason: Reason, body: Body, data: bytes) -> None:
    reader = body_reader(body, LIMITS, side)
    reader.feed(data)
    with refused(reason):
        reader.finish()


@pytest.mark.parametrize(
    "data",
    [
        b"5\r\nhello",
        b"5\r\nhello\r\n",
        b"5\r\nhello\r\n0",
        b"5\r\nhello\r\n0\r\n",
        b"0\r\nX: y\r\n",
        b"5\r\nhel",
        b"5\r",
    ],
)
def test_a_chunked_body_that_is_cut_short_is_refused(data: bytes) -> None:
    reader = ChunkedReader(LIMITS)
    reader.feed(data)
    assert not reader.done
    with refused():
        reader.finish()


def test_a_body_until_close_ends_there_and_only_there() -> None:
    reader = UntilCloseReader()
    data = b"abc"
    assert reader.feed(data) is data
    assert not reader.done
    reader.finish()
    assert reader.done


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_a_chunked_body_is_decoded_however_it_is_cut(step: int) -> None:
    reader = ChunkedReader(LIMITS)
    data = b"5\r\nhello\r\nA;x\r\n0123456789\r\n01\r\n!\r\n000\r\nX-Sum: 1\r\nx-b:2 \r\n\r\n"
    assert read_all(reader, data + b"NEXT", step) == b"hello0123456789!"
    assert reader.done
    assert reader.excess == b"NEXT"
    assert reader.trailers == ((b"x-sum", b"X-Sum", b"1"), (b"x-b", b"x-b", b"2"))
    reader.finish()


@pytest.mark.parametrize("step", [1, 1000])
def test_an_empty_chunked_body_without_trailers(step: int) -> None:
    reader = ChunkedReader(LIMITS)
    assert read_all(reader, b"0\r\n\r\n", step) == b""
    assert reader.done
    assert reader.trailers == ()
    assert reader.excess == b""
    assert reader.feed(b"GET") == b""
    assert reader.excess == b"GET"


def test_data_within_a_chunk_is_handed_on_without_a_copy() -> None:
    reader = ChunkedReader(LIMITS)
    reader.feed(b"100000\r\n")
    data = b"x" * 65536
    assert reader.feed(data) is data


@pytest.mark.parametrize("size", [b"f", b"F", b"0f", b"000000000000000F"])
def test_a_size_is_hexadecimal_in_either_case(size: bytes) -> None:
    reader = ChunkedReader(LIMITS)
    assert reader.feed(size + b"\r\n" + b"x" * 15 + b"\r\n0\r\n\r\n") == b"x" * 15
    assert reader.done


def test_a_size_of_16_digits_is_a_size() -> None:
    reader = ChunkedReader(LIMITS)
    assert reader.feed(b"FFFFFFFFFFFFFFFF\r\nabc") == b"abc"
    assert not reader.done


MALFORMED = [
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"5_0\r\nhello\r\n0\r\n\r\n",
    b"0_2e\r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b"5\t\r\nhello\r\n0\r\n\r\n",
    b"\xef\xbc\x95\r\nhello\r\n0\r\n\r\n",
    b"\xd9\xa5\r\nhello\r\n0\r\n\r\n",
    b"5h\r\nhello\r\n0\r\n\r\n",
    b"g\r\nhello\r\n0\r\n\r\n",
    b"00000000000000005\r\nhello\r\n0\r\n\r\n",
    b"FFFFFFFFFFFFFFFFF\r\n",
    b"\r\nhello\r\n0\r\n\r\n",
    b"\r\n\r\n",
    b"5\nhello\r\n0\r\n\r\n",
    b"5\rhello\r\n0\r\n\r\n",
    b"5\r\rhello\r\n0\r\n\r\n",
    b"5\n\nhello\r\n0\r\n\r\n",
    b"5\r\nhelloXX0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n",
    b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhello\r0\r\n\r\n",
    b"5\r\nhello\r\n\r\n0\r\n\r\n",
    b"5\r\nhello!\r\n0\r\n\r\n",
    b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    b"5;\r\nhello\r\n0\r\n\r\n",
    b"5;;\r\nhello\r\n0\r\n\r\n",
    b"5;a=\r\nhello\r\n0\r\n\r\n",
    b"5;=b\r\nhello\r\n0\r\n\r\n",
    b"5;a b\r\nhello\r\n0\r\n\r\n",
    b"5 ;a\r\nhello\r\n0\r\n\r\n",
    b"5; a\r\nhello\r\n0\r\n\r\n",
    b'5;a="b\r\nhello\r\n0\r\n\r\n',
    b'5;a="b\n"\r\nhello\r\n0\r\n\r\n',
    b'5;a="b"c\r\nhello\r\n0\r\n\r\n',
    b'5;a="\\"\r\nhello\r\n0\r\n\r\n',
    b"5;a\x00\r\nhello\r\n0\r\n\r\n",
    b"5;a\x7f\r\nhello\r\n0\r\n\r\n",
    b"5;a=\xe4\r\nhello\r\n0\r\n\r\n",
    b"5;" + b"a" * 300 + b"\r\nhello\r\n0\r\n\r\n",
    b"5,a\r\nhello\r\n0\r\n\r\n",
    b"0\n\r\n",
    b"0\r\n\n\r\n\r\n",
    b"0\r\nX\r\n\r\n",
    b"0\r\nX : y\r\n\r\n",
    b"0\r\n: y\r\n\r\n",
    b"0\r\n X: y\r\n\r\n",
    b"0\r\nX: y\nZ: w\r\n\r\n",
    b"0\r\nX: y\r\n z\r\n\r\n",
    b"0\r\nX: \x00\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
]


@pytest.mark.parametrize("data", MALFORMED)
@pytest.mark.parametrize("step", [1, 2, 1000])
def test_a_chunked_body_that_is_not_the_grammar_to_the_letter_is_refused(data: bytes, step: int) -> None:
    with refused():
        read_all(ChunkedReader(LIMITS), data, step)


def test_a_malformed_chunk_of_an_origin_is_the_origin_s_fault() -> None:
    with refused(Reason.ORIGIN_BAD_RESPONSE):
        ChunkedReader(LIMITS, Side.ORIGIN).feed(b"+5\r\nhello")
    with refused(Reason.ORIGIN_BAD_RESPONSE):
        ChunkedReader(LIMITS, Side.ORIGIN).feed(b"0\r\nX y\r\n\r\n")


@pytest.mark.parametrize(
    "data",
    [
        b"5\n",
        b"5\rx",
        b"5 ",
        b"x",
        b"\n",
        b"5;\n",
        b"5\r\nhelloX",
        b"5\r\nhello\rX",
        b"5\r\nhello\n",
        b"5;" + b"a" * 300,
        b"1" * 17,
    ],
)
def test_a_malformed_chunk_is_refused_before_its_line_ends(data: bytes) -> None:
    with refused():
        ChunkedReader(LIMITS).feed(data)


@pytest.mark.parametrize("extension", [b";a", b";a=b", b';a="b;\\"c\t"', b";a;b=c;d", b";ieof"])
@pytest.mark.parametrize("step", [1, 1000])
def test_a_well_formed_extension_is_dropped(extension: bytes, step: int) -> None:
    reader = ChunkedReader(LIMITS)
    data = b"5" + extension + b"\r\nhello\r\n0" + extension + b"\r\n\r\n"
    assert read_all(reader, data, step) == b"hello"
    assert reader.done


@pytest.mark.parametrize("step", [1, 1000])
def test_trailers_are_bounded_in_number_and_size(step: int) -> None:
    with refused(Reason.HEADER_TOO_LARGE):
        read_all(ChunkedReader(LIMITS), b"0\r\n" + b"X: y\r\n" * 101 + b"\r\n", step)
    with refused(Reason.HEADER_TOO_LARGE):
        read_all(ChunkedReader(HeadLimits(header_size=50)), b"0\r\nX: " + b"y" * 60, step)
    with refused(Reason.HEADER_TOO_LARGE):
        read_all(ChunkedReader(HeadLimits(header_size=50)), b"0\r\nX: " + b"y" * 60 + b"\r\n\r\n", step)


def test_what_follows_the_trailers_does_not_count_as_trailers() -> None:
    reader = ChunkedReader(HeadLimits(header_size=50))
    reader.feed(b"0\r\nX: y\r\n\r\n" + b"z" * 1000)
    assert reader.done
    assert len(reader.excess) == 1000


def test_a_body_of_chunks_of_one_octet_is_read_whole() -> None:
    reader = ChunkedReader(LIMITS)
    data = b"1\r\nx\r\n" * 100000 + b"0\r\n\r\n"
    assert read_all(reader, data, 65536) == b"x" * 100000
    assert reader.done


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (NO_BODY, NoBodyReader),
        (Body(Framing.LENGTH, 5), LengthReader),
        (Body(Framing.CHUNKED), ChunkedReader),
        (Body(Framing.UNTIL_CLOSE), UntilCloseReader),
    ],
)
def test_every_framing_has_its_reader(body: Body, kind: type) -> None:
    assert isinstance(body_reader(body, LIMITS, Side.ORIGIN), kind)
