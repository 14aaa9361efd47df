"""What a certificate says of itself, whatever it says: odd names prove nothing and break nothing."""

from __future__ import annotations

import ipaddress
import warnings
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.x509.oid import NameOID

from edge.model.client_auth import CertificateFacts
from edge.trust.ca_bundle import der
from edge.trust.certificate import UnreadableCertificate, load_der, read_certificate, read_der, weakness
from tests.certificates import Authority, KeyKind, StringType, multi_valued_name, name
from tests.unit.tls.odd_certificates import (
    Edit,
    signed_again,
    signed_with_sha1,
    with_duplicate_extension,
    with_extension,
    with_serial,
    with_subject,
    with_version,
)

ROOT = Authority("Root")


@pytest.fixture(autouse=True)
def every_warning_is_shown() -> None:
    """Not only the first of its kind: each would be a line in the log."""
    warnings.simplefilter("error")


def facts(subject: x509.Name | None = None, *sans: x509.GeneralName) -> CertificateFacts:
    subject = name(("CN", "client")) if subject is None else subject
    return read_certificate(ROOT.issue(subject=subject, sans=sans).certificate)


# --- octets that are no certificate, or an odd one ---------------------------------------------


@pytest.mark.parametrize("octets", [b"", b"\x30", b"\x30\x00", b"-----BEGIN CERTIFICATE-----", bytes(100)])
def test_octets_that_are_no_certificate_are_unreadable(octets: bytes) -> None:
    with pytest.raises(UnreadableCertificate):
        read_der(octets)


@pytest.mark.parametrize("cut", [1, 10, 100])
def test_a_certificate_that_is_cut_off_is_unreadable(cut: int) -> None:
    octets = der(ROOT.issue().certificate)
    with pytest.raises(UnreadableCertificate):
        read_der(octets[:-cut])
    with pytest.raises(UnreadableCertificate):
        read_der(octets + bytes(cut))


@pytest.mark.parametrize("number", [1, 3, 127])
def test_a_version_that_does_not_exist_is_unreadable(number: int) -> None:
    with pytest.raises(UnreadableCertificate, match="version"):
        read_der(signed_again(ROOT.issue().certificate, ROOT, with_version(number)))


EDI_PARTY_NAME = bytes.fromhex("301306 03551d11 040c 300a a508 a106 0c04 74657374".replace(" ", ""))


@pytest.mark.parametrize(
    "edit",
    [
        with_duplicate_extension,
        with_extension(EDI_PARTY_NAME),
        with_extension(bytes.fromhex("300b0603551d110404ffffffff")),
    ],
)
def test_extensions_nobody_can_read_give_no_names(edit: Edit) -> None:
    certificate = ROOT.issue("James Royal").certificate
    read = read_der(signed_again(certificate, ROOT, edit))
    assert read.common_name == "James Royal"
    assert (read.san_dns, read.san_email, read.san_uri, read.san_ip) == ((), (), (), ())


@pytest.mark.parametrize("octets", [b"\0", b"\x80"])
def test_a_serial_that_is_not_positive_is_read_without_a_warning(octets: bytes) -> None:
    octets = signed_again(ROOT.issue().certificate, ROOT, with_serial(octets))
    assert read_der(octets).serial <= 0


@pytest.mark.parametrize(
    "subject",
    [
        bytes.fromhex("300d310b300906035504030c02fffe"),  # UTF8String that is none
        bytes.fromhex("300c310a300806035504031e0141"),  # BMPString of one octet
        bytes.fromhex("300c310a30080603550403130180"),  # PrintableString outside ASCII
        bytes.fromhex("300e310c300a0603550403030300616c"),  # BIT STRING
    ],
)
def test_a_name_in_a_broken_string_is_unreadable_or_no_name(subject: bytes) -> None:
    octets = signed_again(ROOT.issue().certificate, ROOT, with_subject(subject))
    try:
        read = read_der(octets)
    except UnreadableCertificate:
        return
    assert read.common_name == ""


