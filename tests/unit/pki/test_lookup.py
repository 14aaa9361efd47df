"""What people mean: a serial in two readings, a file, a name."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from edge.pki.directory import Directory
from edge.pki.errors import PkiError
from edge.pki.keys import new_key
from edge.pki.lookup import find, find_revocable
from edge.pki.names import read_subject
from edge.pki.record import NewRecord, Record
from tests.unit.pki.directories import DAY, NOW, issue, made, order, renew


def issue_with_serial(directory: Directory, serial: int, name: str) -> Record:
    """Issue a leaf whose serial is short, as other programs make them."""
    issuer = directory.authority(directory.intermediate, None)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(read_subject(name))
        .issuer_name(issuer.certificate.subject)
        .public_key(new_key().public_key())
        .serial_number(serial)
        .not_valid_before(NOW)
        .not_valid_after(NOW + DAY)
        .sign(issuer.key, hashes.SHA256())
    )
    return directory.inventory.add(NewRecord(leaf, "client", directory.intermediate.id, name, written=True))


def test_digits_that_are_two_certificates_mean_none(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        decimal = issue_with_serial(directory, 1234, "decimal")
        hexadecimal = issue_with_serial(directory, 0x1234, "hexadecimal")
        for look in (find, find_revocable):
            with pytest.raises(PkiError, match=r"0x04D2 \('decimal'\), 0x1234 \('hexadecimal'\)"):
                look(directory, "1234")
            assert look(directory, "0x4d2") == decimal
            assert look(directory, "0x1234") == hexadecimal
            assert look(directory, "12:34") == hexadecimal


def test_digits_that_are_one_certificate_mean_it_in_either_reading(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        decimal = issue_with_serial(directory, 1234, "decimal")
        hexadecimal = issue_with_serial(directory, 0x9999, "hexadecimal")
        assert find_revocable(directory, "1234") == decimal
        assert find_revocable(directory, "9999") == hexadecimal


@pytest.mark.parametrize("text", ["", "0", "0x", "nobody", "12g4", "99999", "-1", "١٢", "1234 1234"])
def test_what_is_nothing_of_this_pki_is_an_error(tmp_path: Path, text: str) -> None:
    with made(tmp_path) as directory:
        issue_with_serial(directory, 1234, "decimal")
        for look in (find, find_revocable):
            with pytest.raises(PkiError, match="is no certificate of the PKI"):
                look(directory, text)


def test_a_serial_is_found_however_it_is_written(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        record = issue(directory)
        serial = record.certificate.serial_number
        pairs = ":".join(f"{octet:02x}" for octet in serial.to_bytes(20, "big"))
        for text in (f"{serial}", f"{serial:x}", f"{serial:#X}", pairs):
            assert find_revocable(directory, text) == record


def test_a_name_does_not_revoke(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        record = issue(directory)
        for text in ("James Royal", "James-Royal"):
            assert find(directory, text) == record
            with pytest.raises(PkiError):
                find_revocable(directory, text)


def test_a_name_means_the_newest_certificate_of_it(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        old = issue(directory)
        new = renew(directory, old)
        assert find(directory, "James Royal") == find(directory, "James-Royal") == new
        assert find(directory, f"0x{old.serial}").id == old.id


def test_a_common_name_of_two_devices_means_none_and_their_names_mean_one(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        first = issue(directory, order("sensor", name="sensor-a"))
        second = issue(directory, order("sensor", name="sensor-b"))
        with pytest.raises(PkiError, match=f"{first.serial}.*{second.serial}"):
            find(directory, "sensor")
        assert find(directory, "sensor-b") == second


def test_a_file_means_its_first_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with made(tmp_path) as directory:
        record = issue(directory)
        der = tmp_path / "james.der"
        der.write_bytes(record.certificate.public_bytes(Encoding.DER))
        monkeypatch.chdir(tmp_path)
        for text in ("James-Royal.pem", "James-Royal-chain.pem", "./James-Royal.pem", str(der)):
            assert find_revocable(directory, text) == record
        monkeypatch.chdir("/")
        assert find_revocable(directory, "James-Royal.pem") == record, "it is looked for in the PKI as well"


def test_a_certificate_of_another_pki_is_an_error(tmp_path: Path) -> None:
    with made(tmp_path / "theirs") as directory:
        issue(directory)
    with made(tmp_path / "ours") as directory, pytest.raises(PkiError, match="was not issued by the PKI"):
        find_revocable(directory, str(tmp_path / "theirs" / "James-Royal.pem"))


def test_a_file_without_a_certificate_or_no_file_is_an_error(tmp_path: Path) -> None:
    with made(tmp_path) as directory:
        issue(directory)
        with pytest.raises(PkiError, match="no certificate in it"):
            find_revocable(directory, str(tmp_path / "James-Royal-key.pem"))
        der = directory.root.certificate.public_bytes(Encoding.DER)
        unknown_version = tmp_path / "version-10.der"
        unknown_version.write_bytes(der.replace(b"\x02\x01\x02", b"\x02\x01\x09", 1))
        with pytest.raises(PkiError, match="no certificate in it"):
            find_revocable(directory, str(unknown_version))
        with pytest.raises(PkiError, match="there is no such file"):
            find_revocable(directory, "./none.pem")


def test_a_serial_that_is_the_name_of_another_certificates_file_means_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with made(tmp_path) as directory:
        record = issue(directory)
        by_serial = issue_with_serial(directory, 0xCAFE, "short")
        path = tmp_path / "cafe"
        path.write_bytes(record.certificate.public_bytes(Encoding.PEM))
        monkeypatch.chdir(tmp_path)
        with pytest.raises(PkiError, match="can mean"):
            find_revocable(directory, "cafe")
        assert find_revocable(directory, "./cafe") == record
        path.write_bytes(b"a note")
        assert find_revocable(directory, "cafe") == by_serial
