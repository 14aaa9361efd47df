"""Certificates that prove nothing: the handshake is done, HTTP refuses, and the log says who it was."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from OpenSSL import SSL

from tests.certificates import SERVER, Authority, Credential, name, new_key, self_signed
from tests.e2e.clients import curl, raw_tls
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.verdicts import event_of, verdict

INVALID, EXPIRED = "client_certificate_invalid", "client_certificate_expired"
PAST, FUTURE = timedelta(minutes=-1), timedelta(minutes=5)

VERSIONS = [
    pytest.param(SSL.TLS1_2_VERSION, id="tls1.2"),
    pytest.param(SSL.TLS1_3_VERSION, id="tls1.3"),
]

Maker = Callable[[Authority, Authority], Credential]
"""Makes the credential from CA A, whose clients the host believes, and CA B, whose it does not."""


def leaf_as_ca(ca_a: Authority) -> Credential:
    return Authority("James Royal", above=ca_a, ca=False).issue("James Royal")


def below_path_length(ca_a: Authority) -> Credential:
    return ca_a.intermediate("Last", path_length=0).intermediate("One Too Many").issue("James Royal")


def with_unknown_critical_extension(ca_a: Authority) -> Credential:
    unknown = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
    return ca_a.issue("James Royal", extensions=[(unknown, True)])


def impostor_with_its_ca(ca_a: Authority) -> Credential:
    impostor = ca_a.impostor()
    leaf = impostor.issue("James Royal")
    return Credential(leaf.certificate, leaf.key, (impostor.certificate,))


def foreign_with_its_root(ca_b: Authority) -> Credential:
    leaf = ca_b.issue("James Royal")
    return Credential(leaf.certificate, leaf.key, (ca_b.certificate,))


CASES: dict[str, tuple[Maker, str]] = {
    "expired": (lambda a, b: a.issue("James Royal", not_after=PAST), EXPIRED),
    "not yet valid": (lambda a, b: a.issue("James Royal", not_before=FUTURE), EXPIRED),
    "self-signed": (lambda a, b: self_signed("James Royal"), INVALID),
    "signed by a CA of the same name with another key": (
        lambda a, b: a.impostor().issue("James Royal"),
        INVALID,
    ),
    "signed by such a CA, which is sent along": (lambda a, b: impostor_with_its_ca(a), INVALID),
    "foreign": (lambda a, b: b.issue("James Royal"), INVALID),
    "foreign with its root sent along": (lambda a, b: foreign_with_its_root(b), INVALID),
    "foreign and expired": (lambda a, b: b.issue("James Royal", not_after=PAST), INVALID),
    "for servers only": (lambda a, b: a.issue("James Royal", eku=[SERVER]), INVALID),
    "for signing code": (
        lambda a, b: a.issue("James Royal", eku=[ExtendedKeyUsageOID.CODE_SIGNING]),
        INVALID,
    ),
    "under an expired intermediate": (
        lambda a, b: a.intermediate("Old", not_after=PAST).issue("James Royal"),
        EXPIRED,
    ),
    "under an intermediate that is not valid yet": (
        lambda a, b: a.intermediate("New", not_before=FUTURE).issue("James Royal"),
        EXPIRED,
    ),
    "under an intermediate that is no CA": (lambda a, b: leaf_as_ca(a), INVALID),
    "under one intermediate too many": (lambda a, b: below_path_length(a), INVALID),
    "under a weak intermediate": (
        lambda a, b: a.intermediate("Weak", key="rsa1024").issue("James Royal"),
        INVALID,
    ),
    "under an intermediate for servers only": (
        lambda a, b: a.intermediate("Servers", eku=[SERVER]).issue("James Royal"),
        INVALID,
    ),
    "RSA with 1024 bits": (lambda a, b: a.issue("James Royal", key="rsa1024"), INVALID),
    "under an intermediate with P-192": (
        lambda a, b: a.intermediate("Small", key="p192").issue("James Royal"),
        INVALID,
    ),
    "with an unknown critical extension": (lambda a, b: with_unknown_critical_extension(a), INVALID),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", CASES)
def test_a_bad_certificate_is_refused_by_http_and_named_in_the_log(
    edge: Edge, origin: Origin, ca_a: Authority, ca_b: Authority, case: str, version: int
) -> None:
    make, reason = CASES[case]
    assert_refused(edge, origin, make(ca_a, ca_b), reason, version)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_certificate_signed_with_sha1_is_refused(
    edge: Edge, origin: Origin, ca_a: Authority, tmp_path: Path, version: int
) -> None:
    credential = signed_with_sha1(ca_a, tmp_path)
    assert isinstance(credential.certificate.signature_hash_algorithm, hashes.SHA1)
    assert_refused(edge, origin, credential, INVALID, version)


def test_curl_with_an_expired_certificate_reads_why_it_was_refused(
    edge: Edge, ca_a: Authority, tmp_path: Path
) -> None:
    expired = ca_a.issue("James Royal", not_after=PAST)
    answer = curl(edge, "/", cert=expired.write(tmp_path, "expired"))
    assert verdict(answer) == (403, EXPIRED)
    assert b"certificate has expired" in answer.body


def test_the_flag_enforces_nothing_where_the_policy_asks_for_nothing(
    edge: Edge, origin: Origin, ca_b: Authority
) -> None:
    with raw_tls(edge, "a.test", ca_b.issue("James Royal")) as client:
        answer = client.ask("/public")
    assert verdict(answer) == (200, "")
    (received,) = origin.wait_for("/public")
    assert received.value("mtls-authenticated") == "false"
    assert b"James Royal" not in received.head


def test_an_intermediate_that_was_sent_once_helps_no_full_handshake_without_it(
    edge: Edge, origin: Origin, ca_a: Authority
) -> None:
    own = ca_a.intermediate("Own")
    first, second = own.issue("James Royal"), own.issue("James Royal")
    with raw_tls(edge, "a.test", first, with_chain=True) as client:
        assert verdict(client.ask("/with")) == (200, "")
    for credential in (first, second):
        for _ in range(6):
            with raw_tls(edge, "a.test", credential) as client:
                assert verdict(client.ask("/without")) == (403, INVALID)
    assert origin.received("/without") == []


def assert_refused(edge: Edge, origin: Origin, credential: Credential, reason: str, version: int) -> None:
    with raw_tls(edge, "a.test", credential, version=version, with_chain=True) as client:
        answer = client.ask("/secret")
        assert verdict(answer) == (403, reason)
        assert verdict(client.ask("/james")) == (403, reason)
    assert origin.received() == []
    event = event_of(edge, answer)
    assert (event["reason"], event["mtls_authenticated"]) == (reason, False)
    assert event["verify"].startswith("FAILED:")
    assert event["verify"] == f"FAILED:{event['detail']}"
    assert int(event["certificate_serial"], 16) == credential.certificate.serial_number
    assert event["certificate_sha256"] == credential.fingerprint


def signed_with_sha1(ca: Authority, directory: Path) -> Credential:
    """Made by openssl: the library signs with nothing so weak."""
    ca_files = ca.credential.write(directory, "ca")
    key = new_key("p256")
    request = x509.CertificateSigningRequestBuilder().subject_name(name(("CN", "James Royal")))
    command = ["openssl", "x509", "-req", "-sha1", "-days", "1", "-set_serial", "4711"]
    command += ["-CA", str(ca_files.certificate), "-CAkey", str(ca_files.key)]
    done = subprocess.run(
        command,
        input=request.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM),
        capture_output=True,
        check=True,
    )
    return Credential(x509.load_pem_x509_certificate(done.stdout), key)
