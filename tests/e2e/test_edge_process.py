"""The runner of the edge, held against small programs that behave like one, well and badly."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.e2e.edge_process import Edge

GOOD = """
import json, signal, subprocess, sys
worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
# Blocked and waited for, not handled: a handler may come in the middle of a print.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
print("warming up", file=sys.stderr)
print(json.dumps({"event": "listening", "address": "127.0.0.1:4711", "worker": 1}), file=sys.stderr)
print(json.dumps({"event": "listening", "address": "[::1]:4712", "worker": 2}), file=sys.stderr, flush=True)
signal.sigwait({signal.SIGTERM})
worker.terminate()
worker.wait()
print(json.dumps({"event": "stopped"}), file=sys.stderr, flush=True)
sys.exit(STATUS)
"""


def runner(directory: Path, program: str) -> Edge:
    script = directory / "program.py"
    script.write_text(program, encoding="utf-8")
    command = (sys.executable, str(script))
    return Edge("[server]\n", directory, server_ca=directory / "ca.pem", command=command)


def test_an_edge_that_does_not_start_fails_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"edge\.toml: no hosts"):
        runner(tmp_path, "import sys; sys.exit('edge.toml: no hosts')").start()


def test_an_edge_that_ends_badly_fails_the_test(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="exit status 3"),
        runner(tmp_path, GOOD.replace("STATUS", "3")),
    ):
        pass


def test_a_traceback_in_the_log_fails_the_test(tmp_path: Path) -> None:
    program = GOOD.replace("STATUS", "0").replace("warming up", "Traceback (most recent call last):")
    with pytest.raises(AssertionError, match="Traceback"), runner(tmp_path, program):
        pass


def test_an_event_that_does_not_come_is_a_failure(tmp_path: Path) -> None:
    with (
        runner(tmp_path, GOOD.replace("STATUS", "0")) as edge,
        pytest.raises(AssertionError, match="no event"),
    ):
        edge.wait_for_event("request", within=0.05)


def test_the_runner_reads_the_log_and_finds_the_workers(tmp_path: Path) -> None:
    with runner(tmp_path, GOOD.replace("STATUS", "0")) as edge:
        edge.wait_for_event("listening", worker=2)
        assert edge.port == 4711
        assert edge.addresses == ["127.0.0.1:4711", "[::1]:4712"]
        assert edge.stray_lines == ["warming up\n"]
        assert len(edge.workers()) == 1
        assert edge.memory() > 100_000
        assert edge.descriptors() >= 3
        assert edge.config_path.read_text(encoding="utf-8") == "[server]\n"
    assert edge.log_events("stopped") == [{"event": "stopped"}]
