"""Tokens that are wrong in one point, and good ones in the wrong place: none stands in for a certificate."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.certificates import Authority
from tests.e2e.clients import raw_tls
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.refusals import assert_refused
from tests.e2e.token_edge import ask_with, ask_with_cookies, obtain, signing_key, token_edge


@pytest.fixture(scope="module")
def session_edge(
    tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin
) -> Iterator[Edge]:
    with token_edge(tmp_path_factory.mktemp("forgeries"), pki, session_origin.url, "RS256") as running:
        yield running


Forge = Callable[["Workshop"], str]


class Workshop:
    """A good token of the application ``/session``, taken apart, with the means to make others of it."""

    def __init__(self, token: str, kid: str, private: rsa.RSAPrivateKey) -> None:
        self.token = token
        self.header, self.payload, self.signature = token.split(".")
        self.kid = kid
        self.private = private
        self.members: dict[str, Any] = json.loads(decoded(self.payload))

    def signed(
        self, header: dict[str, Any] | None = None, *, payload: bytes | None = None, **changed: Any
    ) -> str:
        """Sign with the edge's own key; a member that is None is left out."""
        members = {"alg": "RS256", "kid": self.kid, "typ": "JWT", **(header or {})}
        claims = {k: v for k, v in {**self.members, **changed}.items() if v is not None}
        body = payload if payload is not None else json.dumps(claims).encode()
        text = f"{encoded(json.dumps(members).encode())}.{encoded(body)}"
        return f"{text}.{encoded(self.private.sign(text.encode(), PKCS1v15(), SHA256()))}"

    def by(self, algorithm: str, key: Any, **header: Any) -> str:
        """Let PyJWT sign the good claims in another way."""
        return jwt.encode(self.members, key, algorithm, {"kid": self.kid, "typ": "JWT", **header})

    def hs256(self, key: bytes) -> str:
        """Sign with a public key as if it were a secret, which PyJWT itself would not do."""
        text = (
            f"{encoded(json.dumps({'alg': 'HS256', 'kid': self.kid, 'typ': 'JWT'}).encode())}.{self.payload}"
        )
        return f"{text}.{encoded(hmac.digest(key, text.encode(), 'sha256'))}"


def encoded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def flipped(segment: str, at: int) -> str:
    octets = bytearray(decoded(segment))
    octets[at] ^= 1
    return encoded(bytes(octets))


def public(workshop: Workshop, encoding: Encoding, form: PublicFormat) -> bytes:
    return workshop.private.public_key().public_bytes(encoding, form)


def none(workshop: Workshop, alg: str, signature: str = "") -> str:
    header = encoded(json.dumps({"alg": alg, "kid": workshop.kid, "typ": "JWT"}).encode())
    return f"{header}.{workshop.payload}.{signature}"


OTHER_RSA = rsa.generate_private_key(65537, 2048)
OTHER_EC = ec.generate_private_key(ec.SECP256R1())
SPKI, PKCS1 = PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1

