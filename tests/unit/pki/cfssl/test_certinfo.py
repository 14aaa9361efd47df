from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509

from edge.pki.cfssl.certinfo import (
    certificate_info,
    certificate_rows,
    expiry_warning,
    read_certificate,
)
from edge.pki.cfssl.csrinfo import request_info, request_rows
from edge.pki.cfssl.messages import CfsslError, Code
from edge.pki.keys import new_key
from tests.unit.pki.cfssl.workshop import BEGIN, NOW, pem, profile, request, requested, root, signer

HOSTS = ["", "a.example", "x@y", "::1", "10.0.0.1", "urn:x:y", "https://h:1/p?q#f"]
ROOT = root(CN="Root", names=[{"O": "A"}, {"O": "B", "C": "US"}])
ASKED = requested(request(CN="Müller", serialnumber="7", hosts=HOSTS))
LEAF = signer(ROOT).sign(ASKED.csr, profile())


def refused(data: bytes) -> CfsslError:
    with pytest.raises(CfsslError) as caught:
        read_certificate(data)
    return caught.value


def test_the_json_is_cfssls() -> None:
    info = certificate_info(LEAF)
    assert list(info) == [
        "subject",
        "issuer",
        "serial_number",
        "sans",
        "not_before",
        "not_after",
        "sigalg",
        "authority_key_id",
        "subject_key_id",
        "pem",
    ]
    assert info["subject"] == {"common_name": "Müller", "serial_number": "7", "names": ["Müller", "7"]}
    assert info["issuer"] == {
        "common_name": "Root",
        "country": "US",
        "organization": "A,B",
        "names": ["US", "A", "B", "Root"],
    }
    assert info["serial_number"] == str(LEAF.serial_number)
    assert info["sans"] == ["", "a.example", "::1", "10.0.0.1"]
    assert info["not_before"] == "2026-11-23T12:20:00Z"
    assert info["sigalg"] == "ECDSAWithSHA256"
    assert info["pem"] == pem(LEAF).decode()
    assert str(info["authority_key_id"]).count(":") == 19


def test_what_a_certificate_has_not_is_left_out_or_empty() -> None:
    info = certificate_info(ROOT.certificate)
    assert "sans" not in info
    assert info["authority_key_id"] == ""


def test_the_table_tells_everything() -> None:
    rows = certificate_rows(LEAF, NOW)
    text = "\n".join(" ".join(row) for row in rows)
    for expected in (
        "Subject 2.5.4.5=7,CN=Müller",
        str(LEAF.serial_number),
        f"0x{LEAF.serial_number:X}",
        "(364 days left)",
        "DNS (empty)",
        "email x@y",
        "IP ::1",
        "URI urn:x:y",
        "digital signature",
        "client auth",
        "CA no",
        "ECDSA secp256r1",
    ):
        assert expected in text
    assert "yes" in dict(certificate_rows(ROOT.certificate, NOW))["CA"]


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (timedelta(days=300), ""),
        (timedelta(days=334), ""),
        (timedelta(days=336), "the certificate expires in 28 days, at 2027-11-23T12:20:00Z"),
        (timedelta(days=366), "the certificate expired at 2027-11-23T12:20:00Z"),
    ],
)
def test_a_certificate_that_ends_soon_is_told(later: timedelta, expected: str) -> None:
    assert expiry_warning(LEAF, BEGIN + later + timedelta(seconds=1)) == expected


@pytest.mark.parametrize(
    "data", [b"", b"x", pem(ASKED.csr), b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    assert refused(data).code == Code.CERTIFICATE_DECODE


def test_two_certificates_are_one_too_many() -> None:
    error = refused(pem(LEAF) + pem(ROOT.certificate))
    assert error.code == Code.CERTIFICATE_PARSE
    assert error.message == "the PEM file should contain only one object"


def test_a_certificate_is_read_back() -> None:
    assert read_certificate(b"text before\n" + pem(LEAF)) == LEAF


# --- requests --------------------------------------------------------------------------------------


def test_the_json_of_a_request_is_gos_structure() -> None:
    info = request_info(ASKED.csr)
    assert list(info)[:5] == [
        "Raw",
        "RawTBSCertificateRequest",
        "RawSubjectPublicKeyInfo",
        "RawSubject",
        "Version",
    ]
    assert (info["SignatureAlgorithm"], info["PublicKeyAlgorithm"]) == (10, 3)
    assert info["DNSNames"] == ["", "a.example"]
    assert info["EmailAddresses"] == ["x@y"]
    assert info["IPAddresses"] == ["::1", "10.0.0.1"]
    uris = info["URIs"]
    assert isinstance(uris, list)
    assert (uris[0]["Scheme"], uris[0]["Opaque"]) == ("urn", "x:y")
    assert (uris[1]["Host"], uris[1]["Path"], uris[1]["RawQuery"], uris[1]["Fragment"]) == (
        "h:1",
        "/p",
        "q",
        "f",
    )
    subject = info["Subject"]
    assert isinstance(subject, dict)
    assert (subject["CommonName"], subject["SerialNumber"], subject["Country"]) == ("Müller", "7", None)


@pytest.mark.parametrize("algorithm", ["ed25519", "rsa"])
def test_every_kind_of_key_is_told(algorithm: str) -> None:
    csr = requested(request(CN="x"), new_key(algorithm, 2048)).csr
    assert request_info(csr)["PublicKeyAlgorithm"] == {"ed25519": 4, "rsa": 1}[algorithm]
    assert dict(request_rows(csr))["Key"] == {"ed25519": "Ed25519", "rsa": "RSA 2048"}[algorithm]


def test_a_request_without_extensions_has_none() -> None:
    info = request_info(requested(request(CN="x")).csr)
    assert info["Attributes"] is None
    assert info["Extensions"] is None
    assert info["URIs"] is None


def test_a_critical_extension_shows_as_go_reads_it() -> None:
    csr = requested(request(CN="x", ca={})).csr
    assert isinstance(csr.extensions[0].value, x509.BasicConstraints)
    assert request_info(csr)["Attributes"] == [
        {"Type": [1, 2, 840, 113549, 1, 9, 14], "Value": [[{"Type": [2, 5, 29, 19], "Value": None}]]}
    ]


def test_the_table_of_a_request_tells_every_name() -> None:
    text = "\n".join(" ".join(row) for row in request_rows(ASKED.csr))
    assert "DNS (empty)" in text
    assert "URI https://h:1/p?q#f" in text
