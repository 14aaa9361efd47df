from __future__ import annotations

import base64
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from edge.pki.cfssl.messages import CfsslError, Code
from edge.pki.cfssl.request import (
    Requested,
    csr_output,
    key_output,
    make_csr,
    make_request,
    read_authority_key,
    read_csr,
)
from edge.pki.keys import key_pem, new_key
from tests.unit.pki.cfssl.workshop import Recorder, foreign_request, names, pem, request


def refused(data: bytes) -> CfsslError:
    with pytest.raises(CfsslError) as caught:
        read_csr(data)
    return caught.value


def test_the_log_is_cfssls() -> None:
    log = Recorder()
    make_request(request(CN="x"), log)
    assert log.infos == [
        "generate received request",
        "received CSR",
        "generating key: ecdsa-256",
        "encoded CSR",
    ]
    assert log.warnings == []


@pytest.mark.parametrize(
    ("size", "curve", "algorithm"),
    [(256, "secp256r1", hashes.SHA256), (384, "secp384r1", hashes.SHA384), (521, "secp521r1", hashes.SHA512)],
)
def test_an_ecdsa_key_signs_with_the_hash_of_its_size(
    size: int, curve: str, algorithm: type[hashes.HashAlgorithm]
) -> None:
    made = make_request(request(key={"algo": "ecdsa", "size": size}), Recorder())
    assert isinstance(made.key, ec.EllipticCurvePrivateKey)
    assert made.key.curve.name == curve
    assert isinstance(made.csr.signature_hash_algorithm, algorithm)
    assert made.csr.is_signature_valid


@pytest.mark.parametrize(
    "key",
    [
        {"algo": "rsa", "size": 1024},
        {"algo": "rsa"},
        {"algo": "rsa", "size": 8193},
        {"algo": "rsa", "size": 10**30},
        {"algo": "ecdsa", "size": 255},
        {"algo": "ecdsa", "size": -256},
        {"algo": "RSA", "size": 2048},
        {"algo": "dsa", "size": 2048},
    ],
)
def test_a_key_that_is_weak_or_unheard_of_is_refused(key: dict[str, object]) -> None:
    with pytest.raises(CfsslError) as caught:
        make_request(request(key=key), Recorder())
    assert caught.value.code == Code.KEY_GENERATION


def test_hosts_and_constraints_and_extensions_are_in_the_request_in_gos_order() -> None:
    fields = request(
        CN="x",
        hosts=["a.example", "::1"],
        ca={"pathlen": 1},
        extensions=[{"Id": [1, 2, 3], "Critical": True, "Value": "BQA="}],
    )
    csr = make_csr(fields, new_key(), Recorder())
    assert [(each.oid.dotted_string, each.critical) for each in csr.extensions] == [
        ("2.5.29.17", False),
        ("2.5.29.19", True),
        ("1.2.3", True),
    ]
    assert csr.extensions[1].value == x509.BasicConstraints(ca=True, path_length=1)
    assert names(csr) == ["DNSName a.example", "IPAddress ::1"]


def test_an_empty_host_is_an_empty_name() -> None:
    csr = make_csr(request(CN="x", hosts=[""]), new_key(), Recorder())
    assert csr.extensions[0].value.public_bytes() == bytes.fromhex("30028200")


def test_without_hosts_there_are_no_extensions() -> None:
    assert len(make_csr(request(CN="x", hosts=[]), new_key(), Recorder()).extensions) == 0


def test_an_extension_that_stands_twice_is_refused() -> None:
    fields = request(hosts=["x"], extensions=[{"Id": [2, 5, 29, 17], "Value": "MAA="}])
    with pytest.raises(CfsslError, match="cannot be made"):
        make_csr(fields, new_key(), Recorder())


def test_values_that_other_software_refuses_are_told() -> None:
    log = Recorder()
    make_csr(request(names=[{"C": "USA"}]), new_key(), log)
    assert len(log.warnings) == 1


def test_keys_are_written_in_cfssls_wrappings() -> None:
    assert key_output(new_key()).startswith(b"-----BEGIN EC PRIVATE KEY-----\n")
    assert key_output(new_key("rsa", 2048)).startswith(b"-----BEGIN RSA PRIVATE KEY-----\n")
    ed = new_key("ed25519")
    assert key_output(ed).startswith(b"-----BEGIN PRIVATE KEY-----\n")
    read_back = load_pem_private_key(key_output(ed), None)
    assert isinstance(read_back, ed25519.Ed25519PrivateKey)


