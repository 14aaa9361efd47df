"""The token: minted with exact claims, read back with suspicion. PyJWT is the stranger."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from jwt.types import Options

from edge.access.application import Application
from edge.access.claims import TokenClaims, thumbprint, token_binding
from edge.access.token import (
    MAX_TOKEN_SIZE,
    Algorithm,
    KeyRing,
    TokenMint,
    TokenReader,
    TokenRefused,
    mint,
    read,
)
from edge.model.client_auth import NO_CERTIFICATE, ClientAuth
from tests.unit.access.builders import (
    BUNDLE,
    ISSUER,
    KID,
    NOW,
    application,
    ca,
    facts,
    failed,
    key_ring,
    leaf,
    policy,
    private_pem,
    public_pem,
    signing_key,
    verified,
)

SESSION = application(
    "a.test/x",
    policies=[policy("devices", include=["certificate"])],
    session_seconds=3600.0,
    recheck_certificate=False,
)
AT = int(NOW)


def minted(
    app: Application = SESSION,
    auth: ClientAuth | None = None,
    algorithm: Algorithm = "RS256",
    now: float = NOW,
) -> str:
    return mint(signing_key(algorithm), ISSUER, app, app.policies[0], facts(auth or verified()), BUNDLE, now)


def claims_of(token: str, algorithm: Algorithm = "RS256") -> dict[str, Any]:
    options: Options = {"verify_exp": False, "verify_aud": False, "verify_nbf": False, "verify_iat": False}
    decoded: dict[str, Any] = jwt.decode(
        token, public_pem(algorithm).decode(), algorithms=[algorithm], options=options
    )
    return decoded


def segment(value: object) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def signed(payload: object, header: dict[str, object] | None = None, number: int = 0) -> str:
    """A token with any header and payload, signed with a real key by the stranger's library."""
    signing_input = segment(header or {"alg": "RS256", "kid": KID, "typ": "JWT"}) + "." + segment(payload)
    algorithm = jwt.get_algorithm_by_name("RS256")
    key = algorithm.prepare_key(private_pem("RS256", number))
    return signing_input + "." + segment(algorithm.sign(signing_input.encode(), key))


def reading(token: str | bytes, now: float = NOW, aud: str = SESSION.aud) -> TokenClaims | TokenRefused:
    return read(token, key_ring(), ISSUER, aud, now)


def reason(token: str | bytes, now: float = NOW, aud: str = SESSION.aud) -> str:
    result = reading(token, now, aud)
    assert isinstance(result, TokenRefused)
    return result.reason


GOOD = claims_of(minted())


# minting


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_the_token_has_exactly_the_promised_claims(algorithm: Algorithm) -> None:
    token = minted(algorithm=algorithm)
    assert claims_of(token, algorithm) == {
        "type": "app",
        "aud": [SESSION.aud],
        "iss": ISSUER,
        "iat": AT,
        "nbf": AT,
        "exp": AT + 3600,
        "sub": "",
        "common_name": "device-1",
        "cnf": {"x5t#S256": thumbprint(b"\x11" * 32)},
        "serial": "0A1B",
        "issuer_dn": "CN=Issuing CA",
        "policy": "devices",
        "policy_binding": token_binding(SESSION.policies[0].digest, BUNDLE),
        "certificate_outcomes": "1",
        "certificate_path": [],
    }
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "kid": KID, "typ": "JWT"}
    assert len(token) <= MAX_TOKEN_SIZE


def test_the_thumbprint_is_that_of_rfc_8705() -> None:
    assert thumbprint(bytes(32)) == "A" * 43
    assert thumbprint(hashlib.sha256(b"leaf").digest()) == segment(hashlib.sha256(b"leaf").digest())


@pytest.mark.parametrize("auth", [NO_CERTIFICATE, failed(leaf("admin"))])
def test_a_certificate_that_is_not_verified_leaves_no_trace(auth: ClientAuth) -> None:
    claims = claims_of(minted(auth=auth))
    assert claims["common_name"] == ""
    assert not {"cnf", "serial", "issuer_dn"} & set(claims)
    assert claims["certificate_outcomes"] == "0"


def test_two_common_names_are_none() -> None:
    assert claims_of(minted(auth=verified(leaf(common_names=("a", "b")))))["common_name"] == ""


