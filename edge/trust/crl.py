"""Reads certificate revocation lists and believes only those that one of our CAs signed.

Refused, rather than half obeyed: what somebody else signed (a list of the same issuer name but another
key would lock everybody out), what covers only part of a CA's certificates (deltas, distribution points,
reasons), what is about other issuers' certificates, and what demands to be understood and is not.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from edge.trust.certificate import STRONG_HASHES, ca_identity, canonical_name
from edge.trust.crl_entries import CrlEntryError, certificate_list, read_entries
from edge.trust.serial_index import SerialIndex, build_index

CLOCK_SKEW = timedelta(minutes=5)
"""How far the clock of the CA may be ahead of ours: a list is often put in force in the second it is made."""

_DUE = 0.25
_BEGIN, _END, _DASHES = b"-----BEGIN ", b"-----END ", b"-----"
_LABEL = b"X509 CRL"
_HARMLESS = frozenset(
    (ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.CRL_NUMBER, ExtensionOID.ISSUER_ALTERNATIVE_NAME)
)

_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises for a list that it cannot read."""


class CrlError(ValueError):
    """The list is not to be believed, or not understood; ``hint`` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Crl:
    """A list that was believed. Times are seconds since the epoch."""

    issuer: bytes
    """``ca_identity`` of the CA whose certificates it is about."""
    issuer_name: str
    number: int | None
    """CRLNumber (RFC 5280 5.2.3); the lists of cfssl have none."""
    this_update: float
    next_update: float
    serials: SerialIndex = field(repr=False)
    source: str
    """The file it came from, for people."""

    def is_stale(self, now: float) -> bool:
        """Tell whether a newer list should be there."""
        return now > self.next_update

    def is_due(self, now: float) -> bool:
        """Tell whether a newer list should come soon: less than a quarter of this one's time is left."""
        return now > self.next_update - (self.next_update - self.this_update) * _DUE

    def is_older_than(self, other: Crl) -> bool:
        """Tell whether the other list came later: by number where both have one, then by time."""
        if self.number is not None and other.number is not None and self.number != other.number:
            return self.number < other.number
        return self.this_update < other.this_update

    def contradicts(self, other: Crl) -> bool:
        """Tell whether number and time disagree on which of the two lists came later."""
        if self.number is None or other.number is None or self.number == other.number:
            return False
        return (self.number < other.number) == (self.this_update > other.this_update) and (
            self.this_update != other.this_update
        )

    def says_the_same_as(self, other: Crl) -> bool:
        """Tell whether nothing would change if one took the place of the other."""
        mine = (self.number, self.this_update, self.next_update)
        return (
            mine == (other.number, other.this_update, other.next_update)
            and self.serials.octets == other.serials.octets
        )

    def facts(self) -> dict[str, object]:
        """Return what an operator is told of the list; times as RFC 3339 has them."""
        return {
            "issuer": self.issuer_name,
            "number": self.number,
            "revoked": len(self.serials),
            "this_update": _rfc3339(self.this_update),
            "next_update": _rfc3339(self.next_update),
            "file": self.source,
        }

    @property
    def title(self) -> str:
        """What a message calls it."""
        number = "" if self.number is None else f" number {self.number}"
        return f"the CRL{number} of {self.issuer_name!r}"


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def split_crls(octets: bytes) -> list[bytes]:
    """Return the DER of every list in a file: one in DER, or any number in PEM. Raises ``CrlError``."""
    place = octets.find(_BEGIN)
    if place < 0:
        return [octets]
    found = []
    while place >= 0:
        following = octets.find(_BEGIN, place + 1)
        found.append(_from_pem(_crl_block(octets[place : following if following > 0 else None])))
        place = following
    return found


