"""A CA bundle is whole and meant, or there is none: nothing ever stands in for it."""

from __future__ import annotations

import base64
import warnings
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from edge.trust.ca_bundle import (
    CaBundle,
    CaBundleError,
    CaEntry,
    combine,
    der,
    read_ca_entry,
    validity_warnings,
)
from edge.trust.certificate import ca_identity
from tests.certificates import Authority, certificates_pem, name, self_signed
from tests.unit.tls.odd_certificates import (
    Edit,
    signed_again,
    with_duplicate_extension,
    with_issuer,
    with_serial,
    with_subject,
    with_version,
)

ROOT = Authority("Root")
INTERMEDIATE = ROOT.intermediate("Intermediate")
PEM = ROOT.bundle
NOT_UTF8 = bytes.fromhex("300d310b300906035504030c02fffe")
BITS = bytes.fromhex("300e310c300a0603550403030300616c")


def pem_of(octets: bytes) -> bytes:
    """DER as PEM, whatever it holds."""
    first, *_, last = certificates_pem(ROOT.certificate).splitlines(keepends=True)
    return first + base64.encodebytes(octets) + last


def refusal_of(pem: bytes) -> CaBundleError:
    with pytest.raises(CaBundleError) as caught:
        read_ca_entry("CA", pem)
    assert str(caught.value)
    return caught.value


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pem", "why"),
    [
        (b"", "no certificate in it"),
        (b"hello", "no certificate in it"),
        (ROOT.certificate.public_bytes(Encoding.DER), "no certificate in it"),
        (b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "no certificate in it"),
        (PEM + self_signed().key_pem(), "private key"),
        (self_signed().key_pem(), "private key"),
        (b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "private key"),
        (
            PEM.replace(b"BEGIN CERT", b"BEGIN TRUSTED CERT").replace(b"END CERT", b"END TRUSTED CERT"),
            "TRUSTED",
        ),
        (PEM[: len(PEM) // 2], "cut off"),
        (PEM + PEM[:100], "cut off"),
        (PEM.replace(b"\n", b"\n!!!", 2), "cannot be read"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
        (PEM + b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "other than certificates"),
        (PEM + b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "other than certificates"),
        (PEM + ROOT.issue().pem(), "is no CA certificate"),
        (self_signed().pem(), "is no CA certificate"),
        (Authority("Odd", ca=False).bundle, "is no CA certificate"),
        (certificates_pem(INTERMEDIATE.certificate), "no self-signed root"),
    ],
)
def test_what_is_no_chain_of_cas_is_refused(pem: bytes, why: str) -> None:
    assert why in str(refusal_of(pem))


def test_a_refusal_says_what_to_do() -> None:
    assert refusal_of(certificates_pem(INTERMEDIATE.certificate)).hint
    assert refusal_of(b"").hint


@pytest.mark.parametrize("edit", [with_version(1), with_version(3)])
def test_a_root_that_cannot_be_read_is_an_error_and_not_a_crash(edit: Edit) -> None:
    assert "cannot be read" in str(refusal_of(pem_of(signed_again(ROOT.certificate, ROOT, edit))))


def test_a_root_with_a_duplicate_extension_is_refused() -> None:
    refusal_of(pem_of(signed_again(ROOT.certificate, ROOT, with_duplicate_extension)))


@pytest.mark.parametrize("edit", [with_subject(NOT_UTF8), with_issuer(NOT_UTF8), with_subject(BITS)])
def test_a_root_with_a_broken_name_is_an_error_and_not_a_crash(edit: Edit) -> None:
    refusal_of(pem_of(signed_again(ROOT.certificate, ROOT, edit)))


def test_a_broken_name_of_no_ca_is_an_error_and_not_a_crash() -> None:
    leaf = ROOT.issue().certificate
    refusal_of(PEM + pem_of(signed_again(leaf, ROOT, with_subject(NOT_UTF8))))


# --- what is read ------------------------------------------------------------------------------


def test_a_root_alone_is_an_entry() -> None:
    assert read_ca_entry("CA", PEM) == CaEntry("CA", (ROOT.certificate,))


@pytest.mark.parametrize(
    "pem",
    [
        certificates_pem(INTERMEDIATE.certificate, ROOT.certificate),
        certificates_pem(ROOT.certificate, INTERMEDIATE.certificate),
    ],
)
def test_a_chain_is_read_in_any_order(pem: bytes) -> None:
    assert set(read_ca_entry("CA", pem).certificates) == {ROOT.certificate, INTERMEDIATE.certificate}


def test_a_certificate_that_comes_twice_counts_once() -> None:
    assert read_ca_entry("CA", PEM + PEM).certificates == (ROOT.certificate,)


def test_text_around_the_certificates_is_allowed() -> None:
    assert read_ca_entry("CA", b"Root of us all\n" + PEM + b"\n# end\n").certificates == (ROOT.certificate,)


def test_a_ca_with_a_long_name_is_read_without_a_warning() -> None:
    long = Authority("x", subject=name(("CN", "a" * 100)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        entry = read_ca_entry("CA", long.bundle)
        assert validity_warnings(entry.certificates, ROOT.certificate.not_valid_after_utc)
    assert entry.certificates == (long.certificate,)


def test_a_root_with_serial_zero_is_read_without_a_warning() -> None:
    pem = pem_of(signed_again(ROOT.certificate, ROOT, with_serial(b"\0")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_ca_entry("CA", pem).certificates) == 1


# --- the bundle of a host ----------------------------------------------------------------------


def bundle(*entries: tuple[str, Authority]) -> CaBundle:
    return combine(tuple(read_ca_entry(title, authority.bundle) for title, authority in entries))


def test_no_entry_is_no_bundle() -> None:
    with pytest.raises(CaBundleError, match="no CA"):
        combine(())


def test_one_ca_under_two_names_is_refused() -> None:
    with pytest.raises(CaBundleError, match=r"'A'.*'B'") as caught:
        bundle(("A", ROOT), ("B", INTERMEDIATE))
    assert caught.value.hint


def test_every_certificate_knows_the_entry_it_came_from() -> None:
    other = Authority("Other")
    both = bundle(("A", INTERMEDIATE), ("B", other))
    names = {certificate.subject.rfc4514_string(): both.names[x] for x, certificate in fingerprints(both)}
    assert names == {"CN=Root,O=Test": "A", "CN=Intermediate,O=Test": "A", "CN=Other,O=Test": "B"}


def fingerprints(both: CaBundle) -> list[tuple[bytes, x509.Certificate]]:
    return [(certificate.fingerprint(SHA256()), certificate) for certificate in both.certificates]


def test_the_digest_changes_with_what_is_trusted_and_with_its_name() -> None:
    other = Authority("Other")
    digests = {
        bundle(("A", ROOT)).digest,
        bundle(("B", ROOT)).digest,
        bundle(("A", other)).digest,
        bundle(("A", INTERMEDIATE)).digest,
        bundle(("A", ROOT), ("B", other)).digest,
        bundle(("B", ROOT), ("A", other)).digest,
    }
    assert len(digests) == 6


def test_the_digest_does_not_depend_on_order() -> None:
    other = Authority("Other")
    assert bundle(("A", ROOT), ("B", other)).digest == bundle(("B", other), ("A", ROOT)).digest


def test_the_names_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        bundle(("A", ROOT)).names[b""] = "x"  # type: ignore[index]


# --- warnings ----------------------------------------------------------------------------------


def test_certificates_that_end_soon_have_ended_or_begin_later_are_told() -> None:
    certificate = ROOT.certificate
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    second = timedelta(seconds=1)

    def told(now: object) -> str:
        return " ".join(validity_warnings((certificate,), now))  # type: ignore[arg-type]

    assert "expired on" in told(end + second)
    assert "renew it soon" in told(end)
    assert "renew it soon" in told(end - timedelta(days=30) + second)
    assert told(end - timedelta(days=30)) == ""
    assert told(begin) == ""
    assert "not valid before" in told(begin - second)
    assert certificate.subject.rfc4514_string() in told(end + second)


def test_der_is_the_certificates_own() -> None:
    assert x509.load_der_x509_certificate(der(ROOT.certificate)) == ROOT.certificate


# --- what CRLs call a CA -----------------------------------------------------------------------


def test_every_ca_of_a_bundle_has_an_identity_and_the_entry_it_is_in() -> None:
    root = Authority("Root")
    below = root.intermediate("Below")
    other = Authority("Other")
    both = bundle(("A", below), ("B", other))
    assert both.identities == {
        ca.certificate.fingerprint(SHA256()): ca_identity(ca.certificate) for ca in (root, below, other)
    }
    assert both.entries == {
        ca_identity(root.certificate): ("A",),
        ca_identity(below.certificate): ("A",),
        ca_identity(other.certificate): ("B",),
    }


def test_a_ca_that_was_renewed_into_another_entry_is_one_ca_of_both() -> None:
    old = Authority("Root")
    cross = Authority("Elsewhere")
    renewed = certificates_pem(old.cross_signed_by(cross), cross.certificate)
    both = combine((read_ca_entry("Old", old.bundle), read_ca_entry("New", renewed)))
    assert both.entries[ca_identity(old.certificate)] == ("Old", "New")
    assert both.entries[ca_identity(cross.certificate)] == ("New",)
    assert len(both.identities) == 3


def test_a_ca_that_is_twice_in_one_entry_is_in_it_once() -> None:
    old = Authority("Root")
    cross = Authority("Elsewhere")
    pem = certificates_pem(old.certificate, old.cross_signed_by(cross), cross.certificate)
    assert combine((read_ca_entry("A", pem),)).entries[ca_identity(old.certificate)] == ("A",)


def test_a_namesake_with_another_key_is_another_ca() -> None:
    root = Authority("Root")
    assert len(bundle(("A", root), ("B", root.impostor())).entries) == 2
