"""Each toolkit works with what the other one made. Needs the real cfssl; says so loudly if it is not here."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography import x509

from tests.e2e.cfssl_cases import (
    AUTHORITY,
    CASES,
    GUIDE_CONFIG,
    ROYAL,
    facts,
    make_case,
    recorded,
    request_facts,
)
from tests.e2e.cfssl_toolkit import INSTALLED, MISSING, Pair, Tool, make, ours, real, succeed, write_json

pytestmark = pytest.mark.skipif(not INSTALLED, reason=MISSING)

BOTH_WAYS = pytest.mark.parametrize(
    ("first", "second"), [(ours, real), (real, ours)], ids=["ours then theirs", "theirs then ours"]
)


def authority(tool: Tool, directory: Path, **key: object) -> Pair:
    csr = write_json(directory / "ca.json", AUTHORITY | ({"key": key} if key else {}))
    return make(tool, directory, "ca", "gencert", "-initca", csr)


def openssl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("name", CASES)
def test_certificates_and_requests_are_alike_today(tmp_path: Path, name: str) -> None:
    made: list[Pair] = []
    for tool in (ours, real):
        directory = tmp_path / str(len(made))
        directory.mkdir()
        made.append(make_case(tool, directory, CASES[name])[1])
    assert facts(made[0].certificate.read_text()) == facts(made[1].certificate.read_text())
    assert request_facts(made[0].csr.read_text()) == request_facts(made[1].csr.read_text())
    for pair in made:
        assert oct(pair.key.stat().st_mode & 0o777) == "0o600"
    for suffix in (".pem", ".csr", "-key.pem"):
        ours_is, theirs_is = ((pair.directory / f"made{suffix}").stat().st_mode for pair in made)
        assert ours_is == theirs_is
    assert {path.name for path in made[0].directory.iterdir()} == {
        p.name for p in made[1].directory.iterdir()
    }


@pytest.mark.parametrize("name", CASES)
def test_the_recordings_are_what_cfssl_makes(tmp_path: Path, name: str) -> None:
    _, made = make_case(real, tmp_path, CASES[name])
    assert facts(made.certificate.read_text()) == facts(recorded()["cases"][name]["cert"])


@BOTH_WAYS
@pytest.mark.parametrize("size", [256, 384])
def test_one_issues_with_the_authority_that_the_other_made(
    tmp_path: Path, first: Tool, second: Tool, size: int
) -> None:
    ca = authority(first, tmp_path, algo="ecdsa", size=size)
    config = write_json(tmp_path / "config.json", GUIDE_CONFIG)
    csr = write_json(tmp_path / "csr.json", ROYAL)
    leaf = make(second, tmp_path, "leaf", "gencert", *ca.signs, "-config", config, "-profile", "client", csr)
    verified = openssl("verify", "-purpose", "sslclient", "-CAfile", ca.certificate, leaf.certificate)
    assert verified.returncode == 0, verified.stderr


@BOTH_WAYS
def test_one_signs_the_request_that_the_other_made(tmp_path: Path, first: Tool, second: Tool) -> None:
    ca = authority(first, tmp_path)
    made = make(first, tmp_path, "leaf", "genkey", write_json(tmp_path / "csr.json", ROYAL))
    signed = succeed(second, "sign", *ca.signs, made.csr).json
    assert set(signed) == {"cert", "csr"}
    certificate = x509.load_pem_x509_certificate(signed["cert"].encode())
    csr = x509.load_pem_x509_csr(made.csr.read_bytes())
    assert certificate.subject.public_bytes() == csr.subject.public_bytes()
    assert certificate.public_key() == csr.public_key()
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(ca.certificate.read_bytes()))


@BOTH_WAYS
def test_one_renews_the_authority_that_the_other_made(tmp_path: Path, first: Tool, second: Tool) -> None:
    ca = authority(first, tmp_path)
    renewed = succeed(second, "gencert", "-renewca", *ca.signs).json
    assert set(renewed) == {"cert"}
    assert facts(renewed["cert"]) == facts(ca.certificate.read_text())


@BOTH_WAYS
def test_one_makes_the_authority_again_with_the_key_that_the_other_made(
    tmp_path: Path, first: Tool, second: Tool
) -> None:
    ca = authority(first, tmp_path)
    again = succeed(second, "gencert", "-initca", "-ca-key", ca.key, tmp_path / "ca.json").json
    assert set(again) == {"cert", "csr"}
    assert facts(again["cert"]) == facts(ca.certificate.read_text())


@BOTH_WAYS
def test_one_writes_the_files_of_what_the_other_printed(tmp_path: Path, first: Tool, second: Tool) -> None:
    printed = succeed(first, "genkey", write_json(tmp_path / "csr.json", ROYAL))
    written = second("cfssljson", "-bare", tmp_path / "x", stdin=printed.out.encode())
    assert written.status == 0
    assert (tmp_path / "x-key.pem").read_text() == printed.json["key"]
    shown = second("cfssljson", "-bare", "-stdout", stdin=printed.out.encode())
    assert shown.out == f"{printed.json['key']}\n{printed.json['csr']}\n"


@BOTH_WAYS
def test_a_crl_of_one_is_believed_with_the_authority_of_the_other(
    tmp_path: Path, first: Tool, second: Tool
) -> None:
    ca = authority(first, tmp_path)
    csr = write_json(tmp_path / "csr.json", ROYAL)
    revoked, good = (make(first, tmp_path, name, "gencert", *ca.signs, csr) for name in ("revoked", "good"))
    serial = x509.load_pem_x509_certificate(revoked.certificate.read_bytes()).serial_number
    (tmp_path / "serials.txt").write_text(f"{serial}\n")
    crl = succeed(second, "gencrl", tmp_path / "serials.txt", ca.certificate, ca.key)
    (tmp_path / "ca.crl").write_bytes(base64.b64decode(crl.out))
    pem = openssl("crl", "-inform", "der", "-in", tmp_path / "ca.crl")
    (tmp_path / "bundle.pem").write_text(ca.certificate.read_text() + pem.stdout)

    def verify(pair: Pair) -> subprocess.CompletedProcess[str]:
        return openssl("verify", "-crl_check", "-CAfile", tmp_path / "bundle.pem", pair.certificate)

    assert verify(good).returncode == 0
    assert "certificate revoked" in verify(revoked).stderr


@BOTH_WAYS
def test_certinfo_of_one_reads_what_the_other_made(tmp_path: Path, first: Tool, second: Tool) -> None:
    ca = authority(first, tmp_path)
    told = [succeed(tool, "certinfo", "-cert", ca.certificate).json for tool in (first, second)]
    for info in told:
        del info["subject_key_id"]  # cfssl 1.2 leaves out leading zeros
    assert told[0] == told[1]


@BOTH_WAYS
def test_certinfo_of_requests_is_the_same_to_the_letter(tmp_path: Path, first: Tool, second: Tool) -> None:
    hosts = ["", "a.example", "::1", "10.0.0.1", "a@b"]
    csr = write_json(tmp_path / "csr.json", ROYAL | {"hosts": hosts, "serialnumber": "7"})
    made = make(first, tmp_path, "x", "genkey", csr)
    assert (
        succeed(first, "certinfo", "-csr", made.csr).out == succeed(second, "certinfo", "-csr", made.csr).out
    )


def test_templates_are_the_same_to_the_letter() -> None:
    for arguments in ((), ("config",), ("csr",)):
        assert (
            ours("cfssl", "print-defaults", *arguments).out == real("cfssl", "print-defaults", *arguments).out
        )


@pytest.mark.parametrize(
    ("arguments", "same"),
    [
        (("gencert", "-ca", "none.pem", "-ca-key", "none.pem", "csr.json"), False),
        (("gencert", "-initca", "none.json"), False),
        (("gencert", "-initca", "broken.json"), False),
        (("genkey", "ca-section.json"), False),
        (("certinfo", "-cert", "csr.json"), False),
        (("sign", "-ca", "ca.pem", "-ca-key", "ca-key.pem", "csr.json"), False),
        (("gencert", "-nonsense", "csr.json"), True),
        (("gencert", "-initca=perhaps", "csr.json"), True),
        (("gencert", "-ca"), True),
    ],
)
def test_what_fails_fails_in_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], *, same: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    authority(real, tmp_path)
    write_json(tmp_path / "csr.json", ROYAL)
    write_json(tmp_path / "ca-section.json", ROYAL | {"ca": {}})
    (tmp_path / "broken.json").write_text("{")
    mine, theirs = ours("cfssl", *arguments), real("cfssl", *arguments)
    assert mine.status != 0
    assert theirs.status != 0
    assert mine.out == theirs.out == ""
    if same:  # wrong flags are 2 in both; of wrong words we say 2 and cfssl 1
        assert mine.status == theirs.status == 2


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"success":false,"errors":[{"message":"no"}]}'])
def test_cfssljson_fails_where_the_real_one_does(tmp_path: Path, data: bytes) -> None:
    for tool in (ours, real):
        got = tool("cfssljson", tmp_path / "x", stdin=data)
        assert got.status == 1
        assert got.err
    assert list(tmp_path.iterdir()) == []
