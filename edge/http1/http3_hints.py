"""Hints at HTTP/3, which mutual TLS on this edge does not cover: told apart and refused.

The edge speaks HTTP/1.1 over TCP only. A client that was led to believe otherwise is told so, by an
answer that makes it forget (RFC 7838), and no origin can advertise an alternative (RFC 9114 3.1.1).
"""

from __future__ import annotations

from edge.model.http import RequestHead
from edge.model.refusal import Reason, Refusal

ALT_SVC = b"Alt-Svc"
ALT_SVC_LOWER = b"alt-svc"
"""To be removed from every answer of an origin."""

ALT_SVC_CLEAR = (ALT_SVC, b"clear")
"""RFC 7838 3: the client drops every alternative it remembers for the origin."""


def refuse_upgrade_hint(head: RequestHead) -> Refusal | None:
    """Return the refusal of a request that asks for HTTP/3 or came because of an alternative; else None."""
    if any(map(_names_http3, head.upgrade)):
        return Refusal(Reason.HTTP3_NOT_SUPPORTED, "Upgrade names HTTP/3")
    if head.value(b"alt-used") is not None:
        # RFC 7838 6: on a 421 the client removes the alternative and asks again without it.
        return Refusal(Reason.MISDIRECTED_REQUEST, "this host has no alternative service")
    return None


def _names_http3(protocol: bytes) -> bool:
    """``h3``, drafts of it, ``HTTP/3`` with or without a minor version, and the QUIC names before them."""
    name, _, version = protocol.partition(b"/")
    if name == b"http":
        return version == b"3" or version.startswith(b"3.")
    return name in (b"h3", b"quic") or name.startswith((b"h3-", b"quic-"))
