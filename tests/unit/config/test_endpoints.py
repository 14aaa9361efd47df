from __future__ import annotations

import pytest

from edge.config.endpoints import (
    ListenAddress,
    OriginUrl,
    read_admin_address,
    read_issuer,
    read_listen_address,
    read_origin,
)
from edge.config.text import Problem


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("0.0.0.0:8443", "0.0.0.0", 8443),
        ("[::]:8443", "::", 8443),
        ("[0:0::1]:1", "::1", 1),
        ("LocalHost.:8443", "localhost", 8443),
        (":8443", "", 8443),
        (":0", "", 0),
        ("127.0.0.1:65535", "127.0.0.1", 65535),
    ],
)
def test_an_address_to_listen_on_is_host_and_port(text: str, host: str, port: int) -> None:
    assert read_listen_address(text) == (host, port)


@pytest.mark.parametrize(
    "value",
    [
        "", ":", "::", "8443", "localhost", "0.0.0.0", "[::]", "[::]:", "::1:8443", "[::1",
        "[fe80::1%eth0]:1", "0.0.0.0:65536", "0.0.0.0:-1", "0.0.0.0:+1", "0.0.0.0: 1", "0.0.0.0:1_0",
        "0.0.0.0:٣", "*:8443", "http://0.0.0.0:80", "0.0.0.0:8443/", "a b:1", "256.0.0.1:1", "host:1\n",
        8443, None, True, ["a:1"],
    ],
)  # fmt: skip
def test_what_is_no_address_to_listen_on_is_refused(value: object) -> None:
    with pytest.raises(Problem):
        read_listen_address(value)


@pytest.mark.parametrize(
    ("text", "host"), [(":9901", "127.0.0.1"), ("0.0.0.0:9901", "0.0.0.0"), ("[::1]:9901", "::1")]
)
def test_an_address_for_administration_without_a_host_is_loopback(text: str, host: str) -> None:
    assert read_admin_address(text) == (host, 9901)


@pytest.mark.parametrize("value", ["", ":", "9901", "127.0.0.1", "unix:/run/x", 9901, None, True])
def test_what_is_no_address_for_administration_is_refused(value: object) -> None:
    with pytest.raises(Problem):
        read_admin_address(value)


def test_an_address_is_written_as_it_was_read() -> None:
    assert [str(ListenAddress(*pair)) for pair in [("", 1), ("::", 2), ("a", 3)]] == [":1", "[::]:2", "a:3"]


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("demo:", OriginUrl("demo")),
        ("http://127.0.0.1:9000", OriginUrl("http", "127.0.0.1", 9000)),
        ("http://app", OriginUrl("http", "app", 80)),
        ("https://App.Internal.", OriginUrl("https", "app.internal", 443)),
        ("HTTPS://a", OriginUrl("https", "a", 443)),
        ("http://[::1]:80", OriginUrl("http", "::1", 80)),
        ("http://a:", OriginUrl("http", "a", 80)),
    ],
)
def test_an_origin_is_scheme_host_and_port(text: str, origin: OriginUrl) -> None:
    assert read_origin(text) == origin


@pytest.mark.parametrize(
    "value",
    [
        "", "demo", "demo:x", "demo://", "http:", "http://", "https:///", "127.0.0.1:9000", "//a", "ftp://a",
        "unix:/run/app.sock", "http://a/", "http://a/b", "http://a?", "http://a?x", "http://a#", "http://a\\b",
        "http://a:0", "http://a:99999", "http://a:b", "http://u@a", "http://u:p@a", "http://a@", "http://*.a",
        "http://a b", " http://a", "http://a\n", "http://a,b", "http://::1", "http:/a", 80, None, {}, ["http://a"],
    ],
)  # fmt: skip
def test_what_is_no_origin_is_refused(value: object) -> None:
    with pytest.raises(Problem):
        read_origin(value)


@pytest.mark.parametrize("value", ["http://user:hunter2@a", "https://hunter2@a/x"])
def test_a_password_in_an_origin_is_not_to_be_quoted(value: str) -> None:
    with pytest.raises(Problem) as caught:
        read_origin(value)
    assert not caught.value.quote
    assert "hunter2" not in f"{caught.value.says}{caught.value.hint}{caught.value.detail}"


@pytest.mark.parametrize("text", ["demo:", "http://a:80", "https://[::1]:443"])
def test_an_origin_is_written_as_it_was_read(text: str) -> None:
    assert str(read_origin(text)) == text


@pytest.mark.parametrize("text", ["https://edge.example.com", "https://a:8443/b", "https://a/"])
def test_an_issuer_stays_as_it_was_written(text: str) -> None:
    assert read_issuer(text) == text


@pytest.mark.parametrize(
    "value",
    [
        "", "edge", "http://a", "HTTPS://a", "https://", "https://u:p@a", "https://a?x", "https://a/#x",
        "https://a/ b", "https://a/\n", "https://ä.de", "https://a/ä", "https://*.a", 1, None,
    ],
)  # fmt: skip
def test_what_is_no_https_url_is_no_issuer(value: object) -> None:
    with pytest.raises(Problem):
        read_issuer(value)
