"""The command line as people and scripts use it: what it prints, what it writes, and its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import edge as package
from edge.cli.main import main
from tests.certificates import Authority, CredentialFiles
from tests.e2e.behaviours import scripted_origin
from tests.e2e.clients import curl
from tests.e2e.configuration import application_table, ca_table, host_table, server_table
from tests.e2e.edge_process import Edge

SOURCE = Path(package.__file__).parent.parent


@dataclass(frozen=True)
class Output:
    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Lines on standard error."""
        return self.err.splitlines()

    @property
    def json(self) -> Any:
        """Standard output decoded."""
        return json.loads(self.out)


def spawn(*arguments: str | Path) -> Output:
    """Run the command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "edge", *map(str, arguments)],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        timeout=60,
        check=False,
    )
    output = Output(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in output.err, output.err
    return output


def run(*arguments: str | Path) -> Output:
    """Run the same command here, which saves the second that Python takes to start."""
    result = CliRunner().invoke(main, [*map(str, arguments)], prog_name="edge", catch_exceptions=False)
    return Output(result.exit_code, result.stdout, result.stderr)


def everything_in(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Names, modes and contents of all files and directories."""
    return {
        str(path.relative_to(directory)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(directory.rglob("*"))
    }


PATHS = {
    "hosts[0].certificate": "server.pem",
    "hosts[0].private_key": "server-key.pem",
    "hosts[0].origin_tls.ca": "origin-ca.pem",
    "hosts[0].origin_tls.certificate": "origin-client.pem",
    "hosts[0].origin_tls.private_key": "origin-client-key.pem",
    "mtls_certificates[0].certificate": "clients.pem",
}
"""Every key of the configuration that names a file."""

CONFIG = """
[server]
listen = ["127.0.0.1:0"]

[[hosts]]
name = "a.test"
certificate = "server.pem"
private_key = "server-key.pem"
origin = "https://127.0.0.1:9"

[hosts.origin_tls]
ca = "origin-ca.pem"
certificate = "origin-client.pem"
private_key = "origin-client-key.pem"

[[mtls_certificates]]
name = "CA"
certificate = "clients.pem"
associated_hostnames = ["a.test"]

[[applications]]
name = "all"
domain = "a.test"

  [[applications.policies]]
  name = "any"
  decision = "non_identity"
  include = ["certificate"]
"""


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A directory with ``edge.toml`` and every file that it can name."""
    root = Authority("Root")
    root.issue_server("a.test").write(tmp_path, "server")
    root.issue("the edge").write(tmp_path, "origin-client")
    root.write(tmp_path / "origin-ca.pem")
    root.write(tmp_path / "clients.pem")
    (tmp_path / "edge.toml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


# --- check -------------------------------------------------------------------------------------


def test_check_of_a_good_configuration_prints_a_summary_and_writes_nothing(configured: Path) -> None:
    before = everything_in(configured)
    got = run("check", "-c", configured / "edge.toml")
    assert got.status == 0
    assert got.out.startswith("ok: listens on 127.0.0.1:0\n")
    for part in ("host a.test", "request of CA", "https://127.0.0.1:9", "all: a.test", "non_identity: any"):
        assert part in got.out
    assert "error" not in got.err
    assert everything_in(configured) == before


def test_the_exit_status_is_that_of_the_process(configured: Path) -> None:
    """Once through a real process for each status; the other tests call the same command directly."""
    config = configured / "edge.toml"
    assert spawn("check", "-c", config).status == 0
    assert spawn("check").status == 2
    (configured / "clients.pem").unlink()
    for command in ("check", "run"):
        got = spawn(command, "-c", config)
        assert (got.status, got.out, len(got.lines)) == (1, "", 1)


def test_check_as_json_says_the_same_to_programs(configured: Path) -> None:
    got = run("check", "-c", configured / "edge.toml", "--json")
    assert got.status == 0
    assert (got.json["ok"], got.json["errors"]) == (True, [])
    (host,) = got.json["hosts"]
    assert (host["name"], host["client_certificate"], host["client_cas"]) == ("a.test", "request", ["CA"])
    (application,) = host["applications"]
    assert len(application["aud"]) == 64
    assert any("expires on" in warning["message"] for warning in got.json["warnings"])


def cut_in_the_middle(data: bytes) -> bytes:
    return data[: len(data) // 2]


def another_files_content(data: bytes) -> bytes:
    return b"# this is a note that somebody saved under the wrong name\n"


def damaged(data: bytes) -> bytes:
    begin, _, rest = data.partition(b"\n")
    return begin + b"\nAAAAAAAA" + rest[8:]


def binary(data: bytes) -> bytes:
    return b"\x30\x82\xff\x00" * 100


def begin_line_alone(data: bytes) -> bytes:
    return data.splitlines()[0] + b"\n"


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(None, id="missing"),
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: b" \n\n", id="blank"),
        cut_in_the_middle,
        another_files_content,
        damaged,
        binary,
        begin_line_alone,
    ],
)
def test_check_names_every_bad_file_at_once(configured: Path, spoil: Callable[[bytes], bytes] | None) -> None:
    for name in PATHS.values():
        path = configured / name
        if spoil is None:
            path.unlink()
        else:
            path.write_bytes(spoil(path.read_bytes()))
    before = everything_in(configured)
    told = run("check", "-c", configured / "edge.toml", "--json")
    assert told.status == 1
    assert told.json["ok"] is False
    assert {error["key"] for error in told.json["errors"]} == set(PATHS)
    for error in told.json["errors"]:
        assert PATHS[error["key"]] in error["message"]
        assert error["line"]
        assert error["hint"], error
    spoken = run("check", "-c", configured / "edge.toml")
    assert spoken.status == 1
    assert spoken.out == ""
    assert len(spoken.lines) == len(PATHS)
    assert all(line.startswith(f"error: {configured / 'edge.toml'}:") for line in spoken.lines)
    assert everything_in(configured) == before


@pytest.mark.parametrize("key", PATHS)
@pytest.mark.parametrize("spoil", [None, lambda data: b"", cut_in_the_middle, another_files_content])
def test_one_bad_file_is_one_error_and_run_does_not_start(
    configured: Path, key: str, spoil: Callable[[bytes], bytes] | None
) -> None:
    path = configured / PATHS[key]
    if spoil is None:
        path.unlink()
    else:
        path.write_bytes(spoil(path.read_bytes()))
    before = everything_in(configured)
    for command in ("check", "run"):
        got = run(command, "-c", configured / "edge.toml")
        assert got.status == 1
        (line,) = got.lines
        assert key in line
        assert PATHS[key] in line
    assert everything_in(configured) == before, "a faulty configuration leaves nothing on the disk"


def test_a_key_of_another_certificate_is_an_error_for_each_pair(configured: Path) -> None:
    other = Authority("Other").issue("other").write(configured, "other")
    for name in ("server-key.pem", "origin-client-key.pem"):
        (configured / name).write_bytes(other.key.read_bytes())
    got = run("check", "-c", configured / "edge.toml")
    assert got.status == 1
    assert len(got.lines) == 2
    for key, certificate in (
        ("hosts[0].private_key", "server.pem"),
        ("hosts[0].origin_tls.private_key", "origin-client.pem"),
    ):
        assert any(key in line and certificate in line for line in got.lines)


def test_a_chain_whose_second_certificate_is_cut_is_an_error(configured: Path) -> None:
    """What is left of it would be served: a chain that breaks at the clients and not here."""
    for name in ("server.pem", "origin-client.pem", "origin-ca.pem", "clients.pem"):
        path = configured / name
        path.write_bytes(path.read_bytes() + cut_in_the_middle(path.read_bytes()))
    got = run("check", "-c", configured / "edge.toml", "--json")
    assert got.status == 1
    assert {error["key"] for error in got.json["errors"]} == {
        key for key in PATHS if not key.endswith("private_key")
    }


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


def test_keys_that_cannot_be_used_are_errors_and_no_crash(configured: Path) -> None:
    key = configured / "server-key.pem"
    openssl("ecparam", "-name", "sect113r1", "-genkey", "-noout", "-out", key)
    openssl("pkey", "-in", configured / "origin-client-key.pem", "-aes256", "-passout", "pass:secret")
    openssl(
        *("pkey", "-in", configured / "origin-client-key.pem", "-aes256", "-passout", "pass:secret"),
        *("-out", configured / "encrypted.pem"),
    )
    (configured / "encrypted.pem").replace(configured / "origin-client-key.pem")
    got = run("check", "-c", configured / "edge.toml")
    assert got.status == 1
    assert len(got.lines) == 2
    assert "hosts[0].private_key" in got.err
    assert "encrypted" in got.err


def test_a_certificate_whose_key_cannot_be_used_is_an_error_and_no_crash(configured: Path) -> None:
    key, certificate = configured / "server-key.pem", configured / "server.pem"
    openssl("ecparam", "-name", "sect113r1", "-genkey", "-noout", "-out", key)
    openssl("req", "-x509", "-new", "-key", key, "-subj", "/CN=a.test", "-days", "9", "-out", certificate)
    (configured / "clients.pem").write_bytes(certificate.read_bytes())
    got = run("check", "-c", configured / "edge.toml")
    assert got.status == 1
    assert "hosts[0]." in got.err


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('origin-ca.pem"', 'server-key.pem"', "hosts[0].origin_tls.ca"),
        ('"clients.pem"', '"server.pem"', "mtls_certificates[0].certificate"),
        ('"clients.pem"', '"."', "mtls_certificates[0].certificate"),
        ('"clients.pem"', '"/dev/zero"', "mtls_certificates[0].certificate"),
        ('private_key = "server-key.pem"', 'private_key = "server.pem"', "hosts[0].private_key"),
        ('certificate = "server.pem"', 'certificate = "server-key.pem"', "hosts[0].certificate"),
    ],
)
def test_a_file_of_the_wrong_kind_is_an_error(configured: Path, old: str, new: str, key: str) -> None:
    assert old in CONFIG
    (configured / "edge.toml").write_text(CONFIG.replace(old, new), encoding="utf-8")
    got = run("check", "-c", configured / "edge.toml")
    assert got.status == 1
    assert any(key in line for line in got.lines)


def test_errors_of_every_kind_come_together(configured: Path) -> None:
    """Shape, contradictions and files: one run finds them all."""
    (configured / "server-key.pem").unlink()
    text = CONFIG.replace('listen = ["127.0.0.1:0"]', 'listen = ["127.0.0.1:0"]\nworkerz = 2')
    text = text.replace('domain = "a.test"', 'domain = "nowhere.test"')
    (configured / "edge.toml").write_text(text, encoding="utf-8")
    got = run("check", "-c", configured / "edge.toml")
    assert got.status == 1
    for part in ("workerz", "server-key.pem", "nowhere.test"):
        assert part in got.err


@pytest.mark.parametrize("state_dir", ["edge.toml", "edge.toml/below"])
def test_a_state_dir_that_cannot_be_written_is_an_error_of_check(configured: Path, state_dir: str) -> None:
    config = CONFIG.replace("listen =", f'state_dir = "{state_dir}"\nlisten =')
    (configured / "edge.toml").write_text(config, encoding="utf-8")
    before = everything_in(configured)
    got = run("check", "-c", configured / "edge.toml", "--json")
    assert got.status == 1
    (error,) = got.json["errors"]
    assert error["key"] == "server.state_dir"
    assert everything_in(configured) == before


def test_secrets_in_wrong_places_are_not_repeated(configured: Path) -> None:
    key = (configured / "server-key.pem").read_text(encoding="ascii")
    secret = key.splitlines()[1][:40]
    for old in ('"server.pem"', '"clients.pem"', '"https://127.0.0.1:9"'):
        text = CONFIG.replace(old, f'"""{key}"""')
        (configured / "edge.toml").write_text(text, encoding="utf-8")
        for arguments in ((), ("--json",)):
            got = run("check", "-c", configured / "edge.toml", *arguments)
            assert got.status == 1
            assert secret not in got.out + got.err


@pytest.mark.parametrize("text", ["", "[server", "server = 1", '[server]\nlisten = "\\q"\n', "\x00"])
def test_a_file_that_is_no_configuration_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(text, encoding="utf-8")
    for command in ("check", "run", "keys list", "keys rotate"):
        got = run(*command.split(), "-c", path)
        assert (got.status, got.out) == (1, "")
        assert got.lines
        assert all(line.startswith("error: ") for line in got.lines)
    assert list(tmp_path.iterdir()) == [path]


# --- usage -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nothing",),
        ("run",),
        ("check",),
        ("check", "-c"),
        ("check", "--what", "-c", "edge.toml"),
        ("keys",),
        ("keys", "list"),
        ("keys", "nothing", "-c", "edge.toml"),
        ("demo", "--port", "70000"),
        ("demo", "--port", "https"),
    ],
)
def test_wrong_usage_is_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    got = run(*arguments)
    assert got.status == 2
    assert "Usage: " in got.err or got.err.startswith("Error: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["check", "run", "keys list", "keys rotate"])
def test_a_configuration_that_is_not_there_is_status_1(tmp_path: Path, command: str) -> None:
    got = run(*command.split(), "-c", tmp_path / "none.toml")
    assert got.status == 1
    (line,) = got.lines
    assert line.startswith(f"error: {tmp_path / 'none.toml'}: there is no such file")


def test_help_and_version() -> None:
    got = spawn("--version")
    assert got.status == 0
    assert got.out.startswith(f"mtls-edge {package.__version__}, OpenSSL ")
    for arguments in (("--help",), ("-h",), ("run", "-h"), ("check", "-h"), ("keys", "rotate", "-h")):
        got = run(*arguments)
        assert got.status == 0
        assert got.out.startswith("Usage: ")


# --- keys --------------------------------------------------------------------------------------


def test_keys_are_none_then_one_then_two(configured: Path) -> None:
    config = configured / "edge.toml"
    assert "no keys yet" in run("keys", "list", "-c", config).out
    assert run("keys", "list", "-c", config, "--json").json == []
    first = run("keys", "rotate", "-c", config, "--json").json
    second = run("keys", "rotate", "-c", config, "--json").json
    listed = run("keys", "list", "-c", config, "--json").json
    assert [(key["kid"], key["state"]) for key in listed] == [
        (second["kid"], "current"),
        (first["kid"], "previous"),
    ]
    for key in listed:
        path = Path(key["file"])
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert len(key["kid"]) == 64
    text = run("keys", "list", "-c", config).out
    assert text.splitlines()[0].startswith("current   RS256  ")
    assert "PRIVATE" not in text


def test_keys_are_of_the_configured_algorithm(configured: Path) -> None:
    config = configured / "edge.toml"
    run("keys", "rotate", "-c", config)
    config.write_text(CONFIG + '\n[access]\nsigning_algorithm = "ES256"\n', encoding="utf-8")
    assert run("keys", "list", "-c", config, "--json").json == []
    assert run("keys", "rotate", "-c", config, "--json").json["algorithm"] == "ES256"
    assert len(run("keys", "list", "-c", config, "--json").json) == 1


def test_a_file_that_is_no_key_is_an_error_of_every_command(configured: Path) -> None:
    config = configured / "edge.toml"
    made = Path(run("keys", "rotate", "-c", config, "--json").json["file"])
    for content in (
        b"",
        b"junk",
        cut_in_the_middle(made.read_bytes()),
        (configured / "server.pem").read_bytes(),
    ):
        made.write_bytes(content)
        for command in ("keys list", "keys rotate", "check", "run"):
            got = run(*command.split(), "-c", config)
            assert got.status == 1
            (line,) = [line for line in got.lines if line.startswith("error: ")]
            assert made.name in line


def test_tokens_of_the_key_before_are_believed_after_a_rotation_and_of_a_lost_key_are_not(
    tmp_path: Path, pki: Path, client_a: CredentialFiles
) -> None:
    with scripted_origin() as origin:
        config = (
            server_table(workers=1)
            + host_table(pki, "a.test", origin.url)
            + ca_table("CA A", pki / "ca-a.pem", "a.test")
            + application_table("a.test", '"certificate"', "recheck_certificate = false")
        )

        def serving() -> Edge:
            return Edge(config, tmp_path, server_ca=pki / "server-ca.pem")

        def kids(edge: Edge) -> list[str]:
            keys = json.loads(curl(edge, "/cdn-cgi/access/certs", cert=client_a).body)["keys"]
            return [key["kid"] for key in keys]

        with serving() as edge:
            (old,) = kids(edge)
            cookie = (curl(edge, "/", cert=client_a).value("set-cookie") or "").partition(";")[0]
            assert cookie.startswith("CF_Authorization=")
            assert curl(edge, "/", "--cookie", cookie).status == 200
        rotated = run("keys", "rotate", "-c", tmp_path / "edge.toml", "--json").json
        with serving() as edge:
            assert kids(edge) == [rotated["kid"], old]
            assert curl(edge, "/", "--cookie", cookie).status == 200
            assert curl(edge, "/", "--cookie", cookie[:-8] + "AAAAAAAA").status == 403
            assert curl(edge, "/").status == 403
        (tmp_path / "state" / "signing-keys" / f"{old}.pem").unlink()
        with serving() as edge:
            assert kids(edge) == [rotated["kid"]]
            assert curl(edge, "/", "--cookie", cookie).status == 403
