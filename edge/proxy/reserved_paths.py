"""What the edge answers itself under ``/cdn-cgi/access/``; none of it ever reaches an origin.

``certs`` publishes the keys that sign tokens, ``get-identity`` tells a caller who it is taken for,
``logout`` makes a browser forget its token. Nothing here tells anything about the configuration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import orjson

from edge.access.cookies import clear_cookie
from edge.access.path_table import HostTable
from edge.access.token import KeyRing
from edge.model.client_auth import ClientAuth
from edge.model.http import RequestHead
from edge.model.refusal import Reason, Refusal
from edge.proxy.responses import own_answer

_PREFIX = b"/cdn-cgi/access"
_READING = frozenset((b"GET", b"HEAD"))
_JSON = (b"Content-Type", b"application/json")
_NO_STORE = (b"Cache-Control", b"no-store")
_CERTS_MAX_AGE = (b"Cache-Control", b"public, max-age=300")
"""Old keys are published along with the new for far longer than this."""


@dataclass(frozen=True, slots=True)
class ReservedAnswer:
    """An answer of the edge: status, fields, body."""

    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def render(
        self,
        head: RequestHead,
        *,
        request_id: bytes,
        date: bytes,
        close: bool,
        extra: tuple[tuple[bytes, bytes], ...] = (),
    ) -> bytes:
        """Return the octets."""
        fields = self.fields + extra
        return own_answer(self.status, fields, self.body, head, request_id=request_id, date=date, close=close)


@dataclass(frozen=True, slots=True)
class _Asked:
    table: HostTable
    auth: ClientAuth
    key_ring: KeyRing
    client: str
    now: float


def is_reserved(path: bytes) -> bool:
    """Tell whether a normalised path is the edge's own."""
    return path.startswith(_PREFIX) and path[len(_PREFIX) : len(_PREFIX) + 1] in (b"", b"/")


def answer(
    head: RequestHead, table: HostTable, auth: ClientAuth, *, key_ring: KeyRing, client: str, now: float
) -> ReservedAnswer | Refusal:
    """Answer a request to a reserved path."""
    found = _PATHS.get(head.target.path[len(_PREFIX) :])
    if found is None:
        return Refusal(Reason.NOT_FOUND)
    allowed, respond = found
    if head.method not in allowed:
        return Refusal(Reason.METHOD_NOT_ALLOWED, "this path is for reading only")
    return respond(_Asked(table, auth, key_ring, client, now))


def _certs(asked: _Asked) -> ReservedAnswer:
    return ReservedAnswer(200, (_JSON, _CERTS_MAX_AGE), asked.key_ring.jwks_json)


def _get_identity(asked: _Asked) -> ReservedAnswer | Refusal:
    auth = asked.auth
    certificate = auth.verified
    if certificate is None:
        return Refusal(
            auth.failure or Reason.CLIENT_CERTIFICATE_REQUIRED, auth.verify.removeprefix("FAILED:")
        )
    issuer = auth.chain[1] if len(auth.chain) > 1 else auth.chain[0]
    identity = {
        "common_name": certificate.common_name,
        "auth_status": auth.verify,
        "ip": asked.client,
        "iat": int(asked.now),
        "mtls_auth": {
            "auth_status": auth.verify,
            "cert_issuer_dn": certificate.issuer,
            "cert_issuer_ski": issuer.subject_key_id.hex().upper(),
            "cert_presented": auth.presented,
            "cert_serial": certificate.serial_hex,
        },
    }
    return ReservedAnswer(200, (_JSON, _NO_STORE), orjson.dumps(identity))


def _logout(asked: _Asked) -> ReservedAnswer:
    cookies = dict.fromkeys(clear_cookie(application) for application in asked.table.applications)
    fields = tuple((b"Set-Cookie", cookie) for cookie in cookies)
    text = (b"Content-Type", b"text/plain; charset=utf-8")
    return ReservedAnswer(200, (text, _NO_STORE, *fields), b"You are logged out.\n")


_Respond = Callable[[_Asked], ReservedAnswer | Refusal]
_PATHS: dict[bytes, tuple[frozenset[bytes], _Respond]] = {
    b"/certs": (_READING, _certs),
    b"/get-identity": (_READING, _get_identity),
    b"/logout": (_READING | {b"POST"}, _logout),
}
