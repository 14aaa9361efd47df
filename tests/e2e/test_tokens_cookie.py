"""The cookie and the assertion: what they say, who gets them, and that no origin sees or sets the cookie."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import jwt
import pytest

from tests.certificates import Authority, Credential, CredentialFiles, name
from tests.e2e.behaviours import POISON
from tests.e2e.clients import curl, raw_tls
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.token_edge import ISSUER, cookie_of, obtain, token_edge, verified


@pytest.fixture(scope="module")
def rs256_edge(tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin) -> Iterator[Edge]:
    with token_edge(tmp_path_factory.mktemp("rs256"), pki, session_origin.url, "RS256") as running:
        yield running


@pytest.fixture(scope="module")
def es256_edge(tmp_path_factory: pytest.TempPathFactory, pki: Path, session_origin: Origin) -> Iterator[Edge]:
    with token_edge(tmp_path_factory.mktemp("es256"), pki, session_origin.url, "ES256") as running:
        yield running


@pytest.fixture(scope="module")
def james(ca_a: Authority) -> Credential:
    return ca_a.issue("James Royal", not_after=timedelta(days=30))


@pytest.mark.parametrize(
    ("path", "attributes"),
    [
        ("/", "Path=/; Secure; HttpOnly; SameSite=None"),
        ("/day", "Path=/; Secure; HttpOnly; SameSite=None"),
        ("/session/x", "Path=/; Secure; HttpOnly; SameSite=None"),
        ("/lax/x", "Path=/lax; Secure; SameSite=Lax"),
    ],
)
def test_set_cookie_is_exactly_as_promised(
    rs256_edge: Edge, james: Credential, path: str, attributes: str
) -> None:
    with raw_tls(rs256_edge, credential=james) as client:
        (set_cookie,) = client.ask(path).values("set-cookie")
    assert re.fullmatch(rf"CF_Authorization=[\w-]+\.[\w-]+\.[\w-]+; {re.escape(attributes)}", set_cookie)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_stranger_verifies_the_cookie_by_the_published_keys(
    rs256_edge: Edge, es256_edge: Edge, ca_a: Authority, algorithm: str
) -> None:
    edge = {"RS256": rs256_edge, "ES256": es256_edge}[algorithm]
    james = ca_a.issue("James Royal", serial=0x0ABC01, not_after=timedelta(days=30))
    before = int(time.time())  # noqa: TID251 -- the edge reads this clock too
    token = obtain(edge, james, "/day")
    header = jwt.get_unverified_header(token)
    assert header == {"alg": algorithm, "typ": "JWT", "kid": header["kid"]}
    claims = verified(edge, token, algorithm)
    thumbprint = base64.urlsafe_b64encode(bytes.fromhex(james.fingerprint)).decode().rstrip("=")
    (aud,) = claims.pop("aud")
    assert re.fullmatch("[0-9a-f]{64}", aud)
    assert before <= claims["iat"] <= before + 60
    assert claims == {
        "type": "app",
        "iss": ISSUER,
        "iat": claims["iat"],
        "nbf": claims["iat"],
        "exp": claims["iat"] + 24 * 3600,
        "sub": "",
        "common_name": "James Royal",
        "cnf": {"x5t#S256": thumbprint},
        "serial": "0ABC01",
        "issuer_dn": "CN=CA A,O=Test",
        "policy": "a.test/day policy",
    }


def test_a_token_does_not_outlive_its_certificate(rs256_edge: Edge, ca_a: Authority) -> None:
    credential = ca_a.issue("James Royal", not_after=timedelta(hours=1))
    claims = verified(rs256_edge, obtain(rs256_edge, credential, "/day"), "RS256")
    assert claims["exp"] == int(credential.certificate.not_valid_after_utc.timestamp())


def test_every_application_has_an_audience_of_its_own_that_an_alias_shares(
    rs256_edge: Edge, james: Credential
) -> None:
    tokens = [obtain(rs256_edge, james, path) for path in ("/", "/day", "/session", "/any")]
    tokens.append(obtain(rs256_edge, james, "/", host="b.test"))
    audiences = {verified(rs256_edge, token, "RS256")["aud"][0] for token in tokens}
    assert len(audiences) == len(tokens)
    by_alias = obtain(rs256_edge, james, "/day", host="alias-of-a.test")
    assert verified(rs256_edge, by_alias, "RS256")["aud"][0] in audiences


def test_a_name_that_is_not_the_one_common_name_is_not_in_the_token(
    rs256_edge: Edge, ca_a: Authority
) -> None:
    both = ca_a.issue(subject=name(("CN", "one"), ("CN", "two")))
    assert verified(rs256_edge, obtain(rs256_edge, both, "/day"), "RS256")["common_name"] == ""


def test_without_a_certificate_a_token_is_bound_to_none(rs256_edge: Edge, ca_a: Authority) -> None:
    for credential in (None, ca_a.impostor().issue("James Royal")):
        claims = verified(rs256_edge, obtain(rs256_edge, credential, "/everyone"), "RS256")
        assert claims["common_name"] == ""
        assert not {"cnf", "serial", "issuer_dn"} & claims.keys()


def test_the_cookie_is_not_set_again_while_a_good_one_is_sent(
    rs256_edge: Edge, james: Credential, ca_a: Authority
) -> None:
    token = obtain(rs256_edge, james, "/day")
    other = obtain(rs256_edge, james, "/session")
    strangers = obtain(rs256_edge, ca_a.issue("Jane Doe"), "/day")
    with raw_tls(rs256_edge, credential=james) as client:
        for cookie, is_set in (
            (f"CF_Authorization={token}", False),
            (f"a=1; CF_Authorization={token}; b=2", False),
            ("a=1", True),
            (f"CF_Authorization={token[:-4]}", True),
            (f"CF_Authorization={other}", True),
            (f"CF_Authorization={strangers}", True),
            (f"CF_Authorization={token}; CF_Authorization={token}", True),
        ):
            client.send(f"GET /day HTTP/1.1\r\nHost: a.test\r\nCookie: {cookie}\r\n\r\n".encode())
            answer = client.read_answer()
            assert (answer.status, len(answer.values("set-cookie"))) == (200, is_set), cookie


def test_without_a_duration_the_cookie_is_set_on_every_answer(
    rs256_edge: Edge, origin: Origin, james: Credential
) -> None:
    with raw_tls(rs256_edge, credential=james) as client:
        token = cookie_of(client.ask("/x"))
        for _ in range(3):
            client.send(
                f"GET /x HTTP/1.1\r\nHost: a.test\r\nCookie: CF_Authorization={token}\r\n\r\n".encode()
            )
            cookie_of(client.read_answer())
    assertion = origin.received("/x")[0].value("cf-access-jwt-assertion")
    assert assertion is not None
    claims = verified(rs256_edge, assertion, "RS256")
    assert claims["exp"] - claims["iat"] == 60


def test_a_token_is_minted_once_and_handed_out_again(
    es256_edge: Edge, origin: Origin, james: Credential, ca_a: Authority
) -> None:
    # Two ES256 signatures are never the same, so that equal tokens are one token.
    tokens = {obtain(es256_edge, james, "/day/x") for _ in range(5)}
    assertions = {received.value("cf-access-jwt-assertion") for received in origin.received("/day/x")}
    assert len(tokens) == 1
    assert assertions == tokens
    assert obtain(es256_edge, ca_a.issue("James Royal"), "/day/x") not in tokens


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_the_assertion_verifies_and_is_for_service_auth_alone(
    rs256_edge: Edge, es256_edge: Edge, origin: Origin, james: Credential, algorithm: str
) -> None:
    edge = {"RS256": rs256_edge, "ES256": es256_edge}[algorithm]
    with raw_tls(edge, credential=james) as client:
        for path in ("/x", "/day", "/session", "/public"):
            assert client.ask(path).status == 200
    *service, public = [received.value("cf-access-jwt-assertion") for received in origin.received()]
    assert public is None
    for assertion in service:
        assert assertion is not None
        assert verified(edge, assertion, algorithm)["common_name"] == "James Royal"


def test_a_session_lives_on_an_es256_token_too(es256_edge: Edge, james: Credential) -> None:
    token = obtain(es256_edge, james, "/session")
    head, payload, signature = token.split(".")
    with raw_tls(es256_edge) as client:
        for cookie, status in ((token, 200), (f"{head}.{payload}.{signature[::-1]}", 403), (token, 200)):
            client.send(
                f"GET /session HTTP/1.1\r\nHost: a.test\r\nCookie: CF_Authorization={cookie}\r\n\r\n".encode()
            )
            assert client.read_answer().status == status


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [
        ("/public", "a.test", 200),
        ("/session", "a.test", 403),
        ("/x", "open.test", 200),
        ("/x", "elsewhere.test", 421),
        ("/cdn-cgi/access/certs", "a.test", 200),
    ],
)
def test_no_cookie_where_no_service_auth_policy_let_pass(
    rs256_edge: Edge, ca_a: Authority, path: str, host: str, status: int
) -> None:
    sni = host if host == "open.test" else "a.test"
    with raw_tls(rs256_edge, sni, ca_a.issue("Jane Doe")) as client:
        answer = client.ask(path, host=host)
    assert (answer.status, answer.values("set-cookie")) == (status, [])


TOKEN = "eyJh.eyJh.c2ln"
COOKIES: list[tuple[list[str], list[str]]] = [
    ([f"CF_Authorization={TOKEN}"], []),
    ([f"a=1; CF_Authorization={TOKEN}; b=2"], ["a=1; b=2"]),
    ([f"CF_Authorization={TOKEN}; CF_Authorization={TOKEN}; a=1"], ["a=1"]),
    ([f"CF_Authorization={TOKEN}", "a=1"], ["a=1"]),
    (["a=1", f"b=2;CF_Authorization={TOKEN}"], ["a=1", "b=2"]),
    ([f'CF_Authorization="{TOKEN}"; a=1'], ["a=1"]),
    ([f"cf_authorization={TOKEN}; CF_AUTHORIZATION={TOKEN}; a=1"], ["a=1"]),
    ([f"CF_Authorization ={TOKEN}; a=1"], ["a=1"]),
    ([f"CF_Authorization\t= {TOKEN}; a=1"], ["a=1"]),
    ([f"CF.Authorization={TOKEN}; CF%5FAuthorization={TOKEN}; a=1"], ["a=1"]),
    ([f"%43F_Authorization={TOKEN}; a=1"], ["a=1"]),
    ([f"=CF_Authorization={TOKEN}; a=1"], ["a=1"]),
    ([f"a=1, CF_Authorization={TOKEN}"], ["a=1"]),
    ([f"\xa0CF_Authorization={TOKEN}; a=1"], ["a=1"]),
    (["a=1; b=2"], ["a=1; b=2"]),
    (["XCF_Authorization=1; CF_Authorization2=2"], ["XCF_Authorization=1; CF_Authorization2=2"]),
]


@pytest.mark.parametrize(("sent", "passed_on"), COOKIES)
@pytest.mark.parametrize("host", ["a.test", "open.test"])
def test_the_cookie_stays_at_the_edge_and_others_pass(
    rs256_edge: Edge, origin: Origin, james: Credential, host: str, sent: list[str], passed_on: list[str]
) -> None:
    lines = "".join(f"Cookie: {value}\r\n" for value in sent)
    with raw_tls(rs256_edge, host, james) as client:
        client.send(f"GET /public HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode("latin-1"))
        assert client.read_answer().status == 200
    (received,) = origin.received()
    assert received.values("cookie") == passed_on
    assert TOKEN.encode() not in received.head


def test_an_origin_cannot_set_the_cookie(rs256_edge: Edge, james: Credential) -> None:
    with raw_tls(rs256_edge, credential=james) as client:
        values = client.ask("/set-cookie").values("set-cookie")
        hints = client.ask("/early-hints")
        trailers = client.ask("/trailers")
    assert values[:2] == ["first=1", "last=1"]
    assert len(values) == 3
    assert POISON.decode() not in str(values + hints.values("set-cookie"))
    assert POISON.decode() not in str(trailers)
    with raw_tls(rs256_edge, "open.test") as client:
        assert client.ask("/set-cookie", host="open.test").values("set-cookie") == ["first=1", "last=1"]


def test_curl_keeps_the_cookie_and_is_not_given_another(
    rs256_edge: Edge, client_a: CredentialFiles, tmp_path: Path
) -> None:
    jar = str(tmp_path / "jar")
    first = curl(rs256_edge, "/day", "--cookie-jar", jar, "--cookie", jar, cert=client_a)
    assert len(first.values("set-cookie")) == 1
    assert "#HttpOnly_a.test\tFALSE\t/\tTRUE\t0\tCF_Authorization\t" in Path(jar).read_text()
    second = curl(rs256_edge, "/day", "--cookie-jar", jar, "--cookie", jar, cert=client_a)
    assert (second.status, second.values("set-cookie")) == (200, [])
    without = curl(rs256_edge, "/day", "--cookie", jar)
    assert without.status == 403
