"""Issuing and renewing: what is refused, what is written, and what stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from edge.pki.directory import Directory
from edge.pki.enrol import read_request
from edge.pki.errors import PkiError
from edge.pki.issue import Profile
from edge.pki.keys import PrivateKey, new_key, read_key
from edge.pki.leaf import KeyType
from edge.pki.names import read_subject
from edge.pki.record import Record
from edge.pki.revocation import revoke
from tests.unit.pki.directories import DAY, NOW, issue, made, make, order, renew


def contents(path: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in path.iterdir() if each.name != "index.db"}


def key_fits(directory: Directory, record: Record) -> bool:
    key = read_key(directory.file(record.name, "-key.pem").read_bytes())
    return key.public_key() == record.certificate.public_key()


# --- issuing


@pytest.mark.parametrize("suffix", [".pem", "-key.pem", "-chain.pem"])
def test_no_file_is_replaced_unasked(tmp_path: Path, suffix: str) -> None:
    with made(tmp_path) as directory:
        (tmp_path / f"James-Royal{suffix}").write_bytes(b"somebody's")
        before = contents(tmp_path)
        with pytest.raises(PkiError, match=rf"James-Royal{suffix}: it is there already.*--out"):
            issue(directory)
        assert contents(tmp_path) == before
        assert len(directory.inventory.records()) == 2


def test_no_file_that_will_be_exported_is_replaced_unasked(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        (tmp_path / "James-Royal.h").write_bytes(b"somebody's")
        with pytest.raises(PkiError, match=r"James-Royal\.h: it is there already"):
            issue(directory, order(exports=(".h",)))
        assert issue(directory).name == "James-Royal"


def test_a_name_is_not_given_twice_even_if_its_files_were_moved(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        record = issue(directory)
        for path in directory.files_of(record.name):
            path.rename(path.with_suffix(".moved"))
        with pytest.raises(PkiError, match="was issued before"):
            issue(directory, order("James/Royal"))


def test_with_force_the_files_are_the_new_ones_and_the_old_record_stays(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        old = issue(directory)
        new = issue(directory, order(force=True))
        assert key_fits(directory, new)
        assert directory.inventory.by_name("James-Royal") == [old, new]


def test_a_leaf_and_its_files_say_the_same(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        record = issue(directory, order("James Royal", "james@example.com", "10.0.0.1"))
        certificate = x509.load_pem_x509_certificate((tmp_path / "James-Royal.pem").read_bytes())
        chain = x509.load_pem_x509_certificates((tmp_path / "James-Royal-chain.pem").read_bytes())
        assert record.certificate == certificate
        assert chain == [certificate, directory.intermediate.certificate]
        assert key_fits(directory, record)
        assert record.written
        assert record.key_made_here
        assert record.role == "client"
        assert certificate.not_valid_after_utc == NOW + 365 * DAY
        modes = {path.name: path.stat().st_mode & 0o777 for path in directory.files_of("James-Royal")}
        assert modes == {
            "James-Royal.pem": 0o644,
            "James-Royal-key.pem": 0o600,
            "James-Royal-chain.pem": 0o644,
        }


def test_a_server_that_browsers_would_refuse_is_told(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        issue(directory, order("a.test", profile=Profile.SERVER))
        assert directory.notes == []
        issue(directory, order("b.test", profile=Profile.SERVER, days=398))
        assert "397 days" in directory.notes[0]


def test_a_leaf_that_would_outlive_the_intermediate_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    make(tmp_path, intermediate_lifetime=30 * DAY)
    before = contents(tmp_path)
    with made(tmp_path) as directory:
        with pytest.raises(PkiError, match="choose at most --days 30"):
            issue(directory, order(days=31))
        assert contents(tmp_path) == before
        assert issue(directory).certificate.not_valid_after_utc == NOW + 30 * DAY
        assert "ends on" in directory.notes[0]


# --- requests


def request(
    key: PrivateKey | dsa.DSAPrivateKey, common_name: str = "ignored"
) -> x509.CertificateSigningRequest:
    builder = x509.CertificateSigningRequestBuilder().subject_name(read_subject(common_name))
    return builder.sign(key, hashes.SHA256())


def test_a_request_whose_signature_is_wrong_is_refused(tmp_path: Path) -> None:
    octets = bytearray(request(new_key()).public_bytes(Encoding.DER))
    octets[octets.index(b"ignored")] = ord("j")
    path = tmp_path / "x.csr"
    path.write_bytes(octets)
    with pytest.raises(PkiError, match="signature is wrong"):
        read_request(path)


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(public_exponent=65537, key_size=1024),
        ec.generate_private_key(ec.SECP224R1()),
        ec.generate_private_key(ec.SECP256K1()),
    ],
)
def test_a_request_with_a_weak_or_unusual_key_is_refused(tmp_path: Path, key: PrivateKey) -> None:
    path = tmp_path / "x.csr"
    path.write_bytes(request(key).public_bytes(Encoding.PEM))
    with pytest.raises(PkiError, match="kind or size"):
        read_request(path)


@pytest.mark.parametrize("octets", [b"", b"nonsense", b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n"])
def test_what_is_no_request_is_refused(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "x.csr"
    path.write_bytes(octets)
    with pytest.raises(PkiError, match="no certificate signing request"):
        read_request(path)


def test_a_request_of_an_unknown_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csr"
    octets = request(new_key()).public_bytes(Encoding.DER)
    path.write_bytes(octets.replace(b"\x02\x01\0", b"\x02\x01\x05", 1))
    with pytest.raises(PkiError, match="no certificate signing request"):
        read_request(path)


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_only_the_key_of_a_request_is_used_and_no_key_is_written(tmp_path: Path, encoding: Encoding) -> None:
    key = new_key()
    path = tmp_path / "x.csr"
    path.write_bytes(request(key, "root").public_bytes(encoding))
    with made(tmp_path) as directory:
        record = issue(directory, order("sensor 7", key=read_request(path)))
        assert record.certificate.subject == read_subject("sensor 7")
        assert record.certificate.public_key() == key.public_key()
        assert not record.key_made_here
        assert not directory.file("sensor-7", "-key.pem").exists()


def test_a_key_of_another_certificate_never_stays_beside_one_that_was_requested(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        issue(directory)
        with pytest.raises(PkiError, match="belongs to another certificate"):
            issue(directory, order(key=new_key().public_key(), force=True))


# --- renewing


def test_a_revoked_certificate_is_not_renewed(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        old = revoke(directory, issue(directory), None, None, NOW)
        for same_key in (False, True):
            with pytest.raises(PkiError, match="was revoked"):
                renew(directory, old, same_key=same_key)


def test_an_authority_is_not_renewed(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        for record in (directory.root, directory.intermediate):
            with pytest.raises(PkiError, match="an authority is not renewed"):
                renew(directory, record)


def test_a_certificate_that_was_renewed_is_not_renewed_again(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        old = issue(directory)
        new = renew(directory, old)
        with pytest.raises(PkiError, match=new.serial):
            renew(directory, old)


def test_a_key_on_a_device_can_only_be_certified_again(tmp_path: Path) -> None:
    key = new_key().public_key()
    with made(tmp_path) as directory:
        old = issue(directory, order(key=key))
        with pytest.raises(PkiError, match="--same-key"):
            renew(directory, old)
        new = renew(directory, old, same_key=True)
        assert new.certificate.public_key() == key
        assert not new.key_made_here
        assert not directory.file(old.name, "-key.pem").exists()


@pytest.mark.parametrize("kind", [KeyType.P256, KeyType.ED25519, KeyType.RSA2048])
def test_a_renewed_certificate_says_the_same_with_another_key_and_serial(
    tmp_path: Path, kind: KeyType
) -> None:
    with made(tmp_path) as directory:
        old = issue(directory, order("a.test", "b.test", profile=Profile.SERVER, days=90, key=kind.make()))
        later = NOW + 80 * DAY
        new = renew(directory, old, later)
        before, after = old.certificate, new.certificate
        assert after.subject == before.subject
        for each in (x509.SubjectAlternativeName, x509.ExtendedKeyUsage, x509.KeyUsage):
            assert after.extensions.get_extension_for_class(
                each
            ) == before.extensions.get_extension_for_class(each)
        assert after.serial_number != before.serial_number
        assert type(after.public_key()) is type(before.public_key())
        assert after.public_key() != before.public_key()
        assert after.not_valid_after_utc == later + 90 * DAY
        assert key_fits(directory, new)
        assert new.renews == old.id
        assert directory.inventory.by_id(old.id).renewed
        assert directory.inventory.by_id(old.id).revoked is None


def test_with_the_same_key_only_the_certificate_is_replaced(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        old = issue(directory)
        key = directory.file(old.name, "-key.pem").read_bytes()
        new = renew(directory, old, same_key=True, days=10)
        assert directory.file(old.name, "-key.pem").read_bytes() == key
        assert new.certificate.not_valid_after_utc == NOW + 10 * DAY
        assert new.key_made_here


def test_files_for_devices_that_hold_the_old_certificate_are_told(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        old = issue(directory)
        (tmp_path / "James-Royal.p12").write_bytes(b"the old one")
        renew(directory, old)
        assert ["James-Royal.p12" in note for note in directory.notes] == [True]
