"""Patterns over subject alternative names."""

from __future__ import annotations

import pytest

from edge.access.san_pattern import parse_san_pattern


@pytest.mark.parametrize(
    ("kind", "pattern", "name", "expected"),
    [
        ("dns", "a.example.com", "a.example.com", True),
        ("dns", "a.example.com", "A.Example.COM", True),
        ("dns", "A.EXAMPLE.com.", "a.example.com", True),
        ("dns", "a.example.com", "b.example.com", False),
        ("dns", "a.example.com", "a.example.com.evil", False),
        ("dns", "a.example.com", "xa.example.com", False),
        ("dns", "a.example.com", "a.example.com\0", False),
        ("dns", "a.example.com", "", False),
        ("dns", "*.example.com", "a.example.com", True),
        ("dns", "*.example.com", "example.com", False),
        ("dns", "*.example.com", "a.b.example.com", False),
        ("dns", "*.example.com", ".example.com", False),
        ("dns", "*.example.com", "*.example.com", False),
        ("dns", "*.example.com", "a b.example.com", False),
        ("dns", "*.example.com", "-.example.com", False),
        ("dns", "a.*.example.com", "a.b.example.com", True),
        ("dns", "a.*.example.com", "c.b.example.com", False),
        ("dns", "*.*.test", "a.b.test", True),
        ("dns", "k.example.com", "\u212a.example.com", False),
        ("dns", "bücher.example", "xn--bcher-kva.example", True),
        ("email", "ann@example.com", "ann@example.com", True),
        ("email", "ann@example.com", "ann@EXAMPLE.com", True),
        ("email", "ann@example.com", "Ann@example.com", False),
        ("email", "ann@example.com", "ann@example.com.evil", False),
        ("email", "ann@example.com", "joann@example.com", False),
        ("email", "*@example.com", "anyone@example.com", True),
        ("email", "*@example.com", "@example.com", False),
        ("email", "*@example.com", "example.com", False),
        ("email", "*@example.com", "a@evil@example.com", False),
        ("email", "*@example.com", "a@b.example.com", False),
        ("email", "*@example.com", "a@\u212aexample.com", False),
        ("uri", "spiffe://td/ns/prod", "spiffe://td/ns/prod", True),
        ("uri", "spiffe://td/ns/prod", "spiffe://TD/ns/prod", False),
        ("uri", "spiffe://td/ns/prod", "spiffe://td/ns/prod/", False),
        ("uri", "spiffe://td/ns/*/sa/web", "spiffe://td/ns/a/sa/web", True),
        ("uri", "spiffe://td/ns/*/sa/web", "spiffe://td/ns/a/b/sa/web", False),
        ("uri", "spiffe://td/ns/*", "spiffe://td/ns/", False),
        ("uri", "spiffe://td/ns/*", "spiffe://td/ns", False),
        ("uri", "spiffe://td/ns/*", "spiffe://td/ns/..", False),
        ("uri", "spiffe://td/ns/*", "spiffe://td/ns/.", False),
        ("uri", "spiffe://td/ns/*", "spiffe://td/ns/a..", True),
        ("uri", "spiffe://td/ns/*", "spiffe://td/ns/a%2fb", False),
        ("uri", "spiffe://td/ns/*", "spiffe://td/ns/a?b", False),
        ("uri", "spiffe://td/ns/*", "spiffe://td/ns/a#b", False),
        ("uri", "spiffe://td/ns/*", "spiffe://td/ns/*", False),
        ("uri", "urn:uuid:1", "urn:uuid:1", True),
        ("ip", "192.0.2.7", "192.0.2.7", True),
        ("ip", "192.0.2.0/24", "192.0.2.9", True),
        ("ip", "192.0.2.0/24", "192.0.3.9", False),
        ("ip", "192.0.2.0/24", "not an address", False),
        ("ip", "2001:db8::/32", "2001:db8::5", True),
    ],
)
def test_patterns_by_table(kind: str, pattern: str, name: str, expected: bool) -> None:
    assert parse_san_pattern(kind, pattern).accepts(name) is expected


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("dns", "a*.example.com"),
        ("dns", "**.example.com"),
        ("dns", "a..example.com"),
        ("dns", "a b.example.com"),
        ("dns", "*.bücher.example"),
        ("dns", "."),
        ("dns", "*.0.0.1"),
        ("email", "example.com"),
        ("email", "@example.com"),
        ("email", "a*@example.com"),
        ("email", "a@*.example.com"),
        ("email", "a@b@example.com"),
        ("email", "a@"),
        ("uri", "example.com/path"),
        ("uri", "spiffe:"),
        ("uri", "spiffe://*/ns"),
        ("uri", "spiffe://td/a*"),
        ("uri", "urn:*"),
        ("uri", "https://td/*?x=/y"),
        ("uri", "https://td/*#y"),
        ("ip", "192.0.2.7/24"),
        ("ip", "192.0.2"),
        ("ip", "*"),
        ("rid", "1.2.3"),
    ],
)
def test_a_pattern_with_two_meanings_is_refused(kind: str, pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_san_pattern(kind, pattern)


def test_a_pattern_is_kept_in_canonical_form() -> None:
    assert parse_san_pattern("dns", "*.Example.COM.").text == "*.example.com"
    assert parse_san_pattern("email", "Ann@Example.COM").text == "Ann@example.com"
    assert parse_san_pattern("ip", "::ffff:192.0.2.1").text == "192.0.2.1/32"
    assert parse_san_pattern("uri", "Spiffe://X/y").text == "Spiffe://X/y"
