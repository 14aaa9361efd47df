"""What a leaf says and for how long: the profiles of clients and servers, and a leaf said again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from edge.pki import issue
from edge.pki.errors import PkiError
from edge.pki.issue import Authority, Profile, RandomBits, Validity
from edge.pki.keys import PrivateKey, PublicKey, new_key
from edge.pki.names import host_name, read_subject

SERVER_LIFETIME = timedelta(days=397)
"""The most that public CAs gave for years; some clients hold private ones to it as well."""
LIFETIMES = {Profile.CLIENT: timedelta(days=365), Profile.SERVER: SERVER_LIFETIME}


class KeyType(Enum):
    """The keys that are made for leaves; ``value`` is the word for it."""

    P256 = "p256"
    P384 = "p384"
    RSA2048 = "rsa2048"
    RSA4096 = "rsa4096"
    ED25519 = "ed25519"

    def make(self) -> PrivateKey:
        """Make a key of this type."""
        return new_key(*_ALGORITHMS[self])


_ALGORITHMS = {
    KeyType.P256: ("ecdsa", 256),
    KeyType.P384: ("ecdsa", 384),
    KeyType.RSA2048: ("rsa", 2048),
    KeyType.RSA4096: ("rsa", 4096),
    KeyType.ED25519: ("ed25519", 0),
}


@dataclass(frozen=True, slots=True)
class Leaf:
    """What is said of the owner of a key."""

    subject: x509.Name
    profile: Profile
    names: tuple[x509.GeneralName, ...] = ()

    @property
    def common_name(self) -> str:
        """The common name; each leaf has exactly one."""
        return common_name_of(self.subject)

    def sign(
        self, issuer: Authority, key: PublicKey, validity: Validity, random_bits: RandomBits
    ) -> x509.Certificate:
        """Return the certificate. Raises ``IssueError`` if it would outlive its issuer."""
        return issue.issue(issuer, self.subject, key, self.profile, validity, random_bits, self.names)


def describe(
    common_name: str, profile: Profile, names: Sequence[x509.GeneralName] = (), rest: str = ""
) -> Leaf:
    """Return a leaf as it was ordered. A server's common name is one of its alternative names as well.

    Raises ``PkiError``.
    """
    subject = read_subject(common_name, rest)
    if profile is Profile.SERVER:
        own = host_name(common_name)
        if own is not None:
            names = (own, *names)
        elif not names:
            raise PkiError(
                f"{common_name!r} is no host name, and clients compare nothing else; add --san with one"
            )
    return Leaf(subject, profile, tuple(dict.fromkeys(names)))


def say_again(certificate: x509.Certificate) -> Leaf:
    """Return what a leaf made here says. Raises ``PkiError`` if it was not made here."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        (profile,) = (Profile(purpose) for purpose in usage)
    except (x509.ExtensionNotFound, ValueError):
        raise PkiError("the certificate has no profile that is known here; issue a new one") from None
    try:
        names = tuple(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        names = ()
    return Leaf(certificate.subject, profile, names)


def key_type_of(key: PublicKey) -> KeyType:
    """Return the type of a key like this one, for its successor. Raises ``PkiError``."""
    if isinstance(key, rsa.RSAPublicKey):
        return KeyType.RSA2048 if key.key_size < 3072 else KeyType.RSA4096
    if isinstance(key, ec.EllipticCurvePublicKey):
        return KeyType.P256 if key.curve.key_size <= 256 else KeyType.P384
    return KeyType.ED25519


def lifetime_of(certificate: x509.Certificate) -> timedelta:
    """Return how long a certificate was good for when it was made."""
    return certificate.not_valid_after_utc - certificate.not_valid_before_utc - issue.BACKDATE


def validity(
    lifetime: timedelta, issuer: x509.Certificate, now: datetime, *, may_shorten: bool
) -> tuple[Validity, str]:
    """Return the validity of a leaf made ``now``, and a note if it had to be shortened.

    Raises ``PkiError`` if it would outlive its issuer and may not be shortened.
    """
    end = issuer.not_valid_after_utc
    wanted = issue.valid_for(now, lifetime)
    if wanted.not_after <= end:
        return wanted, ""
    if end <= now:
        raise PkiError(f"the issuing CA expired on {end:%Y-%m-%d}; nothing can be issued under it any more")
    if not may_shorten:
        days = (end - now).days
        raise PkiError(
            f"the certificate would outlive its issuer, which ends on {end:%Y-%m-%d}; "
            f"choose at most --days {days}"
            if days
            else f"the issuing CA ends on {end:%Y-%m-%d %H:%M} UTC, within a day; make a new one"
        )
    note = f"the issuing CA ends on {end:%Y-%m-%d}, and so does this certificate"
    return Validity(wanted.not_before, end), note


def common_name_of(subject: x509.Name) -> str:
    """Return the last common name of a subject, or the empty string."""
    values = [attribute.value for attribute in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return str(values[-1]) if values else ""
