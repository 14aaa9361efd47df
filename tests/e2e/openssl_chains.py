"""Chains with their lists, good and bad, each made anew, and what ``openssl verify`` says of them.

Most have the same shape: a root, an intermediate CA below it, a leaf, and a list of each CA.
"""

from __future__ import annotations

import subprocess
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal, Unpack

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.certificates import Authority, Credential, KeyKind, certificates_pem, name, self_signed
from tests.crl_octets import by_hand, entry
from tests.crls import CrlOptions, Revoked, crl_of, pem


@dataclass(frozen=True, slots=True)
class Chain:
    """What is judged."""

    bundle: bytes
    """PEM: the CAs that are trusted, and the intermediates that the server has."""
    lists: tuple[bytes, ...]
    client: Credential


def openssl_says(chain: Chain, directory: Path) -> str:
    """Return the first error of ``openssl verify -crl_check_all``; empty for yes."""
    (directory / "bundle.pem").write_bytes(chain.bundle)
    (directory / "leaf.pem").write_bytes(chain.client.pem())
    command = ["openssl", "verify", "-crl_check_all", "-purpose", "sslclient", "-no-CAstore", "-no-CApath"]
    command += ["-CAfile", str(directory / "bundle.pem")]
    for number, der in enumerate(chain.lists):
        path = directory / f"{number}.crl"
        path.write_bytes(pem(der))
        command += ["-CRLfile", str(path)]
    if chain.client.chain:
        (directory / "untrusted.pem").write_bytes(certificates_pem(*chain.client.chain))
        command += ["-untrusted", str(directory / "untrusted.pem")]
    done = subprocess.run([*command, directory / "leaf.pem"], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    errors = [line for line in done.stderr.splitlines() if line.startswith("error ")]
    assert errors, f"openssl could not judge it: {done.stderr}"
    return errors[0]


class World:
    """A root, an intermediate CA below it, and a leaf."""

    def __init__(self) -> None:
        self.root = Authority("Root")
        self.ca = self.root.intermediate("CA")
        self.leaf = self.ca.issue("leaf")

    def chain(self, *lists: bytes, leaf: Credential | None = None) -> Chain:
        """The chain of a leaf; both CAs are known to the server."""
        return Chain(self.ca.bundle, lists, leaf or self.leaf)


Maker = Callable[[World], Chain]
ListMaker = Callable[[World], bytes]


def listed(*lists: ListMaker, root: ListMaker | None = None) -> Maker:
    """These lists, behind a good one of the root, or another one of it."""
    return lambda w: w.chain(root(w) if root else crl_of(w.root), *(each(w) for each in lists))


def only(*lists: ListMaker) -> Maker:
    """These lists and no others."""
    return lambda w: w.chain(*(each(w) for each in lists))


def empty(**options: Unpack[CrlOptions]) -> ListMaker:
    """A list of the intermediate in which nobody is."""
    return lambda w: crl_of(w.ca, **options)


def with_leaf(**options: Unpack[CrlOptions]) -> ListMaker:
    """A list of the intermediate in which the leaf is."""
    return lambda w: crl_of(w.ca, [w.leaf], **options)


def because(reason: x509.ReasonFlags) -> ListMaker:
    """A list of the intermediate in which the leaf is, for this reason."""
    return lambda w: crl_of(w.ca, [Revoked(w.leaf.certificate.serial_number, reason=reason)])


def impostor(w: World) -> bytes:
    """A list in the name of the intermediate, newer than its own, and signed with another key."""
    return crl_of(w.ca.impostor(), [w.leaf], number=1000, this_update=timedelta())


def of_serial(serial: str, *, revoked: bool) -> Maker:
    """A leaf with a serial that no library would give it."""

    def make(w: World) -> Chain:
        leaf = issue_with_openssl(w.ca, serial)
        return w.chain(crl_of(w.root), by_hand(w.ca, [entry(int(serial, 0) + (not revoked))]), leaf=leaf)

    return make


def issue_with_openssl(ca: Authority, serial: str) -> Credential:
    """Issue a client certificate with any serial: the openssl command minds nothing."""
    plain = self_signed("odd")
    with tempfile.TemporaryDirectory() as directory:
        signer, own = ca.credential.write(Path(directory), "ca"), plain.write(Path(directory), "own")
        command = [
            "openssl",
            "x509",
            "-in",
            str(own.certificate),
            "-set_serial",
            serial,
            "-clrext",
            "-days",
            "1",
        ]
        command += ["-CA", str(signer.certificate), "-CAkey", str(signer.key)]
        made = subprocess.run(command, capture_output=True, check=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about serials that are not positive
        certificate = x509.load_pem_x509_certificate(made.stdout)
    return Credential(certificate, plain.key, ca.credential.chain)


def rolled_over(*, by_old: bool, by_new: bool) -> Maker:
    """The root got a new key under its old name; the leaf is of the new one, and each may revoke it."""

    def make(w: World) -> Chain:
        old, new = Authority("Rolled"), Authority("Rolled")
        leaf = new.issue("leaf")
        lists = (crl_of(old, [leaf] if by_old else []), crl_of(new, [leaf] if by_new else []))
        return Chain(certificates_pem(old.certificate, new.certificate), lists, leaf)

    return make


def in_name(own: str, said: str) -> Maker:
    """A root of this name, and its list in that one."""

    def make(w: World) -> Chain:
        root = Authority("Root", subject=name(("O", "Test"), ("CN", own)))
        issued = crl_of(root, issuer=name(("O", "Test"), ("CN", said)))
        return Chain(root.bundle, (issued,), root.issue("leaf"))

    return make


def vouched_for(w: World) -> Chain:
    """The new key of the root has a certificate of the old one; only the old one made a list."""
    old, new = Authority("Rolled"), Authority("Rolled")
    issued = new.issue("leaf")
    leaf = Credential(issued.certificate, issued.key)
    return Chain(certificates_pem(old.certificate, new.cross_signed_by(old)), (crl_of(old),), leaf)


def renewed(*, revoked: bool) -> Maker:
    """The intermediate has two certificates of one name and key: its list is good for both."""

    def make(w: World) -> Chain:
        bundle = certificates_pem(w.ca.cross_signed_by(w.root)) + w.ca.bundle
        return Chain(bundle, (crl_of(w.root), crl_of(w.ca, [w.leaf] if revoked else [])), w.leaf)

    return make


def signed_by_key(kind: KeyKind, *, revoked: bool, **options: Unpack[CrlOptions]) -> Maker:
    """A root with a key of another kind signs leaf and list."""

    def make(w: World) -> Chain:
        root = Authority("Root", key=kind)
        leaf = root.issue("leaf")
        return Chain(root.bundle, (crl_of(root, [leaf] if revoked else [], **options),), leaf)

    return make


def own_intermediate(*, revoked: bool, with_list: bool = False) -> Maker:
    """An intermediate that only the client has."""

    def make(w: World) -> Chain:
        own = w.ca.intermediate("Own")
        lists = (crl_of(w.root), crl_of(w.ca, [own] if revoked else []))
        return w.chain(*lists, *([crl_of(own)] if with_list else []), leaf=own.issue("leaf"))

    return make


Scope = Literal["only_contains_user_certs", "only_contains_ca_certs", "indirect_crl"]


def about(scope: Scope | None, of: Callable[[World], Authority] = lambda w: w.ca) -> ListMaker:
    """A list about some certificates only, or without saying about which (RFC 5280 5.2.5)."""
    point = x509.IssuingDistributionPoint(
        full_name=None if scope else [x509.UniformResourceIdentifier("http://crl.test/1.crl")],
        relative_name=None,
        only_contains_user_certs=scope == "only_contains_user_certs",
        only_contains_ca_certs=scope == "only_contains_ca_certs",
        only_some_reasons=None,
        indirect_crl=scope == "indirect_crl",
        only_contains_attribute_certs=False,
    )
    return lambda w: crl_of(of(w), extensions=[(point, True)])


def delta(w: World) -> bytes:
    """What changed since list number 1: the leaf was revoked."""
    return crl_of(w.ca, [w.leaf], number=2, extensions=[(x509.DeltaCRLIndicator(1), True)])


def without_crl_signing(w: World) -> Chain:
    """The key usage of the intermediate has no cRLSign."""
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(w.ca.signer.subject)
        .issuer_name(w.root.signer.subject)
        .public_key(w.ca.signer.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(w.ca.certificate.not_valid_before_utc)
        .not_valid_after(w.ca.certificate.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
    )
    certificate = builder.sign(w.root.signer.key, hashes.SHA256())
    leaf = Credential(w.leaf.certificate, w.leaf.key)
    bundle = certificates_pem(certificate, w.root.certificate)
    return Chain(bundle, (crl_of(w.root), crl_of(w.ca)), leaf)
