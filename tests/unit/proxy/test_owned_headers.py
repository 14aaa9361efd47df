"""What the edge says of a client no client can say, in no spelling."""

from __future__ import annotations

import pytest

from edge.proxy.identity_headers import identity_headers
from edge.proxy.owned_headers import OWNED, _known, is_owned
from tests.unit.access.builders import ca, leaf, verified

FORMS = ("cloudflare", "rfc9440", "xfcc", "nginx")


@pytest.mark.parametrize(
    "name",
    [
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-forwarded-host",
        b"x-forwarded-client-cert",
        b"x-forwarded-port",
        b"x-request-id",
        b"mtls-authenticated",
        b"mtls-anything",
        b"cf-access-jwt-assertion",
        b"cf-access-authenticated-user-email",
        b"cf-client-cert-der-base64",
        b"cf-client-cert-sha256",
        b"cf-connecting-ip",
        b"client-cert",
        b"client-cert-chain",
        b"x-ssl-client-verify",
        b"x-ssl-client-s-dn",
        b"x-client-verify",
        b"x-client-cert",
        b"ssl-client-verify",
        b"x-real-ip",
        b"true-client-ip",
        b"forwarded",
        b"alt-used",
        b"x-original-url",
        b"x-rewrite-url",
        b"proxy",
    ],
)
def test_the_edges_own_names_are_owned_in_every_spelling(name: bytes) -> None:
    for spelling in {name, name.replace(b"-", b"_"), name.replace(b"-", b"."), name.replace(b"-", b"_", 1)}:
        assert is_owned(spelling), spelling


@pytest.mark.parametrize(
    "name",
    [
        b"content_length",
        b"transfer_encoding",
        b"transfer.encoding",
        b"content_type",
        b"http2_settings",
    ],
)
def test_a_twin_of_a_name_that_frames_or_routes_never_reaches_an_origin(name: bytes) -> None:
    assert is_owned(name)
    assert not is_owned(name.replace(b"_", b"-").replace(b".", b"-"))


@pytest.mark.parametrize(
    "name",
    [
        b"accept",
        b"user-agent",
        b"x-forwarded",
        b"client-certificate",
        b"mtls",
        b"x-api-key",
        b"cf-ray",
        b"via",
        b"",
    ],
)
def test_other_names_are_the_clients(name: bytes) -> None:
    assert not is_owned(name)


def test_every_header_that_is_ever_written_is_owned() -> None:
    certificate = leaf(der=b"x" * 10, san_dns=("a.test",))
    auth = verified(certificate, ca(b"\1" * 32), ca(b"\2" * 32))
    for name, _ in identity_headers(auth, FORMS):
        assert is_owned(name.lower()), name


def test_the_memory_of_names_is_bounded() -> None:
    for number in range(6000):
        assert not is_owned(b"x-%d" % number)
        assert is_owned(b"mtls_%d" % number)
    assert len(_known) == 4096


@pytest.mark.parametrize("start", [b"x-", b"mtls_"])
def test_of_long_names_nothing_is_remembered(start: bytes) -> None:
    """A name may be as long as a head: thousands of those would be a hundred megabytes."""
    _known.clear()  # full, it remembers nothing more
    longest, too_long = start.ljust(64, b"a"), start.ljust(65, b"a")
    assert is_owned(longest) is is_owned(too_long) is (start == b"mtls_")
    assert list(_known) == [longest]


def test_owned_names_are_written_in_the_squashed_form() -> None:
    assert all(name == name.lower() and b"_" not in name for name in OWNED)