FORGERIES: dict[str, Forge] = {
    "alg none": lambda w: none(w, "none"),
    "alg None": lambda w: none(w, "None"),
    "alg nOnE with a signature": lambda w: none(w, "nOnE", w.signature),
    "alg empty": lambda w: none(w, "", w.signature),
    "HS256 over the PEM": lambda w: w.hs256(public(w, Encoding.PEM, SPKI)),
    "HS256 over the PEM without its line end": lambda w: w.hs256(public(w, Encoding.PEM, SPKI).strip()),
    "HS256 over the DER": lambda w: w.hs256(public(w, Encoding.DER, SPKI)),
    "HS256 over PKCS 1": lambda w: w.hs256(public(w, Encoding.PEM, PKCS1)),
    "HS256 over nothing": lambda w: w.hs256(b""),
    "HS256 over the key id": lambda w: w.hs256(w.kid.encode()),
    "RS384": lambda w: w.by("RS384", w.private),
    "PS256": lambda w: w.by("PS256", w.private),
    "another RSA key": lambda w: w.by("RS256", OTHER_RSA),
    "ES256": lambda w: w.by("ES256", OTHER_EC),
    "another key that it brings along": lambda w: w.by(
        "RS256", OTHER_RSA, jwk=json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(OTHER_RSA.public_key()))
    ),
    "another key that it names": lambda w: w.by("RS256", OTHER_RSA, jku="https://evil.test/keys"),
    "no signature": lambda w: f"{w.header}.{w.payload}.",
    "two parts": lambda w: f"{w.header}.{w.payload}",
    "four parts": lambda w: f"{w.token}.x",
    "a signature of zeros": lambda w: f"{w.header}.{w.payload}.{encoded(bytes(256))}",
    "first bit of the signature": lambda w: f"{w.header}.{w.payload}.{flipped(w.signature, 0)}",
    "last bit of the signature": lambda w: f"{w.header}.{w.payload}.{flipped(w.signature, -1)}",
    "a longer signature": lambda w: f"{w.header}.{w.payload}.{encoded(bytes(1) + decoded(w.signature))}",
    "a bit of the payload": lambda w: f"{w.header}.{flipped(w.payload, 30)}.{w.signature}",
    "another payload": lambda w: f"{w.header}.{encoded(json.dumps(w.members).encode())} .{w.signature}",
    "padding": lambda w: f"{w.token}==",
    "not canonical": lambda w: w.token[:-1] + ("B" if w.token[-1] == "A" else "A"),
    "a space inside": lambda w: f"{w.header}. {w.payload}.{w.signature}",
    "quotes": lambda w: f'"{w.token}"',
    "nothing": lambda w: "",
    "dots": lambda w: "..",
    "very long": lambda w: w.token + "A" * 5000,
    "crit": lambda w: w.signed({"crit": ["x"], "x": 1}),
    "b64": lambda w: w.signed({"b64": False, "crit": ["b64"]}),
    "an extra header": lambda w: w.signed({"cty": "JWT"}),
    "another typ": lambda w: w.signed({"typ": "at+jwt"}),
    "kid of a file": lambda w: w.signed({"kid": "../../../../dev/null"}),
    "kid that is unknown": lambda w: w.signed({"kid": "0" * 64}),
    "kid that is a list": lambda w: w.signed({"kid": [w.kid]}),
    "kid null": lambda w: w.signed({"kid": None}),
    "expired": lambda w: w.signed(exp=w.members["iat"] - 1),
    "no exp": lambda w: w.signed(exp=None),
    "exp as text": lambda w: w.signed(exp=str(w.members["exp"])),
    "exp with a fraction": lambda w: w.signed(exp=w.members["exp"] + 0.5),
    "exp true": lambda w: w.signed(exp=True),
    "exp negative": lambda w: w.signed(exp=-1),
    "exp beyond all time": lambda w: w.signed(exp=2**63),
    "exp infinite": lambda w: w.signed(exp=float("inf")),
    "exp not a number": lambda w: w.signed(exp=float("nan")),
    "exp 1e400": lambda w: w.signed(
        payload=json.dumps(w.members).replace(str(w.members["exp"]), "1e400").encode()
    ),
    "not yet": lambda w: w.signed(nbf=w.members["iat"] + 3600),
    "no nbf": lambda w: w.signed(nbf=None),
    "another issuer": lambda w: w.signed(iss="https://evil.test"),
    "part of the issuer": lambda w: w.signed(iss="https://edge"),
    "issuer with a slash": lambda w: w.signed(iss="https://edge.test/"),
    "issuers": lambda w: w.signed(iss=["https://edge.test"]),
    "another audience": lambda w: w.signed(aud=["0" * 64]),
    "audience as text": lambda w: w.signed(aud=w.members["aud"][0]),
    "two audiences": lambda w: w.signed(aud=[*w.members["aud"], "x"]),
    "no audience": lambda w: w.signed(aud=[]),
    "audience in upper case": lambda w: w.signed(aud=[w.members["aud"][0].upper()]),
    "another type": lambda w: w.signed(type="org"),
    "another binding": lambda w: w.signed(policy_binding="0" * 64),
    "no binding": lambda w: w.signed(policy_binding=None),
    "other outcomes": lambda w: w.signed(certificate_outcomes="0"),
    "no outcomes": lambda w: w.signed(certificate_outcomes=None),
    "repeated member": lambda w: w.signed(
        payload=json.dumps(w.members)[:-1].encode() + b', "sub": "x", "sub": ""}'
    ),
    "a list for a payload": lambda w: w.signed(payload=b"[]"),
    "deep nesting": lambda w: w.signed(payload=b'{"a":' + b"[" * 1200 + b"]" * 1200 + b"}"),
    "no JSON": lambda w: w.signed(payload=b"\xff\xfe"),
}


