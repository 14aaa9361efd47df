"""Make the throw-away certificates of the demonstration, or find the ones made before.

Two authorities that know nothing of each other, as in a real deployment: one for the server's
certificate, which browsers and curl judge, and one for the clients, which the edge judges::

    server root --> server (localhost, 127.0.0.1, ::1)
    client root --> client intermediate --> client, stranger, expired
    foreign root --> foreign

Only the key of the client intermediate is kept: with it one can issue more clients. The keys of all
the roots are forgotten as soon as they have signed, so that trusting ``server-ca.pem`` in a browser
gives nobody power over it. A client presents its leaf alone; ``ca.pem`` completes the path.

The set is used again while all of it is there, fits together and is good for another day. Otherwise
all of it is made anew: certificates of two makings never stand side by side.
"""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from edge.pki import issue
from edge.pki.issue import Authority, Profile, RandomBits, Validity
from edge.pki.keys import key_pem, new_key
from edge.state import files

LIFETIME = timedelta(days=365)
"""Below the 398 days after which browsers refuse a server's certificate."""

KEEP_AHEAD = timedelta(days=1)
"""A set that ends sooner is made anew, so that a demonstration does not end in the middle."""

CLIENT_COMMON_NAME = "James Royal"
STRANGER_COMMON_NAME = "Jane Doe"

_ORGANISATION = "mtls-edge demo"
_LEAVES = ("server", "client", "stranger", "expired", "foreign")
_SERVER_NAMES = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
)


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
    def client_ca_key(self) -> Path:
        """The key of the intermediate that issues clients."""
        return self.directory / "ca-key.pem"

    def certificate(self, name: str) -> Path:
        """The leaf of ``server``, ``client``, ``stranger``, ``expired`` or ``foreign``."""
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

    def root(common_name: str) -> Authority:
        return issue.make_root(_ca_subject(common_name), new_key(), good, random_bits)

    def write_leaf(name: str, issuer: Authority, leaf: _Leaf) -> None:
        key = new_key()
        certificate = issue.issue(
            issuer, leaf.subject, key.public_key(), leaf.profile, leaf.validity, random_bits, leaf.names
        )
        files.write_key(pki.key(name), key_pem(key), overwrite=True)
        files.write_public(pki.certificate(name), issue.certificate_pem(certificate))

    server_root, client_root, foreign_root = root("Server CA"), root("Client Root CA"), root("Foreign CA")
    clients = issue.make_intermediate(
        client_root, _ca_subject("Client Issuing CA"), new_key(), good, random_bits
    )
    files.write_public(pki.server_ca, issue.certificate_pem(server_root.certificate))
    files.write_public(pki.client_ca, issue.certificate_pem(clients.certificate, client_root.certificate))
    files.write_key(pki.client_ca_key, key_pem(clients.key), overwrite=True)
    write_leaf("server", server_root, _Leaf(_server_subject(), Profile.SERVER, good, _SERVER_NAMES))
    write_leaf("client", clients, _Leaf(_client_subject(CLIENT_COMMON_NAME), Profile.CLIENT, good))
    write_leaf("stranger", clients, _Leaf(_client_subject(STRANGER_COMMON_NAME), Profile.CLIENT, good))
    write_leaf("expired", clients, _Leaf(_client_subject(CLIENT_COMMON_NAME), Profile.CLIENT, past))
    write_leaf("foreign", foreign_root, _Leaf(_client_subject(CLIENT_COMMON_NAME), Profile.CLIENT, good))


@dataclass(frozen=True, slots=True)
class _Leaf:
    subject: x509.Name
    profile: Profile
    validity: Validity
    names: tuple[x509.GeneralName, ...] = ()


def _is_good(pki: DemoPki, now: datetime) -> bool:
    """Tell whether the set is whole, fits together, and stays good for a while."""
    try:
        server_root = _one(pki.server_ca)
        issuing, client_root = x509.load_pem_x509_certificates(pki.client_ca.read_bytes())
        leaves = {name: _leaf_with_its_key(pki, name) for name in _LEAVES}
        _fits(issuing, pki.client_ca_key)
        for certificate, issuer in (
            (issuing, client_root),
            (leaves["server"], server_root),
            *((leaves[name], issuing) for name in ("client", "stranger", "expired")),
        ):
            certificate.verify_directly_issued_by(issuer)
    except (OSError, ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    lasting = (server_root, client_root, issuing, *(leaves[n] for n in _LEAVES if n != "expired"))
    return leaves["expired"].not_valid_after_utc < now and all(
        c.not_valid_before_utc <= now and now + KEEP_AHEAD <= c.not_valid_after_utc for c in lasting
    )


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


def _ca_subject(common_name: str) -> x509.Name:
    return _name(
        (NameOID.ORGANIZATION_NAME, _ORGANISATION), (NameOID.COMMON_NAME, f"{_ORGANISATION} {common_name}")
    )


def _server_subject() -> x509.Name:
    return _name((NameOID.COMMON_NAME, "localhost"))


def _client_subject(common_name: str) -> x509.Name:
    return _name(
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.STATE_OR_PROVINCE_NAME, "Texas"),
        (NameOID.LOCALITY_NAME, "Austin"),
        (NameOID.ORGANIZATION_NAME, "Access"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Access Admins"),
        (NameOID.COMMON_NAME, common_name),
    )


def _name(*attributes: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])
