"""Make the throw-away certificates of the demonstration, or find the ones made before.

Two authorities that know nothing of each other, as in a real deployment: one for the server's
certificate, which browsers and curl judge, and one for the clients, which the edge judges::

    server root --> server (localhost, 127.0.0.1, ::1)
    client root --> client intermediate --> client, stranger, expired, revoked
    foreign root --> foreign

Only the key of the client intermediate is kept: with it one can issue more clients. The keys of all
the roots are forgotten as soon as they have signed, so that trusting ``server-ca.pem`` in a browser
gives nobody power over it. A client presents its leaf alone; ``ca.pem`` completes the path, and
``crl.pem`` has the lists of the client root and intermediate. They are good for as long as the set is,
because without the root's key nobody could sign the next ones.

The set is used again while all of it is there, fits together and is good for another day. Otherwise
all of it is made anew: certificates of two makings never stand side by side.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from edge.pki import issue
from edge.pki.crl import Revoked, crl_pem, make_crl
from edge.pki.hierarchy import Hierarchy, Plan, make_hierarchy
from edge.pki.issue import Authority, Profile, RandomBits, Validity
from edge.pki.keys import PUBLIC_KEY_TYPES, key_pem, new_key
from edge.pki.leaf import Leaf, describe
from edge.pki.names import read_alternative_name, read_subject
from edge.state import files
from edge.trust.crl import split_crls

LIFETIME = timedelta(days=365)
"""Below the 398 days after which browsers refuse a server's certificate."""

KEEP_AHEAD = timedelta(days=1)
"""A set that ends sooner is made anew, so that a demonstration does not end in the middle."""

CLIENT_COMMON_NAME = "James Royal"
STRANGER_COMMON_NAME = "Jane Doe"

_ORGANISATION = "mtls-edge demo"
_LEAVES = ("server", "client", "stranger", "expired", "revoked", "foreign")
_SERVER_ADDRESSES = ("127.0.0.1", "::1")


class DemoPkiError(Exception):
    """The directory holds certificates that are not ours to replace; the message says which."""


@dataclass(frozen=True, slots=True)
class DemoPki:
    """Where the files of the demonstration are, and whether this call made them."""

    directory: Path
    made: bool

    @property
    def server_ca(self) -> Path:
        """What a client trusts: ``curl --cacert``."""
        return self.directory / "server-ca.pem"

    @property
    def client_ca(self) -> Path:
        """What the edge trusts: the clients' root and intermediate in one file."""
        return self.directory / "ca.pem"

    @property
    def crl(self) -> Path:
        """Who of the clients was revoked: the CRLs of both certificates of ``client_ca``."""
        return self.directory / "crl.pem"

    @property
    def client_ca_key(self) -> Path:
        """The key of the intermediate that issues clients."""
        return self.directory / "ca-key.pem"

    def certificate(self, name: str) -> Path:
        """The leaf of ``server``, ``client``, ``stranger``, ``expired``, ``revoked`` or ``foreign``."""
        return self.directory / f"{name}.pem"

    def key(self, name: str) -> Path:
        """The key of the same."""
        return self.directory / f"{name}-key.pem"