@pytest.mark.parametrize(
    "settings",
    [{"recheck_certificate": True}, {"session_seconds": 0.0, "recheck_certificate": False}],
)
def test_a_token_that_is_never_accepted_back_cannot_be(settings: dict[str, Any]) -> None:
    app = application("a.test/x", policies=SESSION.policies, **settings)
    claims = claims_of(minted(app))
    assert not {"policy_binding", "certificate_outcomes"} & set(claims)


@pytest.mark.parametrize(
    ("session_seconds", "not_after", "life"),
    [
        (3600.0, NOW + 1e6, 3600),
        (0.0, NOW + 1e6, 60),
        (0.3, NOW + 1e6, 1),
        (90.7, NOW + 1e6, 90),
        (3600.0, NOW + 100.9, 100),
        (0.0, NOW + 10, 10),
        (3600.0, NOW, 0),
    ],
)
def test_a_token_ends_with_the_session_or_the_certificate(
    session_seconds: float, not_after: float, life: int
) -> None:
    app = application("a.test/x", policies=SESSION.policies, session_seconds=session_seconds)
    claims = claims_of(minted(app, verified(leaf(not_after=not_after))))
    assert claims["exp"] - claims["iat"] == life


def test_a_token_ends_with_the_first_certificate_of_the_chain() -> None:
    auth = verified(leaf(), ca(not_after=NOW + 50), ca(b"\x05" * 32, not_after=NOW + 500))
    assert claims_of(minted(auth=auth))["exp"] == AT + 50


def test_times_are_whole_seconds() -> None:
    claims = claims_of(minted(now=NOW + 0.9))
    assert [claims[name] for name in ("iat", "nbf", "exp")] == [AT, AT, AT + 3600]


def test_names_without_end_do_not_make_a_token_without_end() -> None:
    huge = verified(leaf("\U0001f512" * 1000, issuer="CN=" + "x" * 10_000))
    app = application(
        "a.test/x", policies=[policy("p" * 1000, include=["certificate"])], recheck_certificate=False
    )
    token = minted(app, huge)
    claims = claims_of(token)
    assert (claims["common_name"], claims["issuer_dn"], claims["policy"]) == ("", "", "")
    assert len(token) <= MAX_TOKEN_SIZE


def test_the_largest_token_still_fits() -> None:
    rules = [{"common_name": f"n{number}"} for number in range(990)]
    app = application(
        "a.test/x", policies=[policy("p" * 510, include=["certificate", *rules])], recheck_certificate=False
    )
    token = minted(app, verified(leaf("n" * 510, issuer="i" * 510)))
    assert len(token) <= MAX_TOKEN_SIZE
    assert isinstance(reading(token), TokenClaims)


# the mint's memory


def test_a_token_is_handed_out_again_for_half_its_life() -> None:
    mint_of = TokenMint(key_ring(), ISSUER)
    first = mint_of.token(SESSION, SESSION.policies[0], facts(verified()), BUNDLE, NOW)
    for later in (0.0, 1799.0, 1799.9):
        assert mint_of.token(SESSION, SESSION.policies[0], facts(verified()), BUNDLE, NOW + later) == first
    second = mint_of.token(SESSION, SESSION.policies[0], facts(verified()), BUNDLE, NOW + 1800)
    assert first[1] == NOW + 1800
    assert claims_of(second[0])["iat"] == AT + 1800
    assert second[1] == NOW + 3600
    assert mint_of.token(SESSION, SESSION.policies[0], facts(verified()), BUNDLE, NOW + 1801) == second


def test_a_clock_set_back_gets_a_new_token() -> None:
    mint_of = TokenMint(key_ring(), ISSUER)
    mint_of.token(SESSION, SESSION.policies[0], facts(verified()), BUNDLE, NOW)
    earlier = mint_of.token(SESSION, SESSION.policies[0], facts(verified()), BUNDLE, NOW - 100)
    assert claims_of(earlier[0])["iat"] == AT - 100


