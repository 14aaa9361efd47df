"""Put a PKI's CRLs where an edge reads them, and never over the list of somebody else."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from edge.pki.errors import PkiError
from edge.pki.issue import authority_key_id
from edge.pki.keys import PUBLIC_KEY_TYPES
from edge.state import files
from edge.trust.crl import split_crls


@dataclass(frozen=True, slots=True)
class CrlBundle:
    """The CRLs of a PKI as PEM, with the authorities that signed them: what a file of it may hold."""

    pem: bytes
    authorities: tuple[x509.Certificate, ...]


def publish(path: Path, bundle: CrlBundle) -> Path:
    """Write the CRLs to a file, or into a directory under a name of their own. Returns the file.

    Raises ``PkiError`` if there is anything in it but earlier CRLs of the same authorities.
    """
    target = path / f"{_key_id(bundle.authorities[0])}.pem" if path.is_dir() else path
    strangers = _strangers_in(target, bundle.authorities)
    if strangers:
        raise PkiError(
            f"{target}: it holds {strangers[0]}, and is not replaced; "
            "give the CRLs of this PKI a file of their own"
        )
    _refuse_newer(target, bundle)
    files.write_public(target, bundle.pem)
    return target


def publish_where_named(paths: Sequence[Path], bundle: CrlBundle) -> list[Path]:
    """Write the CRLs to every path but the files of other CAs. Raises ``PkiError`` if none is left."""
    own = [path for path in paths if path.is_dir() or not _is_strangers_alone(path, bundle.authorities)]
    return [publish(path, bundle) for path in own or paths]


def _is_strangers_alone(path: Path, authorities: Sequence[x509.Certificate]) -> bool:
    return 0 < len(_lists_in(path)) == len(_strangers_in(path, authorities))


def _strangers_in(path: Path, authorities: Sequence[x509.Certificate]) -> list[str]:
    """Return what is in a file, in words, besides CRLs of these authorities."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is odd about a stranger's name is no matter here
        return [
            f"a CRL of another CA, {each.issuer.rfc4514_string()[:80]!a}"
            for each in _lists_in(path)
            if not any(_is_signed_by(each, authority) for authority in authorities)
        ]


def _refuse_newer(path: Path, bundle: CrlBundle) -> None:
    """An old copy of the PKI must not bring back what was revoked since."""
    numbers = {each.issuer: _number(each) for each in _lists(bundle.pem)}
    for there in _lists_in(path):
        number, ours = _number(there), numbers.get(there.issuer, 0)
        if number > ours:
            raise PkiError(
                f"{path}: it holds CRL number {number}, newer than number {ours} here, and is not replaced; "
                "this PKI may be an old copy: if it is the right one, move the file away"
            )


def _number(crl: x509.CertificateRevocationList) -> int:
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0


def _lists_in(path: Path) -> list[x509.CertificateRevocationList]:
    if path.exists() and not path.is_file():
        raise PkiError(f"{path}: it is no regular file, and is not replaced; name a file or a directory")
    try:
        octets = path.read_bytes()
        return _lists(octets) if octets.strip() else []
    except FileNotFoundError:
        return []
    except (ValueError, x509.InvalidVersion):
        raise PkiError(f"{path}: it holds something that is no CRL, and is not replaced") from None


def _lists(octets: bytes) -> list[x509.CertificateRevocationList]:
    return [x509.load_der_x509_crl(der) for der in split_crls(octets)]


def _is_signed_by(crl: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    key = authority.public_key()
    try:
        return isinstance(key, PUBLIC_KEY_TYPES) and crl.is_signature_valid(key)
    except (InvalidSignature, UnsupportedAlgorithm, TypeError):
        return False


def _key_id(authority: x509.Certificate) -> str:
    """The key's identifier in hex: two PKIs never share a file."""
    identifier = authority_key_id(authority).key_identifier
    assert identifier is not None
    return identifier.hex()
