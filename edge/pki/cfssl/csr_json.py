"""Read cfssl's CSR JSON: the subject, the hosts and the key that somebody asks for."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509

from edge.model.duration import parse_duration
from edge.pki.cfssl.go_json import Fields, JsonError, loads
from edge.pki.cfssl.messages import CfsslError

MAX_DURATION = timedelta(microseconds=(2**63 - 1) // 1000)
"""The longest that a Go duration can be, about 292 years."""

_REQUEST = (
    "CN",
    "names",
    "hosts",
    "key",
    "ca",
    "serialnumber",
    "delegation_enabled",
    "extensions",
    "crl_url",
)
_NAME = ("C", "ST", "L", "O", "OU", "E", "SerialNumber", "OID")


@dataclass(frozen=True, slots=True)
class NameEntry:
    """One entry of ``names``; empty strings stand for what it does not say."""

    country: str = ""
    province: str = ""
    locality: str = ""
    organization: str = ""
    organizational_unit: str = ""
    email: str = ""
    others: tuple[tuple[x509.ObjectIdentifier, str], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Tell whether it names nobody."""
        told = (self.country, self.province, self.locality, self.organization, self.organizational_unit)
        return not any(text.strip() for text in told)


@dataclass(frozen=True, slots=True)
class SubjectJson:
    """Who a certificate is about, as the JSON says it."""

    common_name: str = ""
    names: tuple[NameEntry, ...] = ()
    serial_number: str = ""


@dataclass(frozen=True, slots=True)
class KeySpec:
    """Which key to make. What can be made is decided by ``edge.pki.keys``."""

    algorithm: str = "ecdsa"
    size: int = 256

    def __str__(self) -> str:
        return self.algorithm if self.algorithm == "ed25519" else f"{self.algorithm}-{self.size}"


@dataclass(frozen=True, slots=True)
class CaSection:
    """What ``ca`` says of a new authority. None: not said."""

    path_length: int | None = None
    expiry: timedelta | None = None
    backdate: timedelta | None = None


@dataclass(frozen=True, slots=True)
class RawExtension:
    """An extension that is put into the CSR as it is."""

    oid: x509.ObjectIdentifier
    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class CsrJson:
    """One CSR JSON."""

    subject: SubjectJson = SubjectJson()
    hosts: tuple[str, ...] = ()
    key: KeySpec = KeySpec()
    ca: CaSection | None = None
    extensions: tuple[RawExtension, ...] = ()
    crl_url: str = ""


def read_csr_json(data: bytes) -> tuple[CsrJson, tuple[str, ...]]:
    """Return the request, and what is worth a warning. Raises ``CfsslError``."""
    warnings: list[str] = []
    try:
        fields = Fields(loads(data), "", _REQUEST, warnings)
        if fields.flag("delegation_enabled"):
            raise JsonError("delegation_enabled: delegated credentials are not supported")
        request = CsrJson(
            subject=_subject(fields, warnings, "serialnumber"),
            hosts=fields.texts("hosts") or (),
            key=_key(fields, warnings),
            ca=_ca(fields, warnings),
            extensions=tuple(
                _extension(Fields(value, place, ("Id", "Critical", "Value"), warnings))
                for value, place in fields.items("extensions")
            ),
            crl_url=fields.text("crl_url"),
        )
    except JsonError as error:
        raise CfsslError(str(error)) from None
    return request, tuple(warnings)


def read_subject_json(data: bytes) -> tuple[SubjectJson, tuple[str, ...]]:
    """Read the SUBJECT file of ``cfssl sign``. Raises ``CfsslError``."""
    warnings: list[str] = []
    try:
        fields = Fields(loads(data), "", ("CN", "names", "SerialNumber"), warnings)
        return _subject(fields, warnings, "SerialNumber"), tuple(warnings)
    except JsonError as error:
        raise CfsslError(str(error)) from None


def read_duration(fields: Fields, name: str) -> timedelta | None:
    """Return a Go duration, in whole microseconds; None if there is none. Raises ``JsonError``."""
    text = fields.text(name)
    if not text:
        return None
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise JsonError(f"{fields.place(name)}: {error}") from None
    if seconds > MAX_DURATION.total_seconds():
        raise JsonError(f"{fields.place(name)}: longer than 292 years")
    return timedelta(seconds=seconds)


def read_path_length(length: int, *, zero: bool, place: str) -> int | None:
    """Return how many authorities may stand below; None for any number.

    In Go's JSON a zero and nothing are the same, so that a second field says whether 0 is meant.
    Raises ``JsonError``.
    """
    if length < -1 or length > 255:
        raise JsonError(f"{place} must be between 0 and 255")
    return length if length > 0 else 0 if zero and length == 0 else None


def _subject(fields: Fields, warnings: list[str], serial_number: str) -> SubjectJson:
    names = [Fields(value, place, _NAME, warnings) for value, place in fields.items("names")]
    warnings.extend(
        f"{name.place('SerialNumber')} has no effect; write it beside CN, not in names"
        for name in names
        if name.has("SerialNumber")
    )
    return SubjectJson(fields.text("CN"), tuple(map(_name, names)), fields.text(serial_number))


def _name(fields: Fields) -> NameEntry:
    others = fields.mapping("OID").items()
    return NameEntry(
        fields.text("C"),
        fields.text("ST"),
        fields.text("L"),
        fields.text("O"),
        fields.text("OU"),
        fields.text("E"),
        tuple(_other(key, value, fields.place("OID")) for key, value in others),
    )


def _other(key: str, value: object, place: str) -> tuple[x509.ObjectIdentifier, str]:
    if not isinstance(value, str):
        raise JsonError(f"{place}.{key!a} must be a string")
    return _oid(key, place), value


def _oid(dotted: str, place: str) -> x509.ObjectIdentifier:
    try:
        return x509.ObjectIdentifier(dotted)
    except ValueError:
        raise JsonError(f"{place}: {dotted[:64]!a} is no object identifier like 1.2.3.4") from None


def _key(fields: Fields, warnings: list[str]) -> KeySpec:
    if fields.value("key") is None:
        return KeySpec()
    key = Fields(fields.value("key"), "key", ("algo", "size"), warnings)
    return KeySpec(key.text("algo") or "ecdsa", key.whole("size", 256))


def _ca(fields: Fields, warnings: list[str]) -> CaSection | None:
    if fields.value("ca") is None:
        return None
    ca = Fields(fields.value("ca"), "ca", ("pathlen", "pathlenzero", "expiry", "backdate"), warnings)
    length, zero = ca.whole("pathlen"), ca.flag("pathlenzero")
    if zero and length != 0:
        warnings.append("ca.pathlenzero has no effect beside a ca.pathlen that is not 0")
    return CaSection(
        read_path_length(length, zero=zero, place="ca.pathlen"),
        read_duration(ca, "expiry"),
        read_duration(ca, "backdate"),
    )


def _extension(fields: Fields) -> RawExtension:
    numbers = [number for number, _ in fields.items("Id")]
    place = fields.place("Id")
    if not all(isinstance(number, int) for number in numbers):
        raise JsonError(f"{place} must be a list of whole numbers")
    oid = _oid(".".join(map(str, numbers)), place)
    try:
        value = base64.b64decode(fields.text("Value"), validate=True)
    except (binascii.Error, ValueError):
        raise JsonError(f"{fields.place('Value')} must be base64") from None
    return RawExtension(oid, fields.flag("Critical"), value)
