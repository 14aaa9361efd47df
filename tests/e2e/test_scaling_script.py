"""``scripts/scaling.py`` as people run it: it measures, reports, draws, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "scaling.py"), *arguments],
        capture_output=True,
        text=True,
        timeout=110,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(directory)},
        check=False,
    )


def test_a_small_table_is_measured_and_drawn(tmp_path: Path) -> None:
    scratch, report, charts = tmp_path / "scratch", tmp_path / "report.md", tmp_path / "charts"
    scratch.mkdir()
    done = run(
        scratch,
        *("--rounds", "1", "--seconds", "0.2", "--only", "cas", "--largest", "10"),
        *("--markdown", str(report), "--charts", str(charts)),
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith(("| 1 |", "| 10 |"))]
    assert len(lines) == 2
    assert "–" not in "".join(lines).replace("–", "", 8), done.stderr
    assert report.read_text(encoding="utf-8").split() == done.stdout.split()
    assert "(charts/scaling-cas.svg)" in done.stdout
    assert ET.parse(charts / "scaling-cas.svg").getroot().tag.endswith("svg")
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [("--only", "clouds"), ("--rounds", "0"), ("--seconds", "1000"), ("--only", "hosts", "--largest", "0")],
)
def test_wrong_usage_is_exit_status_two(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run(tmp_path, *arguments).returncode == 2
    assert list(tmp_path.iterdir()) == []
