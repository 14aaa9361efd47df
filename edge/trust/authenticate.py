"""Makes the flag from what a handshake recorded, for one moment. It judges nobody.

A certificate may expire or be revoked while its connection lives, and a record made against a CA bundle
that is no longer in force proves nothing: so the flag is made again whenever one of these may have changed.
"""

from __future__ import annotations

from edge.model.client_auth import NO_CERTIFICATE, ClientAuth, Verification
from edge.model.refusal import Reason
from edge.trust.ca_bundle import CaBundle
from edge.trust.revocation import Revocation, judge_revocation

_NOT_YET_VALID, _HAS_EXPIRED = 9, 10
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL's x509_vfy.h."""
_TIME_ERRORS = frozenset((_NOT_YET_VALID, _HAS_EXPIRED))


def authenticate(
    verification: Verification | None, bundle: CaBundle | None, revocation: Revocation, now: float
) -> ClientAuth:
    """Return the flag at ``now`` (seconds since the epoch) under the bundle and the CRLs in force.

    ``verification`` is None if no certificate was presented; ``bundle`` is None on a host that asks
    for none.
    """
    if verification is None:
        return NO_CERTIFICATE
    if verification.errors:
        return _failed(verification, verification.errors[0].text, _reason(verification))
    if bundle is None or verification.bundle != bundle.digest or not verification.chain:
        return _failed(
            verification, "not verified against this host's CAs", Reason.CLIENT_CERTIFICATE_INVALID
        )
    for certificate in verification.chain:
        if now > certificate.not_after:
            return _failed(verification, "certificate has expired", Reason.CLIENT_CERTIFICATE_EXPIRED)
        if now < certificate.not_before:
            return _failed(verification, "certificate is not yet valid", Reason.CLIENT_CERTIFICATE_EXPIRED)
    judgement = judge_revocation(verification.links, bundle, revocation, now)
    if judgement.finding is not None:
        finding = judgement.finding
        return _failed(verification, finding.text, finding.reason, finding.detail)
    return ClientAuth(
        presented=True,
        mtls_authenticated=True,
        verify="SUCCESS",
        failure=None,
        certificate=verification.leaf,
        chain=verification.chain,
        issuing_ca=_issuing_ca(verification, bundle),
        links=verification.links,
        good_until=min(valid_until(verification), judgement.good_until),
    )


def valid_until(verification: Verification) -> float:
    """Return when the first certificate of the verified chain ends, in seconds since the epoch."""
    return min(certificate.not_after for certificate in verification.chain)


def valid_since(verification: Verification) -> float:
    """Return when the last certificate of the verified chain began, in seconds since the epoch."""
    return max(certificate.not_before for certificate in verification.chain)


def _reason(verification: Verification) -> Reason:
    if all(error.code in _TIME_ERRORS for error in verification.errors):
        return Reason.CLIENT_CERTIFICATE_EXPIRED
    return Reason.CLIENT_CERTIFICATE_INVALID


def _failed(verification: Verification, text: str, reason: Reason, detail: str = "") -> ClientAuth:
    return ClientAuth(
        presented=True,
        mtls_authenticated=False,
        verify=f"FAILED:{text}",
        failure=reason,
        certificate=verification.leaf,
        detail=detail,
    )


def _issuing_ca(verification: Verification, bundle: CaBundle) -> str:
    """Name the entry of the CA nearest to the leaf; intermediates a client sent belong to no entry."""
    for certificate in verification.chain[1:] or verification.chain:
        name = bundle.names.get(certificate.sha256)
        if name is not None:
            return name
    return ""
