import pytest

from edge.http1.target import normalise_path, read_target
from edge.model.http import Target
from tests.unit.http1.expect import refused


@pytest.mark.parametrize(
    "path", [b"/a%2fb", b"/a%2Fb", b"/a%5cb", b"/a%5Cb", b"/..%2f", b"/a%2f..", b"/a%5c..%5cadmin"]
)
def test_an_encoded_slash_or_backslash_is_refused(path: bytes) -> None:
    with refused():
        normalise_path(path)


@pytest.mark.parametrize("octet", [*range(0x20), 0x7F])
def test_an_encoded_control_character_is_refused(octet: int) -> None:
    with refused():
        normalise_path(b"/a%%%02x" % octet)
    with refused():
        normalise_path(b"/a%%%02X" % octet)


@pytest.mark.parametrize("octet", [*range(0x21), *b'"#<>?[\\]^`{|}', *range(0x7F, 0x100)])
def test_an_octet_that_is_no_path_character_is_refused(octet: int) -> None:
    with refused():
        normalise_path(b"/a" + bytes((octet,)))
    with refused():
        normalise_path(b"/%61/" + bytes((octet,)) + b"/b")


@pytest.mark.parametrize(
    "path", [b"/%", b"/%4", b"/%4g", b"/%g4", b"/%%41", b"/%u0041", b"/a%", b"/%+1", b"/% 1", b"/%4\xd9"]
)
def test_an_escape_without_two_hex_digits_is_refused(path: bytes) -> None:
    with refused():
        normalise_path(path)


@pytest.mark.parametrize(
    "path",
    [
        b"/..",
        b"/../",
        b"/../a",
        b"/a/../..",
        b"/a/../../b",
        b"/./..",
        b"/%2e%2e",
        b"/.%2E/a",
        b"/a/%2e./../b",
        b"//../..",
    ],
)
def test_climbing_above_the_root_is_refused(path: bytes) -> None:
    with refused():
        normalise_path(path)


@pytest.mark.parametrize("path", [b"", b"a", b"*", b"a/b", b"./a", b"%2f", b"?", b":80", b"@evil/"])
def test_a_path_that_does_not_begin_with_a_slash_is_refused(path: bytes) -> None:
    with refused():
        normalise_path(path)


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"//",
        b"/a",
        b"/a/",
        b"/a//b",
        b"//a",
        b"/...",
        b"/.a",
        b"/..a",
        b"/a.",
        b"/a..",
        b"/a..b/c.d",
        b"/ADMIN",
        b"/admin;x=1",
        b"/-._~!$&'()*+,;=:@",
        b"/%20",
        b"/%25",
        b"/%252e%252e%252f",
        b"/%C3%A4",
        b"/%23%3F",
        b"/a/%5B%5D",
    ],
)
def test_a_normal_path_comes_back_as_it_is(path: bytes) -> None:
    assert normalise_path(path) == path


def test_a_plain_path_is_not_copied() -> None:
    path = b"/api/v1/things/42"
    assert normalise_path(path) is path


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        (b"/%61dmin", b"/admin"),
        (b"/%41%5A%61%7a%30%39%2d%2E%5f%7E", b"/AZaz09-._~"),
        (b"/%c3%a4", b"/%C3%A4"),
        (b"/%c3%A4%2b", b"/%C3%A4%2B"),
        (b"/%3a%40%26", b"/%3A%40%26"),
        (b"/./admin", b"/admin"),
        (b"/x/../admin", b"/admin"),
        (b"/x/%2e%2E/admin", b"/admin"),
        (b"/x/%2e/admin", b"/x/admin"),
        (b"/admin/.", b"/admin/"),
        (b"/admin/..", b"/"),
        (b"/admin/x/..", b"/admin/"),
        (b"/.", b"/"),
        (b"/./", b"/"),
        (b"/a/./b/../c/./", b"/a/c/"),
        (b"/a//../b", b"/a/b"),
        (b"/a/..//b", b"//b"),
        (b"/%252E", b"/%252E"),
        (b"/..;/a", b"/..;/a"),
    ],
)
def test_a_path_has_one_normal_form(raw: bytes, normal: bytes) -> None:
    assert normalise_path(raw) == normal


@pytest.mark.parametrize(
    "raw",
    [
        b"*",
        b"a.test:80",
        b":80",
        b"a.test",
        b"",
        b"?a",
        b"@evil/",
        b"\\\\evil",
        b"/\\evil",
        b"ftp://a.test/",
        b"ws://a.test/",
        b"file:///etc/passwd",
        b"javascript:alert(1)",
        b"http:/a.test/",
        b"http:a.test",
        b"://a.test/",
        b"http://user@a.test/",
        b"http://user:secret@a.test/",
        b"http://a.test@b.test/",
        b"https+x://a.test/",
        b"httpss://a.test/",
    ],
)
def test_a_target_that_is_neither_a_path_nor_a_web_address_is_refused(raw: bytes) -> None:
    with refused():
        read_target(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"/a#b",
        b"/#",
        b"/a?b#c",
        b"http://a.test/#x",
        b"http://a.test#x",
        b"http://a.test?x#y",
        b"/admin#/../public",
    ],
)
def test_a_fragment_is_refused(raw: bytes) -> None:
    with refused():
        read_target(raw)


@pytest.mark.parametrize("octet", [*range(0x21), *b'"#<>', *range(0x7F, 0x100)])
def test_an_octet_that_no_client_sends_in_a_query_is_refused(octet: int) -> None:
    with refused():
        read_target(b"/?a" + bytes((octet,)))


@pytest.mark.parametrize(
    "query", [b"", b"a=b&c=d", b"/../..", b"a?b?c", b"%zz%", b"%2f%00", b"[x]={y}|^`\\", b"'!*();:@", b"//"]
)
def test_a_query_is_handed_on_untouched(query: bytes) -> None:
    assert read_target(b"/a?" + query) == (None, Target(b"/a", query))


def test_no_query_and_an_empty_query_are_two_things() -> None:
    assert read_target(b"/a")[1].query is None
    assert read_target(b"/a?")[1].query == b""
    assert read_target(b"/a?")[1].wire == b"/a?"


def test_an_encoded_question_mark_stays_in_the_path() -> None:
    assert read_target(b"/admin%3f/public") == (None, Target(b"/admin%3F/public"))


@pytest.mark.parametrize(
    ("raw", "authority", "target"),
    [
        (b"http://a.test/x", b"a.test", Target(b"/x")),
        (b"HTTPS://A.test:8443/x/../y?q", b"A.test:8443", Target(b"/y", b"q")),
        (b"http://a.test", b"a.test", Target(b"/")),
        (b"http://a.test?q", b"a.test", Target(b"/", b"q")),
        (b"http:///x", b"", Target(b"/x")),
        (b"http://[::1]:80/", b"[::1]:80", Target(b"/")),
        (b"//evil/x", None, Target(b"//evil/x")),
    ],
)
def test_the_authority_of_an_absolute_form_is_told_apart(
    raw: bytes, authority: bytes | None, target: Target
) -> None:
    assert read_target(raw) == (authority, target)
