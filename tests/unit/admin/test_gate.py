"""Who is turned away before anything is read: strangers' names, other sites, and whoever wants to write."""

from __future__ import annotations

import pytest

from tests.unit.admin.asking import Desk

PATHS = ("/", "/metrics", "/healthz", "/readyz", "/status", "/status.js", "/nothing")


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.tell()
    return desk


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "X"]
)
def test_whoever_does_not_just_read_is_refused(desk: Desk, path: str, method: str) -> None:
    told = desk.ask(path, method=method)
    assert (told.status, told.fields["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:9901",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "localhost.evil.example",
        "localhost:9901@evil.example",
        "127.1:9901",
        "0x7f.1",
        "127.0.0.1:99999",
        "127.0.0.1, 127.0.0.1",
        "[::1",
        "*",
        "local host",
        "metrics.internal",
        "loc\u0430lhost",
    ],
)
@pytest.mark.parametrize("path", PATHS)
def test_a_name_that_may_be_anybodys_is_refused(desk: Desk, path: str, host: str | None) -> None:
    """DNS rebinding: a page's own name, pointed at this machine."""
    assert desk.ask(path, host=host).status == 421


def test_two_hosts_are_none(desk: Desk) -> None:
    assert desk.ask("/status", ("host", "127.0.0.1:9901")).status == 421


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:9901", "[::1]:9901", "10.1.2.3:80", "localhost", "LOCALHOST:1", "localhost."],
)
def test_an_address_and_localhost_are_ours(desk: Desk, host: str) -> None:
    assert desk.ask("/status", host=host).status == 200


def test_the_listeners_own_name_is_ours_and_no_other() -> None:
    desk = Desk("metrics.internal")
    desk.tell()
    assert desk.ask("/metrics", host="Metrics.internal:9901").status == 200
    assert desk.ask("/metrics", host="x.metrics.internal:9901").status == 421


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://evil.example",
        "http://127.0.0.1:9902",
        "http://127.0.0.1",
        "http://127.0.0.1:9901.evil.example",
        "http://localhost:9901",
        "HTTP://127.0.0.1:9901",
        "ftp://127.0.0.1:9901",
        "http://127.0.0.1:9901/",
    ],
)
@pytest.mark.parametrize("path", PATHS)
def test_a_script_of_another_site_is_refused(desk: Desk, path: str, origin: str) -> None:
    assert desk.ask(path, ("origin", origin)).status == 403


def test_one_good_origin_does_not_cover_for_another(desk: Desk) -> None:
    good = ("origin", "http://127.0.0.1:9901")
    assert desk.ask("/status", good).status == 200
    assert desk.ask("/status", good, ("origin", "http://evil.example")).status == 403


@pytest.mark.parametrize(("path", "method"), [(path, "GET") for path in PATHS] + [("/status", "POST")])
def test_every_answer_tells_browsers_what_not_to_do(desk: Desk, path: str, method: str) -> None:
    fields = desk.ask(path, method=method).fields
    assert fields["cache-control"] == "no-store"
    assert fields["x-content-type-options"] == "nosniff"
    assert fields["cross-origin-resource-policy"] == "same-origin"
    policy = fields["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not [name for name in fields if name.startswith("access-control")]


def test_a_refusal_says_nothing_of_the_edge(desk: Desk) -> None:
    for told in (desk.ask("/status", host="evil.example"), desk.ask("/status", method="POST")):
        assert b"a.test" not in told.body
        assert len(told.body) < 200
