"""Where CRLs are put, and whose files are left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from edge.pki.crl_files import CrlBundle, publish, publish_where_named
from edge.pki.errors import PkiError
from tests.unit.pki.directories import make


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
