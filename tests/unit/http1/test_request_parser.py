import pytest

from edge.http1.limits import HeadLimits
from edge.http1.request_parser import read_request_head
from edge.model.http import NO_BODY, Body, Framing, RequestHead, Target
from edge.model.refusal import Reason
from tests.unit.http1.expect import LIMITS, get, refused, request

HOST = b"Host: a.test"


def test_a_request_has_one_meaning() -> None:
    head = request(
        b"POST /a/../%62?q=%zz HTTP/1.1",
        b"hOST:  A.test:8443 ",
        b"Content-Length: 5",
        b"X-One: 1",
        b"x-one: 2",
        b"Connection: Keep-Alive, X-One",
    )
    assert head == RequestHead(
        method=b"POST",
        target=Target(b"/b", b"q=%zz"),
        version=(1, 1),
        host="a.test",
        fields=(
            (b"host", b"hOST", b"A.test:8443"),
            (b"content-length", b"Content-Length", b"5"),
            (b"x-one", b"X-One", b"1"),
            (b"x-one", b"x-one", b"2"),
            (b"connection", b"Connection", b"Keep-Alive, X-One"),
        ),
        body=Body(Framing.LENGTH, 5),
        keep_alive=True,
        expect_continue=False,
        connection_options=frozenset((b"keep-alive", b"x-one")),
        upgrade=(),
    )


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.test\r\n",
        b"GET / HTTP/1.1\r\nHost: a.test",
        b"GET / HTTP/1.1\nHost: a.test\n\n",
        b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\nGET /",
        b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        b"\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
        b"GET /\r\n\r\n",
    ],
)
def test_a_block_that_is_not_one_whole_head_is_refused(block: bytes) -> None:
    with refused():
        read_request_head(block, LIMITS)


@pytest.mark.parametrize(
    "line",
    [b"GET  / HTTP/1.1", b"GET / HTTP/1.1 ", b"GET / http/1.1", b"GET / HTTP/1.10", b"GET\t/ HTTP/1.1"],
)
def test_a_malformed_request_line_is_refused(line: bytes) -> None:
    with refused():
        request(line, HOST)


@pytest.mark.parametrize("line", [b"GET / HTTP/2.0", b"PRI * HTTP/2.0", b"GET / HTTP/3.0", b"GET / HTTP/1.2"])
def test_another_version_of_http_is_refused(line: bytes) -> None:
    with refused(Reason.HTTP_VERSION_NOT_SUPPORTED):
        request(line, HOST)


def test_the_preface_of_http_2_is_refused_without_any_field() -> None:
    with refused(Reason.HTTP_VERSION_NOT_SUPPORTED):
        read_request_head(b"PRI * HTTP/2.0\r\n\r\n", LIMITS)


@pytest.mark.parametrize(
    "line", [b"CONNECT a.test:80 HTTP/1.1", b"CONNECT / HTTP/1.1", b"TRACE / HTTP/1.1", b"TRACE * HTTP/1.0"]
)
def test_connect_and_trace_are_not_allowed(line: bytes) -> None:
    with refused(Reason.METHOD_NOT_ALLOWED):
        request(line, HOST)


@pytest.mark.parametrize(
    "name",
    [
        b"Authorization",
        b"Content-Range",
        b"Content-Type",
        b"If-Match",
        b"If-Modified-Since",
        b"If-None-Match",
        b"If-Range",
        b"If-Unmodified-Since",
    ],
)
def test_a_field_that_can_mean_one_thing_only_is_refused_when_repeated(name: bytes) -> None:
    assert get(name + b": x", b"X-" + name + b": y").fields[1][2] == b"x"
    for again in (name, name.lower()):
        for value in (b"x", b"y", b""):
            with refused():
                get(name + b": x", b"Between: them", again + b": " + value)


@pytest.mark.parametrize("name", [b"Cookie", b"Accept", b"Connection", b"X-Forwarded-For", b"Via", b"X"])
def test_a_field_that_is_a_list_may_be_repeated(name: bytes) -> None:
    assert len(get(name + b": x", name + b": y").fields) == 3


@pytest.mark.parametrize("text", [b":\t%b", b": %b\t", b": \t %b", b":%b \t"])
@pytest.mark.parametrize(
    "field", [(b"Host", b"a.test"), (b"content-length", b"0"), (b"Transfer-Encoding", b"chunked")]
)
def test_a_tab_beside_a_value_that_frames_or_routes_is_refused(
    field: tuple[bytes, bytes], text: bytes
) -> None:
    name, value = field
    line = name + text % value
    with refused():
        request(b"POST / HTTP/1.1", *([] if name == b"Host" else [HOST]), line)
    assert get(b"X" + text % value, b"X-" + line).keep_alive


