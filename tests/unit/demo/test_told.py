"""What the demo origin reads out of a request: never more than was said, and never twice."""

from __future__ import annotations

import base64
import json

import pytest

from edge.demo.told import Told, as_json, read_told
from edge.http1.limits import HeadLimits
from edge.http1.request_parser import read_request_head


def told(*lines: bytes) -> Told:
    block = b"\r\n".join((b"GET /a/./b?c HTTP/1.1", b"Host: a.test", *lines, b"", b""))
    return read_told(read_request_head(block, HeadLimits()), b"/a/./b?c", 0, "00")


def segment(value: object) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


def jwt(claims: object, header: object = None) -> bytes:
    return b".".join((segment(header or {"alg": "RS256"}), segment(claims), b"c2ln"))


@pytest.mark.parametrize(
    ("lines", "flag"),
    [
        ([], None),
        ([b"Mtls-Authenticated: yes"], None),
        ([b"Mtls-Authenticated: TRUE"], None),
        ([b"Mtls-Authenticated: true, false"], None),
        ([b"Mtls-Authenticated: true", b"Mtls-Authenticated: true"], None),
        ([b"Mtls_Authenticated: true"], None),
        ([b"Mtls-Authenticated: false"], False),
        ([b"mtls-authenticated: true"], True),
    ],
)
def test_the_flag_is_true_only_when_it_was_said_once(lines: list[bytes], flag: bool | None) -> None:
    assert told(*lines).mtls_authenticated is flag


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b"a.b",
        b"a.b.c.d",
        b"!!.!!.!!",
        b"e30.e30",
        segment({}) + b"." + segment([1]) + b".x",
        segment({}) + b"." + segment("text") + b".x",
        segment({}) + b".bm90IGpzb24.x",
        segment({}) + b"." + base64.urlsafe_b64encode(b'{"exp":NaN}').rstrip(b"=") + b".x",
        segment({}) + b"." + base64.urlsafe_b64encode(b'{"a":' + b"[" * 20_000).rstrip(b"=") + b".x",
        segment({}) + b"." + base64.urlsafe_b64encode(b'{"a":' + b"9" * 9_000 + b"}").rstrip(b"=") + b".x",
        segment({}) + b".e30=.x",
        segment({}) + b".e\x80 30.x",
    ],
)
def test_what_is_no_jwt_is_shown_as_none(token: bytes) -> None:
    assertion = told(b"Cf-Access-Jwt-Assertion: " + token).access_jwt
    assert assertion is not None
    assert (assertion.header, assertion.claims) == (None, None)


def test_two_assertions_are_none() -> None:
    line = b"Cf-Access-Jwt-Assertion: " + jwt({"common_name": "James Royal"})
    assertion = told(line, line).access_jwt
    assert assertion is not None
    assert assertion.claims is None


def test_claims_are_decoded_and_marked_as_not_verified() -> None:
    line = b"Cf-Access-Jwt-Assertion: " + jwt({"common_name": "J\u00e9r\u00f4me", "aud": ["x"]})
    shown = json.loads(as_json(told(line)))
    assert shown["access_jwt"] == {
        "header": {"alg": "RS256"},
        "claims": {"common_name": "J\u00e9r\u00f4me", "aud": ["x"]},
        "signature_checked_here": False,
    }


def test_no_assertion_is_nothing() -> None:
    assert told().access_jwt is None


def test_headers_keep_order_spelling_and_octets() -> None:
    shown = json.loads(as_json(told(b"X-a: 1", b"x-A: \xe9\xff", b"X-a: 2")))
    assert shown["headers"] == [["Host", "a.test"], ["X-a", "1"], ["x-A", "\xe9\xff"], ["X-a", "2"]]
    assert shown["target"] == "/a/./b?c"


def test_certificate_headers_are_found_under_every_name() -> None:
    names = [
        b"Cf-Client-Cert-Sha256",
        b"Cf-Client-Cert-Der-Base64",
        b"Client-Cert",
        b"Client-Cert-Chain",
        b"X-Forwarded-Client-Cert",
        b"X-SSL-Client-Verify",
    ]
    found = told(*(name + b": x" for name in names), b"X-Client: y").client_certificate
    assert found == [(name.decode(), "x") for name in names]
