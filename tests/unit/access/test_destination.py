"""Destinations: what each pattern covers, and which of two is the more specific."""

from __future__ import annotations

import pytest

from edge.access.destination import DestinationError, parse_destination
from edge.access.path_table import ApplicationTable
from edge.model.refusal import MessageError, Reason
from tests.unit.access.builders import application


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        # the documented examples
        ("example.com", b"/", True),
        ("example.com", b"/alpha", True),
        ("example.com/*", b"/", True),
        ("example.com/*", b"/alpha/beta", True),
        ("example.com/alpha/*", b"/alpha/one", True),
        ("example.com/alpha/*", b"/alpha/two", True),
        ("example.com/alpha/*", b"/alpha", False),
        ("example.com/alpha/*", b"/", False),
        ("example.com/foo*/bar", b"/foo/bar", True),
        ("example.com/foo*/bar", b"/food/bar", True),
        ("example.com/foo*/bar", b"/food/stuff/bar", True),
        # where a plain path ends
        ("example.com/eng", b"/eng", True),
        ("example.com/eng", b"/eng/", True),
        ("example.com/eng", b"/eng/exec", True),
        ("example.com/eng", b"/engine", False),
        ("example.com/eng", b"/en", False),
        ("example.com/eng", b"/", False),
        ("example.com/eng", b"/ENG", False),
        ("example.com/eng", b"/x/eng", False),
        ("example.com/eng", b"/eng;x=1", False),
        ("example.com/eng", b"/eng%2Fx", False),
        ("example.com/eng/", b"/eng", True),
        ("example.com/eng/", b"/eng/exec", True),
        # where a wildcard ends
        ("example.com/alpha/*", b"/alpha/", True),
        ("example.com/alpha/*", b"/alphabet/x", False),
        ("example.com/foo*", b"/foo", True),
        ("example.com/foo*", b"/food/stuff", True),
        ("example.com/foo*", b"/fo", False),
        ("example.com/foo*/bar", b"/foo/bar/below", True),
        ("example.com/foo*/bar", b"/foo/barn", False),
        ("example.com/foo*/bar", b"/foo/barn/bar", True),
        ("example.com/foo*/bar", b"/foobar", False),
        ("example.com/foo*/bar", b"/xfoo/bar", False),
        ("example.com/*/admin", b"/x/admin", True),
        ("example.com/*/admin", b"/x/y/admin/z", True),
        ("example.com/*/admin", b"/admin", False),
        ("example.com/a*b", b"/ab", True),
        ("example.com/a*b", b"/axxb/c", True),
        ("example.com/a*b", b"/abc", False),
        ("example.com/a/*/b/*/c", b"/a/1/b/2/c", True),
        ("example.com/a/*/b/*/c", b"/a/1/b/c", False),
        ("example.com/a/*/b/*/c", b"/a/b/b/b/b/c", True),
        ("example.com/*.php", b"/x/y.php", True),
        ("example.com/*.php", b"/x/y.phps", False),
        ("example.com/*.php", b"/x.phps/y.php", True),
    ],
)
def test_what_a_path_covers_by_table(pattern: str, path: bytes, expected: bool) -> None:
    assert parse_destination(pattern).covers_path(path) is expected


