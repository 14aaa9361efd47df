import pytest

from edge.http1 import headers
from edge.http1.headers import (
    HOP_BY_HOP,
    forwardable_trailers,
    hop_by_hop,
    is_persistent,
    is_token,
    read_connection_options,
    read_fields,
    read_upgrade,
    squash,
)
from edge.model.refusal import Reason
from tests.unit.http1.expect import get, refused, response


@pytest.mark.parametrize(
    "line",
    [
        b"Host : x",
        b"Host\t: x",
        b"X-Other : x",
        b": x",
        b":",
        b"NoColon",
        b"Host",  # a name of the table without a colon
        b" X: y",
        b"\tX: y",
        b" folded",
        b"",
        b"X Y: z",
        b"X(: z",
        b"X\xc4: z",
        b"X\x85: z",
        b"X\xa0: z",
        b"X\x0b: z",
        b"X\x00: z",
        b"X\x7f: z",
        b'"X": z',
        b"X,Y: z",
        b"X/Y: z",
        b"X=: z",
        b"{X}: z",
    ],
)
def test_a_line_that_is_not_a_token_and_a_colon_is_refused(line: bytes) -> None:
    with refused():
        read_fields(line + b"\r\n", 100)
    with refused():
        read_fields(b"A: b\r\n" + line + b"\r\nC: d\r\n", 100)


@pytest.mark.parametrize("octet", [*range(0x09), *range(0x0A, 0x20), 0x7F])
def test_a_control_character_in_a_value_is_refused(octet: int) -> None:
    for value in (b"%b", b"a%bb", b"a%b", b"%ba", b" %b"):
        with refused():
            read_fields(b"X: " + value % bytes((octet,)) + b"\r\nY: z\r\n", 100)


@pytest.mark.parametrize(
    "section",
    [
        b"X: y\nZ: w\r\n",
        b"X: y\rZ: w\r\n",
        b"X: y\r\n\n",
        b"X: y\r\r\n",
        b"X: y\n\r\nZ: w\r\n",
        b"X: y\n",
        b"X: y\r",
        b"X: y",
        b"\n",
        b"X: a\rb\nc\r\n",
        b"X: y\r\n folded\r\n",
        b"Content-Length:\r\n 5\r\n",
        b"X: y\r\n\r\nZ: w\r\n",
    ],
)
def test_a_line_that_does_not_end_in_crlf_alone_is_refused(section: bytes) -> None:
    with refused():
        read_fields(section, 100)


def test_more_fields_than_the_limit_are_refused() -> None:
    assert len(read_fields(b"A: b\r\n" * 100, 100)) == 100
    with refused(Reason.HEADER_TOO_LARGE):
        read_fields(b"A: b\r\n" * 101, 100)


def test_an_empty_section_has_no_fields() -> None:
    assert read_fields(b"", 100) == ()


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (b"Host: a.test", (b"host", b"Host", b"a.test")),
        (b"HOST:a.test", (b"host", b"HOST", b"a.test")),
        (b"x_Y.z-1: v", (b"x_y.z-1", b"x_Y.z-1", b"v")),
        (b"X:", (b"x", b"X", b"")),
        (b"X: \t ", (b"x", b"X", b"")),
        (b"X: \t a \t b\t ", (b"x", b"X", b"a \t b")),
        (b"X: a:b: c", (b"x", b"X", b"a:b: c")),
        (b"X: \xc3\xa4\x85\xa0", (b"x", b"X", b"\xc3\xa4\x85\xa0")),
        (b"!#$%&'*+-.^_`|~0aZ: v", (b"!#$%&'*+-.^_`|~0az", b"!#$%&'*+-.^_`|~0aZ", b"v")),
    ],
)
def test_a_field_keeps_its_spelling_and_loses_only_the_white_space_around_its_value(
    line: bytes, field: tuple[bytes, bytes, bytes]
) -> None:
    assert read_fields(line + b"\r\n", 100) == (field,)


def test_fields_keep_their_order_and_repetitions() -> None:
    names = [name for _, name, _ in read_fields(b"B: 1\r\na: 2\r\nb: 3\r\n", 100)]
    assert names == [b"B", b"a", b"b"]


@pytest.mark.parametrize("text", [b"", b"a b", b"a\n", b"a:", b"\xe4", b"a,"])
def test_what_is_no_token(text: bytes) -> None:
    assert not is_token(text)


def test_what_is_a_token() -> None:
    assert is_token(b"X-Y_z.1")


@pytest.mark.parametrize(
    "value", [b"a b", b'"close"', b"close;", b"cl\xf6se", b"close, x y", b"a=b", b"\x0bclose", b"close\xa0"]
)
def test_junk_in_connection_is_refused(value: bytes) -> None:
    with refused():
        read_connection_options([value])


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ([b"close"], {b"close"}),
        ([b"Keep-Alive"], {b"keep-alive"}),
        ([b"keep-alive, Upgrade"], {b"keep-alive", b"upgrade"}),
        ([b",, a ,\tB,"], {b"a", b"b"}),
        ([b"a", b"", b"b"], {b"a", b"b"}),
        ([b""], set()),
        ([], set()),
    ],
)
def test_connection_is_a_list_of_tokens(values: list[bytes], options: set[bytes]) -> None:
    assert read_connection_options(values) == options


@pytest.mark.parametrize("value", [b"h3;x", b"a/", b"/3", b"a/b/c", b"web socket", b"h\xb3", b"a / b"])
def test_junk_in_upgrade_is_refused(value: bytes) -> None:
    with refused():
        read_upgrade([value])


