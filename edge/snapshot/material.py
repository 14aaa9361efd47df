"""Parses the certificates and keys of hosts: the same octets once, however many hosts name them.

One wildcard certificate for ten thousand hosts is a usual thing. What cannot be parsed is not kept, so
that every host that names it is told of.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from edge.tls import material

_KEPT = 256
"""Hosts that share a file are most often listed one after the other."""


@lru_cache(_KEPT)
def parse_chain(pem: bytes) -> tuple[x509.Certificate, ...]:
    """Return the certificates, leaf first.

    Raises ``ValueError``, ``x509.InvalidVersion``, or ``UnsupportedAlgorithm`` for the leaf's key.
    """
    chain = x509.load_pem_x509_certificates(pem)
    chain[0].public_key()  # parsed only when it is asked for
    return tuple(chain)


@lru_cache(_KEPT)
def parse_key(pem: bytes) -> PrivateKeyTypes:
    """Return the private key.

    Raises ``TypeError`` if it is encrypted, ``ValueError`` or ``UnsupportedAlgorithm`` if there is none.
    """
    return load_pem_private_key(pem, password=None)


@lru_cache(_KEPT)
def belong_together(certificate: x509.Certificate, key: PrivateKeyTypes) -> bool:
    """Tell whether the certificate is of this key."""
    return _octets(certificate.public_key()) == _octets(key.public_key())


def _octets(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def forget_material() -> None:
    """Keep nothing of a generation that was built: its secrets belong to its contexts alone."""
    for kept in (parse_chain, parse_key, belong_together):
        kept.cache_clear()
    material.forget_material()
