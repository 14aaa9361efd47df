"""What ``edge pki`` makes, judged by strangers: openssl, a C compiler, plistlib."""

from __future__ import annotations

import plistlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from tests.e2e.command_line import run


def openssl(*arguments: str | Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["openssl", *map(str, arguments)], input=given, capture_output=True, timeout=30, check=False
    )


def accepted(*arguments: str | Path, given: bytes = b"") -> str:
    done = openssl(*arguments, given=given)
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    return done.stdout.decode()


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PKI with a client, a server, and one that was revoked."""
    directory = tmp_path_factory.mktemp("parent") / "pki"
    edge("init", directory, "--name", "Widgetcorp")
    edge("issue", "James Royal", "--dir", directory, "--san", "james@example.com", "--san", "spiffe://a/b")
    edge("issue", "a.test", "--dir", directory, "--profile", "server", "--san", "10.0.0.1")
    edge("issue", "lost", "--dir", directory)
    edge("revoke", directory / "lost.pem", "--dir", directory, "--reason", "keyCompromise", "--now")
    return directory


def edge(*arguments: str | Path) -> str:
    got = run("pki", *arguments)
    assert got.status == 0, got.err
    return got.out


def verify(pki: Path, name: str, *arguments: str | Path) -> subprocess.CompletedProcess[bytes]:
    lists: list[str | Path] = ["-crl_check_all", "-CRLfile", pki / "crl.pem"]
    trust: list[str | Path] = [
        "-x509_strict",
        "-CAfile",
        pki / "root.pem",
        "-untrusted",
        pki / "intermediate.pem",
    ]
    return openssl("verify", *trust, *lists, *arguments, pki / f"{name}.pem")


def test_a_revoked_certificate_does_not_verify(pki: Path) -> None:
    done = verify(pki, "lost")
    assert done.returncode != 0
    assert b"certificate revoked" in done.stderr


def test_a_client_is_no_server_and_a_server_no_client(pki: Path) -> None:
    assert verify(pki, "James-Royal", "-purpose", "sslserver").returncode != 0
    assert verify(pki, "a.test", "-purpose", "sslclient").returncode != 0


def test_good_certificates_verify_with_chain_and_lists(pki: Path) -> None:
    assert verify(pki, "James-Royal", "-purpose", "sslclient").returncode == 0
    for name in (["-verify_hostname", "a.test"], ["-verify_ip", "10.0.0.1"]):
        assert verify(pki, "a.test", "-purpose", "sslserver", *name).returncode == 0
    accepted("verify", "-CAfile", pki / "ca.pem", pki / "James-Royal.pem")
    chain = pki / "James-Royal-chain.pem"
    accepted("verify", "-CAfile", pki / "root.pem", "-untrusted", chain, pki / "James-Royal.pem")


def test_a_certificate_of_a_revoked_intermediate_does_not_verify(pki: Path, tmp_path: Path) -> None:
    copy = tmp_path / "pki"
    shutil.copytree(pki, copy)
    edge("revoke", copy / "intermediate.pem", "--dir", copy, "--reason", "cACompromise", "--now")
    done = verify(copy, "James-Royal")
    assert b"error 23 at 1 depth lookup: certificate revoked" in done.stderr


def test_openssl_reads_the_lists(pki: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"-----BEGIN.*?-----END X509 CRL-----\n", (pki / "crl.pem").read_text(), re.DOTALL)
    serial = x509.load_pem_x509_certificate((pki / "lost.pem").read_bytes()).serial_number
    texts = []
    for block, ca in zip(blocks, ("root.pem", "intermediate.pem"), strict=True):
        (tmp_path / "one.pem").write_text(block)
        done = openssl("crl", "-in", tmp_path / "one.pem", "-CAfile", pki / ca, "-noout", "-text")
        assert b"verify OK" in done.stderr
        texts.append(done.stdout.decode())
    for text in texts:
        assert re.search(r"X509v3 CRL Number: \n +2\n", text)
        assert "X509v3 Authority Key Identifier" in text
    assert "No Revoked Certificates" in texts[0]
    assert f"Serial Number: {serial:X}" in texts[1]
    assert "Key Compromise" in texts[1]


@pytest.mark.parametrize(
    ("legacy", "expected"),
    [
        ([], ["PBES2, PBKDF2, AES-256-CBC, Iteration 100000", "MAC: sha256"]),
        (["--legacy"], ["pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 100000", "MAC: sha1"]),
    ],
)
def test_openssl_opens_both_kinds_of_pkcs12(
    pki: Path, tmp_path: Path, legacy: list[str], expected: list[str]
) -> None:
    out, password = tmp_path / "out.p12", tmp_path / "password"
    password.write_text("correct horse\n")
    edge("export", "James-Royal", "--p12", *legacy, "--dir", pki, "--out", out, "--password-file", password)
    flags = ["-legacy"] if legacy else []
    done = openssl("pkcs12", "-in", out, "-info", "-nodes", "-passin", f"file:{password}", *flags)
    assert done.returncode == 0, done.stderr.decode()
    said = (done.stdout + done.stderr).decode()
    for text in (*expected, "friendlyName: James Royal", "CN = Widgetcorp Issuing CA"):
        assert text in said
    assert said.count("-----BEGIN CERTIFICATE-----") == 2
    assert said.count("-----BEGIN PRIVATE KEY-----") == 1
    wrong = openssl("pkcs12", "-in", out, "-nodes", "-passin", "pass:wrong", *flags)
    assert wrong.returncode != 0


def test_openssl_opens_the_pkcs12_of_a_profile_with_the_printed_password(pki: Path, tmp_path: Path) -> None:
    out = tmp_path / "james.mobileconfig"
    said = edge("export", "James-Royal", "--mobileconfig", "--dir", pki, "--out", out)
    (password,) = re.findall(r"shown this once: (\S+)", said)
    profile = plistlib.loads(out.read_bytes())
    packed = profile["PayloadContent"][0]["PayloadContent"]
    text = accepted("pkcs12", "-nodes", "-legacy", "-passin", f"pass:{password}", given=packed)
    assert "BEGIN PRIVATE KEY" in text


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_a_compiler_takes_the_header_and_gives_the_texts_back(pki: Path, tmp_path: Path) -> None:
    edge("issue", "7 */ sensor", "--dir", pki, "--out", "7-sensor", "--esp32", "--force")
    program = '#include <stdio.h>\n#include "7-sensor.h"\n#include "7-sensor.h"\n'
    program += 'int main(void) { printf("%s%s", client_7_sensor_cert, client_7_sensor_key);\n'
    program += " return sizeof client_7_sensor_ca == 0; }\n"
    (tmp_path / "main.c").write_text(program)
    built = tmp_path / "main"
    command = ["cc", "-std=c99", "-Wall", "-Werror", "-pedantic", "-I", str(pki), "-o", str(built)]
    done = subprocess.run([*command, str(tmp_path / "main.c")], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    printed = subprocess.run([built], capture_output=True, timeout=30, check=True).stdout
    assert printed == b"".join(
        (pki / f"7-sensor{suffix}").read_bytes() for suffix in ("-chain.pem", "-key.pem")
    )


@pytest.mark.parametrize(
    "key", [["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], ["rsa:2048"], ["ed25519"]], ids=lambda key: key[0]
)
@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_a_request_of_openssl_is_certified(pki: Path, tmp_path: Path, key: list[str], form: str) -> None:
    csr, private = tmp_path / "x.csr", tmp_path / "x.key"
    request = ["-newkey", *key, "-nodes", "-subj", "/CN=root/O=Evil", "-outform", form]
    accepted("req", "-new", *request, "-keyout", private, "-out", csr)
    edge("issue", "device", "--csr", csr, "--dir", pki, "--force")
    assert verify(pki, "device").returncode == 0
    certificate = x509.load_pem_x509_certificate((pki / "device.pem").read_bytes())
    assert certificate.subject.rfc4514_string() == "CN=device"
    public = accepted("pkey", "-in", private, "-pubout")
    assert accepted("x509", "-in", pki / "device.pem", "-noout", "-pubkey") == public
    assert not (pki / "device-key.pem").exists()


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa2048", "ed25519"])
def test_every_type_of_key_fits_its_certificate(pki: Path, kind: str) -> None:
    edge("issue", kind, "--key-type", kind, "--dir", pki)
    public = accepted("pkey", "-in", pki / f"{kind}-key.pem", "-pubout")
    assert accepted("x509", "-in", pki / f"{kind}.pem", "-noout", "-pubkey") == public
    assert verify(pki, kind, "-purpose", "sslclient").returncode == 0


def test_encrypted_keys_of_authorities_open_in_openssl(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("open sesame\n")
    edge("init", tmp_path / "pki", "--ca-password-file", password)
    for role in ("root", "intermediate"):
        key = tmp_path / "pki" / f"{role}-key.pem"
        public = accepted("pkey", "-in", key, "-passin", f"file:{password}", "-pubout")
        assert accepted("x509", "-in", tmp_path / "pki" / f"{role}.pem", "-noout", "-pubkey") == public
        assert openssl("pkey", "-in", key, "-passin", "pass:wrong").returncode != 0
