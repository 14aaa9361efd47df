"""An edge for the tests of cookie and token: applications with every kind of session, on ``a.test``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.certificates import Credential
from tests.e2e.clients import raw_tls
from tests.e2e.configuration import (
    application_table,
    application_with,
    ca_table,
    host_table,
    policy_table,
    server_table,
)
from tests.e2e.edge_process import Edge
from tests.e2e.refusals import AnyAnswer
from tests.e2e.tls_client import Answer

ISSUER = "https://edge.test"
JAMES = '{ common_name = "James Royal" }'
SESSION = "recheck_certificate = false"

APPLICATIONS = [
    application_table("a.test", '"certificate"', 'session_duration = "0s"'),
    application_table("a.test/day"),
    application_table("a.test/session", JAMES, SESSION),
    application_table("a.test/any", '"certificate"', SESSION),
    application_table("a.test/moment", JAMES, SESSION, 'session_duration = "1s"'),
    application_table("a.test/read", JAMES, SESSION).rstrip() + "\n  require = [{ method = 'GET' }]\n",
    application_with(
        "a.test/rest",
        policy_table("rest", "deny", '"everyone"'),
        policy_table("service", "non_identity", JAMES),
        lines=[SESSION],
    ),
    application_table("a.test/public", '"everyone"', decision="bypass"),
    application_table("a.test/everyone", '"everyone"'),
    application_table(
        "a.test/lax",
        '"certificate"',
        'same_site_cookie_attribute = "lax"',
        "http_only_cookie_attribute = false",
        "path_cookie_attribute = true",
    ),
    application_table("b.test", JAMES, SESSION),
    application_table("*.wild.test", JAMES, SESSION),
]


@contextmanager
def token_edge(directory: Path, pki: Path, origin_url: str, algorithm: str) -> Iterator[Edge]:
    """Run it with one worker, so that one mint answers."""
    parts = [
        server_table(workers=1),
        f'signing_algorithm = "{algorithm}"\n',
        host_table(pki, "a.test", origin_url, 'aliases = ["alias-of-a.test"]'),
        host_table(pki, "b.test", origin_url),
        host_table(pki, "*.wild.test", origin_url),
        host_table(pki, "open.test", origin_url, 'unmatched = "pass"'),
        ca_table("CA A", pki / "ca-a.pem", "a.test", "b.test", "*.wild.test"),
        *APPLICATIONS,
    ]
    with Edge("".join(parts), directory, server_ca=pki / "server-ca.pem") as running:
        yield running


def cookie_of(answer: AnyAnswer) -> str:
    """The token that an answer sets."""
    (set_cookie,) = answer.values("set-cookie")
    return set_cookie.removeprefix("CF_Authorization=").partition(";")[0]


def obtain(edge: Edge, credential: Credential | None, path: str, *, host: str = "a.test") -> str:
    """Ask with a certificate and return the token."""
    with raw_tls(edge, host, credential) as client:
        answer = client.ask(path, host=host)
    assert answer.status == 200, answer
    return cookie_of(answer)


def published(edge: Edge) -> dict[str, Any]:
    """What ``/cdn-cgi/access/certs`` shows."""
    with raw_tls(edge) as client:
        document: dict[str, Any] = json.loads(client.ask("/cdn-cgi/access/certs").body)
    return document


def verified(edge: Edge, token: str, algorithm: str) -> dict[str, Any]:
    """Verify with PyJWT as an origin would, by the published keys, and return the claims."""
    keys = jwt.PyJWKSet.from_dict(published(edge))
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(
        token,
        key.key,
        algorithms=[algorithm],
        issuer=ISSUER,
        options={"require": ["exp", "iat", "nbf", "iss", "aud", "sub"], "verify_aud": False},
    )
    return claims


def signing_key(edge: Edge) -> tuple[str, Any]:
    """The key id and the private key of the edge: for tokens that are wrong in one point only."""
    (path,) = (edge.config_path.parent / "state" / "signing-keys").glob("*.pem")
    return path.stem, load_pem_private_key(path.read_bytes(), None)


def ask_with(
    edge: Edge,
    token: str,
    path: str = "/session",
    *,
    credential: Credential | None = None,
    host: str = "a.test",
    method: str = "GET",
) -> Answer:
    """Ask with that token as the cookie."""
    return ask_with_cookies(
        edge, [f"CF_Authorization={token}"], path, credential=credential, host=host, method=method
    )


def ask_with_cookies(
    edge: Edge,
    cookies: list[str],
    path: str = "/session",
    *,
    credential: Credential | None = None,
    host: str = "a.test",
    method: str = "GET",
) -> Answer:
    """Ask with these Cookie fields."""
    lines = "".join(f"Cookie: {cookie}\r\n" for cookie in cookies)
    with raw_tls(edge, host, credential) as client:
        client.send(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode("latin-1"))
        return client.read_answer(method)
