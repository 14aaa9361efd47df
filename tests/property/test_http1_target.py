"""The normal form of a path is a fixed point, and nothing in it would change under a second reading."""

from __future__ import annotations

import re

from hypothesis import assume, example, given
from hypothesis import strategies as st

from edge.http1.target import normalise_path, read_target
from edge.model.refusal import MessageError
from tests.property.http1_streams import unhurried

_SEGMENTS = st.sampled_from(
    [
        b"a",
        b"",
        b".",
        b"..",
        b"...",
        b"%2e",
        b"%2E.",
        b".%2e",
        b"%61",
        b"%7e",
        b"%c3%a4",
        b"%25",
        b"%252e",
        b"b;c=d",
        b"%20",
    ]
)
_PATHS = st.lists(_SEGMENTS, max_size=8).map(lambda segments: b"/" + b"/".join(segments)) | st.binary(
    max_size=20
).map(lambda octets: b"/" + octets)

_ENCODED_UNRESERVED = re.compile(rb"%(?:2[DdEe]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9AaEe])")


def normal(raw: bytes) -> bytes:
    try:
        return normalise_path(raw)
    except MessageError:
        assume(condition=False)
        raise


@unhurried
@given(_PATHS)
@example(b"/%2e%2e/a")
@example(b"/a/%2E")
@example(b"/%252e%252e%252f")
def test_normalising_twice_changes_nothing(raw: bytes) -> None:
    path = normal(raw)
    assert normalise_path(path) == path
    assert read_target(path) == (None, read_target(path)[1])
    assert read_target(path)[1].wire == path


@unhurried
@given(_PATHS)
def test_a_normal_path_has_no_dot_segment_and_no_escape_that_means_a_plain_character(raw: bytes) -> None:
    path = normal(raw)
    assert path.startswith(b"/")
    assert not {b".", b".."} & set(path.split(b"/"))
    assert not _ENCODED_UNRESERVED.search(path)
    assert not re.search(rb"%(?:2[fF]|5[cC]|[01][0-9A-Fa-f]|7[fF])", path)
    assert not re.search(rb"%[0-9A-Fa-f]?[a-f]", path)
    assert not re.search(rb"[^!-~]|[\\#?]", path)


@unhurried
@given(st.binary(max_size=60))
def test_any_target_is_read_or_refused(raw: bytes) -> None:
    for target in (raw, b"/" + raw, b"http://" + raw, b"/?" + raw):
        try:
            authority, read = read_target(target)
        except MessageError:
            continue
        assert authority is None or target[:4].lower() == b"http"
        assert normalise_path(read.path) == read.path
