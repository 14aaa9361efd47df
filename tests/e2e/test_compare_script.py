"""``scripts/compare.py`` as people run it: it measures, reports, and leaves nothing behind."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HAS_NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin") is not None
TWO = "edge,nginx" if HAS_NGINX else "edge"


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "scripts" / "compare.py"), *arguments]


def environment(directory: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(directory)}


def left_behind(directory: Path) -> list[str]:
    """Return the command lines of processes that were started with files of the directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if str(directory) in line:
            found.append(line)
    return found


@pytest.mark.skipif(not HAS_NGINX, reason="NGINX IS NOT INSTALLED: the comparison with it was not tested")
def test_the_edge_and_nginx_are_compared(tmp_path: Path) -> None:
    scratch, report, chart = tmp_path / "scratch", tmp_path / "report.md", tmp_path / "chart.svg"
    scratch.mkdir()
    done = subprocess.run(
        [
            *command("--rounds", "1", "--seconds", "0.3", "--only", "edge,nginx", "--idle", "40"),
            *("--markdown", str(report), "--svg", str(chart)),
        ],
        capture_output=True,
        text=True,
        timeout=110,
        env=environment(scratch),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "NOT MEASURED" not in done.stdout, done.stderr
    ratios = [line for line in done.stdout.splitlines() if line.startswith("| edge ")]
    assert len(ratios) == 3
    assert not any("–" in cell.strip()[:1] for line in ratios for cell in line.split("|")), done.stderr
    assert report.read_text(encoding="utf-8") == done.stdout
    assert ET.parse(chart).getroot().tag.endswith("svg")
    assert list(scratch.iterdir()) == []
    assert left_behind(scratch) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_started_is_ended_with_the_script(tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        command("--rounds", "50", "--seconds", "5", "--only", TWO, "--idle", "0"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(tmp_path),
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        while "started" not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(0.5)
        assert left_behind(tmp_path)
        process.send_signal(number)
        process.communicate(timeout=40)
    finally:
        process.kill()
        process.wait()
    assert process.returncode in (130, 143)
    assert left_behind(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_its_own_origin_answers_as_the_servers_expect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = int(reserved.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "comparison" / "origin_server.py"), str(port)]
    )
    try:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connect(client)
        for _ in range(2):  # on one connection
            for path, status, length in (("/", 200, 25), ("/no", 403, 3), ("/bulk", 200, 10 * 1024 * 1024)):
                client.request("GET", path)
                answer = client.getresponse()
                assert (answer.status, len(answer.read())) == (status, length)
        client.close()
    finally:
        process.terminate()
        process.wait(10)


def connect(client: http.client.HTTPConnection) -> None:
    """Connect as soon as somebody listens."""
    for _ in range(200):
        with suppress(ConnectionRefusedError):
            client.connect()
            return
        time.sleep(0.05)
    raise AssertionError("the origin does not listen")


@pytest.mark.parametrize(
    "arguments", [("--only", "apache"), ("--rounds", "0"), ("--seconds", "-1"), ("--rounds", "1000")]
)
def test_wrong_usage_is_exit_status_two(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(tmp_path),
        check=False,
    )
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []
