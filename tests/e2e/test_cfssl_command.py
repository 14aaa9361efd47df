"""``edge cfssl`` as people and scripts use it: exit statuses, errors in one line, what is written."""

from __future__ import annotations

import base64
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

import edge as package
from tests.e2e.cfssl_cases import AUTHORITY, GUIDE_CONFIG, ROYAL
from tests.e2e.cfssl_toolkit import Pair, make, ours, succeed, write_json
from tests.e2e.command_line import SOURCE, Output, spawn

LOG_LINE = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(INFO|WARNING)\] \S.*")


@pytest.fixture
def ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """An authority in the current directory, with the files of the guide."""
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "csr.json", ROYAL)
    write_json(tmp_path / "config.json", GUIDE_CONFIG)
    return make(ours, tmp_path, "ca", "gencert", "-initca", write_json(tmp_path / "ca.json", AUTHORITY))


def failure(*arguments: str | Path, stdin: bytes = b"") -> str:
    """The one line of a failure."""
    got = ours("cfssl", *arguments, stdin=stdin)
    assert got.status == 1
    assert got.out == ""
    (line,) = [line for line in got.lines if not LOG_LINE.fullmatch(line)]
    return line


def certificate(output: Output) -> x509.Certificate:
    return x509.load_pem_x509_certificate(output.json["cert"].encode())


def sans(found: x509.Certificate) -> list[str]:
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


# --- usage -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nothing",),
        ("serve",),
        ("gencert",),
        ("gencert", "-initca"),
        ("gencert", "-initca", "a.json", "b.json"),
        ("gencert", "a.json", "-initca"),
        ("gencert", "-renewca", "a.json"),
        ("gencert", "-what", "a.json"),
        ("gencert", "-initca=maybe", "a.json"),
        ("gencert", "-remote", "host", "a.json"),
        ("gencert", "-loglevel", "6", "a.json"),
        ("gencert", "-loglevel", "-1", "a.json"),
        ("genkey", "-ca", "ca.pem", "a.json"),
        ("sign", "-db-config", "x", "a.csr"),
        ("selfsign", "a.json"),
        ("certinfo",),
        ("certinfo", "-domain", "example.com"),
        ("certinfo", "-cert", "a.pem", "b.pem"),
        ("gencrl", "serials.txt", "ca.pem"),
        ("gencrl", "serials.txt", "ca.pem", "ca-key.pem", "60", "more"),
        ("print-defaults", "nothing"),
        ("version", "x"),
    ],
)
def test_wrong_usage_is_status_2_and_shows_the_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    got = ours("cfssl", *arguments)
    assert got.status == 2
    assert got.out == ""
    assert "Usage: edge cfssl" in got.err or "Usage:\n        edge cfssl" in got.err


@pytest.mark.parametrize(
    "arguments", [("-h",), ("--help",), ("help",), ("gencert", "-h"), ("sign", "--help")]
)
def test_help_is_printed(arguments: tuple[str, ...]) -> None:
    got = ours("cfssl", *arguments)
    assert got.status == 0
    assert "edge cfssl" in got.out
    assert got.err == ""


def test_the_version_is_told() -> None:
    assert succeed(ours, "version").out.startswith(f"Version: mtls-edge {package.__version__}\n")
    assert ours("cfssljson", "-version").out.startswith(f"Version: mtls-edge {package.__version__}")


# --- failures --------------------------------------------------------------------------------------


