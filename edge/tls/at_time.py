"""Verifies a client's certificate as the handshake of a host would at a chosen moment.

For explanations and policy tests: nobody shakes hands, nothing is remembered, and the clock may stand
at any time. It is the verification that a resumed session gets, with another date.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from OpenSSL import crypto

from edge.model.client_auth import Verification
from edge.tls.verification import Verifier
from edge.trust.ca_bundle import CaBundle


class UnusableCertificate(ValueError):
    """OpenSSL cannot parse it, so no client can present it."""


class VerifierAt(Verifier):
    """The verifier of one host's clients, at one moment."""

    __slots__ = ()

    def __init__(self, bundle: CaBundle, at: datetime) -> None:
        """``at`` is in UTC."""
        super().__init__(bundle)
        self._store.set_time(at)

    def verify(self, leaf: bytes, intermediates: Sequence[bytes]) -> Verification:
        """Verify a leaf with what a client sends along, all in DER. Raises ``UnusableCertificate``."""
        try:
            return self._verify_again(leaf, intermediates)
        except crypto.Error:
            raise UnusableCertificate("OpenSSL cannot read the certificate") from None
