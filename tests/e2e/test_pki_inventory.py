"""``edge pki list``, ``show``, ``export`` and ``renew``; and what no command ever prints."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import pkcs12

from edge.cli.main import main
from tests.e2e.command_line import everything_in, run, spawn
from tests.e2e.pki_command_line import ok, refused, revoked_serials, shown


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    """A new PKI."""
    directory = tmp_path / "pki"
    assert run("pki", "init", directory, "--name", "Widgetcorp").status == 0
    return directory


def test_list_is_a_table_and_json_and_warns_of_what_ends(pki: Path) -> None:
    ok("issue", "James Royal", "--dir", pki)
    ok("issue", "soon", "--days", "20", "--dir", pki)
    ok("issue", "lost", "--dir", pki)
    ok("revoke", pki / "lost.pem", "--dir", pki, "--reason", "keyCompromise", "--now")
    got = ok("list", "--dir", pki)
    assert [line.split("  ")[0] for line in got.out.splitlines()] == [
        "COMMON NAME",
        "Widgetcorp Root CA",
        "Widgetcorp Issuing CA",
        "James Royal",
        "soon",
        "lost",
    ]
    (warning,) = got.lines
    assert warning.startswith("warning: 'soon' ")
    rows = {row["common_name"]: row for row in ok("list", "--dir", pki, "--json").json}
    assert rows["James Royal"]["state"] == rows["soon"]["state"] == "valid"
    assert rows["soon"]["days_left"] == 19
    assert rows["lost"]["state"] == "revoked"
    assert rows["lost"]["revoked"]["reason"] == "keyCompromise"
    only = [row["common_name"] for row in ok("list", "--dir", pki, "--json", "--expiring", "25").json]
    assert only == ["soon"]
    only = [row["common_name"] for row in ok("list", "--dir", pki, "--json", "--revoked").json]
    assert only == ["lost"]


def test_show_tells_everything_and_prints_the_certificate_again(pki: Path) -> None:
    ok("issue", "James Royal", "--dir", pki, "--san", "a@b.test", "--subject", "OU=Ops,O=Widgetcorp")
    certificate = x509.load_pem_x509_certificate((pki / "James-Royal.pem").read_bytes())
    details = shown(pki, "James Royal")
    assert details["serial"] == f"{certificate.serial_number:X}"
    assert details["serial_decimal"] == str(certificate.serial_number)
    assert details["fingerprint_sha256"] == certificate.fingerprint(hashes.SHA256()).hex().upper()
    assert details["alternative_names"] == ["email:a@b.test"]
    assert details["subject"] == "CN=James Royal,OU=Ops,O=Widgetcorp"
    for which in ("James-Royal", details["serial"], pki / "James-Royal.pem"):
        assert shown(pki, which) == details
    text = ok("show", "James Royal", "--dir", pki).out
    assert details["fingerprint_sha256"] in text
    assert "PRIVATE" not in text
    chain = (pki / "James-Royal-chain.pem").read_text(encoding="ascii")
    for path in pki.glob("James*"):
        path.unlink()
    assert shown(pki, "James Royal")["files"] == []
    assert ok("show", "James Royal", "--dir", pki, "--pem").out == chain


def test_reading_changes_nothing(pki: Path) -> None:
    ok("issue", "x", "--dir", pki)
    before = everything_in(pki)
    for arguments in (("list",), ("list", "--json"), ("show", "x"), ("show", "x", "--pem")):
        ok(*arguments, "--dir", pki)
    assert everything_in(pki) == before


def test_an_export_has_the_password_it_was_given_or_prints_one(pki: Path, tmp_path: Path) -> None:
    ok("issue", "x", "--dir", pki)
    got = ok("export", "x", "--p12", "--dir", pki)
    (password,) = re.findall(r"shown this once: (\S+)\n", got.out)
    assert pkcs12.load_pkcs12((pki / "x.p12").read_bytes(), password.encode()).key is not None
    assert "--force" in refused("export", "x", "--p12", "--dir", pki)
    (tmp_path / "password").write_bytes("geheim ü\r\n".encode())
    out = tmp_path / "out.p12"
    got = ok("export", "x", "--p12", "--dir", pki, "--password-file", tmp_path / "password", "--out", out)
    assert "geheim" not in got.out + got.err
    assert pkcs12.load_pkcs12(out.read_bytes(), "geheim ü".encode()).key is not None
    assert out.stat().st_mode & 0o777 == 0o600


def test_a_password_can_be_typed_and_is_never_shown(pki: Path) -> None:
    ok("issue", "x", "--dir", pki)
    arguments = ["pki", "export", "x", "--p12", "--ask-password", "--dir", str(pki)]
    result = CliRunner().invoke(main, arguments, input="geheim\ngeheim\n", catch_exceptions=False)
    assert result.exit_code == 0
    assert "geheim" not in result.output
    assert "shown this once" not in result.output
    assert pkcs12.load_pkcs12((pki / "x.p12").read_bytes(), b"geheim").key is not None


def test_renew_replaces_the_files_and_says_that_the_old_one_stays_valid(pki: Path) -> None:
    ok("issue", "x", "--dir", pki, "--san", "x.test")
    old = shown(pki, "x")
    got = ok("renew", pki / "x.pem", "--dir", pki)
    assert f"edge pki revoke 0x{old['serial']}" in got.out
    new = shown(pki, "x")
    assert new["serial"] != old["serial"]
    assert (new["subject"], new["alternative_names"]) == (old["subject"], old["alternative_names"])
    assert new["renews"] == old["serial"]
    before = shown(pki, old["serial"])
    assert (before["state"], before["replaced_by"], before["files"]) == ("valid", new["serial"], [])
    ok("revoke", f"0x{old['serial']}", "--dir", pki, "--reason", "superseded", "--now")
    assert revoked_serials(pki / "crl.pem") == {int(old["serial"], 16)}


def test_no_command_prints_a_key_or_a_traceback(pki: Path) -> None:
    said = [
        ok("issue", "x", "--dir", pki, "--esp32", "--mobileconfig"),
        ok("renew", "x", "--dir", pki),
        ok("export", "x", "--p12", "--dir", pki),
        ok("show", "x", "--dir", pki),
        ok("show", "x", "--dir", pki, "--json"),
        ok("list", "--dir", pki),
        spawn("pki", "crl", "--dir", pki),
    ]
    keys = [path.read_text(encoding="ascii").splitlines()[1] for path in pki.glob("*-key.pem")]
    for output in said:
        for secret in ("PRIVATE KEY", "Traceback", "Warning", *keys):
            assert secret not in output.out + output.err


def test_an_odd_certificate_of_a_stranger_is_one_line_without_the_librarys_warnings(
    pki: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "odd.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ed25519",
        "-nodes",
        "-subj",
        "/CN=x",
        "-set_serial",
        "0",
    ]
    command += ["-keyout", str(tmp_path / "odd-key.pem"), "-out", str(odd)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    got = spawn("pki", "revoke", odd, "--dir", pki)
    assert got.status == 1
    assert got.lines == [f"error: {odd}: this certificate was not issued by the PKI in {pki}"]
