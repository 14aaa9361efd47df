"""One certificate of the index of a PKI, and the newest CRL of an authority."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from edge.model.client_auth import serial_hex
from edge.pki.crl import Revoked
from edge.pki.leaf import common_name_of

ROOT = "root"
INTERMEDIATE = "intermediate"


@dataclass(frozen=True, slots=True)
class Record:
    """One certificate of the index."""

    id: int
    role: str
    """``root``, ``intermediate``, or the profile of a leaf: ``client``, ``server``."""
    issuer: int
    name: str
    """The files are ``<name>.pem`` and so on."""
    key_made_here: bool
    """False if the key never was in the directory, because only a request for the certificate was."""
    renews: int | None
    written: bool
    certificate: x509.Certificate
    revoked: Revoked | None
    renewed: bool

    @property
    def common_name(self) -> str:
        """The last common name of the subject."""
        return common_name_of(self.certificate.subject)

    @property
    def serial(self) -> str:
        """The serial in hex."""
        return serial_hex(self.certificate.serial_number)

    @property
    def is_leaf(self) -> bool:
        """Whether it is neither the root nor the intermediate."""
        return self.role not in (ROOT, INTERMEDIATE)


@dataclass(frozen=True, slots=True)
class NewRecord:
    """What is put into the index. ``issuer`` is None for the root, which is its own."""

    certificate: x509.Certificate
    role: str
    issuer: int | None
    name: str
    key_made_here: bool = True
    renews: int | None = None
    written: bool = False


@dataclass(frozen=True, slots=True)
class StoredCrl:
    """The newest CRL of an authority. ``entries`` is how many certificates it names."""

    number: int
    entries: int
    next_update: datetime
    der: bytes

    def is_due(self, now: datetime) -> bool:
        """Tell whether less than a quarter of its time is left; the edge warns at the same moment."""
        this_update = x509.load_der_x509_crl(self.der).last_update_utc
        return now >= self.next_update - (self.next_update - this_update) / 4
