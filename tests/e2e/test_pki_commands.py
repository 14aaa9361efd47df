"""``edge pki`` as people and scripts use it: wrong usage, errors, ``init`` and ``issue``."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from edge.pki.keys import new_key
from tests.certificates import Authority
from tests.e2e.command_line import SOURCE, everything_in, run
from tests.e2e.pki_command_line import CONFIG, ok, refused, shown


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    """A new PKI."""
    directory = tmp_path / "pki"
    assert run("pki", "init", directory, "--name", "Widgetcorp").status == 0
    return directory


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nothing",),
        ("init", "a", "--dir", "b"),
        ("init", "--days", "0"),
        ("issue",),
        ("issue", "x", "--days", "0"),
        ("issue", "x", "--days", "36501"),
        ("issue", "x", "--profile", "root"),
        ("issue", "x", "--key-type", "rsa1024"),
        ("issue", "x", "--csr", "x.csr", "--key-type", "p256"),
        ("issue", "x", "--csr", "x.csr", "--esp32"),
        ("issue", "x", "--csr", "x.csr", "--mobileconfig"),
        ("revoke",),
        ("revoke", "1", "--reason", "because"),
        ("revoke", "1", "--reason", "certificateHold"),
        ("revoke", "1", "--at", "yesterday"),
        ("revoke", "1", "--at", "2026-01-01"),
        ("revoke", "1", "--at", "2026-01-01T00:00:00"),
        ("revoke", "1", "--at", "2026-13-01T00:00:00Z"),
        ("revoke", "1", "-c", "edge.toml"),
        ("crl", "--days", "0"),
        ("list", "--expiring", "x"),
        ("show", "x", "--pem", "--json"),
        ("export", "x"),
        ("export", "x", "--p12", "--password-file", "a", "--ask-password"),
        ("export", "x", "--esp32", "--legacy"),
        ("export", "x", "--esp32", "--password-file", "a"),
    ],
)
def test_wrong_usage_is_status_2_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    got = run("pki", *arguments)
    assert got.status == 2
    assert "Usage: " in got.err
    assert list(tmp_path.iterdir()) == []


COMMANDS = [
    ("issue", "x"),
    ("renew", "x"),
    ("revoke", "1"),
    ("crl",),
    ("list",),
    ("list", "--json"),
    ("show", "x"),
    ("export", "x", "--p12"),
]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_where_there_is_no_pki_every_command_says_so(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    line = refused(*arguments, "--dir", tmp_path)
    assert line.startswith(f"error: {tmp_path}: there is no PKI here; make one with `edge pki init`")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", COMMANDS)
def test_a_damaged_index_is_one_line(pki: Path, arguments: tuple[str, ...]) -> None:
    (pki / "index.db").write_bytes(b"x" * 5000)
    assert "index.db: the index cannot be used" in refused(*arguments, "--dir", pki)


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert str(tmp_path / "file") in refused("init", tmp_path / "file")
    assert "check the path" in refused("init", tmp_path / "file" / "below")


def test_a_password_file_that_is_not_there_or_empty_is_one_line(tmp_path: Path, pki: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_bytes(b"\nsecond line\n")
    assert "first line is empty" in refused("crl", "--dir", pki, "--ca-password-file", empty)
    assert "none" in refused("crl", "--dir", pki, "--ca-password-file", tmp_path / "none")


def test_help_is_there_for_every_command() -> None:
    for command in ("init", "issue", "renew", "revoke", "crl", "list", "show", "export"):
        assert run("pki", command, "-h").out.startswith("Usage: ")


def test_what_init_prints_makes_the_edge_trust_it(tmp_path: Path) -> None:
    directory = tmp_path / 'it\'s "here"'
    got = ok("init", directory)
    (tables,) = re.findall(r"\n(\[\[mtls_certificates\]\]\n(?:.+\n)+)", got.out)
    Authority("Server Root").issue_server("www.example.com").write(tmp_path, "server")
    config = tmp_path / "edge.toml"
    config.write_text(CONFIG.format(host="www.example.com") + tables, encoding="utf-8")
    entry = tomllib.loads(tables)["mtls_certificates"][0]
    assert entry["certificate"] == str(directory / "ca.pem")
    assert entry["crl"] == [str(directory / "crl.pem")]
    got_check = run("check", "-c", config)
    assert got_check.status == 0, got_check.err
    (command,) = re.findall(r"^edge (pki issue .*)$", got.out, re.MULTILINE)
    assert run(*shlex.split(command)).status == 0


def test_init_takes_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ok("init")
    ok("issue", "x")
    assert {"ca.pem", "x-key.pem"} <= {path.name for path in tmp_path.iterdir()}


def test_init_with_force_says_where_the_old_pki_is(pki: Path) -> None:
    ok("issue", "James", "--dir", pki)
    assert "--force" in refused("init", pki)
    got = ok("init", pki, "--force")
    (aside,) = [path for path in pki.iterdir() if path.is_dir()]
    assert f"It is whole in {aside}: " in got.out
    for name in ("James-key.pem", "root-key.pem", "intermediate-key.pem", "index.db"):
        assert name in got.out
        assert (aside / name).exists()
    assert "James" in ok("list", "--dir", aside).out
    assert "James" not in ok("list", "--dir", pki).out


def test_encrypted_authorities_need_their_password_to_sign_and_not_to_read(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_bytes(b"open sesame\n")
    pki = tmp_path / "pki"
    ok("init", pki, "--ca-password-file", password)
    for command in (("issue", "x"), ("crl",)):
        assert "needs a password" in refused(*command, "--dir", pki)
        ok(*command, "--dir", pki, "--ca-password-file", password)
    assert "needs a password" in refused("renew", "x", "--dir", pki)
    ok("renew", "x", "--dir", pki, "--ca-password-file", password)
    ok("list", "--dir", pki)
    line = refused("revoke", pki / "x.pem", "--dir", pki, "--now")
    assert "needs a password" in line
    assert "the revocation itself is recorded" in line
    assert shown(pki, "x")["state"] == "revoked"


def test_issue_says_what_it_wrote_and_a_curl_line(pki: Path) -> None:
    got = ok("issue", "James Royal", "--dir", pki, "--curl", "https://a.test/?a=b&c")
    serial = x509.load_pem_x509_certificate((pki / "James-Royal.pem").read_bytes()).serial_number
    assert f"serial 0x{serial:X}" in got.out
    *_, line = got.out.splitlines()
    assert shlex.split(line) == [
        "curl",
        "--cert",
        str(pki / "James-Royal-chain.pem"),
        "--key",
        str(pki / "James-Royal-key.pem"),
        "https://a.test/?a=b&c",
    ]


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", ".", "", "-x", "x-key", "root", "x\n", "x\x00"])
def test_no_name_of_files_leaves_the_directory_or_meets_the_authoritys(pki: Path, name: str) -> None:
    before = everything_in(pki.parent)
    assert "error: " in refused("issue", "James", "--dir", pki, "--out", name)
    assert everything_in(pki.parent) == before


@pytest.mark.parametrize("common_name", ["../../evil", "/etc/evil", "..\\evil", "evil\u00e9/.."])
def test_no_common_name_leaves_the_directory(pki: Path, common_name: str) -> None:
    ok("issue", "--dir", pki, "--", common_name)
    outside = {path.name for path in pki.parent.iterdir()}
    assert outside == {"pki"}
    subject = shown(pki, common_name)["common_name"]
    assert subject == common_name


@pytest.mark.parametrize("common_name", ["a\nb", "a\x1b[31mb", " a", "", "x" * 65])
def test_a_common_name_that_would_deceive_a_reader_is_refused(pki: Path, common_name: str) -> None:
    line = refused("issue", common_name, "--dir", pki)
    assert "\x1b" not in line


def test_two_common_names_of_one_file_name_are_told_apart_by_hand(pki: Path) -> None:
    ok("issue", "a b", "--dir", pki)
    before = everything_in(pki)
    assert "--out" in refused("issue", "a/b", "--dir", pki)
    assert everything_in(pki) == before
    ok("issue", "a/b", "--dir", pki, "--out", "another")
    ok("issue", "a/b", "--dir", pki, "--force")


def test_a_certificate_never_outlives_its_issuer(tmp_path: Path) -> None:
    pki = tmp_path / "pki"
    ok("init", pki, "--intermediate-days", "30")
    assert "choose at most --days" in refused("issue", "x", "--days", "31", "--dir", pki)
    got = ok("issue", "x", "--dir", pki)
    assert "note: the issuing CA ends on" in got.err


def test_exports_at_issue_are_complete_and_refused_before_anything_is_issued(pki: Path) -> None:
    (pki / "x.h").write_bytes(b"somebody's")
    before = everything_in(pki)
    assert "x.h: it is there already" in refused("issue", "x", "--esp32", "--mobileconfig", "--dir", pki)
    assert everything_in(pki) == before
    got = ok("issue", "x", "--esp32", "--mobileconfig", "--dir", pki, "--force")
    assert len(re.findall(r"([0-9a-z]{5}-){3}[0-9a-z]{5}  \(shown this once\)", got.out)) == 1
    for suffix in (".h", ".mobileconfig", "-key.pem"):
        assert (pki / f"x{suffix}").stat().st_mode & 0o777 == 0o600


def test_a_request_keeps_its_key_and_gives_only_its_public_one(pki: Path, tmp_path: Path) -> None:
    key = new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "admin")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    (tmp_path / "x.csr").write_bytes(request.public_bytes(Encoding.PEM))
    got = ok("issue", "sensor", "--csr", tmp_path / "x.csr", "--dir", pki)
    assert "only its public key" in got.err
    assert "-key.pem" not in got.out
    assert shown(pki, "sensor")["files"] == [str(pki / "sensor.pem"), str(pki / "sensor-chain.pem")]
    assert "never was here" in refused("export", "sensor", "--p12", "--dir", pki)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    pki = tmp_path / "pki"
    try:
        ok("init", pki)
        ok("issue", "x", "--dir", pki, "--esp32")
        ok("export", "x", "--p12", "--dir", pki)
        ok("renew", "x", "--dir", pki)
    finally:
        os.umask(before)
    assert pki.stat().st_mode & 0o777 == 0o700
    secret = ("-key.pem", ".p12", ".h", ".db")
    for path in pki.iterdir():
        assert path.stat().st_mode & 0o777 == (0o600 if path.name.endswith(secret) else 0o644), path.name


def test_commands_at_the_same_time_wait_for_each_other(pki: Path) -> None:
    command = [sys.executable, "-m", "edge", "pki"]
    orders = [["issue", "a"], ["issue", "b"], ["issue", "same name"], ["issue", "same/name"], ["crl"]]
    running = [
        subprocess.Popen(
            [*command, *order, "--dir", str(pki)],
            cwd=SOURCE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for order in orders
    ]
    ended = [(process.communicate(timeout=60)[1], process.returncode) for process in running]
    assert [status for _, status in (ended[0], ended[1], ended[4])] == [0, 0, 0]
    assert sorted(status for _, status in ended[2:4]) == [0, 1]
    names = [row["name"] for row in ok("list", "--dir", pki, "--json").json[2:]]
    assert sorted(names) == ["a", "b", "same-name"]
