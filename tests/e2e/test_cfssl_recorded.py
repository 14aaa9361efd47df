"""What we make of a JSON is what cfssl made of it when it was asked last, whether it is here or not."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.e2e.cfssl_cases import AUTHORITY, CASES, GUIDE_CONFIG, facts, make_case, recorded, request_facts
from tests.e2e.cfssl_toolkit import make, ours, succeed, write_json

EVERY_CASE = pytest.mark.parametrize("name", CASES)


def padded(key_id: str) -> str:
    """cfssl 1.2 leaves out the leading zeros of octets; it does no more."""
    return ":".join(octet.zfill(2) for octet in key_id.split(":")) if key_id else ""


@EVERY_CASE
def test_certificates_and_requests_are_alike(tmp_path: Path, name: str) -> None:
    _, made = make_case(ours, tmp_path, CASES[name])
    theirs = recorded()["cases"][name]
    assert facts(made.certificate.read_text()) == facts(theirs["cert"])
    assert request_facts(made.csr.read_text()) == request_facts(theirs["csr"])


@EVERY_CASE
def test_certinfo_tells_the_same(tmp_path: Path, name: str) -> None:
    theirs = recorded()["cases"][name]
    path = tmp_path / "cert.pem"
    path.write_text(theirs["cert"])
    told: dict[str, Any] = succeed(ours, "certinfo", "-cert", path).json
    assert told.pop("pem") == theirs["cert"]
    expected = dict(theirs["certinfo"])
    for field in ("authority_key_id", "subject_key_id"):
        expected[field] = padded(expected[field])
    assert list(told) == list(expected)
    assert told == expected


@EVERY_CASE
def test_their_request_is_signed_by_our_authority(tmp_path: Path, name: str) -> None:
    theirs = recorded()["cases"][name]
    csr = tmp_path / "their.csr"
    csr.write_text(theirs["csr"])
    ca = make(ours, tmp_path, "ca", "gencert", "-initca", write_json(tmp_path / "ca.json", AUTHORITY))
    config = write_json(tmp_path / "config.json", GUIDE_CONFIG)
    signed = ours("cfssl", "sign", *ca.signs, "-config", config, "-profile", "client", csr)
    if CASES[name].csr.get("ca") is not None:
        assert signed.status == 1  # it asks for an authority
        assert '"code":5300' in signed.err
        return
    assert signed.status == 0
    certificate = x509.load_pem_x509_certificate(signed.json["cert"].encode())
    assert certificate.subject == x509.load_pem_x509_csr(theirs["csr"].encode()).subject
    assert signed.json["csr"] == theirs["csr"]


def test_their_crl_holds_what_ours_would(tmp_path: Path) -> None:
    theirs = x509.load_der_x509_crl(base64.b64decode(recorded()["crl"]["crl"]))
    ca = make(ours, tmp_path, "ca", "gencert", "-initca", write_json(tmp_path / "ca.json", AUTHORITY))
    (tmp_path / "serials.txt").write_text("17\n699495378645\n")
    made = succeed(ours, "gencrl", tmp_path / "serials.txt", ca.certificate, ca.key)
    line = made.out.removesuffix("\n")
    assert len(line) == len(made.out) - 1
    crl = x509.load_der_x509_crl(base64.b64decode(line, validate=True))
    assert [each.serial_number for each in crl] == [each.serial_number for each in theirs]
    assert crl.issuer.public_bytes() == theirs.issuer.public_bytes()
    assert crl.signature_algorithm_oid == theirs.signature_algorithm_oid
    assert crl.next_update_utc is not None
    assert theirs.next_update_utc is not None
    assert crl.next_update_utc - crl.last_update_utc == theirs.next_update_utc - theirs.last_update_utc
    assert {each.oid._name for each in crl.extensions} == {"authorityKeyIdentifier", "cRLNumber"}


def test_a_recording_holds_no_key() -> None:
    assert "PRIVATE" not in json.dumps(recorded())
