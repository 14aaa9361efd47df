"""What the writer writes the readers read: chunks, trailers and heads come back as they were."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.http1.body import ChunkedReader, LengthReader
from edge.http1.headers import HOP_BY_HOP, read_fields
from edge.http1.limits import HeadLimits
from edge.http1.request_parser import read_request_head
from edge.http1.response_parser import read_response_head
from edge.http1.writer import chunk, last_chunk, request_head, response_head
from edge.model.refusal import MessageError
from tests.property.http1_streams import pieces_of, unhurried

LIMITS = HeadLimits()

_NAMES = st.from_regex(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,10}", fullmatch=True).filter(
    lambda name: name.lower() not in HOP_BY_HOP | {b"host", b"content-length", b"expect"}
)
_VALUES = st.from_regex(rb"([!-~\x80-\xff]([\t -~\x80-\xff]{0,10}[!-~\x80-\xff])?)?", fullmatch=True)
_FIELDS = st.lists(st.tuples(_NAMES, _VALUES), max_size=5)


@unhurried
@given(st.lists(st.binary(max_size=40), max_size=6), _FIELDS, st.binary(max_size=10), st.data())
def test_chunks_come_back_as_they_were_written(
    contents: list[bytes], trailers: list[tuple[bytes, bytes]], rest: bytes, data: st.DataObject
) -> None:
    stream = b"".join(map(chunk, contents)) + last_chunk(trailers)
    reader = ChunkedReader(LIMITS)
    pieces = data.draw(pieces_of(stream + rest))
    assert b"".join(map(reader.feed, pieces)) == b"".join(contents)
    assert reader.done
    assert [(name, value) for _, name, value in reader.trailers] == trailers
    assert reader.excess == rest
    reader.finish()


@unhurried
@given(st.binary(max_size=60), st.binary(max_size=20), st.data())
def test_a_body_of_a_length_comes_back_as_it_was(content: bytes, rest: bytes, data: st.DataObject) -> None:
    reader = LengthReader(len(content))
    pieces = data.draw(pieces_of(content + rest))
    assert b"".join(map(reader.feed, pieces)) == content
    assert reader.excess == rest
    reader.finish()


@unhurried
@given(_FIELDS)
def test_a_head_comes_back_as_it_was_written(fields: list[tuple[bytes, bytes]]) -> None:
    asked = read_request_head(request_head(b"GET", b"/a?b", [(b"Host", b"a.test"), *fields]), LIMITS)
    assert [(name, value) for _, name, value in asked.fields[1:]] == fields
    answered = read_response_head(response_head(404, b"Not Found", fields), b"GET", LIMITS)
    assert [(name, value) for _, name, value in answered.fields] == fields


@unhurried
@given(st.binary(max_size=20), st.binary(max_size=20))
def test_what_is_written_is_one_field_or_nothing_is(name: bytes, value: bytes) -> None:
    try:
        section = last_chunk([(name, value)]).removeprefix(b"0\r\n").removesuffix(b"\r\n")
    except ValueError:
        return
    try:
        fields = read_fields(section, 10)
    except MessageError:
        return
    assert len(fields) == 1