def test_another_certificate_policy_bundle_or_application_gets_another_token() -> None:
    mint_of = TokenMint(key_ring("ES256"), ISSUER)
    other_policy = policy("other", include=["certificate"])
    renamed = policy("renamed", include=["certificate"])
    other_app = application(
        "b.test", policies=SESSION.policies, session_seconds=3600.0, recheck_certificate=False
    )
    shorter = application(
        "a.test/x", policies=SESSION.policies, session_seconds=60.0, recheck_certificate=False
    )
    strict = application("a.test/x", policies=SESSION.policies, session_seconds=3600.0)
    devices = SESSION.policies[0]
    issuers = policy("devices", include=[{"certificate_issuer": {"name": "CA"}}, "certificate"])
    tokens = [
        mint_of.token(app, chosen, facts(auth), bundle, NOW)[0]
        for app, chosen, auth, bundle in [
            (SESSION, devices, verified(), BUNDLE),
            (SESSION, devices, verified(leaf(sha256=b"\x22" * 32)), BUNDLE),
            (SESSION, devices, NO_CERTIFICATE, BUNDLE),
            (SESSION, devices, verified(), b"C" * 32),
            (SESSION, devices, verified(leaf(), ca(not_after=NOW + 99)), BUNDLE),
            (SESSION, other_policy, verified(), BUNDLE),
            (SESSION, renamed, verified(), BUNDLE),
            (SESSION, issuers, verified(), BUNDLE),
            (SESSION, issuers, verified(name="Other CA"), BUNDLE),
            (other_app, devices, verified(), BUNDLE),
            (shorter, devices, verified(), BUNDLE),
            (strict, devices, verified(), BUNDLE),
        ]
    ]
    assert len(set(tokens)) == len(tokens)


def test_a_certificate_that_does_not_verify_gets_the_token_of_none() -> None:
    mint_of = TokenMint(key_ring(), ISSUER)
    app = application("a.test/x", policies=[policy("open")])
    good = mint_of.token(app, app.policies[0], facts(verified()), BUNDLE, NOW)
    bad = mint_of.token(app, app.policies[0], facts(failed()), BUNDLE, NOW)
    assert good[0] != bad[0]
    assert "cnf" not in claims_of(bad[0])


def test_the_mint_remembers_a_bounded_number() -> None:
    mint_of = TokenMint(key_ring("ES256"), ISSUER, entries=2)
    auths = [verified(leaf(sha256=bytes([number]) * 32)) for number in range(5)]
    tokens = [mint_of.token(SESSION, SESSION.policies[0], facts(auth), BUNDLE, NOW) for auth in auths]
    assert len(mint_of._minted) == 2
    assert mint_of.token(SESSION, SESSION.policies[0], facts(auths[4]), BUNDLE, NOW) == tokens[4]


# reading


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_what_was_minted_is_read(algorithm: Algorithm) -> None:
    for token in (minted(algorithm=algorithm), minted(algorithm=algorithm).encode()):
        claims = read(token, key_ring(algorithm), ISSUER, SESSION.aud, NOW)
        assert isinstance(claims, TokenClaims)
        assert (claims.certificate_sha256, claims.outcomes) == (b"\x11" * 32, 1)


def test_what_a_stranger_signs_with_the_right_key_is_read() -> None:
    assert isinstance(reading(signed(GOOD)), TokenClaims)
    encoded = jwt.encode(GOOD, private_pem().decode(), algorithm="RS256", headers={"kid": KID})
    assert isinstance(reading(encoded), TokenClaims)


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        (-1, "not valid yet"),
        (0, None),
        (3599.9, None),
        (3600, "expired"),
        (1e9, "expired"),
        (float("nan"), "expired"),
    ],
)
def test_a_token_is_good_from_nbf_until_before_exp(offset: float, expected: str | None) -> None:
    result = reading(minted(), NOW + offset)
    if expected is None:
        assert isinstance(result, TokenClaims)
    else:
        assert isinstance(result, TokenRefused)
        assert expected in result.reason


def test_a_token_of_another_application_is_refused() -> None:
    for other in ("0" * 64, SESSION.aud[:-1], SESSION.aud + "0", SESSION.aud.upper(), ""):
        assert reason(minted(), aud=other) == "the token is for another application"


def test_a_token_of_another_issuer_is_refused() -> None:
    for other in (ISSUER + "/", ISSUER[:-1], ISSUER.upper(), "", "https://edge.example.com.evil"):
        assert read(minted(), key_ring(), other, SESSION.aud, NOW) == TokenRefused(
            "the token is of another issuer"
        )


def test_algorithm_none_is_refused() -> None:
    for name in ("none", "None", "NONE", "nOnE", ""):
        header = segment({"alg": name, "kid": KID, "typ": "JWT"})
        for signature in ("", segment(b"x")):
            assert reason(f"{header}.{segment(GOOD)}.{signature}") == "the algorithm is not the key's"


