"""The request as the origin gets it: written anew from parsed parts, with what the edge vouches for.

Order matters: the client's hop-by-hop fields and everything that is the edge's own go first, then the
edge's own are added. So no ``Connection: Mtls-Authenticated`` can take away what was added.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from edge.access.cookies import strip_cookie
from edge.http1.headers import hop_by_hop
from edge.http1.writer import request_head
from edge.model.http import Framing, RequestHead, ResponseHead
from edge.proxy.owned_headers import is_owned

_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))
_CONNECTION_SCHEME = re.compile(rb"(?:^|,)[ \t]*(?:ntlm|negotiate)(?![^ \t,])", re.IGNORECASE)
_REWRITTEN = frozenset((b"content-length", b"cookie", b"expect"))


def is_idempotent(head: RequestHead) -> bool:
    """Tell whether a method may be sent twice (RFC 9110 9.2.2)."""
    return head.method in _IDEMPOTENT


def binds_connection(head: RequestHead, answer: ResponseHead | None) -> bool:
    """Tell whether an origin may take the whole connection for one user's from now on.

    NTLM and Negotiate authenticate the connection instead of the request (RFC 4559 6): the next client's
    request on it would be this client's. Such a connection serves nobody else.
    """
    values = [*head.values(b"authorization")]
    if answer is not None:
        values += answer.values(b"www-authenticate")
    return any(_CONNECTION_SCHEME.search(value) for value in values)


def origin_request(front: bytes, request_id: bytes) -> bytes:
    """Return the octets of a request's head. ``request_id`` is one of ``RequestIds``."""
    return b"%bX-Request-Id: %b\r\n\r\n" % (front, request_id)


def origin_request_front(
    head: RequestHead,
    *,
    identity: Iterable[tuple[bytes, bytes]],
    assertion: str | None,
    client: str,
    fallback_host: str,
    websocket: bool,
) -> bytes:
    """Return the head but for the request's identifier: what is the same for every request like this.

    ``fallback_host`` is for an HTTP/1.0 request without Host, canonical: the name in its target, or
    else the name that the connection was made for.
    """
    host = head.value(b"host")
    dropped = hop_by_hop(head)
    fields = [
        (name, value)
        for lower, name, value in head.fields
        if lower not in dropped and lower not in _REWRITTEN and not is_owned(lower)
    ]
    if host is None:
        host = _authority(fallback_host)
        fields.append((b"Host", host))
    cookies = list(head.values(b"cookie"))
    if cookies:
        fields += [(b"Cookie", value) for value in strip_cookie(cookies)]
    if head.body.framing is Framing.LENGTH:
        fields.append((b"Content-Length", b"%d" % head.body.length))
    elif head.body.framing is Framing.CHUNKED:
        fields.append((b"Transfer-Encoding", b"chunked"))
    if head.expect_continue:
        fields.append((b"Expect", b"100-continue"))
    if websocket:
        fields += ((b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))
    fields += (
        (b"X-Forwarded-For", client.encode("ascii")),
        (b"X-Forwarded-Proto", b"https"),
        (b"X-Forwarded-Host", host),
        *identity,
    )
    if assertion is not None:
        fields.append((b"Cf-Access-Jwt-Assertion", assertion.encode("ascii")))
    return request_head(head.method, head.target.wire, fields).removesuffix(b"\r\n")


def _authority(host: str) -> bytes:
    """Write a canonical host as a Host field has it: an IPv6 address stands in brackets."""
    return (f"[{host}]" if ":" in host else host).encode("ascii")
