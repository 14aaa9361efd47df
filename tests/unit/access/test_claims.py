"""Claims are read strictly even after the signature was good."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edge.access.claims import ClaimsError, TokenClaims, decode_segment, read_claims, read_object, thumbprint
from edge.model.client_auth import ChainLink

GOOD: dict[str, Any] = {
    "type": "app",
    "aud": ["a" * 64],
    "iss": "https://edge.example.com",
    "iat": 100,
    "nbf": 100,
    "exp": 200,
    "sub": "",
    "common_name": "device-1",
    "cnf": {"x5t#S256": thumbprint(b"\x11" * 32)},
    "serial": "0A1B",
    "issuer_dn": "CN=Issuing CA",
    "policy": "devices",
    "policy_binding": "f" * 64,
    "certificate_outcomes": "1f",
    "certificate_path": ["ab" * 32 + ":7F"],
}


NO_TIMES = ("100", -1, True, None, [100], 2**63, 10**400, 253402300800)


def payload(**changes: object) -> bytes:
    claims = {**GOOD, **changes}
    return json.dumps({name: value for name, value in claims.items() if value != "REMOVED"}).encode()


def test_good_claims_are_read() -> None:
    assert read_claims(payload()) == TokenClaims(
        audience="a" * 64,
        issuer="https://edge.example.com",
        issued_at=100,
        not_before=100,
        expires_at=200,
        common_name="device-1",
        policy="devices",
        certificate_sha256=b"\x11" * 32,
        serial="0A1B",
        issuer_dn="CN=Issuing CA",
        binding="f" * 64,
        outcomes=0x1F,
        links=(ChainLink(b"\xab" * 32, 0x7F),),
    )


def test_what_speaks_of_a_certificate_may_be_absent() -> None:
    claims = read_claims(
        payload(
            cnf="REMOVED",
            serial="REMOVED",
            issuer_dn="REMOVED",
            policy_binding="REMOVED",
            certificate_outcomes="REMOVED",
            certificate_path="REMOVED",
        )
    )
    assert (claims.certificate_sha256, claims.serial, claims.binding, claims.outcomes, claims.links) == (
        None,
        "",
        None,
        None,
        (),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, "REMOVED") for name in ("type", "aud", "iss", "iat", "nbf", "exp", "common_name", "policy")],
        *[(name, value) for name in ("iat", "nbf", "exp") for value in NO_TIMES],
        ("type", "org"),
        ("type", ["app"]),
        ("aud", "a" * 64),
        ("aud", []),
        ("aud", ["a" * 64, "b" * 64]),
        ("aud", [5]),
        ("aud", None),
        ("iss", None),
        ("iss", ["https://edge.example.com"]),
        ("common_name", None),
        ("policy", 5),
        ("serial", 5),
        ("issuer_dn", None),
        ("cnf", None),
        ("cnf", "x"),
        ("cnf", {}),
        ("cnf", {"jkt": "x"}),
        ("cnf", {"x5t#S256": thumbprint(b"\x11" * 32), "jkt": "x"}),
        ("cnf", {"x5t#S256": thumbprint(b"\x11" * 31)}),
        ("cnf", {"x5t#S256": thumbprint(b"\x11" * 32) + "="}),
        ("cnf", {"x5t#S256": thumbprint(b"\x11" * 32)[:-1] + "F"}),
        ("cnf", {"x5t#S256": "\u0131" * 43}),
        ("cnf", {"x5t#S256": 5}),
        ("policy_binding", ""),
        ("policy_binding", "F" * 64),
        ("policy_binding", "f" * 63),
        ("policy_binding", None),
        ("certificate_path", "ab" * 32 + ":7F"),
        ("certificate_path", [1]),
        ("certificate_path", ["ab" * 32]),
        ("certificate_path", ["AB" * 32 + ":7F"]),
        ("certificate_path", ["ab" * 32 + ":7f"]),
        ("certificate_path", ["ab" * 31 + ":7F"]),
        ("certificate_path", ["ab" * 32 + ":7F\n"]),
        ("certificate_path", ["ab" * 32 + ":7F"] * 9),
        ("certificate_outcomes", ""),
        ("certificate_outcomes", "0x1"),
        ("certificate_outcomes", "1_0"),
        ("certificate_outcomes", "-1"),
        ("certificate_outcomes", "f" * 513),
        ("certificate_outcomes", 1),
        ("certificate_outcomes", "١"),
    ],
)
def test_a_claim_of_the_wrong_kind_is_refused(name: str, value: object) -> None:
    with pytest.raises(ClaimsError):
        read_claims(payload(**{name: value}))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b"5",
        b'"x"',
        b"{",
        b"{} {}",
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":1e400}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":"\xff"}',
        b'\xef\xbb\xbf{"a":1}',
        b"{'a':1}",
        b'{"a":' + b"[" * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":"\n"}',
    ],
)
def test_what_is_no_strict_json_object_is_refused(text: bytes) -> None:
    with pytest.raises(ClaimsError):
        read_object(text)


@pytest.mark.parametrize(
    "segment", [b"a", b"a=", b"YQ==", b"YR", b"Y+", b"Y/", b"Y Q", b"YQ\n", b"\xff\xff", b"Y.Q"]
)
def test_only_canonical_base64url_is_decoded(segment: bytes) -> None:
    with pytest.raises(ClaimsError):
        decode_segment(segment)


def test_canonical_base64url_is_decoded() -> None:
    assert decode_segment(b"YQ") == b"a"
    assert decode_segment(b"-_8") == b"\xfb\xff"
    assert decode_segment(b"") == b""