@pytest.mark.parametrize("method", [b"GET", b"FOO", b"PROPFIND", b"M-SEARCH", b"VERSION-CONTROL", b"A_B"])
def test_every_other_word_in_capitals_is_a_method(method: bytes) -> None:
    assert request(method + b" / HTTP/1.1", HOST).method == method


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [b"Host: a.test", b"Host: a.test"],
        [b"Host: a.test", b"host: b.test"],
        [b"Host: a.test, b.test"],
        [b"Host: a.test b.test"],
        [b"Host:"],
        [b"Host: \t"],
        [b"Host: a.test/x"],
        [b"Host: a.test?x"],
        [b"Host: a.test#x"],
        [b"Host: u@a.test"],
        [b"Host: a.test:80a"],
        [b"Host: a.test:-1"],
        [b"Host: a.test:65536"],
        [b"Host: :80"],
        [b"Host: a%2etest"],
        [b"Host: a..test"],
        [b"Host: .a.test"],
        [b"Host: *.a.test"],
        [b"Host: http://a.test"],
        [b"Host: [::1"],
        [b"Host: ::1"],
        [b"Host: [::1%25eth0]"],
        [b"Host: [::1]x"],
        [b"Host: 0x7f.1"],
        [b"Host: 127.1"],
        [b"Host: \xef\xbd\x81.test"],
        [b"Host: a\xe3\x80\x82test"],
        [b"Host: \xc3\xa4.test"],
        [b"Host: " + b"a" * 300],
        [b"Host: a.test\\x"],
        [b"Host: 'a.test'"],
    ],
)
def test_a_host_that_is_missing_repeated_or_malformed_is_refused(fields: list[bytes]) -> None:
    with refused():
        request(b"GET / HTTP/1.1", *fields)


@pytest.mark.parametrize("line", [b"Host : a.test", b" Host: a.test", b"Host\t: a.test", b"Host\x00: a.test"])
def test_a_host_field_that_is_malformed_is_refused(line: bytes) -> None:
    with refused():
        request(b"GET / HTTP/1.1", line)
    with refused():
        request(b"GET / HTTP/1.1", HOST, line)


@pytest.mark.parametrize(
    ("value", "host"),
    [
        (b"A.TEST", "a.test"),
        (b"a.test.", "a.test"),
        (b"a.test:443", "a.test"),
        (b"a.test:", "a.test"),
        (b"[::1]:8443", "::1"),
        (b"[0:0::1]", "::1"),
        (b"127.0.0.1", "127.0.0.1"),
        (b"device_1.test", "device_1.test"),
    ],
)
def test_the_host_is_canonical(value: bytes, host: str) -> None:
    assert request(b"GET / HTTP/1.1", b"Host: " + value).host == host


def test_http_1_0_may_go_without_a_host_but_not_with_two() -> None:
    assert request(b"GET / HTTP/1.0").host == ""
    assert request(b"GET / HTTP/1.0", HOST).host == "a.test"
    for fields in ([HOST, HOST], [b"Host:"], [b"Host: a/b"]):
        with refused():
            request(b"GET / HTTP/1.0", *fields)


@pytest.mark.parametrize(
    ("target", "host"),
    [
        (b"http://b.test/", b"a.test"),
        (b"https://a.test/", b"a.test:8443"),
        (b"https://a.test:443/", b"a.test"),
        (b"http://a.test:80/", b"a.test:81"),
        (b"http://user@a.test/", b"a.test"),
        (b"http://a.test@b.test/", b"a.test"),
        (b"http:///", b"a.test"),
        (b"http://a.test\\b/", b"a.test"),
        (b"http://a%2etest/", b"a.test"),
        (b"http://a.test, b.test/", b"a.test"),
        (b"ftp://a.test/", b"a.test"),
    ],
)
def test_an_absolute_form_that_does_not_agree_with_host_is_refused(target: bytes, host: bytes) -> None:
    with refused():
        request(b"GET " + target + b" HTTP/1.1", b"Host: " + host)


def test_an_absolute_form_does_not_stand_in_for_a_missing_host() -> None:
    with refused():
        request(b"GET http://a.test/ HTTP/1.1")


@pytest.mark.parametrize(
    ("target", "host"),
    [
        (b"HTTPS://A.test./x", b"a.TEST"),
        (b"http://a.test:8443/x", b"A.test:8443"),
        (b"http://[::1]/x", b"[0::1]"),
    ],
)
def test_an_absolute_form_that_agrees_with_host_is_the_path_alone(target: bytes, host: bytes) -> None:
    assert request(b"GET " + target + b" HTTP/1.1", b"Host: " + host).target == Target(b"/x")


def test_in_http_1_0_the_absolute_form_names_the_host() -> None:
    assert request(b"GET http://A.test:80/x HTTP/1.0").host == "a.test"


@pytest.mark.parametrize(
    "target",
    [
        b"*",
        b"a.test:80",
        b":80",
        b"@evil/",
        b"\\\\evil",
        b"/#x",
        b"/%2f",
        b"/..",
        b"/%",
        b"/a\\b",
        b"/%00",
        b"http:a.test",
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"OPTIONS"])
def test_a_target_with_no_path_to_judge_or_a_doubtful_one_is_refused(method: bytes, target: bytes) -> None:
    with refused():
        request(method + b" " + target + b" HTTP/1.1", HOST)