# --- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "common_names"),
    [
        (name(), ()),
        (name(("O", "Access")), ()),
        (name(("CN", "alice")), ("alice",)),
        (name(("CN", "alice"), ("CN", "bob")), ("alice", "bob")),
        (name(("CN", "bob"), ("O", "x"), ("CN", "alice")), ("bob", "alice")),
        (multi_valued_name(("CN", "alice"), ("OU", "x")), ("alice",)),
        (name(("O", "x, CN=alice")), ()),
        (name(("O", "x/CN=alice")), ()),
        (name(("O", "x+CN=alice")), ()),
        (name(("CN", "")), ("",)),
        (name(("CN", "J\u00fcrgen")), ("J\u00fcrgen",)),
        (name(("CN", "alice", StringType.PrintableString)), ("alice",)),
        (name(("CN", "alice", StringType.IA5String)), ("alice",)),
        (name(("CN", "alice", StringType.BMPString)), ("",)),
        (name(("CN", "alice", StringType.T61String)), ("",)),
        (name(("CN", "alice", StringType.UniversalString)), ("",)),
        (name(("CN", "alice", StringType.BMPString), ("CN", "bob")), ("", "bob")),
        (name(("CN", "alice\0.evil.test")), ("",)),
        (name(("CN", "alice\n")), ("",)),
        (name(("CN", "alice\u202e")), ("",)),
        (name(("CN", "a" * 65)), ("a" * 65,)),
        (name(("CN", "a" * 5000)), ("a" * 5000,)),
    ],
)
def test_common_names_are_read_one_by_one_from_the_der(
    subject: x509.Name, common_names: tuple[str, ...]
) -> None:
    assert facts(subject).common_names == common_names


def test_a_common_name_that_cannot_match_still_counts() -> None:
    """Else a second name in an odd string would hide, and the other would be the only one."""
    assert facts(name(("CN", "alice", StringType.BMPString), ("CN", "bob"))).common_name == ""


def test_attributes_keep_their_order_and_are_named_shortly() -> None:
    subject = name(("C", "DE"), ("O", "Access"), ("OU", "a"), ("OU", "b"), ("E", "x@y.test"), ("UID", "7"))
    assert facts(subject).subject_attributes == (
        ("c", "DE"),
        ("o", "Access"),
        ("ou", "a"),
        ("ou", "b"),
        ("emailaddress", "x@y.test"),
        ("uid", "7"),
    )


def test_attributes_that_are_no_plain_text_are_left_out() -> None:
    subject = name(("O", "a", StringType.BMPString), ("OU", "b\0"), ("L", "c"))
    assert facts(subject).subject_attributes == (("l", "c"),)


def test_an_attribute_of_bits_is_left_out() -> None:
    bits = x509.NameAttribute(NameOID.X500_UNIQUE_IDENTIFIER, b"\0\1", _type=StringType.BitString)
    assert facts(x509.Name([bits])).subject_attributes == ()


def test_a_subject_is_text_with_its_commas_escaped() -> None:
    assert facts(name(("O", "a, CN=b"), ("CN", "c"))).subject == "CN=c,O=a\\, CN=b"


def test_alternative_names_are_read_by_type() -> None:
    read = facts(
        None,
        x509.DNSName("a.test"),
        x509.DNSName("*.b.test"),
        x509.RFC822Name("c@d.test"),
        x509.UniformResourceIdentifier("spiffe://e/f"),
        x509.IPAddress(ipaddress.ip_address("2001:db8::1")),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"),
        x509.DirectoryName(name(("CN", "g"))),
    )
    assert read.san_dns == ("a.test", "*.b.test")
    assert read.san_email == ("c@d.test",)
    assert read.san_uri == ("spiffe://e/f",)
    assert read.san_ip == ("2001:db8::1",)


def test_an_empty_dns_name_is_no_name() -> None:
    assert facts(None, x509.DNSName("")).san_dns == ()
    assert facts(None, x509.DNSName(""), x509.DNSName("a.test")).san_dns == ("a.test",)


