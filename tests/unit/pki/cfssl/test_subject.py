from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from edge.pki.cfssl.messages import CfsslError
from edge.pki.cfssl.subject import build_name, oddities, override_name
from tests.unit.pki.cfssl.workshop import request


def name(**fields: Any) -> x509.Name:
    return build_name(request(**fields).subject)


def types(built: x509.Name) -> list[_ASN1Type]:
    return [attribute._type for attribute in built]


def test_the_order_is_gos_whatever_the_json_says() -> None:
    built = name(
        serialnumber="7", CN="cn", names=[{"E": "e@x", "OU": "ou", "O": "o", "L": "l", "ST": "st", "C": "US"}]
    )
    assert [attribute.oid for attribute in built] == [
        NameOID.COUNTRY_NAME,
        NameOID.STATE_OR_PROVINCE_NAME,
        NameOID.LOCALITY_NAME,
        NameOID.ORGANIZATION_NAME,
        NameOID.ORGANIZATIONAL_UNIT_NAME,
        NameOID.COMMON_NAME,
        NameOID.SERIAL_NUMBER,
        NameOID.EMAIL_ADDRESS,
    ]


def test_several_names_make_attributes_of_several_values() -> None:
    built = name(CN="x", names=[{"O": "A", "OU": "U"}, {"O": "B"}])
    assert [len(each) for each in built.rdns] == [2, 1, 1]
    assert built.rfc4514_string() == "CN=x,OU=U,O=A+O=B"


def test_the_same_value_twice_stands_once() -> None:
    assert name(names=[{"O": "A"}, {"O": "A"}]).rfc4514_string() == "O=A"


def test_empty_values_make_no_attributes() -> None:
    assert not name(names=[{"O": "", "C": ""}]).rdns
    assert not name().rdns


@pytest.mark.parametrize("value", ["James Royal", "A-Z az 09 '()+,-./:=?"])
def test_a_printable_value_is_a_printable_string(value: str) -> None:
    assert types(name(CN=value)) == [_ASN1Type.PrintableString]


@pytest.mark.parametrize("value", ["a*b", "a&b", "a@b", "Müller", "a_b", '"', "日本"])
def test_any_other_value_is_utf8(value: str) -> None:
    assert types(name(CN=value)) == [_ASN1Type.UTF8String]


def test_an_attribute_given_by_its_identifier_replaces_the_short_one() -> None:
    built = name(CN="short", names=[{"OID": {"2.5.4.3": "long", "1.2.3": "x"}}])
    assert [(each.oid.dotted_string, each.value) for each in built] == [("2.5.4.3", "long"), ("1.2.3", "x")]


@pytest.mark.parametrize("value", ["a\x00b", "a\n", "\x1b[31m", "a\x7f", "\u202e"])
def test_a_value_that_cannot_be_printed_is_refused(value: str) -> None:
    with pytest.raises(CfsslError, match="cannot be printed"):
        name(CN=value)


def test_values_that_other_software_refuses_are_made_and_told() -> None:
    built = name(CN="x" * 65, names=[{"C": "USA", "O": "o" * 64}])
    country, common_name = oddities(built)
    assert country.startswith("C 'USA' has 3 characters where RFC 5280 allows 2")
    assert common_name.startswith("CN 'xxxx")
    assert oddities(name(CN="x" * 64, names=[{"C": "US"}])) == ()


def test_no_warning_of_a_library_reaches_the_terminal() -> None:
    code = (
        "from edge.pki.cfssl.csr_json import *; from edge.pki.cfssl.subject import *;"
        "build_name(SubjectJson('x' * 99, (NameEntry(country='USA'),)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stderr == b""


def test_an_override_replaces_what_it_says_and_keeps_the_rest() -> None:
    requested = name(CN="old", serialnumber="7", names=[{"O": "A", "C": "US"}, {"O": "B"}])
    said = request(CN="new", names=[{"O": "C"}]).subject
    assert override_name(said, requested).rfc4514_string() == "2.5.4.5=7,CN=new,O=C,C=US"
    assert override_name(request().subject, requested) == requested