def test_a_secret_is_not_in_a_repr() -> None:
    made = make_request(request(), Recorder())
    assert "key" not in repr(Requested(made.key, made.csr)).replace("x509.CertificateSigningRequest", "")


def test_a_request_is_read_back() -> None:
    made = make_request(request(CN="x", hosts=["a"]), Recorder())
    assert read_csr(csr_output(made.csr)) == made.csr


def test_the_label_of_old_microsoft_tools_is_read() -> None:
    data = pem(foreign_request()).replace(b"CERTIFICATE REQUEST", b"NEW CERTIFICATE REQUEST")
    read_csr(data)


@pytest.mark.parametrize("data", [b"", b"junk", b"-----BEGIN CERTIFICATE REQUEST-----\n"])
def test_what_is_no_request_is_refused(data: bytes) -> None:
    assert refused(data).code == Code.CSR_DECODE


def test_a_request_of_an_unknown_version_is_refused() -> None:
    der = foreign_request().public_bytes(Encoding.DER).replace(b"\x02\x01\0", b"\x02\x01\x05", 1)
    data = base64.encodebytes(der)
    label = b"CERTIFICATE REQUEST-----\n"
    assert refused(b"-----BEGIN " + label + data + b"-----END " + label).code == Code.CSR_DECODE


def test_a_key_or_a_certificate_is_no_request() -> None:
    assert refused(key_pem(new_key())).code == Code.CSR_DECODE


def test_a_request_with_a_wrong_signature_is_refused() -> None:
    der = bytearray(foreign_request().public_bytes(Encoding.DER))
    at = der.find(b"\x2a\x86\x48\xce\x3d\x04\x03\x02")
    der[at + 20] ^= 1
    forged = x509.load_der_x509_csr(bytes(der))
    assert refused(pem(forged)).code in (Code.CSR_BAD_REQUEST, Code.CSR_PARSE)


def test_a_request_whose_subject_was_changed_is_refused() -> None:
    der = make_csr(request(CN="James Royal"), new_key(), Recorder()).public_bytes(Encoding.DER)
    forged = x509.load_der_x509_csr(der.replace(b"James Royal", b"Janes Royal"))
    assert refused(pem(forged)).code == Code.CSR_BAD_REQUEST


def test_a_request_for_a_kind_of_key_that_is_not_certified_is_refused() -> None:
    key = dsa.generate_private_key(2048)
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    assert "only RSA, ECDSA and Ed25519" in str(refused(pem(csr)))


def test_an_address_that_is_a_network_is_refused() -> None:
    eight = x509.UnrecognizedExtension(
        x509.ObjectIdentifier("2.5.29.17"), bytes.fromhex("300a87080a000000ffffff01")
    )
    assert refused(pem(foreign_request((eight, False)))).code == Code.CSR_PARSE


# --- the key of an authority -----------------------------------------------------------------------


def encrypted() -> bytes:
    key = new_key()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass word"))


def key_refused(data: bytes, password: bytes | None = None) -> CfsslError:
    with pytest.raises(CfsslError) as caught:
        read_authority_key(data, password)
    return caught.value


def test_an_encrypted_key_is_read_with_its_password() -> None:
    assert isinstance(read_authority_key(encrypted(), b"pass word"), ec.EllipticCurvePrivateKey)


def test_a_key_encrypted_by_the_old_openssl_format_is_read() -> None:
    plain = key_output(new_key("rsa", 2048))
    old = subprocess.run(
        ["openssl", "rsa", "-aes128", "-passout", "pass:secret", "-traditional"],
        input=plain,
        capture_output=True,
        check=True,
    ).stdout
    assert b"Proc-Type: 4,ENCRYPTED" in old
    assert isinstance(read_authority_key(old, b"secret"), rsa.RSAPrivateKey)


def test_a_password_that_is_not_needed_does_no_harm() -> None:
    key = new_key()
    assert read_authority_key(key_pem(key), b"pass word").public_key() == key.public_key()


def test_an_encrypted_key_without_a_password_says_where_to_put_it() -> None:
    error = key_refused(encrypted())
    assert error.code == Code.KEY_ENCRYPTED
    assert "CFSSL_CA_PK_PASSWORD" in error.message


def test_a_wrong_password_is_refused_and_not_repeated() -> None:
    error = key_refused(encrypted(), b"pass wort")
    assert error.code == Code.KEY_DECODE
    assert "wort" not in str(error)


@pytest.mark.parametrize("password", [None, b"x"])
def test_what_is_no_key_is_refused_without_showing_it(password: bytes | None) -> None:
    error = key_refused(b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", password)
    assert error.code == Code.KEY_DECODE
    assert "c2VjcmV0" not in str(error)
