import pytest

from edge.http1.writer import chunk, last_chunk, request_head, response_head

BROKEN = [b"\r\nX: y", b"a\r", b"a\n", b"\n", b"a\x00b", b"\r", b"\n\r"]


@pytest.mark.parametrize("part", BROKEN)
def test_a_part_that_would_end_its_line_is_not_written(part: bytes) -> None:
    with pytest.raises(ValueError, match="inside a part"):
        request_head(b"GET", b"/", [(b"X", part)])
    with pytest.raises(ValueError, match="inside a part"):
        request_head(b"GET", b"/", [(b"A", b"b"), (part, b"x"), (b"C", b"d")])
    with pytest.raises(ValueError, match="inside a part"):
        response_head(302, b"Found", [(b"Location", b"/" + part)])
    with pytest.raises(ValueError, match="inside a part"):
        response_head(200, part, [])
    with pytest.raises(ValueError, match="inside a part"):
        last_chunk([(b"X", part)])


@pytest.mark.parametrize(
    ("method", "target"),
    [
        (b"GET", b"/a b"),
        (b"GET", b"/ HTTP/1.1\r\nX: y"),
        (b"GET", b"/\r\n"),
        (b"GET", b"/\x00"),
        (b"GET ", b"/"),
        (b"GET / HTTP/1.1\r\nX: y\r\n\r\nGET", b"/"),
        (b"G\nET", b"/"),
    ],
)
def test_a_method_or_a_target_that_would_break_the_request_line_is_not_written(
    method: bytes, target: bytes
) -> None:
    with pytest.raises(ValueError, match=r"white space|inside a part"):
        request_head(method, target, [])


def test_a_request_head() -> None:
    assert request_head(b"GET", b"/a?b", [(b"Host", b"a.test"), (b"X", b"")]) == (
        b"GET /a?b HTTP/1.1\r\nHost: a.test\r\nX: \r\n\r\n"
    )


@pytest.mark.parametrize(
    ("status", "phrase", "line"),
    [
        (200, b"OK", b"HTTP/1.1 200 OK\r\n"),
        (200, b"Fine", b"HTTP/1.1 200 Fine\r\n"),
        (299, b"", b"HTTP/1.1 299 \r\n"),
        (404, b"Not Found", b"HTTP/1.1 404 Not Found\r\n"),
    ],
)
def test_a_response_head(status: int, phrase: bytes, line: bytes) -> None:
    assert response_head(status, phrase, []) == line + b"\r\n"
    assert response_head(status, phrase, iter([(b"A", b"b")])) == line + b"A: b\r\n\r\n"


def test_a_chunk_has_its_size_in_hex() -> None:
    assert chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"


def test_no_data_is_no_chunk_because_an_empty_chunk_ends_the_body() -> None:
    assert chunk(b"") == b""


def test_the_last_chunk_carries_the_trailers() -> None:
    assert last_chunk(()) == b"0\r\n\r\n"
    assert last_chunk([(b"X-Sum", b"1")]) == b"0\r\nX-Sum: 1\r\n\r\n"
