"""The words of a policy test: a URL, a method, an address, a moment, an outcome."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from edge.config.request_url import (
    EXPECTATIONS,
    read_address,
    read_expectation,
    read_method,
    read_request_url,
    read_time,
)
from edge.config.text import Problem


@pytest.mark.parametrize(
    ("text", "authority", "host", "server_name", "target"),
    [
        ("https://a.test", "a.test", "a.test", "a.test", "/"),
        ("HTTPS://A.Test.:8443/x?y=1", "A.Test.:8443", "a.test", "a.test", "/x?y=1"),
        ("https://a.test?y", "a.test", "a.test", "a.test", "/?y"),
        ("https://a.test/x#part?no", "a.test", "a.test", "a.test", "/x"),
        ("https://a.test//x/../%zz y", "a.test", "a.test", "a.test", "//x/../%zz y"),
        ("https://192.0.2.1/", "192.0.2.1", "192.0.2.1", None, "/"),
        ("https://[2001:DB8::1]:443/", "[2001:DB8::1]:443", "2001:db8::1", None, "/"),
    ],
)
def test_a_url_is_a_connection_and_a_request(
    text: str, authority: str, host: str, server_name: str | None, target: str
) -> None:
    url = read_request_url(text)
    assert (url.text, url.authority, url.host, url.target) == (text, authority, host, target)
    assert url.server_name == server_name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.test/x",
        "http://a.test/",
        "https:///x",
        "https://",
        "https://user@a.test/",
        "https://a.test:port/",
        "https://a.test:99999/",
        "https://*.a.test/",
        "https://a_.-test/",
        "https://a.test/\r\nHost: b.test",
        "https://a.test/\nx",
        "https://b\u00fccher.test/",
        7,
    ],
)
def test_what_is_no_url_is_refused(text: object) -> None:
    with pytest.raises(Problem):
        read_request_url(text)


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(Problem) as caught:
        read_request_url("https://user:secret@a.test/")
    assert not caught.value.quote


@pytest.mark.parametrize("text", ["", "G T", "GET\r\n", "G\u00cbT", "X" * 33, "get", "-GET", "G3T", None])
def test_what_is_no_method_is_refused(text: object) -> None:
    with pytest.raises(Problem):
        read_method(text)
    assert read_method("M-SEARCH") == "M-SEARCH"


@pytest.mark.parametrize("text", ["", "localhost", "1.2.3", "192.0.2.0/24", "fe80::1%eth0", "010.0.0.1", 1])
def test_what_is_no_address_is_refused(text: object) -> None:
    with pytest.raises(Problem):
        read_address(text)
    assert str(read_address("2001:DB8::1")) == "2001:db8::1"


def test_a_moment_is_one_moment_in_every_spelling() -> None:
    moment = datetime(2030, 1, 31, 12, tzinfo=UTC)
    for value in (
        "2030-01-31T12:00:00Z",
        "2030-01-31T13:00:00+01:00",
        moment,
        moment.astimezone(timezone(timedelta(hours=-5))),
    ):
        assert read_time(value) == moment


@pytest.mark.parametrize(
    "value",
    [
        "",
        "tomorrow",
        "2030-01-31",
        "2030-01-31T12:00:00",
        datetime(2030, 1, 31),  # noqa: DTZ001 - as TOML's local date-time
        date(2030, 1, 31),
        "0001-01-01T00:00:00+14:00",
        7,
    ],
)
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(Problem):
        read_time(value)


def test_an_outcome_is_allow_or_what_a_verdict_can_be() -> None:
    assert read_expectation("allow") == "allow"
    assert "policy_denied" in EXPECTATIONS
    for never in ("overloaded", "origin_timeout", "internal_error", "request_timeout"):
        assert never not in EXPECTATIONS
        with pytest.raises(Problem):
            read_expectation(never)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("allowed", 'did you mean "allow"?'),
        ("policy_deny", 'did you mean "policy_denied"?'),
        ("client_certificate_expried", 'did you mean "client_certificate_expired"?'),
        ("zzz", 'write "allow" or the reason of a refusal'),
    ],
)
def test_another_outcome_is_refused_with_the_nearest(text: str, hint: str) -> None:
    with pytest.raises(Problem) as caught:
        read_expectation(text)
    assert caught.value.hint == hint
