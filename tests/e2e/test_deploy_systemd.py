"""The edge as the systemd unit runs it: under its filters, and told to systemd as the unit expects."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.certificates import CredentialFiles
from tests.e2e.clients import curl
from tests.e2e.configuration import application_table, ca_table, host_table, server_table
from tests.e2e.confined import allowed_calls, settings, why_not
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "mtls-edge.service"
HAS_ANALYZE = shutil.which("systemd-analyze") is not None


def seconds(name: str) -> int:
    (value,) = settings(UNIT)[name]
    return int(value)


@pytest.mark.skipif(bool(why_not()), reason=f"SKIPPED, the unit was not tried: {why_not()}")
def test_the_edge_serves_reloads_and_ends_under_the_filters_of_the_unit(
    tmp_path: Path, pki: Path, origin: Origin, client_a: CredentialFiles
) -> None:
    text = (
        server_table()
        + host_table(pki, "a.test", origin.url)
        + ca_table("CA A", pki / "ca-a.pem", "a.test")
        + application_table("a.test")
    )
    command = (sys.executable, "-m", "tests.e2e.confined", str(UNIT), sys.executable, "-m", "edge", "run")
    with Edge(text, tmp_path, server_ca=pki / "server-ca.pem", command=command) as edge:
        assert curl(edge, "/", cert=client_a).status == 200
        assert curl(edge, "/").status == 403
        edge.config_path.write_text(
            text + application_table("a.test/public", '"everyone"', decision="bypass")
        )
        edge.signal(signal.SIGHUP)
        edge.wait_for_event("reload_done")
        assert curl(edge, "/public").status == 200
        os.kill(edge.workers()[0], signal.SIGKILL)
        edge.wait_for_event("worker_started", count=3)
        assert edge.wait_for_event("listening")["tls_calls"] == "direct"
        filters = Path(f"/proc/{edge.process.pid}/status").read_text()
        assert re.search(r"^Seccomp:\s+2$", filters, re.MULTILINE)


@pytest.mark.skipif(not HAS_ANALYZE, reason="SKIPPED, the unit was not verified: no systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    program = tmp_path / "edge"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/mtls-edge/bin/edge", str(program)))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if UNIT.stem in line]
    assert (complaints, done.returncode) == ([], 0)


@pytest.mark.skipif(not HAS_ANALYZE, reason="SKIPPED, the unit was not rated: no systemd-analyze")
def test_systemd_rates_the_unit_as_little_exposed() -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
    )
    rated = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert rated is not None, done.stdout + done.stderr
    assert float(rated[1]) < 2.0


@pytest.mark.skipif(not HAS_ANALYZE, reason="SKIPPED, the unit's filter was not read: no systemd-analyze")
def test_the_filter_leaves_out_what_only_root_does() -> None:
    allowed = allowed_calls(settings(UNIT)["SystemCallFilter"])
    assert {"accept4", "epoll_wait", "setrlimit", "memfd_create"} <= allowed
    assert not {"setuid", "chroot", "mount", "bpf", "ptrace", "init_module", "reboot"} & allowed


def test_the_unit_has_no_more_rights_than_a_low_port_takes() -> None:
    said = settings(UNIT)
    assert said["CapabilityBoundingSet"] == said["AmbientCapabilities"] == ["CAP_NET_BIND_SERVICE"]
    assert said["DynamicUser"] == said["NoNewPrivileges"] == ["yes"]
    assert "User" not in said


def test_the_unit_says_what_the_edge_keeps() -> None:
    """``Type=notify`` and the watchdog are spoken (see ``test_service_manager``); the end takes its time."""
    said = settings(UNIT)
    assert (said["Type"], said["NotifyAccess"], said["KillMode"]) == (["notify"], ["main"], ["mixed"])
    assert said["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert seconds("WatchdogSec") > 10
    assert seconds("TimeoutStopSec") > 30