def test_gencert_without_an_authority_fails(ca: Pair) -> None:
    assert failure("gencert", "csr.json") == "error: need a CA certificate (provide one with -ca)"
    assert (
        failure("gencert", "-ca", "ca.pem", "csr.json") == "error: need a CA key (provide one with -ca-key)"
    )
    assert failure("gencert", "-renewca", "-ca-key", "ca-key.pem").startswith("error: need a CA certificate")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("gencert", "-initca", "none.json"), "error: none.json: No such file or directory"),
        (("gencert", "-initca", "."), "error: .: Is a directory"),
        (("genkey", "broken.json"), "error: broken.json: line 1, column 2: not JSON: unexpected end of data"),
        (("genkey", "section.json"), "error: section.json: ca section only permitted in initca"),
        (("certinfo", "-cert", "csr.json"), '{"code":1002,"message":"csr.json: Failed to decode certificate'),
        (
            ("certinfo", "-csr", "ca.pem"),
            '{"code":9002,"message":"ca.pem: there is no PEM certificate request',
        ),
        (
            ("sign", "-ca", "ca.pem", "-ca-key", "ca.pem", "ca.csr"),
            '{"code":2002,"message":"ca.pem: there is no',
        ),
        (
            ("sign", "-ca", "ca.pem", "-ca-key", "other-key.pem", "ca.csr"),
            '{"code":2300,"message":"ca.pem: the key',
        ),
        (
            ("sign", "-ca", "leaf.pem", "-ca-key", "leaf-key.pem", "ca.csr"),
            "error: leaf.pem: the certificate of",
        ),
        (
            ("sign", "-ca", "ca.pem", "-ca-key", "ca-key.pem", "csr.json"),
            '{"code":9002,"message":"csr.json: ',
        ),
        (("gencert", "-initca", "empty.json"), '{"code":5300,"message":"missing subject information'),
        (("genkey", "weak.json"), '{"code":2400,"message":"key: an RSA key of 1024 bits is not made'),
    ],
)
def test_a_failure_is_one_line_that_says_what_and_where(
    ca: Pair, arguments: tuple[str, ...], line: str
) -> None:
    make(ours, ca.directory, "leaf", "gencert", *ca.signs, "csr.json")
    make(ours, ca.directory, "other", "genkey", "csr.json")
    (ca.directory / "broken.json").write_text("{")
    write_json(ca.directory / "section.json", ROYAL | {"ca": {}})
    write_json(ca.directory / "empty.json", {})
    write_json(ca.directory / "weak.json", {"key": {"algo": "rsa", "size": 1024}})
    assert failure(*arguments).startswith(line)


@pytest.mark.parametrize(
    ("profile", "line"),
    [
        ((), '{"code":5100,"message":"config.json: Invalid policy: no key usage available: the default'),
        (("-profile", "cilent"), '{"code":5400,"message":"config.json: there is no profile \'cilent\'; the'),
        (("-profile=Client",), '{"code":5400,'),
    ],
)
def test_an_unknown_or_empty_profile_makes_no_certificate(
    ca: Pair, profile: tuple[str, ...], line: str
) -> None:
    assert failure("gencert", *ca.signs, "-config", "config.json", *profile, "csr.json").startswith(line)


def test_a_profile_without_a_configuration_is_refused(ca: Pair) -> None:
    assert failure("gencert", *ca.signs, "-profile", "client", "csr.json").startswith(
        '{"code":5400,"message":"without -config: there is no profile'
    )


def test_standard_input_is_read_once(ca: Pair) -> None:
    line = failure("gencrl", "-", "-", "ca-key.pem", stdin=b"17\n")
    assert line == "error: standard input can be read for one of the arguments only"


# --- making ----------------------------------------------------------------------------------------


def test_the_log_looks_like_cfssls_and_standard_output_is_json_alone(ca: Pair) -> None:
    got = succeed(ours, "gencert", *ca.signs, "csr.json")
    assert got.out.count("\n") == 1
    assert list(got.json) == ["cert", "csr", "key"]
    assert all(LOG_LINE.fullmatch(line) for line in got.lines)
    assert got.lines[-1].endswith(f"signed certificate with serial number {certificate(got).serial_number}")


def test_the_log_can_be_switched_off(ca: Pair) -> None:
    write_json(ca.directory / "no-hosts.json", {"CN": "x"})
    assert succeed(ours, "gencert", "-loglevel", "3", *ca.signs, "no-hosts.json").err == ""
    assert "[WARNING] This certificate lacks a" in succeed(ours, "gencert", *ca.signs, "no-hosts.json").err


def test_a_request_is_read_from_standard_input(ca: Pair) -> None:
    got = succeed(ours, "gencert", *ca.signs, "-", stdin=json.dumps(ROYAL).encode())
    assert certificate(got).subject.rfc4514_string().startswith("CN=James Royal")


def test_names_on_the_command_line_replace_those_of_the_request(ca: Pair) -> None:
    got = succeed(ours, "gencert", *ca.signs, "-cn", "Jane", "-hostname", "b.example,::1", "csr.json")
    assert certificate(got).subject.rfc4514_string().startswith("CN=Jane,")
    assert sans(certificate(got)) == ["b.example", "::1"]
    csr = x509.load_pem_x509_csr(got.json["csr"].encode())
    assert csr.subject == certificate(got).subject


