from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from edge.pki.cfssl.csr_json import (
    CaSection,
    CsrJson,
    KeySpec,
    NameEntry,
    RawExtension,
    SubjectJson,
    read_csr_json,
    read_subject_json,
)
from edge.pki.cfssl.messages import CfsslError

GUIDE = {
    "CN": "James Royal",
    "hosts": [""],
    "key": {"algo": "rsa", "size": 4096},
    "names": [{"C": "US", "L": "Austin", "O": "Access", "OU": "Access Admins", "ST": "Texas"}],
}


def read(**fields: Any) -> CsrJson:
    return read_csr_json(json.dumps(fields).encode())[0]


def warnings(**fields: Any) -> tuple[str, ...]:
    return read_csr_json(json.dumps(fields).encode())[1]


def refusal(**fields: Any) -> str:
    with pytest.raises(CfsslError) as caught:
        read(**fields)
    return str(caught.value)


def test_an_empty_object_asks_for_an_ecdsa_key_on_p256_and_nothing_else() -> None:
    assert read() == CsrJson(SubjectJson(), (), KeySpec("ecdsa", 256), None, (), "")


def test_the_guide_is_read() -> None:
    assert read(**GUIDE) == CsrJson(
        SubjectJson("James Royal", (NameEntry("US", "Texas", "Austin", "Access", "Access Admins"),), ""),
        ("",),
        KeySpec("rsa", 4096),
    )


def test_everything_else_is_read() -> None:
    got = read(
        serialnumber="77",
        names=[{"E": "a@b", "OID": {"1.2.3": "v"}}],
        crl_url="http://c/",
        extensions=[{"Id": [1, 2, 3], "Critical": True, "Value": "BQA="}],
        ca={"pathlen": 2, "expiry": "10h", "backdate": "1h"},
    )
    assert got.subject.serial_number == "77"
    assert got.subject.names[0].email == "a@b"
    assert got.subject.names[0].others == ((x509.ObjectIdentifier("1.2.3"), "v"),)
    assert got.crl_url == "http://c/"
    assert got.extensions == (RawExtension(x509.ObjectIdentifier("1.2.3"), True, b"\x05\x00"),)
    assert got.ca == CaSection(2, timedelta(hours=10), timedelta(hours=1))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (None, KeySpec("ecdsa", 256)),
        ({}, KeySpec("ecdsa", 256)),
        ({"size": 384}, KeySpec("ecdsa", 384)),
        ({"algo": "rsa"}, KeySpec("rsa", 256)),
        ({"algo": "ed25519"}, KeySpec("ed25519", 256)),
    ],
)
def test_what_a_key_does_not_say_is_cfssls_default(key: object, expected: KeySpec) -> None:
    assert read(key=key).key == expected


@pytest.mark.parametrize(
    ("ca", "length"),
    [
        ({}, None),
        ({"pathlen": 0}, None),
        ({"pathlen": 0, "pathlenzero": True}, 0),
        ({"pathlenzero": True}, 0),
        ({"pathlen": 3}, 3),
        ({"pathlen": 3, "pathlenzero": True}, 3),
        ({"pathlen": -1}, None),
    ],
)
def test_a_path_length_of_zero_needs_its_second_field(ca: dict[str, object], length: int | None) -> None:
    got = read(ca=ca).ca
    assert got is not None
    assert got.path_length == length


def test_a_pathlenzero_that_contradicts_is_told() -> None:
    assert warnings(ca={"pathlen": 3, "pathlenzero": True}) == (
        "ca.pathlenzero has no effect beside a ca.pathlen that is not 0",
    )


@pytest.mark.parametrize("length", [-2, 256, 10**30])
def test_an_impossible_path_length_is_refused(length: int) -> None:
    assert refusal(ca={"pathlen": length}) == "ca.pathlen must be between 0 and 255"


@pytest.mark.parametrize("expiry", ["1", "-1h", "1 h", "1d", "h", "1h ", "٣h", "1_0h"])
def test_an_expiry_that_is_no_go_duration_is_refused(expiry: str) -> None:
    assert refusal(ca={"expiry": expiry}).startswith("ca.expiry: ")


@pytest.mark.parametrize("expiry", ["2562048h", "9" * 400 + "h"])
def test_an_expiry_longer_than_go_can_count_is_refused(expiry: str) -> None:
    assert refusal(ca={"expiry": expiry}) == "ca.expiry: longer than 292 years"


def test_unknown_keys_are_told_and_ignored() -> None:
    assert warnings(CN="x", host=["a"]) == ("'host' is not known and has no effect; did you mean 'hosts'?",)
    assert warnings(names=[{"Org": "x"}], key={"curve": 1})[0].startswith("names[0].'Org' is not known")


def test_a_serial_number_in_names_is_told_to_have_no_effect() -> None:
    assert warnings(names=[{"SerialNumber": "7"}]) == (
        "names[0].SerialNumber has no effect; write it beside CN, not in names",
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"CN": 1}, "CN must be a string"),
        ({"hosts": "a"}, "hosts must be a list"),
        ({"hosts": [1]}, "hosts[0] must be a string"),
        ({"names": {"C": "US"}}, "names must be a list"),
        ({"names": ["US"]}, "names[0] must be an object"),
        ({"names": [{"C": ["US"]}]}, "names[0].C must be a string"),
        ({"names": [{"OID": {"1.2.3": 1}}]}, "names[0].OID.'1.2.3' must be a string"),
        ({"key": "rsa"}, "key must be an object"),
        ({"key": {"size": "2048"}}, "key.size must be a whole number"),
        ({"key": {"size": 2048.0}}, "key.size must be a whole number"),
        ({"ca": []}, "ca must be an object"),
        ({"ca": {"pathlenzero": 1}}, "ca.pathlenzero must be true or false"),
        ({"delegation_enabled": True}, "delegation_enabled: delegated credentials are not supported"),
        ({"extensions": [{"Id": [1, "2"]}]}, "extensions[0].Id must be a list of whole numbers"),
        ({"extensions": [{"Id": [1, 2], "Value": "%"}]}, "extensions[0].Value must be base64"),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused_by_name(fields: dict[str, object], message: str) -> None:
    assert refusal(**fields) == message


@pytest.mark.parametrize("oid", ["", "1", "x", "1.2.", "9.9.9", "1.2.-3", "1.2.3\n", "." * 500])
def test_an_object_identifier_that_is_none_is_refused(oid: str) -> None:
    assert "is no object identifier" in refusal(names=[{"OID": {oid: "v"}}])


def test_a_name_of_blanks_is_empty() -> None:
    assert NameEntry(country=" ", email="a@b").is_empty
    assert not NameEntry(organizational_unit="x").is_empty


def test_a_subject_file_is_read() -> None:
    data = b'{"cn":"Jane","names":[{"O":"Other"}],"serialNumber":"9"}'
    assert read_subject_json(data) == (SubjectJson("Jane", (NameEntry(organization="Other"),), "9"), ())


def test_a_subject_file_that_is_none_is_refused() -> None:
    with pytest.raises(CfsslError, match="must be an object"):
        read_subject_json(b"[]")


@pytest.mark.parametrize(
    ("spec", "shown"),
    [(KeySpec(), "ecdsa-256"), (KeySpec("rsa", 4096), "rsa-4096"), (KeySpec("ed25519"), "ed25519")],
)
def test_a_key_is_shown_as_in_cfssls_log(spec: KeySpec, shown: str) -> None:
    assert str(spec) == shown
