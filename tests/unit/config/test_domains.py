from __future__ import annotations

import pytest

from edge.config.domains import HostNames, host_of_domain


@pytest.mark.parametrize(
    ("domain", "host"),
    [
        ("Example.com", "example.com"),
        ("example.com./a/b", "example.com"),
        ("bücher.example/x", "xn--bcher-kva.example"),
        ("*.Example.com/*", "*.example.com"),
        ("*test.example.com.", "*test.example.com"),
        ("::1/x", "::1"),
        ("", None),
        ("/x", None),
        ("https://example.com", None),
        ("example.com:443", None),
        ("a b/x", None),
        ("*ä.example", None),
        ("*..example", None),
    ],
)
def test_the_host_of_a_destination_is_canonical_or_none(domain: str, host: str | None) -> None:
    assert host_of_domain(domain) == host


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("a.example.com", "a.example.com", True),
        ("b.example.com", "a.example.com", False),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com", False),
        ("*.example.com", "example.com", False),
        ("*.example.com", "*.example.com", True),
        ("a.example.com", "*.example.com", True),
        ("example.com", "*.example.com", False),
        ("a.b.example.com", "*.example.com", False),
        ("*.example.com", "*test.example.com", True),
        ("test.example.com", "*test.example.com", True),
        ("alphatest.example.com", "*test.example.com", True),
        ("testx.example.com", "*test.example.com", False),
        ("aba.example.com", "ab*ba.example.com", False),
        ("abba.example.com", "ab*ba.example.com", True),
        ("a.x.example.com", "*.*.example.com", True),
        ("192.0.2.1", "192.0.2.1", True),
        ("::1", "::1", True),
    ],
)
def test_a_destination_can_mean_a_host_if_one_name_is_in_both(
    name: str, pattern: str, expected: bool
) -> None:
    assert HostNames([name]).meant_by(pattern) == ([name] if expected else [])


def test_the_hosts_a_destination_can_mean_come_in_the_order_of_the_list() -> None:
    names = HostNames(["b.test", "*.test", "a.test", "x.b.test", "test", "a.test"])
    assert names.meant_by("a.test") == ["*.test", "a.test"]
    assert names.meant_by("*.test") == ["b.test", "*.test", "a.test"]
    assert names.meant_by("c.test") == ["*.test"]
    assert names.meant_by("x.*.test") == ["x.b.test"]
    assert names.meant_by("y.b.test") == []


def test_without_hosts_a_destination_means_none() -> None:
    assert HostNames([]).meant_by("*") == []


def test_a_destination_is_not_compared_with_hosts_that_share_no_label_with_it() -> None:
    """With ten thousand hosts and as many applications it would be a hundred million times."""
    names = HostNames(f"h{number}.test" for number in range(10_000))
    for number in range(10_000):
        assert names.meant_by(f"h{number}.test") == [f"h{number}.test"]
