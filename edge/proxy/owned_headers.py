"""The header names no client may use: what the edge says about a client, and twins of what frames.

A request loses every header of these names before the edge writes its own, whether a certificate was
presented or not, and in any spelling that a framework may fold into the same name (``X_Forwarded_For``,
``x.forwarded.for``). Whole families go, not only the names written today: an origin that trusts one
of them must be able to trust all.
"""

from __future__ import annotations

from edge.http1.headers import squash

OWNED = frozenset(
    (
        b"x-request-id",
        b"forwarded",
        b"x-real-ip",
        b"true-client-ip",
        b"x-client-ip",
        b"x-cluster-client-ip",
        b"client-cert",
        b"client-cert-chain",
        b"alt-used",
        b"proxy",  # httpoxy: CGI makes it HTTP_PROXY
        b"x-original-url",  # these two replace the path behind the policy's back
        b"x-rewrite-url",
    )
)
"""Squashed names. ``Client-Cert`` and its chain: RFC 9440 2.4 demands their removal."""

OWNED_FAMILIES = (
    b"x-forwarded-",
    b"mtls-",
    b"cf-access-",
    b"cf-client-cert-",
    b"cf-connecting-",
    b"x-ssl-client-",
    b"x-client-verify",
    b"x-client-cert",
    b"ssl-client-",
)
TWINS = frozenset(
    (
        b"authorization",
        b"connection",
        b"content-length",
        b"content-type",
        b"cookie",
        b"expect",
        b"host",
        b"http2-settings",
        b"transfer-encoding",
        b"upgrade",
    )
)
"""Names that frame, route or authenticate. In another spelling (``Content_Length``) they mean nothing to
the edge and may mean everything to a CGI or WSGI origin: then the origin reads a request we did not."""

_MEMORY_LIMIT = 4096
_MEMORY_NAME_OCTETS = 64

_known: dict[bytes, bool] = {}
"""Answers for names seen before: a pure function's memory, bounded because clients choose the names."""


def is_owned(lower_name: bytes) -> bool:
    """Tell whether a client's header of this lower-case name must not reach an origin."""
    answer = _known.get(lower_name)
    if answer is None:
        squashed = squash(lower_name)
        answer = (
            squashed in OWNED
            or squashed.startswith(OWNED_FAMILIES)
            or (squashed in TWINS and squashed != lower_name)
        )
        if len(_known) < _MEMORY_LIMIT and len(lower_name) <= _MEMORY_NAME_OCTETS:
            _known[lower_name] = answer
    return answer
