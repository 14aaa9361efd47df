"""The bad certificates are bad in the way they claim, and the good ones are good: openssl says so."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.certificates import (
    CLIENT,
    SERVER,
    Authority,
    Credential,
    KeyKind,
    StringType,
    multi_valued_name,
    name,
    self_signed,
)


@pytest.fixture(scope="module")
def root() -> Authority:
    return Authority("Root")


def verdict(
    directory: Path, authority: Authority, credential: Credential, *, with_chain: bool = False
) -> str:
    """What ``openssl verify`` says of the credential as a client certificate."""
    ca = authority.write(directory / "ca.pem")
    files = credential.write(directory, "leaf", with_chain=with_chain)
    leaf = str(files.certificate)
    command = ["openssl", "verify", "-purpose", "sslclient", "-CAfile", str(ca), "-untrusted", leaf, leaf]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return "OK" if done.returncode == 0 else done.stderr


@pytest.mark.parametrize(
    ("credential", "complaint"),
    [
        (lambda root: root.impostor().issue(), "signature failure"),
        (lambda root: Authority("Other").issue(), "unable to get local issuer"),
        (lambda root: self_signed(), "self-signed certificate"),
        (lambda root: root.issue(not_after=timedelta(minutes=-1)), "has expired"),
        (lambda root: root.issue(not_before=timedelta(hours=1)), "not yet valid"),
        (lambda root: root.issue(eku=[SERVER]), "unsuitable certificate purpose"),
        (lambda root: root.issue(key="rsa1024"), "OK"),
        (lambda root: root.issue(), "OK"),
        (lambda root: root.issue(eku=[]), "OK"),
        (lambda root: root.issue(eku=[CLIENT, SERVER]), "OK"),
        (lambda root: root.issue(version1=True), "OK"),
        (lambda root: root.issue(sans=[x509.DNSName("")]), "OK"),
    ],
)
def test_openssl_judges_the_leaf_as_told(
    tmp_path: Path, root: Authority, credential: object, complaint: str
) -> None:
    assert callable(credential)
    assert complaint in verdict(tmp_path, root, credential(root))


@pytest.mark.parametrize(
    ("intermediate", "complaint"),
    [
        (lambda root: root.intermediate("x", ca=False), "invalid CA certificate"),
        (lambda root: root.intermediate("x", not_after=timedelta(minutes=-1)), "has expired"),
        (
            lambda root: root.intermediate("x", path_length=0).intermediate("y"),
            "path length constraint exceeded",
        ),
        (lambda root: root.intermediate("x"), "OK"),
        (lambda root: root.intermediate("x", key="rsa2048"), "OK"),
    ],
)
def test_openssl_judges_the_intermediate_as_told(
    tmp_path: Path, root: Authority, intermediate: object, complaint: str
) -> None:
    assert callable(intermediate)
    assert complaint in verdict(tmp_path, root, intermediate(root).issue(), with_chain=True)


def test_a_leaf_needs_the_intermediate_which_the_bundle_has(tmp_path: Path, root: Authority) -> None:
    middle = root.intermediate("Middle")
    assert verdict(tmp_path, root, middle.issue()) != "OK"
    assert verdict(tmp_path, middle, middle.issue()) == "OK"
    assert middle.bundle.count(b"BEGIN CERTIFICATE") == 2


def test_a_cross_signed_authority_leads_to_the_other_root(tmp_path: Path, root: Authority) -> None:
    other = Authority("Other root")
    leaf = root.issue()
    crossed = Credential(leaf.certificate, leaf.key, (root.cross_signed_by(other),))
    assert verdict(tmp_path, other, leaf) != "OK"
    assert verdict(tmp_path, other, crossed, with_chain=True) == "OK"


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa1024", "rsa2048", "ed25519"])
def test_every_kind_of_key_signs_and_is_signed(tmp_path: Path, kind: KeyKind) -> None:
    authority = Authority(f"{kind} root", key=kind)
    ca = authority.certificate
    authority.issue(key=kind).certificate.verify_directly_issued_by(ca)


def test_a_version_1_certificate_has_no_extensions(root: Authority) -> None:
    certificate = root.issue("old", version1=True).certificate
    assert certificate.version is x509.Version.v1
    assert not list(certificate.extensions)
    certificate.verify_directly_issued_by(root.certificate)


def test_several_common_names_keep_their_order_and_their_rdns(root: Authority) -> None:
    apart = root.issue(subject=name(("CN", "device-1"), ("CN", "evil"))).certificate.subject
    assert [a.value for a in apart.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["device-1", "evil"]
    assert len(apart.rdns) == 2
    together = root.issue(subject=multi_valued_name(("CN", "device-1"), ("CN", "evil"))).certificate.subject
    assert len(together.rdns) == 1


@pytest.mark.parametrize(
    ("text", "string_type", "der"),
    [
        ("a\x00b", None, b"\x0c\x03a\x00b"),
        ("ab", StringType.BMPString, b"\x1e\x04\x00a\x00b"),
        ("ab", StringType.T61String, b"\x14\x02ab"),
        ("ab", StringType.PrintableString, b"\x13\x02ab"),
        ("\u202eab ", None, b"\x0c\x06\xe2\x80\xaeab "),
        ("", None, b"\x0c\x00"),
        ("x" * 100, None, b"\x0c\x64" + b"x" * 100),
    ],
)
def test_odd_common_names_are_written_as_asked(
    root: Authority, text: str, string_type: StringType | None, der: bytes
) -> None:
    attribute = ("CN", text, string_type) if string_type else ("CN", text)
    assert der in root.issue(subject=name(attribute)).certificate.tbs_certificate_bytes


def test_the_combined_file_holds_leaf_chain_and_key(tmp_path: Path, root: Authority) -> None:
    files = root.intermediate("m").issue().write(tmp_path, "client", with_chain=True)
    text = files.combined.read_bytes()
    assert text.count(b"BEGIN CERTIFICATE") == 2
    assert text.count(b"PRIVATE KEY-----") == 2
