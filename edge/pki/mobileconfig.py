"""Write an Apple configuration profile that brings a leaf and its key onto an iPhone or a Mac.

The password of the PKCS#12 inside is not in the profile: the device asks for it. Identifiers are made of
the certificate's fingerprint, so that the same profile replaces itself and another certificate's does not.
"""

from __future__ import annotations

import plistlib
import uuid

from cryptography import x509
from cryptography.hazmat.primitives import hashes

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:mtls-edge:mobileconfig")


def profile(common_name: str, leaf: x509.Certificate, packed: bytes) -> bytes:
    """Return the profile with ``packed``, a PKCS#12 in the legacy form."""
    fingerprint = leaf.fingerprint(hashes.SHA256()).hex()
    identifier = f"mtls-edge.{fingerprint[:32]}"
    identity = {
        "PayloadType": "com.apple.security.pkcs12",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{identifier}.identity",
        "PayloadUUID": _uuid(fingerprint, "identity"),
        "PayloadDisplayName": common_name,
        "PayloadCertificateFileName": "identity.p12",
        "PayloadContent": packed,
    }
    whole = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": identifier,
        "PayloadUUID": _uuid(fingerprint, "profile"),
        "PayloadDisplayName": f"Client certificate {common_name}",
        "PayloadDescription": f"Valid until {leaf.not_valid_after_utc:%Y-%m-%d}",
        "PayloadContent": [identity],
    }
    return plistlib.dumps(whole, sort_keys=True)


def _uuid(fingerprint: str, part: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{fingerprint}/{part}")).upper()
