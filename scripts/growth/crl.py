"""Writes a CRL of a million entries in a second or two: its DER by hand, since libraries take minutes."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec

from edge.pki.issue import Authority
from edge.pki.keys import signature_hash

_ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_CRL_NUMBER_ONE = bytes.fromhex("300a0603551d140403020101")
_SERIAL_OCTETS = 16


def write_crl(authority: Authority, entries: int, now: datetime) -> bytes:
    """Return the DER of a list that an authority with a P-256 key signs. Its serials are nobody's."""
    key = authority.key
    digest = signature_hash(key)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or digest is None or key.curve.key_size != 256:
        raise ValueError("the authority's key is no P-256 key")
    signed = element(
        0x30,
        element(0x02, b"\x01"),
        _ECDSA_WITH_SHA256,
        authority.certificate.subject.public_bytes(),
        _time(now - timedelta(hours=1)),
        _time(now + timedelta(hours=20)),
        element(0x30, _entries(entries, now)) if entries else b"",
        element(0xA0, element(0x30, _CRL_NUMBER_ONE)),
    )
    signature = key.sign(signed, ec.ECDSA(digest))
    return element(0x30, signed, _ECDSA_WITH_SHA256, element(0x03, b"\0", signature))


def element(tag: int, *contents: bytes) -> bytes:
    """Return an element of DER."""
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def _entries(count: int, now: datetime) -> bytes:
    """All serials are different and as long as real ones; the same each time."""
    chance = random.Random(count)
    since = _time(now - timedelta(hours=2))
    head = bytes((0x30, 2 + _SERIAL_OCTETS + len(since), 0x02, _SERIAL_OCTETS, 0x40))
    serials = {chance.randbytes(_SERIAL_OCTETS - 1) for _ in range(count)}
    while len(serials) < count:
        serials.add(chance.randbytes(_SERIAL_OCTETS - 1))
    return b"".join([head + serial + since for serial in serials])


def _time(moment: datetime) -> bytes:
    return element(0x17, moment.astimezone(UTC).strftime("%y%m%d%H%M%SZ").encode("ascii"))
