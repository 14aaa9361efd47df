"""Signing keys and what is published of them."""

from __future__ import annotations

import json

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from edge.access.token import Algorithm, KeyRing, SigningKey, SigningKeyError
from tests.unit.access.builders import KID, private_pem, public_pem, signing_key


def pem_of(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_stranger_verifies_what_a_key_signed(algorithm: Algorithm) -> None:
    token = signing_key(algorithm).sign(b'{"type":"app"}')
    assert jwt.decode(token, public_pem(algorithm).decode(), algorithms=[algorithm]) == {"type": "app"}
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "kid": KID, "typ": "JWT"}
    assert signing_key(algorithm).verifies(token.encode())
    assert not signing_key(algorithm, 1).verifies(token.encode())


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_public_key_verifies_but_cannot_be_the_current_one(algorithm: Algorithm) -> None:
    public = SigningKey.from_pem("old", algorithm, public_pem(algorithm))
    assert public.verifies(signing_key(algorithm).sign(b"{}").encode())
    with pytest.raises(SigningKeyError, match="no private half"):
        KeyRing(public)
    assert KeyRing(signing_key(algorithm), (public,)).find("old") is public


@pytest.mark.parametrize(
    ("algorithm", "pem"),
    [
        ("RS256", b""),
        ("RS256", b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"),
        ("RS256", b"secret"),
        ("RS256", private_pem("ES256")),
        ("ES256", private_pem("RS256")),
        ("ES256", pem_of(ec.generate_private_key(ec.SECP384R1()))),
        ("ES256", pem_of(ed25519.Ed25519PrivateKey.generate())),
        ("RS256", pem_of(rsa.generate_private_key(public_exponent=65537, key_size=1024))),
        ("HS256", b"secret"),
    ],
)
def test_a_key_that_does_not_fit_its_algorithm_is_refused(algorithm: Algorithm, pem: bytes) -> None:
    with pytest.raises(SigningKeyError):
        SigningKey.from_pem("kid", algorithm, pem)


@pytest.mark.parametrize("kid", ["", "a b", "../../dev/null", "x" * 129, "a\n"])
def test_a_key_id_is_a_plain_word(kid: str) -> None:
    with pytest.raises(SigningKeyError, match="key id"):
        SigningKey.from_pem(kid, "RS256", private_pem())


def test_two_keys_with_one_id_are_refused() -> None:
    with pytest.raises(SigningKeyError, match="same id"):
        KeyRing(signing_key(), (signing_key("RS256", 1),))


def test_the_published_keys_have_cloudflares_shape() -> None:
    old = signing_key("ES256", 1, kid="cd" * 32)
    ring = KeyRing(signing_key(), (old,))
    published = json.loads(ring.jwks_json)
    assert published == ring.jwks
    assert list(published) == ["keys", "public_cert", "public_certs"]
    assert published["public_cert"] == {"kid": KID, "cert": "certificate 0"}
    assert published["public_certs"] == [
        {"kid": KID, "cert": "certificate 0"},
        {"kid": "cd" * 32, "cert": "certificate 1"},
    ]
    assert [(key["kid"], key["kty"], key["alg"], key["use"]) for key in published["keys"]] == [
        (KID, "RSA", "RS256", "sig"),
        ("cd" * 32, "EC", "ES256", "sig"),
    ]


def test_nothing_private_is_published_or_printed() -> None:
    ring = KeyRing(signing_key(), (signing_key("ES256", 1, kid="old"),))
    for key in json.loads(ring.jwks_json)["keys"]:
        assert set(key) <= {"kid", "kty", "alg", "use", "n", "e", "crv", "x", "y"}
    assert "PRIVATE" not in repr(ring)
    assert "key=" not in repr(ring)


def test_the_published_keys_verify_tokens() -> None:
    ring = KeyRing(signing_key(), (signing_key("ES256", 1, kid="old"),))
    keys = jwt.PyJWKSet.from_json(ring.jwks_json.decode())
    for key in ring:
        assert jwt.decode(key.sign(b'{"a":1}'), keys[key.kid], algorithms=[key.algorithm]) == {"a": 1}


@pytest.mark.parametrize("kid", ["", "other", None, 5, ["x"], {"a": 1}, "../" + KID])
def test_only_a_known_id_finds_a_key(kid: object) -> None:
    assert KeyRing(signing_key()).find(kid) is None
    assert KeyRing(signing_key()).find(KID) is not None