@pytest.mark.parametrize("odd", ["a.test\0.evil.test", "a.test\0", "a\n.test", "a.test\x7f", "\x1fa.test"])
def test_an_alternative_name_that_cannot_be_printed_is_no_name(odd: str) -> None:
    """A ``*`` of a rule would match it, and a reader in C would see another name."""
    read = facts(
        None,
        x509.DNSName(odd),
        x509.DNSName("b.test"),
        x509.RFC822Name(f"{odd}@b.test"),
        x509.RFC822Name("b@b.test"),
        x509.UniformResourceIdentifier(f"spiffe://b.test/{odd}"),
        x509.UniformResourceIdentifier("spiffe://b.test/b"),
    )
    assert (read.san_dns, read.san_email, read.san_uri) == (
        ("b.test",),
        ("b@b.test",),
        ("spiffe://b.test/b",),
    )


def test_a_certificate_of_version_1_has_facts() -> None:
    read = read_certificate(ROOT.issue("old", version1=True).certificate)
    assert (read.common_name, read.san_dns, read.subject_key_id) == ("old", (), b"")


def test_facts_are_those_of_the_certificate() -> None:
    certificate = ROOT.issue("James Royal", serial=0xA1B).certificate
    read = read_der(der(certificate))
    assert read == read_certificate(certificate)
    assert read.sha256 == certificate.fingerprint(hashes.SHA256())
    assert read.serial_hex == "0A1B"
    assert read.issuer == "CN=Root,O=Test"
    assert read.issuer_name == ROOT.certificate.subject.public_bytes()
    assert read.not_before == certificate.not_valid_before_utc.timestamp()
    assert read.not_after == certificate.not_valid_after_utc.timestamp()
    assert read.subject_key_id


# --- strength ----------------------------------------------------------------------------------


def with_dsa_key(modulus_bits: int, subgroup_bits: int) -> x509.Certificate:
    """A certificate for numbers of the right size; that they are no key does not matter here."""
    parameters = dsa.DSAParameterNumbers(2 ** (modulus_bits - 1) + 1, 2 ** (subgroup_bits - 1) + 1, 2)
    model = ROOT.issue().certificate
    return (
        x509.CertificateBuilder()
        .subject_name(model.subject)
        .issuer_name(model.issuer)
        .public_key(dsa.DSAPublicNumbers(3, parameters).public_key())
        .serial_number(model.serial_number)
        .not_valid_before(model.not_valid_before_utc)
        .not_valid_after(model.not_valid_after_utc)
        .sign(ROOT.signer.key, hashes.SHA256())
    )


@pytest.mark.parametrize(
    ("key", "weak"),
    [
        ("rsa1024", True),
        ("p192", True),
        ("rsa2040", False),
        ("rsa2048", False),
        ("p224", False),
        ("p256", False),
        ("p384", False),
        ("ed25519", False),
    ],
)
@pytest.mark.parametrize("anchor", [False, True])
def test_a_weak_key_proves_nothing_not_even_as_an_anchor(key: KeyKind, *, weak: bool, anchor: bool) -> None:
    assert (weakness(ROOT.issue(key=key).certificate, anchor=anchor) is not None) is weak


@pytest.mark.parametrize(
    ("modulus_bits", "subgroup_bits", "weak"),
    [(1024, 160, True), (2048, 160, True), (2048, 224, False), (3072, 256, False)],
)
def test_a_dsa_key_is_as_strong_as_its_subgroup(modulus_bits: int, subgroup_bits: int, *, weak: bool) -> None:
    certificate = with_dsa_key(modulus_bits, subgroup_bits)
    assert (weakness(certificate, anchor=False) == "EE certificate key too weak") is weak


def test_a_weak_signature_proves_nothing_but_an_anchors_own_is_not_looked_at() -> None:
    weak = signed_with_sha1(ROOT.credential, ROOT).certificate
    assert weakness(weak, anchor=False) == "CA signature digest algorithm too weak"
    assert weakness(weak, anchor=True) is None


@pytest.mark.parametrize("make", [lambda: ROOT, lambda: Authority("Ed", key="ed25519")])
def test_a_strong_signature_is_enough(make: Callable[[], Authority]) -> None:
    assert weakness(make().issue().certificate, anchor=False) is None


def test_a_key_that_cannot_be_read_is_weak() -> None:
    certificate = ROOT.issue().certificate
    octets = der(certificate).replace(
        bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06082a8648ce3d030177")
    )
    assert octets != der(certificate)
    assert weakness(load_der(octets), anchor=False) is not None
