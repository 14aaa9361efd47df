import pytest

from edge.http1.start_line import StatusLine, read_request_line, read_status_line
from edge.model.refusal import Reason
from tests.unit.http1.expect import refused


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET",
        b"GET /",  # HTTP/0.9
        b"GET / ",
        b"GET  / HTTP/1.1",
        b"GET /  HTTP/1.1",
        b"GET\t/\tHTTP/1.1",
        b"GET / HTTP/1.1 ",
        b" GET / HTTP/1.1",
        b"\r\nGET / HTTP/1.1",
        b"GET / HTTP/1.1\n",
        b"GET / HTTP/1.1\r",
        b"GET / http/1.1",
        b"GET / Http/1.1",
        b"GET / HTTP/1.10",
        b"GET / HTTP/11",
        b"GET / HTTP/1",
        b"GET / HTTP/1.",
        b"GET / HTTP/.1",
        b"GET / HTTP/01.1",
        b"GET / HTTP/1.1a",
        b"GET / HTTP/1,1",
        b"GET / HTTP/\xd9\xa1.1",
        b"GET / HTTPS/1.1",
        b"GET / HTP/1.1",
        b"GET / /1.1",
        b"GET /a b HTTP/1.1",
        b"GET /\x0b HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET /\x00 HTTP/1.1",
        b"GET /\xc3\xa4 HTTP/1.1",
        b"GET /\xc0\xaf HTTP/1.1",
        b"G\x00T / HTTP/1.1",
        b"G(T / HTTP/1.1",
        b"G\xc4T / HTTP/1.1",
        b"GET: / HTTP/1.1",
        b"get / HTTP/1.1",
        b"Get / HTTP/1.1",
        b"connect / HTTP/1.1",
        b"G3T / HTTP/1.1",
        b"! / HTTP/1.1",
        b"GET! / HTTP/1.1",
        b"-GET / HTTP/1.1",
        b"'GET' / HTTP/1.1",
        b"HTTP/1.1 200 OK",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS ClientHello
    ],
)
def test_a_request_line_that_is_not_the_grammar_to_the_letter_is_refused(line: bytes) -> None:
    with refused(Reason.BAD_REQUEST):
        read_request_line(line)


@pytest.mark.parametrize(
    "line",
    [
        b"GET / HTTP/2.0",
        b"PRI * HTTP/2.0",
        b"GET / HTTP/3.0",
        b"GET / HTTP/1.2",
        b"GET / HTTP/0.9",
        b"GET / HTTP/9.9",
    ],
)
def test_a_well_formed_version_that_is_not_ours_is_told_apart_from_a_malformed_one(line: bytes) -> None:
    with refused(Reason.HTTP_VERSION_NOT_SUPPORTED):
        read_request_line(line)


def test_the_parts_of_a_request_line_come_as_they_were_written() -> None:
    assert read_request_line(b"GET /a?b HTTP/1.1") == (b"GET", b"/a?b", (1, 1))
    assert read_request_line(b"M-SEARCH_ x HTTP/1.0") == (b"M-SEARCH_", b"x", (1, 0))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"HTTP/1.1",
        b"HTTP/1.1 ",
        b"HTTP/1.1  200 OK",
        b" HTTP/1.1 200 OK",
        b"HTTP/1.1\t200 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 099 No",
        b"HTTP/1.1 600 No",
        b"HTTP/1.1 +20 No",
        b"HTTP/1.1 2x0 No",
        b"HTTP/1.1 200OK",
        b"HTTP/1.1 200\tOK",
        b"HTTP/1.1 200 O\x00K",
        b"HTTP/1.1 200 O\x0bK",
        b"HTTP/1.1 200 O\x7fK",
        b"HTTP/1.1 200 O\rK",
        b"HTTP/1.1 200 OK\n",
        b"HTTP/2.0 200 OK",
        b"HTTP/1.2 200 OK",
        b"HTTP/0.9 200 OK",
        b"http/1.1 200 OK",
        b"ICY 200 OK",
        b"HTTP/1.1 \xd9\xa2\xd9\xa0\xd9\xa0 OK",
        b"GET / HTTP/1.1",
    ],
)
def test_a_status_line_that_is_not_the_grammar_is_refused(line: bytes) -> None:
    with refused(Reason.BAD_REQUEST):
        read_status_line(line)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"HTTP/1.1 200 OK", StatusLine((1, 1), 200, b"OK")),
        (b"HTTP/1.0 404 Not Found", StatusLine((1, 0), 404, b"Not Found")),
        (b"HTTP/1.1 200 ", StatusLine((1, 1), 200, b"")),
        (b"HTTP/1.1 200", StatusLine((1, 1), 200, b"")),
        (b"HTTP/1.1 599 \xc3\xa4", StatusLine((1, 1), 599, b"\xc3\xa4")),
        (b"HTTP/1.1 100 Continue", StatusLine((1, 1), 100, b"Continue")),
    ],
)
def test_a_status_line_is_read(line: bytes, expected: StatusLine) -> None:
    assert read_status_line(line) == expected