@pytest.mark.parametrize(
    ("pattern", "host", "expected"),
    [
        # the documented examples
        ("example.com", "example.com", True),
        ("example.com", "alpha.example.com", False),
        ("*.example.com", "alpha.example.com", True),
        ("*.example.com", "beta.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "foo.bar.example.com", False),
        ("*.test.example.com", "alpha.test.example.com", True),
        ("*.test.example.com", "test.example.com", False),
        ("*.test.example.com", "example.com", False),
        ("*test.example.com", "test.example.com", True),
        ("*test.example.com", "alphatest.example.com", True),
        ("*test.example.com", "beta.test.example.com", False),
        # over-matching
        ("*.example.com", "xexample.com", False),
        ("*.example.com", "example.com.evil", False),
        ("*.example.com", "a.example.com.evil", False),
        ("*.example.com", "a.b.example.com", False),
        ("*.*.example.com", "a.b.example.com", True),
        ("*.*.example.com", "a.example.com", False),
        ("dev-*.example.com", "dev-1.example.com", True),
        ("dev-*.example.com", "dev-.example.com", True),
        ("dev-*.example.com", "dev.example.com", False),
        ("a*b.example.com", "ab.example.com", True),
        ("a*a.example.com", "a.example.com", False),
        ("www.*.com", "www.example.com", True),
        ("*.test", "10.0.0.1", False),
        ("*.*.*.*", "10.0.0.1", False),
        ("*", "::1", False),
        ("*", "localhost", True),
        ("10.0.0.1", "10.0.0.1", True),
        ("[::1]", "::1", True),
        ("::1", "::1", True),
        ("EXAMPLE.com.", "example.com", True),
        ("bücher.example", "xn--bcher-kva.example", True),
        # a name that is a wildcard itself
        ("*.example.com", "*.example.com", True),
        ("*test.example.com", "*.example.com", False),
        ("a*.example.com", "*.example.com", False),
        ("a.example.com", "*.example.com", False),
        ("*.com", "*.com", True),
    ],
)
def test_what_a_host_covers_by_table(pattern: str, host: str, expected: bool) -> None:
    table = ApplicationTable([application(pattern)])
    assert table.for_host(host).has_applications is expected
    assert (table.for_host(host).find(b"/x") is not None) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("/path", "no host"),
        ("https://example.com/x", "scheme"),
        ("example.com:8443/x", "port"),
        ("example.com:443", "port"),
        ("[::1]:443", "port"),
        ("[::1", "closing bracket"),
        ("[10.0.0.1]/x", "only an IPv6"),
        ("example.com/x?y=1", "query"),
        ("example.com?y", "query"),
        ("example.com/x#y", "fragment"),
        ("foo*bar*baz.example.com", "two dots"),
        ("**.example.com", "two dots"),
        ("example.com/foo*bar*baz", "two slashes"),
        ("example.com/**", "two slashes"),
        ("*.bücher.example", "A-labels"),
        ("10.0.0.*", "IP address"),
        ("*.0.0.1", "IP address"),
        ("exa mple.com", "no host"),
        ("example..com", "no host"),
        (".example.com", "no host"),
        ("*..example.com", "no host"),
        ("user@example.com", "no host"),
        ("example.com//x", "empty segment"),
        ("example.com//", "empty segment"),
        ("example.com/x//", "empty segment"),
        ("example.com/x*/", r'ends in "\*/"'),
        ("example.com/a/../b", "dot segments"),
        ("example.com/a/./b", "dot segments"),
        ("example.com/..", "dot segments"),
        ("example.com/a b", "percent-encode"),
        ("example.com/a\\b", "percent-encode"),
        ("example.com/a%zz", "percent-encode"),
        ("example.com/a\0", "percent-encode"),
        ('example.com/a"', "percent-encode"),
        ("example.com/\ud800", "no Unicode"),
    ],
)
def test_what_is_no_destination_is_refused_with_a_reason(text: str, message: str) -> None:
    with pytest.raises(DestinationError, match=message):
        parse_destination(text)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("Example.COM./Path", "example.com/Path"),
        ("example.com/", "example.com"),
        ("example.com/*", "example.com"),
        ("example.com/x/", "example.com/x"),
        ("*.Example.com/X*", "*.example.com/X*"),
        ("example.com/caf\u00e9/*", "example.com/caf%C3%A9/*"),
    ],
)
def test_a_destination_has_one_canonical_text(text: str, canonical: str) -> None:
    destination = parse_destination(text)
    assert destination.text == canonical
    assert parse_destination(canonical) == destination


def test_the_path_goes_through_the_normaliser_with_its_wildcards_in_place() -> None:
    def normalise(path: bytes) -> bytes:
        return path.replace(b"%61", b"a")

    assert parse_destination("example.com/%61*/b%61r", normalise).path == b"/a*/bar"


def test_a_normaliser_that_refuses_or_changes_the_shape_is_an_error() -> None:
    def refuse(path: bytes) -> bytes:
        raise MessageError(Reason.BAD_REQUEST, "encoded slash")

    def decode_dots(path: bytes) -> bytes:
        return path.replace(b"/%2e%2e", b"")

    def decode_star(path: bytes) -> bytes:
        return path.replace(b"%2a", b"*")

    with pytest.raises(DestinationError, match="encoded slash"):
        parse_destination("example.com/a%2fb", refuse)
    with pytest.raises(DestinationError, match="dot segments"):
        parse_destination("example.com/a/%2e%2e/b", decode_dots)
    with pytest.raises(DestinationError, match="not in normal form"):
        parse_destination("example.com/a%2a", decode_star)


def test_an_alias_means_the_name_of_its_host() -> None:
    assert parse_destination("alias.test/x*").with_host("*.example.com") == parse_destination(
        "*.example.com/x*"
    )


@pytest.mark.parametrize(
    "ordered",
    [
        ["a.example.com", "*a.example.com", "*.example.com", "*.*.com"],
        ["a.example.com", "a.*.com", "*.*.com"],
        ["prod-*.example.com", "p*.example.com", "*.example.com"],
    ],
)
def test_hosts_by_falling_specificity(ordered: list[str]) -> None:
    ranks = [parse_destination(text).host_rank for text in ordered]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


@pytest.mark.parametrize(
    "ordered",
    [
        ["a.test/eng/exec", "a.test/eng/*", "a.test/eng", "a.test/eng*", "a.test"],
        ["a.test/eng*", "a.test/eng*/x/*", "a.test/*/exec", "a.test"],
        ["a.test/foo*bb", "a.test/foo*b", "a.test/foo*bb/*"],
    ],
)
def test_paths_by_falling_specificity(ordered: list[str]) -> None:
    ranks = [parse_destination(text).path_rank for text in ordered]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ("a.test", "b.test/x*", True),
        ("a.test/x", "a.test/x", True),
        ("a.test/x", "a.test/x/y", True),
        ("a.test/x", "a.test/x/*", True),
        ("a.test/x", "a.test/xy", False),
        ("a.test/x", "a.test/x*", False),
        ("a.test/x", "a.test", False),
        ("a.test/x*", "a.test/x", True),
        ("a.test/x*", "a.test/xy*z", True),
        ("a.test/x*", "a.test/y", False),
        ("a.test/x*y", "a.test/xay", False),
        ("a.test/x*y", "a.test/x*y", True),
    ],
)
def test_whether_one_path_surely_covers_another(wide: str, narrow: str, expected: bool) -> None:
    assert parse_destination(wide).covers(parse_destination(narrow)) is expected