@pytest.mark.parametrize(
    "fields",
    [
        [b"Content-Length: 6", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 6"],
        [b"Content-Length: 6", b"content-length: 6"],
        [b"Content-Length: 6", b"CONTENT-LENGTH: 7"],
        [b"Content-Length: 6, 6"],
        [b"Content-Length: +6"],
        [b"Content-Length:"],
        [b"Content-Length : 6"],
        [b"Content-Length:", b" 6"],
        [b"Transfer-Encoding : chunked"],
        [b"Transfer-Encoding: \x0bchunked"],
        [b"Transfer-Encoding:", b" chunked"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
        [b"Transfer-Encoding: chunked", b"transfer-encoding: chunked"],
        [b"X: X\x0bTransfer-Encoding: chunked"],
        [b"X: y\rTransfer-Encoding: chunked"],
        [b"X: y\nTransfer-Encoding: chunked"],
    ],
)
def test_a_body_whose_end_is_in_doubt_is_refused(fields: list[bytes]) -> None:
    with refused():
        request(b"POST / HTTP/1.1", HOST, *fields)


@pytest.mark.parametrize("value", [b"gzip", b"gzip, chunked", b"chunked, identity", b"xchunked", b"identity"])
def test_another_transfer_coding_is_not_implemented(value: bytes) -> None:
    with refused(Reason.NOT_IMPLEMENTED):
        request(b"POST / HTTP/1.1", HOST, b"Transfer-Encoding: " + value)


@pytest.mark.parametrize("value", [b"chunked", b"gzip", b"identity"])
def test_a_transfer_coding_in_http_1_0_is_refused(value: bytes) -> None:
    with refused():
        request(b"POST / HTTP/1.0", HOST, b"Transfer-Encoding: " + value)


def test_names_that_only_resemble_the_framing_fields_do_not_frame() -> None:
    head = request(b"POST / HTTP/1.1", HOST, b"Transfer_Encoding: chunked", b"Content.Length: 5")
    assert head.body == NO_BODY


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"DELETE", b"POST"])
def test_whether_there_is_a_body_does_not_depend_on_the_method(method: bytes) -> None:
    line = method + b" / HTTP/1.1"
    assert request(line, HOST).body == NO_BODY
    assert request(line, HOST, b"Content-Length: 41").body == Body(Framing.LENGTH, 41)
    assert request(line, HOST, b"Transfer-Encoding: Chunked").body == Body(Framing.CHUNKED)


def test_a_target_over_the_limit_is_told_so() -> None:
    limits = HeadLimits(target_size=10)
    assert request(b"GET /123456789 HTTP/1.1", HOST, limits=limits).target.path == b"/123456789"
    with refused(Reason.URI_TOO_LONG):
        request(b"GET /1234567890 HTTP/1.1", HOST, limits=limits)


def test_too_many_fields_or_octets_are_told_so() -> None:
    with refused(Reason.HEADER_TOO_LARGE):
        request(b"GET / HTTP/1.1", HOST, *[b"X: y"] * 100)
    with refused(Reason.HEADER_TOO_LARGE):
        request(b"GET / HTTP/1.1", HOST, b"X: " + b"y" * 32768)


@pytest.mark.parametrize(
    "fields",
    [
        [b"Expect: 100-continue-x"],
        [b"Expect: 200-ok"],
        [b"Expect:"],
        [b"Expect: 100-continue, x"],
        [b"Expect: 100-continue"] * 2,
    ],
)
def test_another_expectation_fails(fields: list[bytes]) -> None:
    with refused(Reason.EXPECTATION_FAILED):
        request(b"POST / HTTP/1.1", HOST, b"Content-Length: 5", *fields)


def test_an_expectation_in_http_1_0_is_ignored() -> None:
    for value in (b"100-continue", b"anything"):
        assert not request(b"POST / HTTP/1.0", b"Content-Length: 5", b"Expect: " + value).expect_continue


def test_a_client_with_content_to_send_may_wait_for_100() -> None:
    expect = b"Expect: 100-Continue"
    assert request(b"POST / HTTP/1.1", HOST, b"Content-Length: 5", expect).expect_continue
    assert request(b"POST / HTTP/1.1", HOST, b"Transfer-Encoding: chunked", expect).expect_continue
    assert not request(b"POST / HTTP/1.1", HOST, b"Content-Length: 0", expect).expect_continue
    assert not get(expect).expect_continue


@pytest.mark.parametrize(
    "line", [b"Connection: a b", b"Connection: close;x", b"Upgrade: h3;q", b"Upgrade: a/b/c"]
)
def test_junk_in_the_lists_of_the_hop_is_refused(line: bytes) -> None:
    with refused():
        get(line)


def test_the_connection_stays_open_as_the_version_and_the_options_say() -> None:
    assert get().keep_alive
    assert not get(b"Connection: keep-alive", b"Connection: Close").keep_alive
    assert not request(b"GET / HTTP/1.0").keep_alive
    assert request(b"GET / HTTP/1.0", b"Connection: keep-alive").keep_alive


def test_upgrade_protocols_come_in_lower_case_from_every_field() -> None:
    assert get(b"Upgrade: h2c", b"Upgrade: WebSocket, HTTP/3").upgrade == (b"h2c", b"websocket", b"http/3")
