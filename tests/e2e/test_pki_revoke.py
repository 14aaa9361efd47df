"""``edge pki revoke`` and ``edge pki crl``: what is in the lists, and where they are written."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from tests.e2e.command_line import everything_in, run
from tests.e2e.pki_command_line import configured, ok, refused, revoked_serials, shown


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    """A new PKI."""
    directory = tmp_path / "pki"
    assert run("pki", "init", directory, "--name", "Widgetcorp").status == 0
    return directory


def test_a_revocation_needs_a_list_and_says_so(pki: Path) -> None:
    ok("issue", "x", "--dir", pki)
    serial = shown(pki, "x")["serial"]
    got = ok("revoke", serial, "--dir", pki, "--reason", "KEYCOMPROMISE")
    assert "(keyCompromise)" in got.out
    assert f"edge pki crl --dir {pki}" in got.out
    assert revoked_serials(pki / "crl.pem") == set()
    assert "in no CRL" in ok("list", "--dir", pki).err
    ok("crl", "--dir", pki)
    assert revoked_serials(pki / "crl.pem") == {int(serial, 16)}
    assert ok("list", "--dir", pki).err == ""


def test_revoking_twice_is_no_error_and_keeps_the_first_time(pki: Path) -> None:
    ok("issue", "x", "--dir", pki)
    ok("revoke", pki / "x.pem", "--dir", pki, "--reason", "keyCompromise")
    first = shown(pki, "x")["revoked"]
    got = ok("revoke", pki / "x.pem", "--dir", pki, "--reason", "superseded")
    assert "was revoked before" in got.out
    assert shown(pki, "x")["revoked"] == first


def test_the_time_of_a_revocation_can_be_given_in_any_zone(pki: Path) -> None:
    ok("issue", "x", "--dir", pki)
    not_before = datetime.fromisoformat(shown(pki, "x")["not_before"])
    ok("revoke", pki / "x.pem", "--dir", pki, "--at", not_before.isoformat().replace("+00:00", "-00:00"))
    at = shown(pki, "x")["revoked"]["at"]
    assert datetime.fromisoformat(at).astimezone(UTC) == not_before
    assert "in the future" in refused("revoke", pki / "x.pem", "--dir", pki, "--at", "9999-01-01T00:00:00Z")


def test_the_intermediate_can_be_revoked_and_the_root_cannot(pki: Path) -> None:
    ok("revoke", pki / "intermediate.pem", "--dir", pki, "--now")
    assert revoked_serials(pki / "crl.pem") == {
        x509.load_pem_x509_certificate((pki / "intermediate.pem").read_bytes()).serial_number
    }
    assert "nobody is above it" in refused("revoke", pki / "root.pem", "--dir", pki)


def test_lists_go_where_they_are_sent_and_never_over_anothers(pki: Path, tmp_path: Path) -> None:
    lists, file = tmp_path / "lists", tmp_path / "edge.pem"
    lists.mkdir()
    for out in (lists, file, file):
        ok("crl", "--dir", pki, "--out", out, "--days", "30")
    (written,) = lists.iterdir()
    assert re.fullmatch(r"[0-9a-f]{40}\.pem", written.name)
    assert file.read_bytes() == (pki / "crl.pem").read_bytes() != written.read_bytes()
    ok("init", tmp_path / "other")
    assert "another CA" in refused("crl", "--dir", tmp_path / "other", "--out", file)
    assert "no CRL" in refused("crl", "--dir", pki, "--out", pki / "ca.pem")


def test_revoke_now_writes_the_lists_that_the_edge_reads(pki: Path, tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "edge.crl").write_bytes((pki / "crl.pem").read_bytes())
    config = configured(tmp_path, pki, "edge.crl", "lists", str(pki / "crl.pem"))
    ok("issue", "x", "--dir", pki)
    got = ok("revoke", pki / "x.pem", "--dir", pki, "--now", "-c", config)
    (in_directory,) = (tmp_path / "lists").iterdir()
    serials = {int(shown(pki, "x")["serial"], 16)}
    for path in (pki / "crl.pem", tmp_path / "edge.crl", in_directory):
        assert revoked_serials(path) == serials
        assert got.out.count(f"Wrote {path}") == 1


def test_a_configuration_without_a_list_is_told_which_line_to_add(pki: Path, tmp_path: Path) -> None:
    config = configured(tmp_path, pki)
    ok("issue", "x", "--dir", pki)
    line = refused("revoke", pki / "x.pem", "--dir", pki, "--now", "-c", config)
    assert f'add crl = ["{pki / "crl.pem"}"]' in line
    assert "the revocation itself is recorded" in line
    assert revoked_serials(pki / "crl.pem") == {int(shown(pki, "x")["serial"], 16)}


def test_a_configuration_of_another_ca_or_a_broken_one_is_one_line(pki: Path, tmp_path: Path) -> None:
    ok("init", tmp_path / "other")
    ok("issue", "x", "--dir", pki)
    config = configured(tmp_path, tmp_path / "other", str(tmp_path / "other" / "crl.pem"))
    before = everything_in(tmp_path / "other")
    line = refused("revoke", pki / "x.pem", "--dir", pki, "--now", "-c", config)
    assert "no mtls_certificates has the CA of this PKI" in line
    (tmp_path / "ca.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    damaged = configured(tmp_path, tmp_path, "edge.crl")
    line = refused("revoke", pki / "x.pem", "--dir", pki, "--now", "-c", damaged)
    assert "ca.pem" in line
    assert "recorded" in line
    config.write_text("nonsense", encoding="utf-8")
    assert "recorded" in refused("revoke", pki / "x.pem", "--dir", pki, "--now", "-c", config)
    assert "none.toml" in refused(
        "revoke", pki / "x.pem", "--dir", pki, "--now", "-c", tmp_path / "none.toml"
    )
    assert everything_in(tmp_path / "other") == before


def test_a_named_file_with_the_list_of_another_ca_is_left_alone(pki: Path, tmp_path: Path) -> None:
    ok("init", tmp_path / "other")
    theirs = (tmp_path / "other" / "crl.pem").read_bytes()
    (tmp_path / "edge.crl").write_bytes(theirs)
    config = configured(tmp_path, pki, "edge.crl")
    ok("issue", "x", "--dir", pki)
    line = refused("revoke", pki / "x.pem", "--dir", pki, "--now", "-c", config)
    assert f"{tmp_path / 'edge.crl'}: it holds a CRL of another CA" in line
    assert (tmp_path / "edge.crl").read_bytes() == theirs
