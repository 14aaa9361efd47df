"""What the issued certificates say, and what is not issued at all."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from edge.pki import issue
from edge.pki.issue import Authority, IssueError, Profile, Validity
from edge.pki.keys import key_pem, new_key

NOW = datetime(2031, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
YEAR = issue.valid_for(NOW, timedelta(days=365))
WEEK = issue.valid_for(NOW, timedelta(days=7))


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@pytest.fixture(scope="module")
def root() -> Authority:
    return issue.make_root(name("root"), new_key(), YEAR, secrets.randbits)


@pytest.fixture(scope="module")
def intermediate(root: Authority) -> Authority:
    return issue.make_intermediate(root, name("intermediate"), new_key(), YEAR, secrets.randbits)


def client(issuer: Authority, validity: Validity = WEEK) -> x509.Certificate:
    key = new_key().public_key()
    alternative = [x509.RFC822Name("james@example.com")]
    return issue.issue(issuer, name("client"), key, Profile.CLIENT, validity, secrets.randbits, alternative)


def verify(leaf: x509.Certificate, anchor: Authority, *between: Authority) -> None:
    verifier = PolicyBuilder().store(Store([anchor.certificate])).time(NOW).build_client_verifier()
    verifier.verify(leaf, [authority.certificate for authority in between])


def test_a_leaf_that_outlives_its_issuer_is_not_issued(root: Authority) -> None:
    longer = issue.valid_for(NOW, timedelta(days=366))
    with pytest.raises(IssueError, match="outlive"):
        client(root, longer)
    with pytest.raises(IssueError, match="outlive"):
        issue.make_intermediate(root, name("x"), new_key(), longer, secrets.randbits)


def test_a_leaf_is_no_authority(root: Authority) -> None:
    key = new_key()
    leaf = issue.issue(root, name("x"), key.public_key(), Profile.CLIENT, WEEK, secrets.randbits)
    with pytest.raises(IssueError, match="CA:TRUE"):
        Authority(leaf, key)


def test_a_certificate_without_constraints_is_no_authority() -> None:
    key = new_key()
    builder = x509.CertificateBuilder().subject_name(name("x")).issuer_name(name("x")).serial_number(1)
    builder = builder.public_key(key.public_key())
    bare = (
        builder.not_valid_before(YEAR.not_before).not_valid_after(YEAR.not_after).sign(key, hashes.SHA256())
    )
    assert not issue.is_authority(bare)


def test_an_authority_needs_its_own_key(root: Authority) -> None:
    with pytest.raises(IssueError, match="does not fit"):
        Authority(root.certificate, new_key())


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(IssueError, match="time zone"):
        issue.valid_for(NOW.replace(tzinfo=None), timedelta(days=1))


def test_a_validity_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(IssueError, match="ends before"):
        Validity(NOW, NOW)


def test_a_certificate_of_another_root_does_not_verify(root: Authority) -> None:
    other = issue.make_root(name("root"), new_key(), YEAR, secrets.randbits)
    with pytest.raises(VerificationError):
        verify(client(other), root)


def test_an_intermediate_cannot_make_another_intermediate(root: Authority, intermediate: Authority) -> None:
    below = issue.make_intermediate(intermediate, name("below"), new_key(), WEEK, secrets.randbits)
    with pytest.raises(VerificationError):
        verify(client(below), root, intermediate, below)


def test_a_server_certificate_is_no_client_certificate(root: Authority) -> None:
    key = new_key().public_key()
    names = [x509.DNSName("localhost")]
    server = issue.issue(root, name("x"), key, Profile.SERVER, WEEK, secrets.randbits, names)
    with pytest.raises(VerificationError):
        verify(server, root)


def test_a_client_verifies_through_the_intermediate(root: Authority, intermediate: Authority) -> None:
    verify(client(intermediate), root, intermediate)


def test_a_serial_is_positive_and_has_20_octets_whatever_chance_gives() -> None:
    for chance in (lambda bits: 0, lambda bits: (1 << bits) - 1):
        serial = issue.make_root(name("x"), new_key(), YEAR, chance).certificate.serial_number
        assert serial.bit_length() == 159


def test_validity_is_backdated_by_an_hour_and_has_whole_seconds(root: Authority) -> None:
    assert root.certificate.not_valid_before_utc == datetime(2031, 5, 6, 6, 8, 9, tzinfo=UTC)
    assert root.certificate.not_valid_after_utc == datetime(2032, 5, 5, 7, 8, 9, tzinfo=UTC)


def test_key_identifiers_link_a_certificate_to_its_issuer(root: Authority, intermediate: Authority) -> None:
    leaf = client(intermediate).extensions
    middle = intermediate.certificate.extensions
    top = root.certificate.extensions
    for below, above in ((leaf, middle), (middle, top)):
        authority_key_id = below.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        assert (
            authority_key_id.key_identifier
            == above.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
        )


def test_a_leaf_carries_its_constraints_usage_and_names(root: Authority) -> None:
    extensions = client(root).extensions
    constraints = extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.RFC822Name) == ["james@example.com"]


def test_a_leaf_without_names_has_no_empty_extension(root: Authority) -> None:
    key = new_key().public_key()
    leaf = issue.issue(root, name("x"), key, Profile.CLIENT, WEEK, secrets.randbits)
    with pytest.raises(x509.ExtensionNotFound):
        leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)


def test_pem_reads_back_as_what_was_written(root: Authority, intermediate: Authority) -> None:
    pem = issue.certificate_pem(intermediate.certificate, root.certificate)
    assert x509.load_pem_x509_certificates(pem) == [intermediate.certificate, root.certificate]
    key = load_pem_private_key(key_pem(root.key), password=None)
    assert key.public_key() == root.key.public_key()


def test_a_key_does_not_appear_in_the_text_of_its_authority(root: Authority) -> None:
    assert "PrivateKey" not in repr(root)