def test_upgrade_is_a_list_of_protocols_in_order() -> None:
    assert read_upgrade([b"h2c, HTTP/3.0", b", WebSocket"]) == (b"h2c", b"http/3.0", b"websocket")


@pytest.mark.parametrize(
    ("version", "options", "persistent"),
    [
        ((1, 1), set(), True),
        ((1, 1), {b"keep-alive"}, True),
        ((1, 1), {b"close"}, False),
        ((1, 1), {b"close", b"keep-alive"}, False),
        ((1, 0), set(), False),
        ((1, 0), {b"keep-alive"}, True),
        ((1, 0), {b"close", b"keep-alive"}, False),
        ((1, 0), {b"upgrade"}, False),
    ],
)
def test_whether_a_connection_stays_open(
    version: tuple[int, int], options: set[bytes], persistent: bool
) -> None:
    assert is_persistent(version, frozenset(options)) is persistent


@pytest.mark.parametrize(
    "name", [b"X-Forwarded-For", b"x_forwarded_for", b"X.Forwarded_For", b"X_FORWARDED.FOR"]
)
def test_spellings_that_an_origin_may_take_for_one_another_compare_equal(name: bytes) -> None:
    assert squash(name) == b"x-forwarded-for"


def test_squash_leaves_octets_that_are_not_ascii_alone() -> None:
    assert squash(b"\xc4_") == b"\xc4-"


def test_fields_of_this_hop_end_here_also_when_connection_does_not_name_them() -> None:
    assert hop_by_hop(get()) == HOP_BY_HOP
    assert {b"te", b"http2-settings", b"proxy-authorization", b"proxy-connection"} <= HOP_BY_HOP


def test_fields_that_connection_names_end_here() -> None:
    head = get(b"Connection: close, X-Secret, x-other", b"Connection: Third")
    assert hop_by_hop(head) == HOP_BY_HOP | {b"x-secret", b"x-other", b"third"}


def test_connection_cannot_name_away_what_carries_routing_or_identity() -> None:
    head = get(
        b"Connection: Host, Cookie, Authorization, Content-Length, Content_Length",
        b"Connection: X-Client-Verify, X_Client.Verify",
    )
    assert hop_by_hop(head, frozenset((b"x-client-verify",))) == HOP_BY_HOP


def test_an_origin_cannot_name_away_its_cookies() -> None:
    assert hop_by_hop(response(b"HTTP/1.1 200 OK", b"Connection: Set-Cookie")) == HOP_BY_HOP


@pytest.mark.parametrize(
    "name",
    [
        b"Content-Length",
        b"Transfer-Encoding",
        b"Host",
        b"Connection",
        b"Cookie",
        b"Set-Cookie",
        b"Authorization",
        b"Cf-Access-Jwt-Assertion",
        b"cf_access_jwt_assertion",
        b"Cf-Client-Cert-Sha256",
        b"X-SSL-Client-Verify",
        b"X_SSL.Client_Verify",
        b"Client-Cert",
        b"X-Forwarded-For",
        b"X_Forwarded_For",
        b"Forwarded",
        b"Alt-Svc",
        b"Content-Type",
        b"Cache-Control",
        b"Location",
        b"TE",
        b"Trailer",
        b"Proxy-Anything",
        b"Mtls-Authenticated",
        b"MTLS_AUTHENTICATED",
    ],
)
def test_a_trailer_that_frames_routes_authenticates_or_controls_is_dropped(name: bytes) -> None:
    trailers = read_fields(name + b": FORGED\r\nX-Checksum: 1\r\n", 100)
    assert forwardable_trailers(trailers, frozenset((b"mtls-authenticated",))) == ((b"X-Checksum", b"1"),)


def test_other_trailers_pass_in_order_and_as_they_were_spelt() -> None:
    trailers = read_fields(b"grpc-status: 0\r\nDigest: x\r\nServer-Timing: a\r\n", 100)
    assert forwardable_trailers(trailers) == (
        (b"grpc-status", b"0"),
        (b"Digest", b"x"),
        (b"Server-Timing", b"a"),
    )


def test_a_line_that_came_before_is_read_as_it_was() -> None:
    section = b"User-Agent:  curl/8 \r\nAccept:*/*\r\nuser-agent: curl/8\r\n"
    first = read_fields(section, 100)
    assert first == (
        (b"user-agent", b"User-Agent", b"curl/8"),
        (b"accept", b"Accept", b"*/*"),
        (b"user-agent", b"user-agent", b"curl/8"),
    )
    assert read_fields(section, 100) == first


@pytest.mark.parametrize("name", [b"Cookie", b"Authorization", b"X-Api-Key", b"X-Unknown", b"Referer"])
def test_no_line_is_kept_that_may_be_a_clients_secret(name: bytes) -> None:
    read_fields(name + b": a-secret-of-one-client\r\n", 100)
    assert not [line for line in headers._known_lines if b"a-secret-of-one-client" in line]


def test_the_lines_that_are_kept_are_bounded_in_number_and_size() -> None:
    for number in range(2 * headers._MOST_LINES):
        read_fields(b"User-Agent: %d\r\n" % number, 100)
    read_fields(b"User-Agent: " + b"x" * headers._MOST_OCTETS_OF_A_LINE + b"\r\n", 100)
    assert 0 < len(headers._known_lines) <= headers._MOST_LINES
    assert max(map(len, headers._known_lines)) <= headers._MOST_OCTETS_OF_A_LINE
