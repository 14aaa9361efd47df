"""Names from people: what they become, and which would be traps."""

from __future__ import annotations

import pytest
from cryptography import x509

from edge.pki.errors import PkiError
from edge.pki.names import (
    file_name_of,
    host_name,
    read_alternative_name,
    read_common_name,
    read_file_name,
    read_subject,
    text_of,
)


@pytest.mark.parametrize(
    "text", ["", " ", " James", "James ", "a\nb", "a\x00b", "a\x7fb", "a\u202eb", "a\u2028b", "x" * 65]
)
def test_a_common_name_that_looks_like_another_is_refused(text: str) -> None:
    with pytest.raises(PkiError):
        read_common_name(text)


@pytest.mark.parametrize("text", ["James Royal", "Jörg", "日本", "*.example.com", "../x", "x" * 64])
def test_any_other_common_name_is_taken_as_it_is(text: str) -> None:
    assert read_common_name(text) == text


def test_the_common_name_comes_last_in_the_subject() -> None:
    subject = read_subject("James", "OU=Access Admins,O=Access,C=US")
    assert subject.rfc4514_string() == "CN=James,OU=Access Admins,O=Access,C=US"


@pytest.mark.parametrize(
    "rest",
    ["CN=other", "OU=x,CN=other", "nonsense", "O=", "C=USA", "XX=1", "OU=a+CN=b", "2.5.4.3=x", "O=a\nb"],
)
def test_a_subject_with_another_common_name_or_without_sense_is_refused(rest: str) -> None:
    with pytest.raises(PkiError):
        read_subject("James", rest)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("example.com", x509.DNSName("example.com")),
        ("EXAMPLE.com.", x509.DNSName("example.com")),
        ("*.example.com", x509.DNSName("*.example.com")),
        ("bücher.example", x509.DNSName("xn--bcher-kva.example")),
        ("dns:sensor_1", x509.DNSName("sensor_1")),
        ("james@example.com", x509.RFC822Name("james@example.com")),
        ("email:a.b+c@example.com", x509.RFC822Name("a.b+c@example.com")),
        ("spiffe://example.com/a@b", x509.UniformResourceIdentifier("spiffe://example.com/a@b")),
        ("uri:urn:dev:mac:00", x509.UniformResourceIdentifier("urn:dev:mac:00")),
    ],
)
def test_an_alternative_name_is_sorted_by_what_it_looks_like(text: str, name: x509.GeneralName) -> None:
    assert read_alternative_name(text) == name
    assert read_alternative_name(text_of(name)) == name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("192.0.2.1", "ip:192.0.2.1"),
        ("2001:DB8::1", "ip:2001:db8::1"),
        ("ip:::1", "ip:::1"),
        ("[::1]", "ip:::1"),
    ],
)
def test_an_address_is_no_host_name(text: str, shown: str) -> None:
    name = read_alternative_name(text)
    assert isinstance(name, x509.IPAddress)
    assert text_of(name) == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dns:",
        "dns:192.0.2.1",
        "dns:a b",
        "a..b",
        "-a",
        "ip:300.1.1.1",
        "ip:example.com",
        "1.2.3.4.5",
        "ip:192.0.2.0/24",
        "email:james",
        "email:@example.com",
        "email:james@",
        "a@b@c",
        "jürgen@example.com",
        "a b@example.com",
        "uri:/path",
        "uri:no scheme",
        "https://exämple.com/",
        "https://example.com/\n",
        "*.*.example.com",
        "*",
        "example.com\n",
    ],
)
def test_what_is_no_name_of_its_kind_is_refused(text: str) -> None:
    with pytest.raises(PkiError):
        read_alternative_name(text)


@pytest.mark.parametrize(("common_name", "found"), [("a.test", "dns:a.test"), ("::1", "ip:::1")])
def test_a_common_name_can_be_a_host_name(common_name: str, found: str) -> None:
    name = host_name(common_name)
    assert name is not None
    assert text_of(name) == found


def test_a_common_name_of_a_person_is_no_host_name() -> None:
    assert host_name("James Royal") is None


@pytest.mark.parametrize(
    ("common_name", "name"),
    [
        ("James Royal", "James-Royal"),
        ("../../etc/passwd", "etc-passwd"),
        ("/", None),
        ("..", None),
        ("-rf", "rf"),
        (".hidden", "hidden"),
        ("*.example.com", "example.com"),
        ("james@example.com", "james@example.com"),
        ("Jörg", "J-rg"),
        ("日本", None),
        ("a\\b", "a-b"),
        ("root", None),
        ("ca", None),
        ("x-key", None),
        ("x-chain", None),
    ],
)
def test_a_file_name_is_made_of_the_common_name_or_asked_for(common_name: str, name: str | None) -> None:
    if name is not None:
        assert file_name_of(common_name) == name
        return
    with pytest.raises(PkiError, match="--out"):
        file_name_of(common_name)


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a/b", "/a", ".a", "-a", "a b", "a\n", "a\x00", "é", "x" * 65]
)
def test_a_path_is_no_file_name(text: str) -> None:
    with pytest.raises(PkiError):
        read_file_name(text)
