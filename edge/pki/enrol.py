"""Issue a leaf in a PKI directory, and renew one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from edge.pki.directory import DEVICE_SUFFIXES, LEAF_SUFFIXES, Directory
from edge.pki.errors import PkiError
from edge.pki.issue import Authority, Profile, RandomBits
from edge.pki.keys import PRIVATE_KEY_TYPES, PUBLIC_KEY_TYPES, RSA_BITS, PrivateKey, PublicKey, key_pem
from edge.pki.leaf import LIFETIMES, SERVER_LIFETIME, Leaf, key_type_of, lifetime_of, say_again, validity
from edge.pki.record import NewRecord, Record


@dataclass(frozen=True, slots=True)
class Order:
    """A leaf to issue. ``name`` is that of its files, made by ``edge.pki.names``."""

    leaf: Leaf
    name: str
    key: PrivateKey | PublicKey = field(repr=False)
    """Public if the key stays where it is, and is not written."""
    lifetime: timedelta | None = None
    """None: the profile's, or what the issuer has left."""
    force: bool = False
    """Replace files of that name."""
    exports: tuple[str, ...] = ()
    """Suffixes of files that will be made of it at once, and must be free as well."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """How to renew a leaf."""

    same_key: bool = False
    lifetime: timedelta | None = None
    """None: as long as before, or what the issuer has left."""


def issue_leaf(
    directory: Directory, order: Order, issuer: Authority, now: datetime, random_bits: RandomBits
) -> Record:
    """Issue a leaf and write its files. Raises ``PkiError`` if files or a record of that name are there."""
    _refuse_taken_name(directory, order)
    lifetime = order.lifetime or LIFETIMES[order.leaf.profile]
    if order.leaf.profile is Profile.SERVER and lifetime > SERVER_LIFETIME:
        directory.notes.append(
            f"some clients refuse a server's certificate of more than {SERVER_LIFETIME.days} days"
        )
    certificate = _sign(directory, order, lifetime, issuer, now, random_bits)
    return _bring_into_being(directory, certificate, order, renews=None)


def renew_leaf(
    directory: Directory, old: Record, how: Renewal, issuer: Authority, now: datetime, random_bits: RandomBits
) -> Record:
    """Issue a leaf that says the same, and put it in the place of the old one.

    The old certificate stays valid. Raises ``PkiError``.
    """
    _refuse_renewal(directory, old, how)
    public = _public_key(old.certificate)
    key = public if how.same_key else key_type_of(public).make()
    lifetime = how.lifetime or lifetime_of(old.certificate)
    order = Order(say_again(old.certificate), old.name, key, how.lifetime)
    certificate = _sign(directory, order, lifetime, issuer, now, random_bits)
    renewed = _bring_into_being(directory, certificate, order, renews=old)
    for stale in (directory.file(old.name, suffix) for suffix in DEVICE_SUFFIXES):
        if stale.exists():
            directory.notes.append(
                f"{stale}: it still holds the old certificate; export it again with --force"
            )
    return renewed


def read_request(path: Path) -> PublicKey:
    """Return the public key of a signing request, PEM or DER; nothing else of it is believed.

    Raises ``PkiError`` if its signature does not prove that the sender has the key.
    """
    octets = path.read_bytes()
    load = x509.load_pem_x509_csr if b"-----BEGIN" in octets else x509.load_der_x509_csr
    try:
        request = load(octets)
        key, proved = request.public_key(), request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise PkiError(f"{path}: there is no certificate signing request in it that can be read") from None
    if not proved:
        raise PkiError(f"{path}: its signature is wrong, so nothing proves that the sender has the key")
    if not isinstance(key, PUBLIC_KEY_TYPES) or _is_weak(key):
        raise PkiError(
            f"{path}: its key is of a kind or size that is not certified here; "
            "use ECDSA on P-256, P-384 or P-521, Ed25519, or RSA with 2048 to 8192 bits"
        )
    return key


def _is_weak(key: PublicKey) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size not in RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(
        key.curve, (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
    )


def _sign(
    directory: Directory,
    order: Order,
    lifetime: timedelta,
    issuer: Authority,
    now: datetime,
    random_bits: RandomBits,
) -> x509.Certificate:
    valid, note = validity(lifetime, issuer.certificate, now, may_shorten=order.lifetime is None)
    if note:
        directory.notes.append(note)
    public = order.key.public_key() if isinstance(order.key, PRIVATE_KEY_TYPES) else order.key
    return order.leaf.sign(issuer, public, valid, random_bits)


def _bring_into_being(
    directory: Directory, certificate: x509.Certificate, order: Order, *, renews: Record | None
) -> Record:
    """Key out of sight, certificate into the index, files: see ``edge.pki.directory`` for the order."""
    key_made_here = isinstance(order.key, PRIVATE_KEY_TYPES)
    if isinstance(order.key, PRIVATE_KEY_TYPES):
        directory.stage_key(certificate, key_pem(order.key))
    elif renews is not None:
        key_made_here = renews.key_made_here
    record = directory.inventory.add(
        NewRecord(
            certificate,
            order.leaf.profile.name.lower(),
            directory.intermediate.id,
            order.name,
            key_made_here,
            None if renews is None else renews.id,
        )
    )
    directory.install(record)
    return directory.inventory.by_id(record.id)


def _refuse_taken_name(directory: Directory, order: Order) -> None:
    """A name means one leaf: its files are not replaced unasked, and its records not mixed up."""
    there = directory.files_of(order.name, (*LEAF_SUFFIXES, *order.exports))
    key_file = directory.file(order.name, "-key.pem")
    if not isinstance(order.key, PRIVATE_KEY_TYPES) and key_file in there:
        raise PkiError(f"{key_file}: this key belongs to another certificate; move it away, or choose --out")
    if order.force:
        return
    if there:
        raise PkiError(f"{there[0]}: it is there already; choose another name with --out, or use --force")
    if directory.inventory.by_name(order.name):
        raise PkiError(
            f"{directory.path}: a certificate with files named {order.name!r} was issued before; "
            "choose another name with --out, or use --force"
        )


def _refuse_renewal(directory: Directory, old: Record, how: Renewal) -> None:
    where = directory.file(old.name)
    if not old.is_leaf:
        raise PkiError(
            f"{where}: an authority is not renewed; make a new PKI and let both be trusted for a while"
        )
    if old.revoked is not None:
        raise PkiError(f"{where}: the certificate was revoked; issue a new one")
    newest = directory.inventory.by_name(old.name)[-1]
    if newest.id != old.id:
        raise PkiError(f"{where}: {old.serial} was replaced by {newest.serial}; renew that one")
    if not (old.key_made_here or how.same_key):
        raise PkiError(
            f"{where}: the key is on the device; renew with --same-key, or issue with a new --csr and --force"
        )


def _public_key(certificate: x509.Certificate) -> PublicKey:
    key = certificate.public_key()
    if not isinstance(key, PUBLIC_KEY_TYPES):
        raise PkiError("the certificate has a key of a kind that is not made here; issue a new one")
    return key