def test_an_hmac_with_the_public_key_as_its_secret_is_refused() -> None:
    secrets = [public_pem(), public_pem().strip(), json.dumps(key_ring().jwks).encode(), b""]
    for name, digest in (("HS256", hashlib.sha256), ("RS256", hashlib.sha256), ("HS512", hashlib.sha512)):
        signing_input = segment({"alg": name, "kid": KID, "typ": "JWT"}) + "." + segment(GOOD)
        for secret in secrets:
            forged = signing_input + "." + segment(hmac.new(secret, signing_input.encode(), digest).digest())
            assert reason(forged) in ("the algorithm is not the key's", "the signature does not verify")


@pytest.mark.parametrize(
    "algorithm", ["RS384", "PS256", "ES256", "EdDSA", "RSA-OAEP", "rs256", 5, None, ["RS256"]]
)
def test_the_header_does_not_choose_the_algorithm(algorithm: object) -> None:
    assert (
        reason(signed(GOOD, {"alg": algorithm, "kid": KID, "typ": "JWT"})) == "the algorithm is not the key's"
    )


def test_an_algorithm_of_another_key_of_the_ring_is_refused() -> None:
    ring = KeyRing(signing_key(), (signing_key("ES256", 1, kid="old"),))
    for kid, name in ((KID, "ES256"), ("old", "RS256")):
        token = signed(GOOD, {"alg": name, "kid": kid, "typ": "JWT"})
        assert read(token, ring, ISSUER, SESSION.aud, NOW) == TokenRefused("the algorithm is not the key's")


@pytest.mark.parametrize("signature", ["", "AA", "A" * 342, "A" * 341 + "B"])
def test_a_signature_that_is_missing_or_junk_is_refused(signature: str) -> None:
    head, body, _ = minted().split(".")
    assert "signature" in reason(f"{head}.{body}.{signature}") or "base64url" in reason(
        f"{head}.{body}.{signature}"
    )


def test_a_changed_payload_is_refused() -> None:
    head, _, signature = minted().split(".")
    forged = segment(GOOD | {"common_name": "admin"})
    assert reason(f"{head}.{forged}.{signature}") == "the signature does not verify"


def test_a_signature_of_another_key_is_refused() -> None:
    assert reason(signed(GOOD, number=1)) == "the signature does not verify"


@pytest.mark.parametrize(
    "kid", ["cd" * 32, "", "../../dev/null", "/dev/null", "' OR 1=1", None, 5, [KID], {"kid": KID}]
)
def test_an_unknown_key_id_is_refused(kid: object) -> None:
    assert reason(signed(GOOD, {"alg": "RS256", "kid": kid, "typ": "JWT"})) == "the key is not known"


@pytest.mark.parametrize(
    "extra",
    [
        {"crit": ["x"]},
        {"crit": []},
        {"crit": ["b64"], "b64": False},
        {"b64": True},
        {"jwk": {"kty": "RSA", "n": "x", "e": "AQAB"}},
        {"jku": "https://evil.test/keys"},
        {"x5u": "https://evil.test/cert"},
        {"x5c": ["x"]},
        {"x5t": "x"},
        {"cty": "JWT"},
        {"zip": "DEF"},
        {"nonce": "x"},
        {"typ": "at+jwt"},
        {"typ": "jwt"},
    ],
)
def test_a_header_with_anything_else_in_it_is_refused(extra: dict[str, object]) -> None:
    header: dict[str, object] = {"alg": "RS256", "kid": KID, "typ": "JWT"}
    assert reason(signed(GOOD, header | extra)) == "the header is none of this edge's"


@pytest.mark.parametrize("missing", ["alg", "kid", "typ"])
def test_a_header_with_less_in_it_is_refused(missing: str) -> None:
    header: dict[str, object] = {"alg": "RS256", "kid": KID, "typ": "JWT"}
    del header[missing]
    assert reason(signed(GOOD, header)) == "the header is none of this edge's"


def test_a_header_with_a_repeated_member_is_refused() -> None:
    twice = b'{"alg":"none","alg":"RS256","kid":"%s","typ":"JWT"}' % KID.encode()
    _, body, signature = minted().split(".")
    assert reason(f"{segment(twice)}.{body}.{signature}") == "a part of the token is no strict JSON object"


