from __future__ import annotations

import pytest
from cryptography import x509

from edge.pki.cfssl.hosts import general_names, in_order
from edge.pki.cfssl.messages import CfsslError


def shown(*hosts: str) -> list[str]:
    return [f"{type(name).__name__} {name.value}" for name in general_names(hosts)]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("", "DNSName "),
        ("example.com", "DNSName example.com"),
        ("*.example.com", "DNSName *.example.com"),
        ("under_score", "DNSName under_score"),
        ("1.2.3", "DNSName 1.2.3"),
        ("01.2.3.4", "DNSName 01.2.3.4"),
        ("/relative", "DNSName /relative"),
        ("10.0.0.1", "IPAddress 10.0.0.1"),
        ("::1", "IPAddress ::1"),
        ("::ffff:10.0.0.1", "IPAddress 10.0.0.1"),
        ("a@b.example", "RFC822Name a@b.example"),
        ("a.b+c@b", "RFC822Name a.b+c@b"),
        ("James Royal <a@b.example>", "RFC822Name a@b.example"),
        ("<a@b>", "RFC822Name a@b"),
        ("a@b@c", "DNSName a@b@c"),
        (".a@b", "DNSName .a@b"),
        ("spiffe://x/ns/y", "UniformResourceIdentifier spiffe://x/ns/y"),
        ("https://u@h:8/p?q", "UniformResourceIdentifier https://u@h:8/p?q"),
        ("urn:uuid:1", "UniformResourceIdentifier urn:uuid:1"),
        ("localhost:8080", "UniformResourceIdentifier localhost:8080"),
    ],
)
def test_a_host_becomes_the_kind_it_looks_like(host: str, expected: str) -> None:
    assert shown(host) == [expected]


@pytest.mark.parametrize(
    "host", [" b.example", "a b", "a\n", "a\x00b", "münchen.example", "ü@b", "\t", "https://ü/", "١.١.١.١"]
)
def test_a_host_that_no_certificate_can_hold_is_refused(host: str) -> None:
    with pytest.raises(CfsslError, match="has a space, a control character"):
        general_names([host])


def test_an_address_with_a_zone_is_refused() -> None:
    with pytest.raises(CfsslError, match="has a zone"):
        general_names(["fe80::1%eth0"])


def test_the_error_does_not_carry_control_characters_or_megabytes() -> None:
    with pytest.raises(CfsslError) as caught:
        general_names(["\x1b[31m" + "x" * 10_000])
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_kinds_stand_in_gos_order() -> None:
    assert shown("urn:x", "::1", "a@b", "b.example", "a.example") == [
        "DNSName b.example",
        "DNSName a.example",
        "RFC822Name a@b",
        "IPAddress ::1",
        "UniformResourceIdentifier urn:x",
    ]


def test_kinds_that_cfssl_does_not_know_are_left_out() -> None:
    other = x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\x00")
    assert in_order([other, x509.DNSName("x")]) == (x509.DNSName("x"),)
