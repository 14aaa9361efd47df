"""Every test of an open stream runs twice: OpenSSL called directly, and by pyOpenSSL's methods."""

from __future__ import annotations

import pytest

from edge.tls.direct import DirectTlsStream
from edge.tls.stream import TlsStream


@pytest.fixture(params=[TlsStream, DirectTlsStream], ids=["public", "direct"])
def kind(request: pytest.FixtureRequest) -> type[TlsStream]:
    """The class of both ends."""
    chosen: type[TlsStream] = request.param
    return chosen