@pytest.mark.parametrize(
    "text",
    [
        b'{"aud":["x"],"aud":["y"]}',
        json.dumps(GOOD).encode()[:-1] + b',"exp":9999999999}',
        json.dumps(GOOD).replace(f'"exp": {AT + 3600}', '"exp": 1e400').encode(),
        json.dumps(GOOD).replace(f'"exp": {AT + 3600}', f'"exp": {AT + 3600}.5').encode(),
        json.dumps(GOOD).replace(f'"exp": {AT + 3600}', '"exp": Infinity').encode(),
        b"[]",
        b"null",
        b"",
        b"[" * 2000,
    ],
)
def test_a_signed_payload_that_is_not_strict_json_is_refused(text: bytes) -> None:
    assert "JSON object" in reason(signed(text))


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": AT + 3600.5},
        {"exp": str(AT + 3600)},
        {"exp": -1},
        {"exp": 2**63},
        {"exp": True},
        {"nbf": None},
        {"nbf": -5},
        {"iat": "now"},
        {"iat": 2**70},
        {"aud": SESSION.aud},
        {"aud": [SESSION.aud, "0" * 64]},
        {"aud": [SESSION.aud, SESSION.aud]},
        {"type": "org"},
        {"type": None},
        {"iss": [ISSUER]},
        {"cnf": {"x5t#S256": "short"}},
    ],
)
def test_a_signed_payload_with_claims_of_the_wrong_kind_is_refused(changes: dict[str, object]) -> None:
    assert reason(signed(GOOD | changes))


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "a.b",
        "e30.e30.e30",
        "e30..",
        "=.=.=",
        " . . ",
        "\u0131.b.c",
        b"\xff.\xff.\xff",
        segment(b"[" * 2900) + ".e30.e30",
    ],
)
def test_junk_is_refused_without_an_error(token: str | bytes) -> None:
    assert reason(token)


def test_a_token_with_other_spelling_of_the_same_octets_is_refused() -> None:
    token = minted()
    assert token[-1] in "AQgw"  # a 256-octet signature leaves four unused bits
    for other in (token[:-1] + chr(ord(token[-1]) + 1), token + "=", token + "==", token + "\n", " " + token):
        assert isinstance(reading(other), TokenRefused)


def test_an_oversized_token_is_refused_before_anything_else() -> None:
    for size in (MAX_TOKEN_SIZE + 1, 65536):
        assert reason("a" * size) == "the token is too long"
    assert reason(minted() + "." * MAX_TOKEN_SIZE) == "the token is too long"


def test_an_old_key_is_believed_until_it_leaves_the_ring() -> None:
    new = signing_key("RS256", 1, kid="new")
    token = minted()
    assert isinstance(read(token, KeyRing(new, (signing_key(),)), ISSUER, SESSION.aud, NOW), TokenClaims)
    assert read(token, KeyRing(new), ISSUER, SESSION.aud, NOW) == TokenRefused("the key is not known")


# the reader's memory


def test_a_remembered_token_is_still_judged_by_time_audience_and_issuer() -> None:
    reader = TokenReader(key_ring(), ISSUER)
    token = minted()
    assert isinstance(reader.read(token, SESSION.aud, NOW), TokenClaims)
    assert reader.read(token, SESSION.aud, NOW + 3600) == TokenRefused("the token has expired")
    assert reader.read(token, SESSION.aud, NOW - 1) == TokenRefused("the token is not valid yet")
    assert reader.read(token, "0" * 64, NOW) == TokenRefused("the token is for another application")
    assert isinstance(reader.read(token.encode(), SESSION.aud, NOW), TokenClaims)


def test_a_token_of_another_issuer_is_refused_from_memory_too() -> None:
    reader = TokenReader(key_ring(), "https://other.example.com")
    for _ in range(2):
        assert reader.read(minted(), SESSION.aud, NOW) == TokenRefused("the token is of another issuer")


def test_the_reader_remembers_a_bounded_number_and_nothing_bad() -> None:
    reader = TokenReader(key_ring("ES256"), ISSUER, entries=2)
    for number in range(4):
        auth = verified(leaf(sha256=bytes([number]) * 32))
        assert isinstance(reader.read(minted(auth=auth, algorithm="ES256"), SESSION.aud, NOW), TokenClaims)
        assert isinstance(reader.read(f"junk{number}", SESSION.aud, NOW), TokenRefused)
    assert len(reader._verified) == 2
    assert not any(token.startswith(b"junk") for token in reader._verified)
