"""``scripts/load.py`` against a running edge: each mode, what it reports, and what it says when it cannot."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.certificates import Authority, CredentialFiles
from tests.e2e.behaviours import scripted_origin
from tests.e2e.configuration import standard_config
from tests.e2e.edge_process import Edge

SCRIPT = Path(__file__).parents[2] / "scripts" / "load.py"
SHORT = ("--seconds", "0.6", "--warm-up", "0.2", "--connections", "4")


class Load:
    """The script, with what it needs to reach the host ``a.test`` of an edge."""

    def __init__(self, edge: Edge, client: CredentialFiles | None) -> None:
        self._edge = edge
        self._client = () if client is None else ("--cert", str(client.certificate), "--key", str(client.key))

    def command(self, path: str, arguments: Sequence[str]) -> list[str]:
        return [
            *(sys.executable, str(SCRIPT), f"https://a.test:{self._edge.port}{path}"),
            *("--connect-to", "127.0.0.1", "--cacert", str(self._edge.server_ca), *self._client, *arguments),
        ]

    def run(self, path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(path, arguments), capture_output=True, text=True, timeout=60, check=False
        )

    def measure(self, path: str, mode: str, *arguments: str) -> dict[str, Any]:
        done = self.run(path, "--mode", mode, *SHORT, "--json", *arguments)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        found: dict[str, Any] = json.loads(done.stdout)
        assert found["mode"] == mode
        assert found["errors"] == {}, found
        assert set(found["statuses"]) == {"200"}, found
        return found


@pytest.fixture
def load(edge: Edge, client_a: CredentialFiles) -> Load:
    return Load(edge, client_a)


def test_each_request_of_the_mode_full_has_a_full_handshake(load: Load) -> None:
    found = load.measure("/", "full", "--processes", "2")
    assert found["resumed"] == 0
    assert abs(found["handshakes"] - found["answers"]) <= 8
    assert found["processes"] == 2


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_sessions_are_resumed_and_counted(load: Load, version: str) -> None:
    found = load.measure("/", "resumed", "--tls", version)
    assert found["tls"] == version
    assert found["resumed"] == found["handshakes"] > 0


def test_many_requests_share_a_connection(load: Load) -> None:
    found = load.measure("/", "keepalive")
    assert found["handshakes"] == 0, "they were all in the warm-up"
    assert found["answers"] > 20
    assert 0 < found["p50_us"] <= found["p90_us"] <= found["p99_us"] <= found["p999_us"] <= found["max_us"]
    assert sum(second["per_second"] for second in found["series"]) > 0


def test_requests_come_at_the_rate_that_was_ordered(load: Load) -> None:
    found = load.measure("/", "rate", "--rate", "50", "--processes", "2")
    assert 29 <= found["answers"] + found["unanswered"] <= 31


def test_latency_counts_from_the_schedule_when_the_server_is_slow(load: Load) -> None:
    """Two connections, each busy for 0.2 s: of 100 requests a second most wait for a connection."""
    found = load.measure(
        "/sleep?seconds=0.2", "rate", "--rate", "100", "--connections", "2", "--warm-up", "0"
    )
    assert 59 <= found["answers"] + found["unanswered"] <= 61
    assert found["queued"] > 20
    assert found["p90_us"] > 1_000_000


def test_idle_connections_stay_open_and_have_their_memory(load: Load, edge: Edge) -> None:
    pid = str(edge.process.pid)
    found = load.measure("/", "idle", "--connections", "40", "--processes", "2", "--server-pid", pid)
    assert (found["answers"], found["open_at_end"], found["closed_while_idle"]) == (40, 40, 0)
    assert found["server_memory_after"] > 1 << 20
    assert "octets_per_connection" in found


def test_an_upload_is_sent_and_counted(load: Load) -> None:
    found = load.measure("/upload", "upload", "--size", "100k")
    assert found["mb_per_second"] > found["per_second"] * 0.1


def test_a_download_is_read_to_its_end(load: Load) -> None:
    for framing in ("length", "chunked", "close"):
        found = load.measure("/download?size={size}&framing=" + framing, "download", "--size", "200k")
        assert found["mb_per_second"] == pytest.approx(found["per_second"] * 0.2048, rel=0.01)


def test_a_download_of_another_size_is_an_error(load: Load) -> None:
    done = load.run("/?{size}", "--mode", "download", "--size", "7", *SHORT, "--json")
    assert done.returncode == 1
    assert "octets instead of 7" in next(iter(json.loads(done.stdout)["errors"]))


def test_certificates_of_a_directory_are_used_in_turn(
    edge: Edge, tmp_path: Path, ca_a: Authority, ca_b: Authority
) -> None:
    ca_a.issue("good").write(tmp_path, "good")
    ca_b.issue("bad").write(tmp_path, "bad")
    for path in tmp_path.glob("*-both.pem"):
        path.unlink()
    done = Load(edge, None).run("/", "--mode", "full", "--mixed", str(tmp_path), *SHORT, "--json")
    found = json.loads(done.stdout)["statuses"]
    assert set(found) == {"200", "403"}
    assert abs(found["200"] - found["403"]) <= 8


def test_the_request_is_what_was_ordered(load: Load) -> None:
    found = load.measure("/", "keepalive", "--method", "HEAD", "--header", "X-Test: 1")
    assert found["mb_per_second"] == 0


def test_a_table_progress_and_a_drawing(load: Load, edge: Edge, tmp_path: Path) -> None:
    plot = tmp_path / "out.svg"
    pid = str(edge.process.pid)
    done = load.run(
        "/", "--mode", "keepalive", *SHORT, "--progress", "--plot", str(plot), "--pin", "--server-pid", pid
    )
    assert done.returncode == 0
    assert "p99_us" in done.stdout
    assert "server_us_per_answer" in done.stdout
    assert done.stderr.splitlines()[-1].split()[0] == "1/0.6"
    ElementTree.parse(plot)


def test_ctrl_c_ends_it_early_with_what_there_is(load: Load) -> None:
    command = load.command(
        "/", ["--mode", "keepalive", "--seconds", "60", "--warm-up", "0", "--progress", "--json"]
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "answers/s" in process.stderr.readline()
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode == 0, error
    assert json.loads(out)["interrupted"]
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--cacert", "/nowhere"), 1, "error: cannot read /nowhere: No such file or directory"),
        (("--connect-to", "192.0.2.1"), 1, "error: 192.0.2.1 is not a loopback address"),
        (("--header", "none"), 1, "error: --header 'none'"),
        (("--mode", "rate"), 2, "--mode rate and --rate go together"),
        (("--seconds", "1e9"), 2, "--seconds is from 0.1 to 600"),
        (("--processes", "9"), 2, "each of the --processes needs one"),
        (("--size", "x"), 2, "is no size"),
        (("--server-pid", "4194305"), 1, "there is no such process"),
    ],
)
def test_a_wrong_order_is_refused_in_one_line(
    load: Load, arguments: tuple[str, ...], status: int, said: str
) -> None:
    done = load.run("/", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert status == 2 or done.stderr.count("\n") == 1


def test_a_server_that_is_not_trusted_is_told_at_once(edge: Edge, pki: Path) -> None:
    done = Load(edge, None).run("/", "--cacert", str(pki / "ca-b.pem"))
    assert done.returncode == 1
    assert done.stderr.startswith("error: a.test at 127.0.0.1:")
    assert "certificate verify failed; is --cacert" in done.stderr


def test_a_server_that_is_not_there_is_told_at_once(load: Load, pki: Path, tmp_path: Path) -> None:
    with (
        scripted_origin() as origin,
        Edge(standard_config(pki, origin.url), tmp_path, server_ca=pki / "server-ca.pem") as other,
    ):
        gone = Load(other, None)
    done = gone.run("/")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Connection refused" in done.stderr
