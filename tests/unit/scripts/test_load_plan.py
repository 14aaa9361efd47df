"""Orders that make no sense are refused in one line; those that do become octets and shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from loadgen import server
from loadgen.identities import find_identities
from loadgen.plan import (
    SPARE_DESCRIPTORS,
    Unusable,
    make_room_for,
    request_head,
    resolve,
    share_of,
    split_url,
)

from tests.certificates import Authority


@pytest.mark.parametrize(
    "url", ["http://a.test/", "a.test", "https://", "https://a.test:x/", "https://a.test/ü"]
)
def test_what_is_no_https_url_is_refused(url: str) -> None:
    with pytest.raises(Unusable):
        split_url(url)


def test_a_url_is_taken_apart() -> None:
    assert split_url("https://a.test:8443/p?q=1#f") == ("a.test", 8443, "a.test:8443", "/p?q=1")
    assert split_url("https://[::1]") == ("::1", 443, "[::1]", "/")


@pytest.mark.parametrize("field", ["x", "a b: c", ": c", "a: b\r\nc: d", "a: b\nc", "a: \x00", "a: ü"])
def test_a_header_that_is_none_is_refused(field: str) -> None:
    with pytest.raises(Unusable, match="--header"):
        request_head("GET", "/", "a.test", [field], None)


def test_a_method_that_is_none_is_refused() -> None:
    with pytest.raises(Unusable, match="--method"):
        request_head("GET /", "/", "a.test", [], None)


def test_a_request_has_its_headers_in_order() -> None:
    assert request_head("POST", "/p", "a.test:1", ["A: b", "A: c"], 0) == (
        b"POST /p HTTP/1.1\r\nHost: a.test:1\r\nA: b\r\nA: c\r\nContent-Length: 0\r\n\r\n"
    )


def test_another_host_replaces_ours() -> None:
    assert request_head("GET", "/", "a.test", ["hOst: b.test"], None) == (
        b"GET / HTTP/1.1\r\nhOst: b.test\r\n\r\n"
    )


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", "0.0.0.0"])
def test_an_address_beyond_loopback_must_be_owned(address: str) -> None:
    with pytest.raises(Unusable, match="i-own-this-host"):
        resolve(address, 443, beyond_loopback=False)
    assert resolve(address, 443, beyond_loopback=True) == (address, 443)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.255.0.9", "::1"])
def test_a_loopback_address_is_everybodys(address: str) -> None:
    assert resolve(address, 443, beyond_loopback=False) == (address, 443)


def test_shares_add_up_and_differ_by_one_at_most() -> None:
    for total in range(1, 30):
        for processes in range(1, total + 1):
            shares = [share_of(total, index, processes) for index in range(processes)]
            assert sum(shares) == total
            assert max(shares) - min(shares) <= 1


def test_more_connections_than_descriptors_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (10, 100))
    raised: list[tuple[int, int]] = []
    monkeypatch.setattr("resource.setrlimit", lambda _, limits: raised.append(limits))
    make_room_for(100 - SPARE_DESCRIPTORS)
    assert raised == [(100, 100)]
    with pytest.raises(Unusable, match="--processes"):
        make_room_for(101 - SPARE_DESCRIPTORS)


def test_a_directory_gives_its_client_certificates_alone(tmp_path: Path) -> None:
    authority = Authority("CA")
    authority.write(tmp_path / "ca.pem")
    authority.issue_server("a.test").write(tmp_path, "server")
    first = authority.issue("first").write(tmp_path, "a-first")
    second = authority.issue("second").write(tmp_path, "b-second")
    first.combined.unlink()
    second.combined.rename(tmp_path / "both.pem")
    (tmp_path / "c-third.crt").write_bytes(first.certificate.read_bytes())
    (tmp_path / "c-third.key").write_bytes(first.key.read_bytes())
    (tmp_path / "no-key.pem").write_bytes(first.certificate.read_bytes())
    (tmp_path / "broken.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----")
    (tmp_path / "notes.txt").write_text("nothing")
    found = [(Path(one.certificate).name, Path(one.key).name) for one in find_identities(tmp_path)]
    assert found == [
        ("a-first.pem", "a-first-key.pem"),
        ("b-second.pem", "b-second-key.pem"),
        ("both.pem", "both.pem"),
        ("c-third.crt", "c-third.key"),
    ]


def test_a_directory_without_client_certificates_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(Unusable, match="--mixed"):
            find_identities(path)


def test_a_server_that_does_not_run_is_refused() -> None:
    with pytest.raises(Unusable, match="no such process"):
        server.memory(2**22 + 1)


def test_this_process_has_memory_and_has_used_time() -> None:
    assert server.tree(os.getpid())[0] == os.getpid()
    assert server.memory(os.getpid()) > 1 << 20
    assert server.processor_seconds(os.getpid()) > 0
