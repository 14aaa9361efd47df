"""Build subjects octet for octet as Go does.

The order is fixed: country, province, locality, organization, unit, common name, serial number,
then everything else. Several ``names`` make attributes of several values (``O=A + O=B`` in one
relative name), not several relative names. A value is a PrintableString where its letters allow
it, else a UTF8String; names are compared octet for octet, so that this matters to a chain.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence

from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from edge.pki.cfssl.csr_json import NameEntry, SubjectJson
from edge.pki.cfssl.messages import CfsslError, Code

_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,./:=?-]*", re.ASCII)
"""X.680 41.4. Go leaves out ``*`` and ``&`` too, which some writers let through."""

_UPPER_BOUNDS = {
    NameOID.COUNTRY_NAME: 2,
    NameOID.STATE_OR_PROVINCE_NAME: 128,
    NameOID.LOCALITY_NAME: 128,
    NameOID.ORGANIZATION_NAME: 64,
    NameOID.ORGANIZATIONAL_UNIT_NAME: 64,
    NameOID.COMMON_NAME: 64,
    NameOID.SERIAL_NUMBER: 64,
}
"""RFC 5280 appendix A.1, in characters."""

Values = dict[x509.ObjectIdentifier, tuple[str, ...]]


def build_name(subject: SubjectJson) -> x509.Name:
    """Return the name. Raises ``CfsslError`` if one of its values cannot be written."""
    others = [pair for entry in subject.names for pair in _others(entry)]
    return _name(_values(subject), others)


def override_name(subject: SubjectJson, requested: x509.Name) -> x509.Name:
    """Return the name that ``subject`` says, completed by what the CSR says of what it leaves out."""
    said = _values(subject)
    merged = {
        oid: values or tuple(value_text(each.value) for each in requested.get_attributes_for_oid(oid))
        for oid, values in said.items()
    }
    return _name(merged, [pair for entry in subject.names for pair in _others(entry)])


def oddities(name: x509.Name) -> tuple[str, ...]:
    """Return what other software may refuse: values too long for RFC 5280, a country not of 2 letters."""
    found = []
    for attribute in name:
        bound = _UPPER_BOUNDS.get(attribute.oid)
        length = len(attribute.value)
        if bound and (length > bound or (attribute.oid == NameOID.COUNTRY_NAME and length != bound)):
            found.append(
                f"{attribute.rfc4514_attribute_name} {value_text(attribute.value)[:80]!a} has {length} "
                f"characters where RFC 5280 allows {bound}; some software refuses such a certificate"
            )
    return tuple(found)


def refuse_unprintable(value: str | bytes, whose: str = "the subject's") -> None:
    """Raise ``CfsslError`` for a value with a control character in it.

    A NUL in a common name ends it for software written in C and for nobody else; a line feed at its
    end passes a ``$`` in a regular expression.
    """
    if isinstance(value, str) and not value.isprintable():
        raise CfsslError(
            f"{whose} {value[:64]!a} has a character in it that cannot be printed",
            Code.INVALID_REQUEST,
        )


def _values(subject: SubjectJson) -> Values:
    names = subject.names
    return {
        NameOID.COUNTRY_NAME: _said(each.country for each in names),
        NameOID.STATE_OR_PROVINCE_NAME: _said(each.province for each in names),
        NameOID.LOCALITY_NAME: _said(each.locality for each in names),
        NameOID.ORGANIZATION_NAME: _said(each.organization for each in names),
        NameOID.ORGANIZATIONAL_UNIT_NAME: _said(each.organizational_unit for each in names),
        NameOID.COMMON_NAME: _said([subject.common_name]),
        NameOID.SERIAL_NUMBER: _said([subject.serial_number]),
    }


def _said(values: Iterable[str]) -> tuple[str, ...]:
    # The same value twice in one relative name is not DER: a SET OF names each once.
    return tuple(dict.fromkeys(value for value in values if value))


def _others(entry: NameEntry) -> list[tuple[x509.ObjectIdentifier, str]]:
    email = [(NameOID.EMAIL_ADDRESS, entry.email)] if entry.email else []
    return [*entry.others, *email]


def _name(values: Values, others: Sequence[tuple[x509.ObjectIdentifier, str]]) -> x509.Name:
    # As in Go: what is said by its object identifier replaces what is said by its short name.
    replaced = {oid for oid, _ in others}
    sets = [
        [_attribute(oid, value) for value in said]
        for oid, said in values.items()
        if said and oid not in replaced
    ]
    sets.extend([_attribute(oid, value)] for oid, value in others)
    return x509.Name([x509.RelativeDistinguishedName(each) for each in sets])


def _attribute(oid: x509.ObjectIdentifier, value: str) -> x509.NameAttribute[str]:
    refuse_unprintable(value)
    kind = _ASN1Type.PrintableString if _PRINTABLE.fullmatch(value) else _ASN1Type.UTF8String
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lengths are told by `oddities`, in words that name the field
        return x509.NameAttribute(oid, value, kind, _validate=False)


def value_text(value: str | bytes) -> str:
    """Return an attribute's value as text; octets (a unique identifier) in hex."""
    return value if isinstance(value, str) else value.hex()
