"""``[[tests]]`` in a configuration: what is wrong with one is told with its line, and what is right is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.config.load import load
from tests.unit.config.conftest import Lines
from tests.unit.config.samples import CA, HOST, MINIMAL

# ruff: noqa: E501 - a line that people get stays one line here

URL = 'url = "https://iot.example.com/x"\n'
TEST = "[[tests]]\n" + URL + 'expect = "allow"\n'
WITH_CA = MINIMAL + CA


def test_a_test_that_says_little_asks_from_this_machine_without_a_certificate(folder: Path) -> None:
    (folder / "edge.toml").write_text(WITH_CA + TEST)
    (test,) = load(Path("edge.toml"), {}).tests
    assert (test.url.target, test.method, str(test.ip), test.at) == ("/x", "GET", "127.0.0.1", None)
    assert (test.certificate, test.common_name, test.name, test.expect) == (None, None, None, "allow")


def test_a_test_that_says_everything_is_kept(folder: Path) -> None:
    more = 'name = "n"\nmethod = "PUT"\ncertificate = "a.pem"\nip = "::1"\nat = 2030-01-01T00:00:00Z\n'
    (folder / "edge.toml").write_text(WITH_CA + TEST + more)
    (test,) = load(Path("edge.toml"), {}).tests
    assert test.certificate is not None
    assert test.certificate.path == folder / "a.pem"
    assert (test.name, test.method, str(test.ip)) == ("n", "PUT", "::1")
    assert test.at == datetime(2030, 1, 1, tzinfo=UTC)


def test_the_tests_of_a_directory_are_joined_and_keep_their_places(folder: Path) -> None:
    config = folder / "config"
    config.mkdir()
    (config / "a.toml").write_text(WITH_CA + TEST)
    (config / "b.toml").write_text("\n" + TEST)
    loaded = load(Path("config"), {})
    assert [loaded.place("tests", index) for index in (0, 1)] == [
        ("config/a.toml", "tests[0]", 12),
        ("config/b.toml", "tests[0]", 2),
    ]


WRONG = {
    MINIMAL + '[[tests]]\nexpect = "allow"\n': [
        'edge.toml:8: tests[0].url: this key is missing; add url = "https://www.example.com/ingest"'
    ],
    MINIMAL + "[[tests]]\n" + URL: [
        'edge.toml:8: tests[0].expect: this key is missing; add expect = "allow"'
    ],
    MINIMAL + "[[tests]]\n" + URL + 'expect = "denied"\n': [
        'edge.toml:10: tests[0].expect: "denied" is no outcome of a request; did you mean "policy_denied"?'
    ],
    MINIMAL + TEST + "at = 2030-01-01\n": [
        "edge.toml:11: tests[0].at: a date or time is not a date with a time; write it with its offset from UTC, as in 2030-01-31T12:00:00Z"
    ],
    MINIMAL + TEST + "at = 2030-01-01T00:00:00\n": [
        "edge.toml:11: tests[0].at: a date or time says nothing of its time zone; write it with its offset from UTC, as in 2030-01-31T12:00:00Z"
    ],
    MINIMAL + TEST + "hots = 1\n": [
        "edge.toml:11: tests[0].hots: unknown key; known here: name, url, method, certificate, common_name, ip, at, expect, would_be"
    ],
    WITH_CA + TEST + 'certificate = "a.pem"\ncommon_name = "alice"\n': [
        "edge.toml:16: tests[0].common_name: certificate and common_name are two answers to one question; keep one of them"
    ],
    MINIMAL + TEST + 'common_name = "alice"\n': [
        'edge.toml:11: tests[0].common_name: "iot.example.com" has no client CA, so no certificate is asked for; remove it, or associate a CA with the host'
    ],
    MINIMAL + TEST + 'certificate = "a.pem"\n': [
        'edge.toml:11: tests[0].certificate: "iot.example.com" has no client CA, so no certificate is asked for; remove it, or associate a CA with the host'
    ],
    MINIMAL + TEST.replace("iot.", "iott."): [
        'edge.toml:9: tests[0].url: "https://iott.example.com/x" is on no host of this configuration; did you mean "iot.example.com"?'
    ],
    MINIMAL + TEST.replace("https", "http"): [
        'edge.toml:9: tests[0].url: "http://iot.example.com/x" is not an https:// URL; write it as "https://www.example.com/path"'
    ],
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_with_a_test_is_told_with_its_line(errors_of: Lines, text: str) -> None:
    assert errors_of(text) == WRONG[text]


def test_a_broken_test_hides_no_other_error(errors_of: Lines) -> None:
    broken = MINIMAL + TEST.replace('"allow"', "7") + "[[tests]]\n" + HOST + TEST.replace("iot.", "x.")
    lines = errors_of(broken)
    assert len(lines) == 5
    assert any("hosts[1].name" in line for line in lines)
    assert any("tests[2].url" in line for line in lines)


@pytest.mark.parametrize("host", ["a.example.com", "alias.example.net"])
def test_a_wildcard_and_an_alias_are_hosts_of_a_test(folder: Path, host: str) -> None:
    wild = MINIMAL.replace('"iot.', '"*.') + 'aliases = ["alias.example.net"]\n'
    (folder / "edge.toml").write_text(wild + TEST.replace("iot.example.com", host))
    assert load(Path("edge.toml"), {}).tests