def test_hosts_that_make_no_sense_are_refused(ca: Pair) -> None:
    line = failure("gencert", *ca.signs, "-hostname", "a.example, b.example", "csr.json")
    assert "' b.example' has a space" in line


def test_a_subject_file_replaces_the_subject(ca: Pair) -> None:
    make(ours, ca.directory, "x", "genkey", "csr.json")
    write_json(ca.directory / "subject.json", {"CN": "Jane", "names": [{"O": "Other"}]})
    got = succeed(ours, "sign", *ca.signs, "x.csr", "subject.json")
    expected = "CN=Jane,OU=Access Admins,O=Other,L=Austin,ST=Texas,C=US"
    assert certificate(got).subject.rfc4514_string() == expected
    got = succeed(ours, "sign", *ca.signs, "-csr", "x.csr", "subject.json")
    assert certificate(got).subject.rfc4514_string() == expected


def test_unknown_keys_are_told_and_do_no_harm(ca: Pair) -> None:
    write_json(ca.directory / "typo.json", ROYAL | {"host": ["a"]})
    got = succeed(ours, "gencert", *ca.signs, "typo.json")
    assert "typo.json: 'host' is not known and has no effect; did you mean 'hosts'?" in got.err


def test_flags_without_an_effect_are_told(ca: Pair) -> None:
    got = succeed(ours, "gencert", "-initca", "-config", "config.json", "-profile", "client", "ca.json")
    assert "-config has no effect here" in got.err
    assert "-profile has no effect here" in got.err


def test_a_crl_url_of_the_request_is_in_the_certificate(ca: Pair) -> None:
    write_json(ca.directory / "crl.json", ROYAL | {"crl_url": "http://c.example/"})
    got = certificate(succeed(ours, "gencert", *ca.signs, "crl.json"))
    points = got.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert points[0].full_name == [x509.UniformResourceIdentifier("http://c.example/")]


def test_genkey_makes_a_root_if_it_is_told_to(ca: Pair) -> None:
    assert list(succeed(ours, "genkey", "-initca", "ca.json").json) == ["cert", "csr", "key"]
    assert list(succeed(ours, "genkey", "csr.json").json) == ["csr", "key"]


@pytest.mark.parametrize(
    ("algorithm", "label"),
    [("rsa", "RSA PRIVATE KEY"), ("ecdsa", "EC PRIVATE KEY"), ("ed25519", "PRIVATE KEY")],
)
def test_keys_are_wrapped_as_cfssl_wraps_them(ca: Pair, algorithm: str, label: str) -> None:
    size = {"rsa": 2048, "ecdsa": 256}.get(algorithm, 0)
    write_json(ca.directory / "key.json", {"CN": "x", "key": {"algo": algorithm, "size": size}})
    key = succeed(ours, "genkey", "key.json").json["key"]
    assert key.startswith(f"-----BEGIN {label}-----\n")
    load_pem_private_key(key.encode(), None)


def test_an_authority_with_an_ed25519_key_works(ca: Pair) -> None:
    request = write_json(ca.directory / "ed.json", AUTHORITY | {"key": {"algo": "ed25519"}})
    ed = make(ours, ca.directory, "ed", "gencert", "-initca", request)
    leaf = make(ours, ca.directory, "leaf", "gencert", *ed.signs, "csr.json")
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", ed.certificate, leaf.certificate], capture_output=True, check=False
    )
    assert done.returncode == 0


def test_selfsign_is_for_the_host_it_names(ca: Pair) -> None:
    got = succeed(ours, "selfsign", "h.example", "csr.json")
    assert sans(certificate(got)) == ["h.example", ""]
    assert "Self-signed certificates are dangerous" in got.err
    days = (certificate(got).not_valid_after_utc - certificate(got).not_valid_before_utc).days
    assert days == 91
    flags = ("-config", "config.json", "-profile", "server", "-hostname", "a,b")
    assert sans(certificate(succeed(ours, "selfsign", *flags, "csr.json"))) == ["a", "b", ""]


# --- keys of authorities ---------------------------------------------------------------------------


def test_an_encrypted_key_needs_its_password_in_the_environment(
    ca: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = load_pem_private_key(ca.key.read_bytes(), None)
    ca.key.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame"))
    )
    line = failure("gencert", *ca.signs, "csr.json")
    assert '"code":2100' in line
    assert "CFSSL_CA_PK_PASSWORD" in line
    monkeypatch.setenv("CFSSL_CA_PK_PASSWORD", "open barley")
    assert '"code":2002' in failure("gencert", *ca.signs, "csr.json")
    monkeypatch.setenv("CFSSL_CA_PK_PASSWORD", "open sesame")
    succeed(ours, "gencert", *ca.signs, "csr.json")
    (ca.directory / "serials.txt").write_text("17")
    succeed(ours, "gencrl", "serials.txt", "ca.pem", "ca-key.pem")


