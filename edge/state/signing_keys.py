"""The keys that sign tokens, on disk: made when first needed, rotated on demand, never lost half-way.

``<state_dir>/signing-keys/<kid>.pem`` holds one private key and a self-signed certificate for it, mode
0600, in a directory of mode 0700. The certificate's notBefore is when the key was made. The newest key
of the configured algorithm signs; an older one is believed, and published, for seven days after the
next one was made, as Cloudflare does.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from edge.access.signing_keys import Algorithm, KeyRing, SigningKey, SigningKeyError
from edge.state.files import write_key

PREVIOUS_KEYS_LIVE = timedelta(days=7)
_DIRECTORY = "signing-keys"
_CERTIFICATE_LIFETIME = timedelta(days=3650)
"""The certificate carries the public key in the shape clients know; its end is of no meaning."""
_KEY_FILE = re.compile(r"[0-9a-f]{64}\.pem")


class KeyStoreError(Exception):
    """The keys cannot be read or written; the message says which file and what to do."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One key on disk."""

    path: Path
    key: SigningKey
    created: datetime


def load_or_create(state_directory: Path, algorithm: Algorithm, now: datetime) -> KeyRing:
    """Return the ring in force, making the first key if there is none. Raises ``KeyStoreError``."""
    keys = list_keys(state_directory, algorithm)
    if not keys:
        keys = [_create(state_directory, algorithm, now)]
    return ring(keys, now)


def rotate(state_directory: Path, algorithm: Algorithm, now: datetime) -> StoredKey:
    """Make a new key, which signs from now on. Raises ``KeyStoreError``."""
    keys = list_keys(state_directory, algorithm)
    if keys:  # "newest" must have one meaning, also for two rotations within a second
        now = max(now, keys[0].created + timedelta(seconds=1))
    return _create(state_directory, algorithm, now)


def list_keys(state_directory: Path, algorithm: Algorithm) -> list[StoredKey]:
    """Return the stored keys of one algorithm, newest first. Raises ``KeyStoreError``."""
    directory = state_directory / _DIRECTORY
    try:
        paths = [path for path in directory.iterdir() if _KEY_FILE.fullmatch(path.name)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise KeyStoreError(f"{directory}: {error.strerror}; let the edge read its state_dir") from None
    found = [stored for path in paths if (stored := _load(path, algorithm)) is not None]
    return sorted(found, key=lambda stored: stored.created, reverse=True)


def ring(keys: list[StoredKey], now: datetime) -> KeyRing:
    """Return the newest key, and those before it that were replaced less than seven days ago."""
    believed = [
        older.key for newer, older in itertools.pairwise(keys) if now < newer.created + PREVIOUS_KEYS_LIVE
    ]
    return KeyRing(keys[0].key, tuple(believed))


def load_or_imagine(state_directory: Path, algorithm: Algorithm, now: datetime) -> KeyRing:
    """Return the ring in force; without one, a key that is written nowhere, for looking at a configuration.

    Raises ``KeyStoreError``, also where a key could not be made later.
    """
    keys = list_keys(state_directory, algorithm)
    if keys:
        return ring(keys, now)
    existing = next(path for path in (state_directory, *state_directory.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise KeyStoreError(
            f"{state_directory}: it cannot be made or written; let the edge write there, or choose another"
        )
    kid, pem, certificate = _make(algorithm, now)
    return KeyRing(SigningKey.from_pem(kid, algorithm, pem, certificate))


def _create(state_directory: Path, algorithm: Algorithm, now: datetime) -> StoredKey:
    kid, pem, certificate = _make(algorithm, now)
    directory = state_directory / _DIRECTORY
    path = directory / f"{kid}.pem"
    try:
        for each in (state_directory, directory):  # the mode is that of the last part only
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_key(path, pem + certificate.encode("ascii"))
    except OSError as error:
        raise KeyStoreError(
            f"{directory}: {error.strerror}; let the edge write to its state_dir, or choose another"
        ) from None
    return StoredKey(path, SigningKey.from_pem(kid, algorithm, pem, certificate), now)


def _make(algorithm: Algorithm, now: datetime) -> tuple[str, bytes, str]:
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if algorithm == "RS256":
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    else:
        private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key()
    kid = hashlib.sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mtls-edge token signing")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(int(kid[:32], 16) | 1)
        .not_valid_before(now)
        .not_valid_after(now + _CERTIFICATE_LIFETIME)
        .sign(private, SHA256())
    )
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return kid, pem, certificate.public_bytes(Encoding.PEM).decode("ascii")


def _load(path: Path, algorithm: Algorithm) -> StoredKey | None:
    """Return the key in a file; None if it is of the other algorithm."""
    try:
        octets = path.read_bytes()
        private = load_pem_private_key(octets, password=None)
        certificate = x509.load_pem_x509_certificate(octets)
    except OSError as error:
        raise KeyStoreError(f"{path}: {error.strerror}; let the edge read its state_dir") from None
    except (ValueError, TypeError):
        raise KeyStoreError(
            f"{path}: this is not a signing key of this edge; move it away, tokens signed with it end"
        ) from None
    if isinstance(private, rsa.RSAPrivateKey) != (algorithm == "RS256"):
        return None
    try:
        key = SigningKey.from_pem(
            path.stem, algorithm, octets, certificate.public_bytes(Encoding.PEM).decode("ascii")
        )
    except SigningKeyError as error:
        raise KeyStoreError(f"{path}: {error}") from None
    return StoredKey(path, key, certificate.not_valid_before_utc.astimezone(UTC))
