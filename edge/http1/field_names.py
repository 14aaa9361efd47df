"""Tables of field names: the common ones, and those that have no business in a trailer.

A name found in ``LOWER_NAMES`` needs no check of its grammar and no lower-casing: reading a common one
costs one dictionary look-up. It changes no meaning: another name is read by the same rule, only slower.
"""

from __future__ import annotations

_COMMON_NAMES = """
accept accept-charset accept-encoding accept-language accept-ranges access-control-allow-credentials
access-control-allow-headers access-control-allow-methods access-control-allow-origin
access-control-expose-headers access-control-max-age access-control-request-headers
access-control-request-method age allow alt-svc authorization cache-control cf-connecting-ip cf-ray
connection content-disposition content-encoding content-language content-length content-location
content-md5 content-range content-security-policy content-type cookie
cross-origin-embedder-policy cross-origin-opener-policy cross-origin-resource-policy date device-memory
dnt etag expect expires forwarded from host if-match if-modified-since if-none-match if-range
if-unmodified-since keep-alive last-modified link location max-forwards origin permissions-policy pragma
priority proxy-connection range referer referrer-policy retry-after sec-ch-ua sec-ch-ua-mobile
sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user sec-gpc
sec-websocket-accept sec-websocket-extensions sec-websocket-key sec-websocket-protocol
sec-websocket-version server server-timing set-cookie strict-transport-security te traceparent tracestate
trailer transfer-encoding upgrade upgrade-insecure-requests user-agent vary via www-authenticate
x-api-key x-content-type-options x-forwarded-for x-forwarded-host x-forwarded-proto x-frame-options
x-powered-by x-real-ip x-request-id x-requested-with x-xss-protection
"""

_SPELT_OTHERWISE = ("DNT", "ETag", "TE", "WWW-Authenticate", "X-Request-ID", "X-XSS-Protection")


def _table() -> dict[bytes, bytes]:
    table: dict[bytes, bytes] = {}
    for lower in _COMMON_NAMES.split():
        title = "-".join(word.capitalize() for word in lower.split("-"))
        table[lower.encode("ascii")] = table[title.encode("ascii")] = lower.encode("ascii")
    for name in _SPELT_OTHERWISE:
        table[name.encode("ascii")] = name.lower().encode("ascii")
    return table


LOWER_NAMES = _table()
"""Lower-case and title-case spellings of common names, each with its lower-case form."""

_FRAMING = """
connection content-length http2-settings keep-alive proxy-connection te trailer transfer-encoding upgrade
"""
_ROUTING = "alt-svc alt-used forwarded host max-forwards origin referer via"
_AUTHENTICATION = """
authentication-info authorization client-cert client-cert-chain cookie cookie2 proxy-authenticate
proxy-authentication-info proxy-authorization set-cookie set-cookie2 www-authenticate
"""
_REQUEST_MODIFIERS = """
cache-control early-data expect if-match if-modified-since if-none-match if-range if-unmodified-since pragma
range
"""
_RESPONSE_CONTROL = """
age clear-site-data content-security-policy date expires last-modified location retry-after
strict-transport-security vary warning
"""
_CONTENT_FORMAT = """
content-disposition content-encoding content-language content-location content-range content-type
"""

NEVER_IN_TRAILERS = frozenset(
    name.encode("ascii")
    for names in (
        _FRAMING,
        _ROUTING,
        _AUTHENTICATION,
        _REQUEST_MODIFIERS,
        _RESPONSE_CONTROL,
        _CONTENT_FORMAT,
    )
    for name in names.split()
)
"""RFC 9110 6.5.1: lower-case names of fields whose reader acts before the content, and so never sees a
trailer, or acts on it in the wrong place."""

NEVER_IN_TRAILERS_PREFIXES = (
    b"access-control-",
    b"cf-",
    b"proxy-",
    b"sec-",
    b"x-forwarded-",
    b"x-original-",
    b"x-real-",
    b"x-rewrite-",
    b"x-ssl-",
)
"""Families with the same powers, whose members nobody can list."""
