"""Streams of messages that are right, nearly right, or nothing of the kind, for the HTTP/1.1 properties."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How long an example takes says something about the machine, not about the code."""

REQUEST_LINES = st.sampled_from(
    [b"GET / HTTP/1.1", b"POST /a/./%62?q HTTP/1.1", b"PUT /x HTTP/1.0", b"HEAD http://a.test/x HTTP/1.1"]
    * 10
    + [
        b"GET  / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET /",
        b"GET / HTTP/2.0",
        b"get / http/1.1",
        b"GET /%2f HTTP/1.1",
        b"GET /a#b HTTP/1.1",
        b"GET * HTTP/1.1",
        b"GET http://b.test/ HTTP/1.1",
        b"OPTIONS /../x HTTP/1.1",
        b"GET /" + b"a" * 200 + b" HTTP/1.1",
    ]
)

STATUS_LINES = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 404 Not Found", b"HTTP/1.0 200", b"HTTP/1.1 100 Continue"] * 5
    + [b"HTTP/1.1 204 No Content", b"HTTP/1.1  200 OK", b"HTTP/2 200", b"HTTP/1.1 600 x", b"HTTP/1.1 304 x"]
)

FIELDS = st.sampled_from(
    [
        b"X-One: 1",
        b"x_two:2\t ",
        b"Cookie: a=b; c=d",
        b"Connection: close",
        b"Connection: keep-alive, X-One",
        b"Empty:",
        b"Utf8: \xc3\xa4",
        b"Expect: 100-continue",
        b"Upgrade: h2c",
    ]
    * 12
    + [
        b"X : 1",
        b" folded",
        b"NoColon",
        b": x",
        b"X: a\rb",
        b"X: a\nb",
        b"X: \x00",
        b"X: \x0b",
        b"Content-Length: 3",
        b"Content-Length: 03",
        b"Content-Length: 3, 3",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: \x0bchunked",
        b"Host: a.test",
        b"Host: b.test/x",
        b"Connection: a b",
        b"Long: " + b"y" * 500,
    ]
)

CHUNKED_BODIES = st.lists(
    st.sampled_from([b"5\r\nhello\r\n", b"1;a=b\r\nx\r\n", b"00A\r\n0123456789\r\n"] * 5)
    | st.sampled_from(
        [b"5\nhello\r\n", b"+5\r\nhello\r\n", b"5\r\nhelloXX", b"5 \r\nhello\r\n", b"5;a\nb\r\nhello\r\n"]
    ),
    max_size=4,
).flatmap(
    lambda chunks: st.sampled_from(
        [b"0\r\n\r\n", b"0\r\nX-Sum: 1\r\n\r\n", b"000;x\r\n\r\n", b"0\r\nX : y\r\n\r\n", b"0\r\n", b""]
    ).map(lambda end: b"".join(chunks) + end)
)

_FRAMED_BODIES = st.one_of(
    st.just((b"", b"")),
    st.binary(max_size=12).map(lambda body: (b"Content-Length: %d\r\n" % len(body), body)),
    CHUNKED_BODIES.map(lambda body: (b"Transfer-Encoding: chunked\r\n", body)),
)


@st.composite
def messages(draw: st.DrawFn, first_lines: st.SearchStrategy[bytes], extra: bytes) -> bytes:
    """One message: mostly right, since each wrong part is drawn seldom."""
    fields = draw(st.lists(FIELDS, max_size=3))
    framing, body = draw(_FRAMED_BODIES)
    empty_lines = draw(st.sampled_from([b""] * 6 + [b"\r\n", b"\r\n\r\n\r\n"]))
    lines = [draw(first_lines), *fields]
    return empty_lines + b"\r\n".join(lines) + b"\r\n" + extra + framing + b"\r\n" + body


REQUESTS = messages(REQUEST_LINES, b"Host: a.test\r\n")
RESPONSES = messages(STATUS_LINES, b"")


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """A message with a few octets replaced, removed or put in."""
    data = draw(whole)
    for _ in range(draw(st.integers(0, 2))):
        position = draw(st.integers(0, len(data)))
        removed = draw(st.integers(0, 2))
        added = draw(
            st.sampled_from([b"", b"\r", b"\n", b"\r\n", b" ", b"\t", b"\x00", b":", b",", b"\xa0", b"0"])
        )
        data = data[:position] + added + data[position + removed :]
    return data


def streams(whole: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Some messages, one after the other; or octets that are nothing of the kind."""
    return st.lists(whole | damaged(whole), min_size=1, max_size=3).map(b"".join) | st.binary(max_size=200)


@st.composite
def pieces_of(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """``data`` cut anywhere; an empty piece is none, since an empty read is the end of a connection."""
    cuts = sorted(draw(st.sets(st.integers(1, max(len(data) - 1, 1)), max_size=12)))
    ends = [0, *cuts, len(data)]
    return [piece for start, end in pairwise(ends) if (piece := data[start:end])]
