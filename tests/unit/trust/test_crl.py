"""A list is believed if one of our CAs signed it, if it is complete, and if all of it is understood."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding

from edge.trust.certificate import ca_identity, canonical_name
from edge.trust.crl import CLOCK_SKEW, Crl, CrlError, read_crl, split_crls
from edge.trust.serial_index import RevokedEntry
from tests.certificates import Authority, KeyKind, StringType, certificates_pem, name
from tests.crl_octets import (
    CRL_NUMBER,
    by_hand,
    element,
    entry,
    extension,
    generalized_time,
    integer,
    object_identifier,
    reason,
)
from tests.crls import Revoked, crl_of, moment, pem

CA = Authority("Devices")
PRIVATE = "1.3.6.1.4.1.55555.7"
PRIVATE_OID = x509.ObjectIdentifier(PRIVATE)
HERE = [x509.UniformResourceIdentifier("http://crl.test/a.crl")]


def read(der: bytes, *cas: Authority | x509.Certificate, later: timedelta = timedelta()) -> Crl:
    """Read one list, ``later`` than now, as that of an entry with these CAs."""
    certificates = [ca.certificate if isinstance(ca, Authority) else ca for ca in cas or (CA,)]
    return read_crl(der, certificates, moment() + later, "a.crl")


def refused(der: bytes, *cas: Authority | x509.Certificate) -> tuple[str, str]:
    """Return what is said of it, and the hint."""
    with pytest.raises(CrlError) as caught:
        read(der, *cas)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return str(caught.value), caught.value.hint


def renewed(authority: Authority, *, crl_sign: bool = True, key_usage: bool = True) -> x509.Certificate:
    """Return another certificate for the name and the key of a root."""
    signer = authority.signer
    now = moment()
    builder = (
        x509.CertificateBuilder()
        .subject_name(signer.subject)
        .issuer_name(signer.subject)
        .public_key(signer.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    if key_usage:
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=crl_sign,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(signer.key, hashes.SHA256())


# --- whose is it? ------------------------------------------------------------------------------


def test_a_list_that_another_key_signed_under_the_cas_name_is_refused() -> None:
    told = refused(crl_of(CA.impostor(), [CA.issue("x")]))
    assert told == (
        "it is signed with another key than that of 'CN=Devices,O=Test'",
        "make it with the key of this CA",
    )


def test_a_list_of_another_issuer_is_refused() -> None:
    told = refused(crl_of(Authority("Others")))
    assert told == (
        "its issuer 'CN=Others,O=Test' is no CA of this entry",
        "put it into the [[mtls_certificates]] entry that holds its CA",
    )


def test_a_list_of_the_cas_key_under_another_name_is_refused() -> None:
    message, _ = refused(crl_of(CA, issuer=name(("CN", "Others"))))
    assert "is no CA of this entry" in message


def test_a_list_that_a_client_signed_is_refused() -> None:
    # Under its own name, and under its CA's.
    client = CA.issue("client")
    by_client = Authority("client")
    by_client.signer = type(by_client.signer)(name(("CN", "client")), client.key, b"")
    assert "is no CA of this entry" in refused(crl_of(by_client))[0]
    assert "another key" in refused(crl_of(by_client, issuer=CA.signer.subject))[0]


def test_a_ca_may_not_speak_for_the_ca_above_it() -> None:
    below = CA.intermediate("Below")
    assert "another key" in refused(crl_of(below, issuer=CA.signer.subject), CA, below)[0]


def test_without_a_ca_nobody_is_believed() -> None:
    with pytest.raises(CrlError):
        read_crl(crl_of(CA), [], moment(), "a.crl")


def test_a_ca_whose_key_usage_leaves_out_crl_signing_is_refused() -> None:
    told = refused(crl_of(CA), renewed(CA, crl_sign=False))
    assert told == (
        "the key usage of 'CN=Devices,O=Test' does not include CRL signing",
        "renew the CA certificate with cRLSign",
    )


@pytest.mark.parametrize("order", [1, -1])
def test_a_ca_that_was_renewed_with_crl_signing_is_believed_beside_its_old_certificate(order: int) -> None:
    cas = [renewed(CA, crl_sign=False), renewed(CA)]
    assert read(crl_of(CA), *cas[::order]).issuer == ca_identity(CA.certificate)


def test_a_ca_without_key_usage_may_sign_lists() -> None:
    assert read(crl_of(CA), renewed(CA, key_usage=False)).issuer == ca_identity(CA.certificate)


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_cas_of_one_name_the_one_that_signed_is_meant(order: int) -> None:
    other = CA.impostor()
    cas = (CA, other)[::order]
    assert read(crl_of(CA), *cas).issuer == ca_identity(CA.certificate)
    assert read(crl_of(other), *cas).issuer == ca_identity(other.certificate)
    assert ca_identity(CA.certificate) != ca_identity(other.certificate)


def test_a_renewed_ca_is_the_same_ca() -> None:
    assert read(crl_of(CA), renewed(CA)).issuer == read(crl_of(CA), CA).issuer


# --- how is it signed? -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa2048", "ed25519"])
def test_a_signature_of_every_usual_kind_is_checked(kind: KeyKind) -> None:
    ca = Authority("CA", key=kind)
    der = crl_of(ca, [5])
    assert read(der, ca).serials.find(5) is not None
    # One bit of what is signed, then one of the signature.
    place = der.index(b"\x02\x01\x05\x17") + 2
    assert "another key" in refused(der[:place] + b"\x04" + der[place + 1 :], ca)[0]
    with pytest.raises(CrlError):
        read(der[:-1] + bytes((der[-1] ^ 1,)), ca)


def test_rsa_pss_is_checked() -> None:
    ca = Authority("CA", key="rsa2048")
    der = crl_of(ca, [5], rsa_padding=padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH))
    assert read(der, ca).serials.find(5) is not None
    assert "another key" in refused(der[:-1] + bytes((der[-1] ^ 1,)), ca)[0]


@pytest.mark.parametrize("kind", ["p256", "rsa2048"])
def test_sha_1_is_refused(kind: KeyKind) -> None:
    ca = Authority("CA", key=kind)
    told = refused(by_hand(ca, digest=hashes.SHA1()), ca)
    assert told == ("it is signed with sha1, which can be forged", "sign it with SHA-256")


def test_md5_is_refused() -> None:
    ca = Authority("CA", key="rsa2048")
    assert refused(by_hand(ca, digest=hashes.MD5()), ca)[0] == "it is signed with md5, which can be forged"


@pytest.mark.parametrize("digest", ["md5", "sha1"])
def test_openssls_own_lists_with_a_weak_digest_are_refused(digest: str, tmp_path: Path) -> None:
    ca = Authority("CA", key="rsa2048")
    message, _ = refused(openssl_crl(ca, tmp_path, "-md", digest), ca)
    assert message == f"it is signed with {digest}, which can be forged"


@pytest.mark.parametrize("options", [["-md", "sha256"], ["-md", "sha384", "-sigopt", "rsa_padding_mode:pss"]])
def test_openssls_own_lists_are_believed(options: Sequence[str], tmp_path: Path) -> None:
    ca = Authority("CA", key="rsa2048")
    crl = read(openssl_crl(ca, tmp_path, *options), ca)
    assert crl.number == 0x2A
    assert crl.serials.find(0x0A1B) == RevokedEntry(1735786800, 1)
    assert crl.serials.find(0x0A1C) is None


def openssl_crl(ca: Authority, folder: Path, *options: str) -> bytes:
    """Let the openssl command make a list that revokes 0x0A1B."""
    (folder / "ca.pem").write_bytes(certificates_pem(ca.certificate))
    (folder / "key.pem").write_bytes(ca.credential.key_pem())
    (folder / "crlnumber").write_text("2A\n")
    (folder / "index.txt").write_text(
        "R\t301231235959Z\t250102030000Z,keyCompromise\t0A1B\tunknown\t/CN=x\n"
        "V\t301231235959Z\t\t0A1C\tunknown\t/CN=y\n"
    )
    (folder / "ca.cnf").write_text(
        f"[ca]\ndefault_ca = ca_default\n[ca_default]\ndatabase = {folder}/index.txt\n"
        f"crlnumber = {folder}/crlnumber\ndefault_crl_days = 3\ndefault_md = sha256\n"
    )
    command = ["openssl", "ca", "-gencrl", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "key.pem"]
    subprocess.run([*command, *options, "-out", "a.crl"], cwd=folder, check=True, capture_output=True)
    (der,) = split_crls((folder / "a.crl").read_bytes())
    return der


@pytest.mark.parametrize(
    ("ours", "theirs"), [("p256", "rsa2048"), ("rsa2048", "ed25519"), ("ed25519", "p256"), ("p256", "p384")]
)
def test_a_signature_of_another_kind_of_key_is_refused(ours: KeyKind, theirs: KeyKind) -> None:
    real, forged = Authority("CA", key=ours), Authority("CA", key=theirs)
    assert "another key" in refused(crl_of(forged), real)[0]


def test_an_unknown_signature_algorithm_is_refused() -> None:
    algorithm = element(0x30, object_identifier(PRIVATE))
    with pytest.raises(CrlError):
        read(by_hand(CA, algorithm=algorithm))


def test_two_signature_algorithms_in_one_list_are_refused() -> None:
    der = by_hand(CA)
    sha256, sha384 = object_identifier("1.2.840.10045.4.3.2"), object_identifier("1.2.840.10045.4.3.3")
    assert der.count(sha256) == 2
    outer = der.rindex(sha256)
    with pytest.raises(CrlError):
        read(der[:outer] + sha384 + der[outer + len(sha384) :])


# --- is it complete? ---------------------------------------------------------------------------


def test_a_delta_is_refused() -> None:
    told = refused(crl_of(CA, [5], number=2, extensions=[(x509.DeltaCRLIndicator(1), True)]))
    assert told == ("it is a delta CRL, which lists only what changed", "name the complete CRL")


def test_a_delta_that_is_not_marked_critical_is_refused_too() -> None:
    assert "delta" in refused(crl_of(CA, extensions=[(x509.DeltaCRLIndicator(1), False)]))[0]


def distribution_point(**only: object) -> x509.IssuingDistributionPoint:
    said: dict[str, object] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**(said | only))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("only", "scope"),
    [
        ({"indirect_crl": True}, "other issuers' certificates too (an indirect CRL)"),
        ({"indirect_crl": True, "full_name": HERE}, "other issuers' certificates too (an indirect CRL)"),
        ({"only_contains_user_certs": True}, "those that are no CA only"),
        ({"only_contains_ca_certs": True}, "those of CAs only"),
        ({"only_contains_attribute_certs": True}, "attribute certificates only"),
        ({"only_some_reasons": frozenset({x509.ReasonFlags.key_compromise})}, "some reasons only"),
        ({"full_name": HERE}, "those of one distribution point only"),
        (
            {
                "relative_name": x509.RelativeDistinguishedName(
                    [x509.NameAttribute(x509.NameOID.COMMON_NAME, "1")]
                )
            },
            "those of one distribution point only",
        ),
    ],
)
@pytest.mark.parametrize("critical", [True, False])
def test_a_list_about_some_certificates_is_refused(
    only: dict[str, object], scope: str, *, critical: bool
) -> None:
    message, hint = refused(crl_of(CA, [5], extensions=[(distribution_point(**only), critical)]))
    assert message == f"it is not about all certificates of its CA, but about {scope}"
    assert hint == "name a complete CRL, without an IssuingDistributionPoint"


def test_an_entry_of_another_issuer_is_refused() -> None:
    other = x509.CertificateIssuer([x509.DirectoryName(name(("CN", "Others")))])
    for critical in (True, False):
        message, hint = refused(crl_of(CA, [Revoked(5, extensions=[(other, critical)])]))
        assert message == "an entry is of another issuer: this is an indirect CRL"
        assert hint == "a complete CRL of the CA itself is needed"


# --- is all of it understood? ------------------------------------------------------------------


def test_an_unknown_critical_extension_is_refused() -> None:
    unknown = x509.UnrecognizedExtension(PRIVATE_OID, b"\x05\x00")
    told = refused(crl_of(CA, [5], extensions=[(unknown, True)]))
    assert told == (f"it has the unknown critical extension {PRIVATE}", "make it without that extension")


def test_a_known_extension_that_means_nothing_here_is_refused_if_it_is_critical() -> None:
    freshest = x509.FreshestCRL([x509.DistributionPoint(HERE, None, None, None)])
    assert "2.5.29.46" in refused(crl_of(CA, extensions=[(freshest, True)]))[0]
    assert read(crl_of(CA, extensions=[(freshest, False)])).number == 1


def test_an_unknown_extension_that_is_not_critical_is_passed_over() -> None:
    unknown = x509.UnrecognizedExtension(PRIVATE_OID, b"\x05\x00")
    assert read(crl_of(CA, [5], extensions=[(unknown, False)])).serials.find(5) is not None


def test_an_unknown_critical_extension_of_an_entry_is_refused() -> None:
    der = by_hand(CA, [entry(4), entry(5, extension(PRIVATE, b"\x05\x00", critical=True)), entry(6)])
    message, hint = refused(der)
    assert message == f"an entry has the unknown critical extension {PRIVATE}"
    assert hint == "a complete CRL of the CA itself is needed"


def test_an_extension_that_is_there_twice_is_refused() -> None:
    numbers = [extension(CRL_NUMBER, integer(number)) for number in (1, 9)]
    message, _ = refused(by_hand(CA, [entry(5)], extensions=numbers))
    assert message.startswith("there is no CRL in it that can be read")


@pytest.mark.parametrize("value", [b"", b"\x05\x00", b"\x02\x02\x00\x01", b"\x02\x01\x01\x00"])
def test_a_number_that_cannot_be_read_is_refused(value: bytes) -> None:
    message, _ = refused(by_hand(CA, extensions=[extension(CRL_NUMBER, value)]))
    assert message.startswith("there is no CRL in it that can be read")


@pytest.mark.parametrize("version", [integer(0), integer(2), integer(-1)])
def test_a_version_that_there_is_not_is_refused(version: bytes) -> None:
    with pytest.raises(CrlError):
        read(by_hand(CA, version=version))


# --- when? -------------------------------------------------------------------------------------


def test_a_list_without_next_update_is_refused() -> None:
    told = refused(by_hand(CA, [entry(5)], next_update=b""))
    assert told == ("it has no nextUpdate, so nobody could ever tell that it is stale", "make it with one")


def test_a_list_of_the_future_is_refused() -> None:
    message, hint = refused(crl_of(CA, this_update=CLOCK_SKEW + timedelta(minutes=1)))
    assert message.startswith("its thisUpdate is in the future (2")
    assert message.endswith("Z)")
    assert hint == "check the clocks of this machine and of the CA"


def test_the_clock_of_a_ca_may_be_ahead_by_five_minutes() -> None:
    der = crl_of(CA, this_update=timedelta(hours=1))
    assert timedelta(minutes=5) == CLOCK_SKEW
    assert read(der, later=timedelta(minutes=56)).number == 1
    with pytest.raises(CrlError, match="in the future"):
        read(der, later=timedelta(minutes=54))


def test_a_stale_list_is_believed_and_known_to_be_stale() -> None:
    crl = read(crl_of(CA, [5], this_update=timedelta(days=-9), next_update=timedelta(days=-2)))
    assert crl.serials.find(5) is not None
    assert crl.is_stale(moment().timestamp())


def test_a_list_is_stale_after_its_next_update_and_not_in_it() -> None:
    crl = read(crl_of(CA))
    assert not crl.is_stale(crl.next_update)
    assert crl.is_stale(crl.next_update + 1)


def test_times_with_four_digits_of_their_year_are_read() -> None:
    crl = read(by_hand(CA, next_update=generalized_time("99991231235959Z")))
    assert crl.next_update == 253402300799
    assert crl.facts()["next_update"] == "9999-12-31T23:59:59Z"


@pytest.mark.parametrize("date", [generalized_time("20261301000000Z"), element(0x17, b"x"), element(0x17)])
def test_a_time_that_cannot_be_read_is_refused(date: bytes) -> None:
    for der in (by_hand(CA, next_update=date), by_hand(CA, this_update=date)):
        assert refused(der)[0].startswith("there is no CRL in it that can be read")


# --- what does it say? -------------------------------------------------------------------------


def test_an_empty_list_is_believed_and_revokes_nobody() -> None:
    for der in (crl_of(CA), by_hand(CA, entries_of_nobody=True)):
        crl = read(der)
        assert len(crl.serials) == 0
        assert crl.serials.find(5) is None


def test_a_list_of_version_one_is_believed() -> None:
    crl = read(by_hand(CA, [entry(5)], version=b"", extensions=None))
    assert crl.number is None
    assert crl.serials.find(5) is not None


def test_a_list_says_who_is_revoked_since_when_and_why() -> None:
    client = CA.issue("client")
    reasons = Revoked(7, since=timedelta(days=-3), reason=x509.ReasonFlags.key_compromise)
    crl = read(crl_of(CA, [client, reasons], number=2**150))
    assert crl.number == 2**150
    assert crl.source == "a.crl"
    assert crl.issuer_name == "CN=Devices,O=Test"
    assert crl.issuer == ca_identity(CA.certificate)
    assert crl.serials.find(client.certificate.serial_number) is not None
    found = crl.serials.find(7)
    assert found is not None
    assert found.reason == 1
    assert abs(found.revoked_at - (moment() - timedelta(days=3)).timestamp()) < 60


def test_who_was_removed_from_the_list_is_not_revoked() -> None:
    crl = read(by_hand(CA, [entry(4, reason(1)), entry(5, reason(8)), entry(6, reason(6))]))
    assert crl.serials.find(5) is None
    assert crl.serials.find(4) is not None
    assert crl.serials.find(6) is not None


def test_the_facts_of_a_list_are_what_the_log_tells() -> None:
    facts = read(crl_of(CA, [5, 6], number=3)).facts()
    assert facts["issuer"] == "CN=Devices,O=Test"
    assert (facts["number"], facts["revoked"], facts["file"]) == (3, 2, "a.crl")


def test_a_title_has_the_number_if_there_is_one() -> None:
    assert read(crl_of(CA, number=3)).title == "the CRL number 3 of 'CN=Devices,O=Test'"
    assert read(crl_of(CA, number=None)).title == "the CRL of 'CN=Devices,O=Test'"


# --- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "issuer",
    [
        name(("O", "Test", StringType.PrintableString), ("CN", "Devices", StringType.PrintableString)),
        name(("O", "Test", StringType.UTF8String), ("CN", "Devices", StringType.UTF8String)),
        name(("O", "TEST"), ("CN", "devices")),
        name(("O", " Test "), ("CN", "Devices  ")),
        name(("O", "Test", StringType.BMPString), ("CN", "Devices", StringType.BMPString)),
    ],
)
def test_a_name_that_is_only_written_in_another_way_is_the_same(issuer: x509.Name) -> None:
    assert canonical_name(issuer) == canonical_name(CA.signer.subject)
    assert read(crl_of(CA, [5], issuer=issuer)).issuer == ca_identity(CA.certificate)


@pytest.mark.parametrize(
    "issuer",
    [
        name(("CN", "Devices"), ("O", "Test")),
        name(("O", "Test"), ("CN", "Devices"), ("CN", "Devices")),
        name(("O", "Test")),
        name(("O", "Test"), ("OU", "Devices")),
        name(("O", "Test"), ("CN", "Device s")),
        name(("O", "Test, CN=Devices")),
        name(("O", "Test"), ("CN", "Dévices")),
    ],
)
def test_another_name_is_another(issuer: x509.Name) -> None:
    assert canonical_name(issuer) != canonical_name(CA.signer.subject)
    assert "is no CA of this entry" in refused(crl_of(CA, issuer=issuer))[0]


# --- files -------------------------------------------------------------------------------------


def test_a_file_is_one_list_in_der_or_any_number_in_pem() -> None:
    one, two = crl_of(CA, number=1), crl_of(CA, number=2)
    assert split_crls(one) == [one]
    assert split_crls(pem(one)) == [one]
    assert split_crls(pem(one, two)) == [one, two]
    assert split_crls(b"Some words\n" + pem(one) + b"\n\n" + pem(two) + b"# the end") == [one, two]
    assert split_crls(pem(one).replace(b"\n", b"\r\n")) == [one]


def test_a_certificate_among_the_lists_is_refused() -> None:
    with pytest.raises(CrlError, match=r"it holds a 'CERTIFICATE', which is no CRL") as caught:
        split_crls(pem(crl_of(CA)) + certificates_pem(CA.certificate))
    assert caught.value.hint == "keep only the X509 CRL blocks"


@pytest.mark.parametrize("cut", [1, 5, 20, 100])
def test_pem_that_is_cut_off_is_refused(cut: int) -> None:
    for octets in (pem(crl_of(CA)), pem(crl_of(CA), crl_of(CA))):
        with pytest.raises(CrlError, match="cut off") as caught:
            split_crls(octets[: -cut - 1])
        assert caught.value.hint == "copy the file again"


def test_a_list_that_begins_in_the_middle_is_refused() -> None:
    octets = pem(crl_of(CA))
    with pytest.raises(CrlError, match="cut off"):
        split_crls(b"-----BEGIN X509 CRL-----\n" + octets)
    (junk,) = split_crls(octets[30:])
    assert "there is no CRL in it" in refused(junk)[0]


def test_many_lists_without_an_end_are_refused_at_once() -> None:
    # A search to the end of the file from each of them would take days.
    many = b"-----BEGIN A-----\n" * 200_000
    for octets in (many, many + b"-----END B-----\n" * 200_000, b"-----BEGIN " + b"A" * 2**22):
        with pytest.raises(CrlError, match="cut off"):
            split_crls(octets)


@pytest.mark.parametrize("body", ["", "!!!!", "MIIB", "AAAA"])
def test_pem_with_junk_in_it_is_refused(body: str) -> None:
    with pytest.raises(CrlError, match="cannot be read"):
        split_crls(f"-----BEGIN X509 CRL-----\n{body}\n-----END X509 CRL-----\n".encode())


@pytest.mark.parametrize("label", [b"CERTIFICATE", b"PRIVATE KEY", b"X509 CRL ", b"CRL", b"\xff", b"A" * 99])
def test_any_other_label_is_refused_and_cut_short(label: bytes) -> None:
    octets = b"-----BEGIN " + label + b"-----\nAAAA\n-----END " + label + b"-----\n"
    with pytest.raises(CrlError, match="which is no CRL") as caught:
        split_crls(octets)
    assert len(str(caught.value)) < 100


def test_octets_that_are_no_list_or_more_than_one_are_refused() -> None:
    der = crl_of(CA)
    certificate = CA.certificate.public_bytes(Encoding.DER)
    junk = (b"", b"junk", b"\x30\x00", der[:-1], der[:50], der + b"\0", der + b"\n", der + der, certificate)
    for octets in junk:
        message, hint = refused(octets)
        assert message.startswith("there is no CRL in it that can be read")
        assert hint == "a CRL is PEM (X509 CRL) or DER"


# --- which is newer? ---------------------------------------------------------------------------


def crl(number: int | None, minutes: int, *serials: int) -> Crl:
    return read(crl_of(CA, serials, number=number, this_update=timedelta(days=-1, minutes=minutes)))


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ((1, 0), (2, 0)),
        ((1, 9), (2, 0)),
        ((2, 0), (2, 9)),
        ((None, 0), (None, 9)),
        ((None, 0), (1, 9)),
        ((1, 0), (None, 9)),
        ((255, 0), (256, 0)),
    ],
)
def test_the_number_tells_which_list_is_older_and_else_the_time(
    older: tuple[int | None, int], newer: tuple[int | None, int]
) -> None:
    assert crl(*older).is_older_than(crl(*newer))
    assert not crl(*newer).is_older_than(crl(*older))


def test_a_list_is_not_older_than_itself() -> None:
    for one in (crl(1, 0), crl(None, 0)):
        assert not one.is_older_than(one)


def test_lists_that_differ_in_anything_do_not_say_the_same() -> None:
    one = crl(1, 0, 5)
    assert one.says_the_same_as(replace(one, source="b.crl"))
    for other in (
        replace(one, number=2),
        replace(one, number=None),
        replace(one, this_update=one.this_update + 1),
        replace(one, next_update=one.next_update + 1),
        *(replace(one, serials=crl(1, 0, *serials).serials) for serials in ((6,), (5, 6), ())),
    ):
        assert not one.says_the_same_as(other)
