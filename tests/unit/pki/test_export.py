"""What devices get: PKCS#12, a C header, an Apple profile; and which keys never leave."""

from __future__ import annotations

import plistlib
import re
import secrets
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from edge.pki.directory import Directory
from edge.pki.errors import PkiError
from edge.pki.esp32 import identifier
from edge.pki.export import export_esp32, export_mobileconfig, export_pkcs12, write_export
from edge.pki.keys import new_key, read_key
from edge.pki.password import new_password
from edge.pki.record import Record
from tests.unit.pki.directories import issue, made, order, renew

PASSWORD = "correct horse"


def attempts(directory: Directory, record: Record) -> list[object]:
    return [
        lambda: export_pkcs12(directory, record, PASSWORD, legacy=False),
        lambda: export_mobileconfig(directory, record, PASSWORD),
        lambda: export_esp32(directory, record),
    ]


def test_the_key_of_an_authority_is_never_exported(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        for record in (directory.root, directory.intermediate):
            for attempt in attempts(directory, record):
                with pytest.raises(PkiError, match="authority"):
                    attempt()  # type: ignore[operator]


def test_a_key_that_never_was_here_is_not_exported(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        record = issue(directory, order(key=new_key().public_key()))
        for attempt in attempts(directory, record):
            with pytest.raises(PkiError, match="never was here"):
                attempt()  # type: ignore[operator]


def test_a_certificate_is_not_packed_with_the_key_of_its_successor(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        old = issue(directory)
        renew(directory, old)
        for attempt in attempts(directory, old):
            with pytest.raises(PkiError, match=f"another certificate than {old.serial}"):
                attempt()  # type: ignore[operator]


def test_an_export_replaces_nothing_unasked_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.p12"
    path.write_bytes(b"somebody's")
    with pytest.raises(PkiError, match="--force"):
        write_export(path, b"new", force=False)
    assert path.read_bytes() == b"somebody's"
    write_export(path, b"new", force=True)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_export_never_takes_the_place_of_a_device(tmp_path: Path) -> None:
    path = tmp_path / "null"
    path.symlink_to("/dev/null")
    for force in (False, True):
        with pytest.raises(PkiError, match="no regular file"):
            write_export(path, b"new", force=force)
    assert path.is_symlink()


@pytest.mark.parametrize("legacy", [False, True])
def test_pkcs12_holds_leaf_key_and_intermediate_and_no_root(tmp_path: Path, legacy: bool) -> None:
    with made(tmp_path) as directory:
        record = issue(directory, order("Jörg"))
        packed = export_pkcs12(directory, record, PASSWORD, legacy=legacy)
        found = pkcs12.load_pkcs12(packed, PASSWORD.encode())
        assert found.cert is not None
        assert found.cert.friendly_name == "Jörg".encode()
        assert found.cert.certificate == record.certificate
        assert [each.certificate for each in found.additional_certs] == [directory.intermediate.certificate]
        assert found.key is not None
        assert found.key.public_key() == record.certificate.public_key()
        with pytest.raises(ValueError, match="password"):
            pkcs12.load_pkcs12(packed, b"wrong")


def test_a_profile_brings_the_identity_and_no_password(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        record = issue(directory)
        octets = export_mobileconfig(directory, record, PASSWORD)
        assert PASSWORD.encode() not in octets
        profile = plistlib.loads(octets)
        (identity,) = profile["PayloadContent"]
        assert profile["PayloadType"] == "Configuration"
        assert identity["PayloadType"] == "com.apple.security.pkcs12"
        packed = pkcs12.load_pkcs12(identity["PayloadContent"], PASSWORD.encode())
        assert packed.cert is not None
        assert packed.cert.certificate == record.certificate


def identifiers(profile: bytes) -> set[str]:
    whole = plistlib.loads(profile)
    parts = (whole, *whole["PayloadContent"])
    return {part[key] for part in parts for key in ("PayloadUUID", "PayloadIdentifier")}


def test_identifiers_of_a_profile_depend_on_the_certificate_alone(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        first, second = issue(directory), issue(directory, order("other"))
        of_first = identifiers(export_mobileconfig(directory, first, "a"))
        assert len(of_first) == 4
        assert of_first == identifiers(export_mobileconfig(directory, first, "b"))
        assert of_first.isdisjoint(identifiers(export_mobileconfig(directory, second, "a")))
        assert all(
            re.fullmatch(r"[0-9A-F-]{36}|mtls-edge\.[0-9a-f]{32}(\.identity)?", each) for each in of_first
        )


def test_a_header_is_c_with_the_three_texts(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        record = issue(directory, order('*/ evil /* \\ " %s', name="sensor-7"))
        text = export_esp32(directory, record).decode("ascii")
        assert "evil" not in text
        literals = dict(re.findall(r"static const char (\w+)\[\] =\n((?:    \".*\"\n?)+);", text))
        assert list(literals) == ["sensor_7_cert", "sensor_7_key", "sensor_7_ca"]
        pem = {name: body_of(body) for name, body in literals.items()}
        chain = x509.load_pem_x509_certificates(pem["sensor_7_cert"])
        assert chain == [record.certificate, directory.intermediate.certificate]
        assert read_key(pem["sensor_7_key"]).public_key() == record.certificate.public_key()
        assert x509.load_pem_x509_certificate(pem["sensor_7_ca"]) == directory.root.certificate


def body_of(literal: str) -> bytes:
    return "".join(f"{line}\n" for line in re.findall(r'"(.*)\\n"', literal)).encode()


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("a", "a"), ("7", "client_7"), ("a.b-c@d+e", "a_b_c_d_e"), ("_", "client"), ("_a", "a")],
)
def test_c_names_are_c_names(name: str, prefix: str) -> None:
    assert identifier(name) == prefix


def test_passwords_are_long_readable_and_never_the_same() -> None:
    made_up = {new_password(secrets.randbits) for _ in range(200)}
    assert len(made_up) == 200
    assert all(re.fullmatch(r"([0-9a-hjkmnp-tv-z]{5}-){3}[0-9a-hjkmnp-tv-z]{5}", each) for each in made_up)
    assert len(set("".join(made_up))) == 33