def test_a_password_that_is_not_needed_does_no_harm(ca: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CFSSL_CA_PK_PASSWORD", "x")
    succeed(ours, "gencert", *ca.signs, "csr.json")


def test_authorities_are_read_from_the_environment(ca: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CA_KEY", ca.key.read_text())
    succeed(ours, "gencert", "-ca", "file:ca.pem", "-ca-key", "env:CA_KEY", "csr.json")
    assert '"message":"env:NOBODY: ' in failure(
        "gencert", "-ca", "ca.pem", "-ca-key", "env:NOBODY", "csr.json"
    )


# --- certinfo --------------------------------------------------------------------------------------


def on_a_terminal(*arguments: str) -> str:
    """What a command prints on a terminal."""
    ours_end, theirs = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-m", "edge", "cfssl", *arguments],
            stdout=theirs,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
            timeout=60,
            check=True,
        )
        os.close(theirs)
        printed = b""
        while True:
            try:
                read = os.read(ours_end, 65536)
            except OSError:  # Linux says so when nobody holds the other end any more
                return printed.decode()
            if not read:
                return printed.decode()
            printed += read
    finally:
        os.close(ours_end)


def test_certinfo_is_a_table_on_a_terminal_and_json_for_programs(ca: Pair) -> None:
    table = on_a_terminal("certinfo", "-cert", "ca.pem")
    assert table.startswith("Subject")
    assert "CN=Interop CA,O=Access,C=US" in table
    assert json.loads(on_a_terminal("certinfo", "-json", "-cert", "ca.pem"))["subject"]
    assert on_a_terminal("certinfo", "-csr", "ca.csr").startswith("Subject")
    assert succeed(ours, "certinfo", "-cert", "ca.pem").json["sigalg"] == "ECDSAWithSHA256"


def test_certinfo_reads_standard_input(ca: Pair) -> None:
    told = succeed(ours, "certinfo", "-cert", "-", stdin=ca.certificate.read_bytes()).json
    assert told == succeed(ours, "certinfo", "-cert", "ca.pem").json
    assert succeed(ours, "certinfo", "-csr", "-", stdin=ca.csr.read_bytes()).json["Version"] == 0


def test_json_is_utf8_in_every_locale(ca: Pair) -> None:
    write_json(ca.directory / "umlaut.json", {"CN": "Müller"})
    made = make(ours, ca.directory, "umlaut", "gencert", "-initca", "umlaut.json")
    done = subprocess.run(
        [sys.executable, "-m", "edge", "cfssl", "certinfo", "-cert", made.certificate],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONIOENCODING": "ascii"},
        check=True,
    )
    assert json.loads(done.stdout)["subject"]["common_name"] == "Müller"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("buffered", [True, False])
def test_a_full_disk_is_one_line(*, buffered: bool) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    if not buffered:
        environment["PYTHONUNBUFFERED"] = "1"
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edge", "cfssl", "print-defaults", "csr"],
            stdout=full,
            stderr=subprocess.PIPE,
            env={**environment, "PYTHONPATH": str(SOURCE)},
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"error: standard output: No space left on device\n"


def test_certinfo_warns_of_a_certificate_that_ends_soon(ca: Pair) -> None:
    write_json(ca.directory / "short.json", AUTHORITY | {"ca": {"expiry": "48h"}})
    short = make(ours, ca.directory, "short", "gencert", "-initca", "short.json")
    assert (
        "[WARNING] the certificate expires in 1 days"
        in succeed(ours, "certinfo", "-cert", short.certificate).err
    )
    assert succeed(ours, "certinfo", "-cert", "ca.pem").err == ""


# --- CRLs ------------------------------------------------------------------------------------------


def crl(*time: str, serials: bytes = b"17\n0x1f\n") -> x509.CertificateRevocationList:
    got = succeed(ours, "gencrl", "-", "ca.pem", "ca-key.pem", *time, stdin=serials)
    return x509.load_der_x509_crl(base64.b64decode(got.out))


def lifetime(found: x509.CertificateRevocationList) -> float:
    assert found.next_update_utc is not None
    return (found.next_update_utc - found.last_update_utc).total_seconds()


def test_a_crl_is_good_for_a_week_or_as_long_as_it_is_told(ca: Pair) -> None:
    assert lifetime(crl()) == lifetime(crl("0")) == 604800
    assert lifetime(crl("3600")) == 3600
    assert [each.serial_number for each in crl()] == [17, 31]


@pytest.mark.parametrize("junk", [b"0x", b"17 18", b"serial=17", b"0", b"\xff", b"-17"])
def test_junk_makes_no_crl(ca: Pair, junk: bytes) -> None:
    line = failure("gencrl", "-", "ca.pem", "ca-key.pem", stdin=b"17\n" + junk + b"\n")
    assert line.startswith("error: standard input: ")


def test_a_serial_of_digits_alone_is_told_to_be_decimal(ca: Pair) -> None:
    got = succeed(ours, "gencrl", "-", "ca.pem", "ca-key.pem", stdin=b"17\n")
    assert "line 1: 17 is read as decimal; write 0x before it if it is hex" in got.err


def test_a_time_that_is_none_is_refused(ca: Pair) -> None:
    (ca.directory / "seconds.txt").write_text("3600")
    (ca.directory / "serials.txt").write_text("17")
    for time, expected in (
        (
            "seconds.txt",
            "error: TIME is a number of seconds, not a file as in cfssl 1.2; write $(cat seconds.txt)",
        ),
        ("1h", "error: TIME is a number of seconds, at most 2147483647; '1h' is none"),
    ):
        assert failure("gencrl", "serials.txt", "ca.pem", "ca-key.pem", time) == expected


# --- cfssljson -------------------------------------------------------------------------------------


def test_a_private_key_that_is_replaced_is_told(ca: Pair) -> None:
    before = ca.key.read_bytes()
    same = succeed(ours, "gencert", "-initca", "ca.json")
    got = ours("cfssljson", "-bare", "ca", stdin=same.out.encode())
    assert got.status == 0
    assert got.err == "warning: ca-key.pem: another private key was there, and is now replaced\n"
    assert ca.key.read_bytes() != before
    assert ours("cfssljson", "-bare", "ca", stdin=same.out.encode()).err == ""


def test_a_key_that_was_open_to_everybody_is_not_any_more(ca: Pair) -> None:
    ca.key.chmod(0o644)
    assert (
        ours("cfssljson", "-bare", "ca", stdin=succeed(ours, "genkey", "csr.json").out.encode()).status == 0
    )
    assert ca.key.stat().st_mode & 0o777 == 0o600


def test_files_are_named_cert_unless_told_otherwise(ca: Pair) -> None:
    made = succeed(ours, "genkey", "csr.json").out
    (ca.directory / "made.json").write_text(made)
    assert ours("cfssljson", "-bare", "-f", "made.json").status == 0
    assert (ca.directory / "cert-key.pem").read_text() == json.loads(made)["key"]
    assert ours("cfssljson", "-bare", "-f=made.json", "sub").status == 0
    assert (ca.directory / "sub.csr").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "line"),
    [
        (("-bare", "none/x"), 1, "error: none/"),
        (("-f", "none.json"), 1, "error: none.json: No such file or directory"),
        (("x", "-bare"), 2, "edge cfssljson: one NAME is enough, and flags go before it: -bare"),
        (("-what",), 2, "edge cfssljson: flag provided but not defined: -what"),
        (("x",), 1, "error: Request failed: it says no success; is -bare missing?"),
    ],
)
def test_cfssljson_fails_in_words(ca: Pair, arguments: tuple[str, ...], status: int, line: str) -> None:
    before = sorted(ca.directory.rglob("*"))
    made = succeed(ours, "genkey", "csr.json").out
    got = ours("cfssljson", *arguments, stdin=made.encode())
    assert got.status == status
    assert got.err.startswith(line)
    assert json.loads(made)["key"].splitlines()[1] not in got.err
    assert sorted(ca.directory.rglob("*")) == before


def test_cfssljson_explains_itself() -> None:
    got = ours("cfssljson", "-h")
    assert got.status == 0
    assert "[-bare] [-stdout] [-f FILE] [NAME]" in got.out


@pytest.mark.parametrize("program", ["cfssl", "cfssljson"])
def test_the_programs_are_among_the_commands(program: str) -> None:
    assert re.search(rf"^  {program} ", spawn("--help").out, re.MULTILINE)
