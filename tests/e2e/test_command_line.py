"""The command line as people and scripts use it: what it prints, what it writes, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import edge as package
from tests.certificates import CredentialFiles
from tests.e2e.behaviours import scripted_origin
from tests.e2e.clients import curl
from tests.e2e.command_line import CONFIG, configure, cut_in_the_middle, run, spawn
from tests.e2e.configuration import application_table, ca_table, host_table, server_table
from tests.e2e.edge_process import Edge


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    configure(tmp_path)
    return tmp_path


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
