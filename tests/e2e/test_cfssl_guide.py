"""The commands of the public guide, typed as they stand there, with ``cfssl`` an alias of ours."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from edge.tls.verification import Verifier
from edge.trust.ca_bundle import combine, read_ca_entry
from tests.e2e.cfssl_cases import GUIDE_CONFIG, ROYAL
from tests.e2e.cfssl_toolkit import INSTALLED, MISSING, write_json
from tests.e2e.command_line import SOURCE

ALIASES = f"""
alias cfssl='{sys.executable} -m edge cfssl'
alias cfssljson='{sys.executable} -m edge cfssljson'
"""
ROOT_AND_CLIENT = r"""
cfssl gencert -initca ca-csr.json | cfssljson -bare ca
cfssl gencert -ca=ca.pem -ca-key=ca-key.pem -config=ca-config.json -profile=client csr.json \
    | cfssljson -bare client
"""
REVOKE = """
openssl x509 -in client.pem -noout -serial | sed 's/.*=/0x/' > serials.txt
cfssl gencrl serials.txt ca.pem ca-key.pem | base64 -d > ca.crl
"""


def shell(script: str, directory: Path, umask: int = 0o022) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        umask=umask,
        check=False,
    )


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    """The files that the guide has one write; only the client's key is smaller, to save half a minute."""
    rsa_4096, rsa_2048 = ({"key": {"algo": "rsa", "size": size}} for size in (4096, 2048))
    write_json(tmp_path / "ca-csr.json", ROYAL | rsa_4096 | {"CN": "Access Testing CA", "hosts": []})
    write_json(tmp_path / "csr.json", ROYAL | rsa_2048)
    write_json(tmp_path / "ca-config.json", GUIDE_CONFIG)
    return tmp_path


@pytest.fixture
def quick_guide(guide: Path) -> Path:
    """The same with keys that are made in no time."""
    for name in ("ca-csr.json", "csr.json"):
        request = json.loads((guide / name).read_text())
        write_json(guide / name, request | {"key": {"algo": "ecdsa", "size": 256}})
    return guide


def verify(directory: Path, *options: str) -> str:
    done = subprocess.run(
        ["openssl", "verify", *options, "client.pem"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def check(directory: Path, key_size: int) -> None:
    client = x509.load_pem_x509_certificate((directory / "client.pem").read_bytes())
    assert (
        client.subject.rfc4514_string() == "CN=James Royal,OU=Access Admins,O=Access,L=Austin,ST=Texas,C=US"
    )
    key = client.public_key()
    if key_size:
        assert isinstance(key, rsa.RSAPublicKey)
        assert key.key_size == key_size
        assert isinstance(client.signature_hash_algorithm, hashes.SHA512)
    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in directory.iterdir()}
    assert modes["ca-key.pem"] == modes["client-key.pem"] == "0o600"
    assert verify(directory, "-CAfile", "ca.pem", "-purpose", "sslclient") == "client.pem: OK\n"
    for strict in (False, True):
        bundle = combine((read_ca_entry("CA", (directory / "ca.pem").read_bytes(), strict=strict),))
        assert not Verifier(bundle).verify_again(client, ()).errors
    subprocess.run(
        ["openssl", "crl", "-inform", "der", "-in", "ca.crl", "-out", "crl.pem"], cwd=directory, check=True
    )
    told = verify(directory, "-CAfile", "ca.pem", "-CRLfile", "crl.pem", "-crl_check")
    assert "certificate revoked" in told


def test_the_guide_runs_as_it_is_written_with_4096_bits(guide: Path) -> None:
    done = shell(ALIASES + ROOT_AND_CLIENT + REVOKE, guide)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "[INFO] generating key: rsa-4096" in done.stderr
    check(guide, 2048)


@pytest.mark.skipif(not INSTALLED, reason=MISSING)
def test_the_guide_gives_the_same_files_with_the_real_cfssl(quick_guide: Path) -> None:
    assert shell(ROOT_AND_CLIENT, quick_guide).returncode == 0
    theirs = {path.name: path.stat().st_mode for path in quick_guide.iterdir()}
    for path in quick_guide.glob("*.pem"):
        path.unlink()
    assert shell(ALIASES + ROOT_AND_CLIENT + REVOKE, quick_guide).returncode == 0
    check(quick_guide, 0)
    ours = {path.name: path.stat().st_mode for path in quick_guide.iterdir()}
    assert {name: ours[name] for name in theirs} == theirs


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077])
def test_modes_follow_the_umask_except_for_keys(quick_guide: Path, umask: int) -> None:
    script = "cfssl genkey -initca ca-csr.json | cfssljson -bare ca\n"
    assert shell(ALIASES + script, quick_guide, umask).returncode == 0
    modes = {name: (quick_guide / name).stat().st_mode & 0o777 for name in ("ca.pem", "ca.csr", "ca-key.pem")}
    assert modes == {"ca.pem": 0o664 & ~umask, "ca.csr": 0o644 & ~umask, "ca-key.pem": 0o600}


def test_a_failure_upstream_is_a_failure_downstream(quick_guide: Path) -> None:
    done = shell(ALIASES + "cfssl gencert -ca=ca.pem csr.json | cfssljson -bare client\n", quick_guide)
    assert done.returncode == 1
    assert "need a CA key (provide one with -ca-key)" in done.stderr
    assert "Failed to parse input" in done.stderr
    assert not list(quick_guide.glob("client*"))


def test_a_reader_that_goes_away_is_no_traceback(quick_guide: Path) -> None:
    done = shell(ALIASES + "cfssl print-defaults csr | true\n", quick_guide)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
