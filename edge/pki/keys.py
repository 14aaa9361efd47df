"""Make, read and write private keys: RSA, ECDSA and Ed25519."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

SignatureHash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512

PRIVATE_KEY_TYPES = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)
PUBLIC_KEY_TYPES = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey)

RSA_BITS = range(2048, 8192 + 1)
"""Below, everybody refuses the key; above, one handshake costs seconds."""
_CURVES: dict[int, Callable[[], ec.EllipticCurve]] = {256: ec.SECP256R1, 384: ec.SECP384R1, 521: ec.SECP521R1}


class KeyMaterialError(ValueError):
    """No key can be made or read so; the message says why."""


def new_key(algorithm: str = "ecdsa", size: int = 256) -> PrivateKey:
    """Make a key: ``rsa`` of so many bits, ``ecdsa`` on a NIST curve of that size, or ``ed25519``.

    Raises ``KeyMaterialError``.
    """
    match algorithm:
        case "rsa" if size in RSA_BITS:
            return rsa.generate_private_key(public_exponent=65537, key_size=size)
        case "rsa":
            raise KeyMaterialError(f"an RSA key of {size} bits is not made; choose 2048 to 8192")
        case "ecdsa" if size in _CURVES:
            return ec.generate_private_key(_CURVES[size]())
        case "ecdsa":
            raise KeyMaterialError(f"there is no curve of {size} bits; choose 256, 384 or 521")
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
    raise KeyMaterialError(f"{algorithm!r} is no kind of key; choose rsa, ecdsa or ed25519")


def signature_hash(key: PrivateKey | PublicKey) -> SignatureHash | None:
    """Return the hash that is as strong as the key; None for Ed25519, which hashes within."""
    if isinstance(key, (rsa.RSAPrivateKey, rsa.RSAPublicKey)):
        size = key.key_size
        return hashes.SHA512() if size >= 4096 else hashes.SHA384() if size >= 3072 else hashes.SHA256()
    if isinstance(key, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)):
        size = key.curve.key_size
        return hashes.SHA512() if size > 384 else hashes.SHA384() if size > 256 else hashes.SHA256()
    return None


def key_pem(key: PrivateKey, password: bytes | None = None) -> bytes:
    """Return the key as PKCS#8 PEM, encrypted if there is a password."""
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def read_key(pem: bytes, password: bytes | None = None) -> PrivateKey:
    """Read a PEM key in any of the usual wrappings. Raises ``KeyMaterialError``."""
    try:
        key = load_pem_private_key(pem, password)
    except TypeError:
        need = "is encrypted and needs a password" if password is None else "is not encrypted"
        raise KeyMaterialError(f"the key {need}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise KeyMaterialError(
            "there is no private key in it that can be read, or the password is wrong"
        ) from None
    if not isinstance(key, PRIVATE_KEY_TYPES):
        raise KeyMaterialError("only RSA, ECDSA and Ed25519 keys sign certificates here")
    return key
