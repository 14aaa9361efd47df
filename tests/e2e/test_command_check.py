"""``edge check``: every fault of every file at once, and nothing written."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.e2e.command_line import CONFIG, PATHS, configure, cut_in_the_middle, everything_in, run, spawn


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    configure(tmp_path)
    return tmp_path


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


def test_a_policy_test_that_fails_is_an_error_of_check_and_of_run(configured: Path) -> None:
    config = configured / "edge.toml"
    right = '[[tests]]\nurl = "https://a.test/x"\nexpect = "client_certificate_required"\n'
    config.write_text(config.read_text(encoding="utf-8") + right, encoding="utf-8")
    assert "\npolicy tests: 1 passed\n" in run("check", "-c", config).out
    assert run("check", "-c", config, "--json").json["policy_tests"] == 1
    line = config.read_text(encoding="utf-8").count("\n") + 1
    wrong = '[[tests]]\nname = "open"\nurl = "https://a.test/x"\nexpect = "allow"\n'
    config.write_text(config.read_text(encoding="utf-8") + wrong, encoding="utf-8")
    for command in ("check", "run"):
        got = run(command, "-c", config)
        assert (got.status, got.out) == (1, "")
        assert got.lines == [
            f'error: {config}:{line}: tests[1]: the test "open": expected allow, but: '
            "client_certificate_required: no client certificate was presented; "
            "edge explain shows the whole argument"
        ]
    (error,) = run("check", "-c", config, "--json").json["errors"]
    assert (error["key"], error["line"]) == ("tests[1]", line)