@pytest.fixture(scope="module")
def workshop(session_edge: Edge, ca_a: Authority) -> Workshop:
    kid, private = signing_key(session_edge)
    return Workshop(obtain(session_edge, ca_a.issue("James Royal"), "/session"), kid, private)


def test_a_token_signed_anew_with_the_same_claims_is_good(session_edge: Edge, workshop: Workshop) -> None:
    """Or else the forgeries below would be refused for another reason than their own."""
    assert ask_with(session_edge, workshop.signed()).status == 200


@pytest.mark.parametrize("forgery", FORGERIES)
def test_no_forgery_stands_in_for_a_certificate(
    session_edge: Edge, origin: Origin, workshop: Workshop, forgery: str
) -> None:
    answer = ask_with(session_edge, FORGERIES[forgery](workshop))
    assert_refused(answer, "client_certificate_required")
    assert origin.received() == []


COOKIES: dict[str, list[str]] = {
    "twice": ["CF_Authorization={good}; CF_Authorization={good}"],
    "bad and then good": ["CF_Authorization=bad; CF_Authorization={good}"],
    "good and then bad": ["CF_Authorization={good}; CF_Authorization=bad"],
    "in two fields": ["CF_Authorization={good}", "CF_Authorization={good}"],
    "with an empty one": ["CF_Authorization=; CF_Authorization={good}"],
    "lower case": ["cf_authorization={good}"],
    "quoted": ['CF_Authorization="{good}"'],
    "a dot": ["CF.Authorization={good}"],
    "escaped": ["CF%5FAuthorization={good}"],
    "nameless": ["=CF_Authorization={good}"],
    "inside another": ["a=CF_Authorization={good}"],
    "after a comma": ["a=1, CF_Authorization={good}"],
    "a prefix": ["__Host-CF_Authorization={good}"],
    "a longer name": ["CF_Authorization2={good}"],
    "a no-break space before it": ["\xa0CF_Authorization={good}"],
    "something behind it": ["CF_Authorization={good} x"],
}


@pytest.mark.parametrize("case", COOKIES)
def test_only_the_one_cookie_in_its_one_spelling_counts(
    session_edge: Edge, origin: Origin, workshop: Workshop, case: str
) -> None:
    cookies = [cookie.format(good=workshop.token) for cookie in COOKIES[case]]
    assert_refused(ask_with_cookies(session_edge, cookies), "client_certificate_required")
    assert origin.received() == []


@pytest.mark.parametrize(
    "line",
    [
        "Cf-Access-Jwt-Assertion: {good}",
        "Cf-Access-Token: {good}",
        "Authorization: Bearer {good}",
        "Set-Cookie: CF_Authorization={good}",
        "X-Cookie: CF_Authorization={good}",
        "Cookie2: CF_Authorization={good}",
        "Mtls-Authenticated: true",
    ],
)
def test_a_token_counts_as_a_cookie_alone(
    session_edge: Edge, origin: Origin, workshop: Workshop, line: str
) -> None:
    with raw_tls(session_edge) as client:
        text = line.format(good=workshop.token)
        client.send(f"GET /session HTTP/1.1\r\nHost: a.test\r\n{text}\r\n\r\n".encode())
        assert_refused(client.read_answer(), "client_certificate_required")
        query = f"/session?CF_Authorization={workshop.token}"
        assert_refused(client.ask(query), "client_certificate_required")
    assert origin.received() == []
