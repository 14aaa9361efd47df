"""Pack a leaf, its key and the intermediate as PKCS#12, for browsers, phones and keychains.

The root stays out: some importers would make it trusted for servers, and whoever judges the leaf has it.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

from edge.pki.keys import PrivateKey

_ROUNDS = 100_000
"""Each guess of a password costs that many hashes; far below what old importers refuse."""


def pack(
    common_name: str,
    key: PrivateKey,
    leaf: x509.Certificate,
    issuer: x509.Certificate,
    password: bytes,
    *,
    legacy: bool = False,
) -> bytes:
    """Return PKCS#12: AES-256 and a SHA-256 MAC, or 3DES and SHA-1 for what cannot read that.

    Old phones, the macOS keychain and old Java read the legacy form only; its strength is that of the
    password alone.
    """
    encryption = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(_ROUNDS)
    if legacy:
        encryption = encryption.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        mac: hashes.HashAlgorithm = hashes.SHA1()  # noqa: S303 - what those importers can read
    else:
        encryption = encryption.key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        mac = hashes.SHA256()
    return pkcs12.serialize_key_and_certificates(
        common_name.encode(), key, leaf, [issuer], encryption.hmac_hash(mac).build(password)
    )
