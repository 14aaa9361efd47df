"""One host, one spelling; what is no host is refused and never guessed."""

from __future__ import annotations

import pytest

from edge.model.hostname import (
    MAX_NAME_LENGTH,
    HostnameError,
    canonical_host,
    canonical_pattern,
    is_ip_literal,
    split_authority,
)

LONGEST = ".".join(["a" * 63] * 3 + ["b" * 61])


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a..",
        ".a",
        "a..b",
        "-a",
        "a-",
        "a.-b.c",
        "a b",
        " a",
        "a ",
        "a\t",
        "a\n",
        "a\0b",
        "a/b",
        "a@b",
        "a:b",
        "a:443",
        "a%2eb",
        "*",
        "*.a",
        "a*b",
        "a,b",
        "a;b",
        "a'b",
        'a"b',
        "[::1]",
        "::1%eth0",
        "::1%25eth0",
        "1:2",
        "::g",
        ":::",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "01.2.3.4",
        "1.2.3.04",
        "127.1",
        "2130706433",
        "a.1",
        "a.0x7f",
        "0x7f.0.0.1",
        "0x7f000001",
        "a" * 64,
        "a." * 127 + "aa",
        LONGEST + "b",
        "xn--" + "a" * 60,
        "\u200d.test",
        "a\u0338/b.test",
        "\u2024.test",
        "b\u00fccher\u3002\u3002test",
        "\u2488com",
    ],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(HostnameError) as caught:
        canonical_host(text)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("canonical", "spellings"),
    [
        ("a.test", ["a.test", "A.TEST", "a.test.", "A.Test.", "\uff21.test", "a\u3002test", "a\uff0etest"]),
        ("localhost", ["localhost", "LOCALHOST.", "localhost."]),
        ("device_1.iot.test", ["device_1.iot.test", "DEVICE_1.iot.test"]),
        ("_dmarc.a.test", ["_dmarc.a.test"]),
        ("1a.test", ["1a.test"]),
        ("1.2.3.4.test", ["1.2.3.4.test"]),
        (
            "xn--bcher-kva.test",
            ["b\u00fccher.test", "B\u00dcCHER.test", "bu\u0308cher.test", "XN--BCHER-KVA.test"],
        ),
        ("xn--strae-oqa.test", ["stra\u00dfe.test"]),
        ("kelvin.test", ["\u212aelvin.test", "Kelvin.test"]),
        ("127.0.0.1", ["127.0.0.1", "127.0.0.1.", "\uff11\uff12\uff17.0.0.1"]),
        ("::1", ["::1", "0:0:0:0:0:0:0:1", "0000:0000::0001", "::0.0.0.1"]),
        ("2001:db8::a", ["2001:DB8::A", "2001:0db8:0:0::000a"]),
        (LONGEST, [LONGEST, LONGEST.upper(), LONGEST + "."]),
    ],
)
def test_spellings_of_one_host_become_equal(canonical: str, spellings: list[str]) -> None:
    assert {canonical_host(spelling) for spelling in spellings} == {canonical}
    assert len(canonical) <= MAX_NAME_LENGTH


@pytest.mark.parametrize(
    "text", ["*", "*.", "**.a", "*.*.a", "a.*.b", "*a.b", "*.127.0.0.1", "*.::1", "*.1.2.3.4"]
)
def test_a_pattern_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(HostnameError):
        canonical_pattern(text)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("*.A.test.", "*.a.test"), ("A.test", "a.test"), ("*.b\u00fccher.test", "*.xn--bcher-kva.test")],
)
def test_a_pattern_is_canonical_too(text: str, canonical: str) -> None:
    assert canonical_pattern(text) == canonical


@pytest.mark.parametrize(
    ("canonical", "literal"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("::ffff:1.2.3.4", True),
        ("a.test", False),
        ("1.2.3.4.test", False),
    ],
)
def test_an_address_is_known_as_one(canonical: str, *, literal: bool) -> None:
    assert is_ip_literal(canonical) is literal


@pytest.mark.parametrize(
    "authority",
    [
        b"",
        b":443",
        b"user@a.test",
        b"user:pass@a.test",
        b"a.test:x",
        b"a.test:+1",
        b"a.test:-1",
        b"a.test: 1",
        b"a.test:1 ",
        b"a.test:65536",
        b"a.test:000080",
        b"a.test:1_0",
        b"a.test:80:80",
        b"a.test:\xd9\xa1",
        b"a.test/",
        b"a.test,b.test",
        b"*.a.test",
        b"::1",
        b"::1:443",
        b"[::1",
        b"::1]",
        b"[::1]x",
        b"[::1]443",
        b"[::1%25eth0]",
        b"[a.test]",
        b"[127.0.0.1]",
        b"[]",
        b"[[::1]]",
        b"b\xc3\xbccher.test",
        b"a.test\0",
        b"a.test\x85",
    ],
)
def test_an_authority_with_two_meanings_is_refused(authority: bytes) -> None:
    with pytest.raises(HostnameError):
        split_authority(authority)


@pytest.mark.parametrize(
    ("authority", "host", "port"),
    [
        (b"a.test", "a.test", None),
        (b"A.test.:443", "a.test", 443),
        (b"a.test:0", "a.test", 0),
        (b"a.test:65535", "a.test", 65535),
        (b"a.test:00080", "a.test", 80),
        (b"a.test:", "a.test", None),  # RFC 3986 3.2.3: the port may be empty
        (b"127.0.0.1:8443", "127.0.0.1", 8443),
        (b"[::1]", "::1", None),
        (b"[::1]:", "::1", None),
        (b"[2001:DB8::A]:8443", "2001:db8::a", 8443),
    ],
)
def test_an_authority_is_a_host_and_a_port(authority: bytes, host: str, port: int | None) -> None:
    assert split_authority(authority) == (host, port)