def make_demo_pki(directory: Path, now: datetime, random_bits: RandomBits = secrets.randbits) -> DemoPki:
    """Make the set in ``directory``, or keep the one that is there if it is still good.

    Raises ``DemoPkiError`` if another authority's certificates are in the way, ``OSError`` as the disk does.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = DemoPki(directory, made=False)
    if _is_good(found, now):
        return found
    _refuse_to_replace_others(found)
    _write_set(DemoPki(directory, made=True), now, random_bits)
    return DemoPki(directory, made=True)


def _write_set(pki: DemoPki, now: datetime, random_bits: RandomBits) -> None:
    good = issue.valid_for(now, LIFETIME)
    past = Validity(good.not_before - timedelta(days=2), good.not_before - timedelta(days=1))

    server_root = _root("Server CA", good, random_bits)
    foreign_root = _root("Foreign CA", good, random_bits)
    clients = make_hierarchy(
        Plan(_ca_subject("Client Root CA"), good, _ca_subject("Client Issuing CA"), good), random_bits
    )
    james = _client(CLIENT_COMMON_NAME)

    def write_leaf(name: str, issuer: Authority, leaf: Leaf, validity: Validity) -> x509.Certificate:
        key = new_key()
        certificate = leaf.sign(issuer, key.public_key(), validity, random_bits)
        files.write_key(pki.key(name), key_pem(key), overwrite=True)
        files.write_public(pki.certificate(name), issue.certificate_pem(certificate))
        return certificate

    files.write_public(pki.server_ca, issue.certificate_pem(server_root.certificate))
    files.write_public(pki.client_ca, clients.chain)
    files.write_key(pki.client_ca_key, key_pem(clients.intermediate.key), overwrite=True)
    write_leaf("server", server_root, _server(), good)
    write_leaf("client", clients.intermediate, james, good)
    write_leaf("stranger", clients.intermediate, _client(STRANGER_COMMON_NAME), good)
    write_leaf("expired", clients.intermediate, james, past)
    write_leaf("foreign", foreign_root, james, good)
    revoked = write_leaf("revoked", clients.intermediate, james, good)
    files.write_public(pki.crl, _crls(clients, revoked, good))


def _crls(clients: Hierarchy, revoked: x509.Certificate, validity: Validity) -> bytes:
    at = validity.not_before
    lost = Revoked(revoked.serial_number, at, x509.ReasonFlags.key_compromise)
    return b"".join(
        crl_pem(make_crl(issuer, entries, 1, at, validity.not_after))
        for issuer, entries in ((clients.root, ()), (clients.intermediate, (lost,)))
    )


def _is_good(pki: DemoPki, now: datetime) -> bool:
    """Tell whether the set is whole, fits together, and stays good for a while."""
    try:
        server_root = _one(pki.server_ca)
        issuing, client_root = x509.load_pem_x509_certificates(pki.client_ca.read_bytes())
        lists = _lists(pki, client_root, issuing)
        leaves = {name: _leaf_with_its_key(pki, name) for name in _LEAVES}
        _fits(issuing, pki.client_ca_key)
        for certificate, issuer in (
            (issuing, client_root),
            (leaves["server"], server_root),
            *((leaves[name], issuing) for name in ("client", "stranger", "expired", "revoked")),
        ):
            certificate.verify_directly_issued_by(issuer)
    except (OSError, ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    lasting = (server_root, client_root, issuing, *(leaves[n] for n in _LEAVES if n != "expired"))
    spans = [(c.not_valid_before_utc, c.not_valid_after_utc) for c in lasting]
    spans += [(crl.last_update_utc, crl.next_update_utc or now) for crl in lists]
    return (
        leaves["expired"].not_valid_after_utc < now
        and {entry.serial_number for crl in lists for entry in crl} == {leaves["revoked"].serial_number}
        and all(begin <= now and now + KEEP_AHEAD <= end for begin, end in spans)
    )


def _lists(pki: DemoPki, *issuers: x509.Certificate) -> list[x509.CertificateRevocationList]:
    """Return the CRLs. Raises ``ValueError`` unless each issuer signed one, in this order."""
    lists = [x509.load_der_x509_crl(der) for der in split_crls(pki.crl.read_bytes())]
    for crl, issuer in zip(lists, issuers, strict=True):
        key = issuer.public_key()
        if not isinstance(key, PUBLIC_KEY_TYPES) or not crl.is_signature_valid(key):
            raise ValueError(f"{pki.crl.name} is not of the authorities in {pki.client_ca.name}")
    return lists


def _leaf_with_its_key(pki: DemoPki, name: str) -> x509.Certificate:
    certificate = _one(pki.certificate(name))
    _fits(certificate, pki.key(name))
    return certificate


def _one(path: Path) -> x509.Certificate:
    (certificate,) = x509.load_pem_x509_certificates(path.read_bytes())
    return certificate


def _fits(certificate: x509.Certificate, key_path: Path) -> None:
    key = load_pem_private_key(key_path.read_bytes(), password=None)
    if key.public_key() != certificate.public_key():
        raise ValueError(f"{key_path.name} is not the key of its certificate")


def _refuse_to_replace_others(pki: DemoPki) -> None:
    """Stop if the directory is somebody's real PKI: its CA key could never be made again."""
    for path in (pki.client_ca, pki.server_ca):
        try:
            certificates = x509.load_pem_x509_certificates(path.read_bytes())
        except (OSError, ValueError):
            continue
        for certificate in certificates:
            organisations = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
            if [attribute.value for attribute in organisations] != [_ORGANISATION]:
                raise DemoPkiError(
                    f"{path}: this CA was not made by the demo; move it away or use another directory"
                )


def _root(common_name: str, validity: Validity, random_bits: RandomBits) -> Authority:
    return issue.make_root(_ca_subject(common_name), new_key(), validity, random_bits)


def _ca_subject(common_name: str) -> x509.Name:
    return read_subject(f"{_ORGANISATION} {common_name}", f"O={_ORGANISATION}")


def _server() -> Leaf:
    return describe("localhost", Profile.SERVER, [read_alternative_name(each) for each in _SERVER_ADDRESSES])


def _client(common_name: str) -> Leaf:
    return describe(common_name, Profile.CLIENT, rest="OU=Access Admins,O=Access,L=Austin,ST=Texas,C=US")
