"""What a worker shakes hands with when it has learned a generation that its contexts were not made for.

It is about to be relieved by workers that have the right ones. Until then handshakes under way must
neither crash nor prove more than they did.
"""

from __future__ import annotations

from OpenSSL import SSL

from edge.model.client_auth import Verification
from edge.tls.chain_hints import ChainHints
from edge.tls.stream import TlsStream
from edge.tls.verification import VerifiedMemory, Verifier
from edge.trust.ca_bundle import CaBundle


def refusing_context() -> SSL.Context:
    """Make a server's context without a certificate: OpenSSL answers every hello with an alert."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    return context


class RelievedVerifier(Verifier):
    """Judges by new CAs on a host whose handshakes are still verified by the context that had others."""

    __slots__ = ("of_context",)

    def __init__(self, bundle: CaBundle, of_context: Verifier | None) -> None:
        super().__init__(bundle)
        self.of_context = of_context
        """The verifier that belongs to the context; None where that one asks for no certificate."""

    def conclude(
        self, stream: TlsStream, memory: VerifiedMemory, hints: ChainHints, now: float
    ) -> Verification | None:
        """Return what the handshake proved to the CAs that it was verified against: never to ours."""
        if self.of_context is None:
            return None
        return self.of_context.conclude(stream, memory, hints, now)


def relieve(bundle: CaBundle, served: Verifier | None) -> Verifier:
    """Return a verifier for new CAs, beside a context that ``served`` is used with."""
    of_context = served.of_context if isinstance(served, RelievedVerifier) else served
    for known in (served, of_context):
        if known is not None and known.bundle.digest == bundle.digest:
            return known
    return RelievedVerifier(bundle, of_context)