def read_crl(der: bytes, cas: Sequence[x509.Certificate], now: datetime, source: str) -> Crl:
    """Check one list against the CAs it may be of, and index it. Raises ``CrlError``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd names and numbers are nothing to tell our log about
            crl = x509.load_der_x509_crl(der)
            return _read(crl, der, cas, now, source)
    except _UNREADABLE as error:
        if isinstance(error, CrlError):
            raise
        if isinstance(error, CrlEntryError):
            raise CrlError(str(error), "a complete CRL of the CA itself is needed") from None
        raise CrlError(
            f"there is no CRL in it that can be read: {error}", "a CRL is PEM (X509 CRL) or DER"
        ) from None


def _read(
    crl: x509.CertificateRevocationList,
    der: bytes,
    cas: Sequence[x509.Certificate],
    now: datetime,
    source: str,
) -> Crl:
    issuer_name = crl.issuer.rfc4514_string()
    signed, first, last = certificate_list(der)
    issuer = _issuer(crl, signed, cas, issuer_name)
    number = _number_of_complete_list(crl)
    next_update = crl.next_update_utc
    if next_update is None:
        raise CrlError("it has no nextUpdate, so nobody could ever tell that it is stale", "make it with one")
    if crl.last_update_utc > now + CLOCK_SKEW:
        raise CrlError(
            f"its thisUpdate is in the future ({crl.last_update_utc:%Y-%m-%dT%H:%M:%SZ})",
            "check the clocks of this machine and of the CA",
        )
    return Crl(
        issuer=issuer,
        issuer_name=issuer_name,
        number=number,
        this_update=crl.last_update_utc.timestamp(),
        next_update=next_update.timestamp(),
        serials=SerialIndex(memoryview(build_index(read_entries(der, first, last)))),
        source=source,
    )


def _crl_block(block: bytes) -> bytes:
    """Return the PEM of one list out of what is between a BEGIN and the next. Raises ``CrlError``.

    Its end is not looked for beyond that: many without one would keep the reader busy for hours, and
    every revocation waiting.
    """
    label = block[len(_BEGIN) :].partition(_DASHES)[0]
    last = _END + label + _DASHES
    end = block.find(last)
    if end < 0:
        raise CrlError("it is cut off: a BEGIN line has no END line", "copy the file again")
    if label != _LABEL:
        shown = label.decode("ascii", "replace")[:40]
        raise CrlError(f"it holds a {shown!r}, which is no CRL", "keep only the X509 CRL blocks")
    return block[: end + len(last)]


def _from_pem(block: bytes) -> bytes:
    try:
        return x509.load_pem_x509_crl(block).public_bytes(Encoding.DER)
    except _UNREADABLE as error:
        raise CrlError(f"a CRL in it cannot be read: {error}", "copy the file again") from None


# --- who signed it? ----------------------------------------------------------------------------


def _issuer(
    crl: x509.CertificateRevocationList, signed: bytes, cas: Sequence[x509.Certificate], issuer_name: str
) -> bytes:
    """Return the identity of the CA that signed the list."""
    name = canonical_name(crl.issuer)
    namesakes = [ca for ca in cas if canonical_name(ca.subject) == name]
    if not namesakes:
        raise CrlError(
            f"its issuer {issuer_name!r} is no CA of this entry",
            "put it into the [[mtls_certificates]] entry that holds its CA",
        )
    algorithm = crl.signature_hash_algorithm
    if algorithm is not None and algorithm.name not in STRONG_HASHES:
        raise CrlError(f"it is signed with {algorithm.name}, which can be forged", "sign it with SHA-256")
    signers = [ca for ca in namesakes if _signed_by(crl, signed, ca)]
    if not signers:
        raise CrlError(
            f"it is signed with another key than that of {issuer_name!r}", "make it with the key of this CA"
        )
    for ca in signers:  # certificates of one key: a renewed one may say more than the old one beside it
        if _may_sign_crls(ca):
            return ca_identity(ca)
    raise CrlError(
        f"the key usage of {issuer_name!r} does not include CRL signing",
        "renew the CA certificate with cRLSign",
    )


def _signed_by(crl: x509.CertificateRevocationList, signed: bytes, ca: x509.Certificate) -> bool:
    """Check the signature over the octets as they came: writing them out again takes seconds."""
    algorithm = crl.signature_hash_algorithm
    try:
        key = ca.public_key()
        match key:
            case rsa.RSAPublicKey() if algorithm is not None:
                parameters = crl.signature_algorithm_parameters
                if not isinstance(parameters, (padding.PKCS1v15, padding.PSS)):
                    return False
                key.verify(crl.signature, signed, parameters, algorithm)
            case ec.EllipticCurvePublicKey() if algorithm is not None:
                key.verify(crl.signature, signed, ec.ECDSA(algorithm))
            case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey() if algorithm is None:
                key.verify(crl.signature, signed)
            case _:
                return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True


def _may_sign_crls(ca: x509.Certificate) -> bool:
    """RFC 5280 6.3.3 (f)."""
    try:
        return ca.extensions.get_extension_for_class(x509.KeyUsage).value.crl_sign
    except x509.ExtensionNotFound:
        return True


# --- is it the whole truth? --------------------------------------------------------------------


def _number_of_complete_list(crl: x509.CertificateRevocationList) -> int | None:
    """Return the CRLNumber; raise ``CrlError`` unless the list is about all the CA's certificates."""
    number = None
    for extension in crl.extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator):
            raise CrlError("it is a delta CRL, which lists only what changed", "name the complete CRL")
        if isinstance(value, x509.IssuingDistributionPoint):
            raise CrlError(
                f"it is not about all certificates of its CA, but about {_scope(value)}",
                "name a complete CRL, without an IssuingDistributionPoint",
            )
        if isinstance(value, x509.CRLNumber):
            number = value.crl_number
        elif extension.critical and extension.oid not in _HARMLESS:
            raise CrlError(
                f"it has the unknown critical extension {extension.oid.dotted_string}",
                "make it without that extension",
            )
    return number


def _scope(point: x509.IssuingDistributionPoint) -> str:
    """RFC 5280 5.2.5."""
    if point.indirect_crl:
        return "other issuers' certificates too (an indirect CRL)"
    for only, text in (
        (point.only_contains_user_certs, "those that are no CA"),
        (point.only_contains_ca_certs, "those of CAs"),
        (point.only_contains_attribute_certs, "attribute certificates"),
        (point.only_some_reasons, "some reasons"),
    ):
        if only:
            return f"{text} only"
    return "those of one distribution point only"
