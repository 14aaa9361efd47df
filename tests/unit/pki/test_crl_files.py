"""Where CRLs are put, and whose files are left alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from edge.pki.crl_files import CrlBundle, publish, publish_where_named
from edge.pki.directory import writing
from edge.pki.errors import PkiError
from edge.pki.keys import new_key, signature_hash
from edge.pki.revocation import CRL_LIFETIME, write_crls
from tests.unit.pki.directories import DAY, NOW, make


@pytest.fixture(scope="module")
def pkis(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CrlBundle]:
    """Two PKIs of the same names, which only the keys tell apart."""
    found = {}
    for name in ("ours", "theirs"):
        path = tmp_path_factory.mktemp(name)
        make(path, "Same name")
        ca = tuple(x509.load_pem_x509_certificates((path / "ca.pem").read_bytes()))
        found[name] = CrlBundle((path / "crl.pem").read_bytes(), ca)
    return found


def test_lists_of_another_ca_of_the_same_name_are_not_replaced(
    tmp_path: Path, pkis: dict[str, CrlBundle]
) -> None:
    path = tmp_path / "crl.pem"
    for octets in (pkis["theirs"].pem, pkis["ours"].pem + pkis["theirs"].pem):
        path.write_bytes(octets)
        for attempt in (publish, lambda path, bundle: publish_where_named([path], bundle)):
            with pytest.raises(PkiError, match="CRL of another CA"):
                attempt(path, pkis["ours"])
        assert path.read_bytes() == octets


@pytest.mark.parametrize("octets", [b"nonsense", b"-----BEGIN X509 CRL-----\n", b"[server]\nlisten = []\n"])
def test_what_is_no_list_is_not_replaced(tmp_path: Path, pkis: dict[str, CrlBundle], octets: bytes) -> None:
    path = tmp_path / "edge.toml"
    path.write_bytes(octets)
    with pytest.raises(PkiError, match="no CRL"):
        publish(path, pkis["ours"])
    assert path.read_bytes() == octets


def test_a_certificate_beside_the_list_is_not_lost(tmp_path: Path, pkis: dict[str, CrlBundle]) -> None:
    ours = pkis["ours"]
    path = tmp_path / "both.pem"
    path.write_bytes(ours.pem + ours.authorities[0].public_bytes(Encoding.PEM))
    with pytest.raises(PkiError, match="no CRL"):
        publish(path, ours)


def test_own_lists_in_pem_or_der_an_empty_file_and_no_file_are_written(
    tmp_path: Path, pkis: dict[str, CrlBundle]
) -> None:
    ours = pkis["ours"]
    der = x509.load_pem_x509_crl(ours.pem).public_bytes(Encoding.DER)
    for octets in (ours.pem, der, b"", b"\n", None):
        path = tmp_path / "crl"
        path.unlink(missing_ok=True)
        if octets is not None:
            path.write_bytes(octets)
        assert publish(path, ours) == path
        assert path.read_bytes() == ours.pem
        assert path.stat().st_mode & 0o777 == 0o644


def test_an_old_copy_of_the_pki_does_not_replace_a_newer_list(tmp_path: Path) -> None:
    make(tmp_path)
    authorities = tuple(x509.load_pem_x509_certificates((tmp_path / "ca.pem").read_bytes()))
    old = CrlBundle((tmp_path / "crl.pem").read_bytes(), authorities)
    with writing(tmp_path) as directory:
        write_crls(directory, CRL_LIFETIME, None, NOW)
    new = CrlBundle((tmp_path / "crl.pem").read_bytes(), authorities)
    path = tmp_path / "published"
    for bundle in (old, new, new):
        publish(path, bundle)
    with pytest.raises(PkiError, match=r"holds CRL number 2, newer than number 1 here"):
        publish(path, old)
    assert path.read_bytes() == new.pem


@pytest.mark.parametrize("make_file", [os.mkfifo, lambda path: path.symlink_to("/dev/null")])
def test_what_is_no_regular_file_is_neither_waited_for_nor_replaced(
    tmp_path: Path, pkis: dict[str, CrlBundle], make_file: Callable[[Path], None]
) -> None:
    path = tmp_path / "special"
    make_file(path)
    for attempt in (publish, lambda path, bundle: publish_where_named([path], bundle)):
        with pytest.raises(PkiError, match="no regular file"):
            attempt(path, pkis["ours"])
    assert not path.is_file()


def test_an_odd_name_of_another_ca_causes_no_warning(tmp_path: Path, pkis: dict[str, CrlBundle]) -> None:
    with pytest.warns(UserWarning, match="length"):
        long = x509.NameAttribute(NameOID.COMMON_NAME, "x" * 99, _validate=False)
    key = new_key()
    stranger = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(x509.Name([long]))
        .last_update(NOW)
        .next_update(NOW + DAY)
        .sign(key, signature_hash(key))
    )
    path = tmp_path / "crl.pem"
    path.write_bytes(stranger.public_bytes(Encoding.PEM))
    with pytest.raises(PkiError, match="CRL of another CA"):
        publish(path, pkis["ours"])


def test_in_a_directory_every_ca_has_a_file_of_its_own(tmp_path: Path, pkis: dict[str, CrlBundle]) -> None:
    paths = {name: publish(tmp_path, bundle) for name, bundle in pkis.items()}
    assert paths["ours"] != paths["theirs"]
    for name, path in paths.items():
        assert path.parent == tmp_path
        assert path.read_bytes() == pkis[name].pem
        identifier = pkis[name].authorities[0].extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        assert path.name == f"{identifier.value.digest.hex()}.pem"


def test_beside_the_files_of_others_only_ones_own_is_written(
    tmp_path: Path, pkis: dict[str, CrlBundle]
) -> None:
    others, own, new = tmp_path / "others.pem", tmp_path / "own.pem", tmp_path / "new.pem"
    others.write_bytes(pkis["theirs"].pem)
    own.write_bytes(pkis["ours"].pem)
    assert publish_where_named([others, own, new], pkis["ours"]) == [own, new]
    assert others.read_bytes() == pkis["theirs"].pem
