"""Chooses how the edge speaks to OpenSSL: directly where that works, else by pyOpenSSL's methods."""

from __future__ import annotations

import os
from functools import cache

from edge.tls import direct
from edge.tls.direct import DirectTlsStream
from edge.tls.rehearsal import rehearse
from edge.tls.stream import TlsStream

VARIABLE = "EDGE_TLS_CALLS"
"""Environment variable: ``public`` keeps to pyOpenSSL's methods."""


@cache
def stream_class() -> type[TlsStream]:
    """Return the class of every TLS stream of this process. The first call takes a few milliseconds."""
    if os.environ.get(VARIABLE) == "public" or direct.MISSING:
        return TlsStream
    return DirectTlsStream if rehearse(DirectTlsStream) else TlsStream


def calls_in_use() -> str:
    """Return ``direct`` or ``public``, for the log."""
    return "direct" if stream_class() is DirectTlsStream else "public"
