"""The Containerfile: small, nobody's, without a shell; and its health check, which is run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "deploy" / "container" / "Containerfile").read_text()
INSTRUCTIONS = [
    (match[1], match[2])
    for line in TEXT.splitlines()
    if not line.startswith("#") and (match := re.fullmatch(r"([A-Z]+) (.*)", line))
]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for name, value in INSTRUCTIONS:
        if name == "FROM":
            found.append([])
        if found:
            found[-1].append((name, value))
    return found


def last(name: str) -> str:
    (value,) = [value for each, value in stages()[-1] if each == name]
    return value


def test_every_line_is_an_instruction_or_a_comment() -> None:
    lines = [line for line in TEXT.splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(INSTRUCTIONS)


def test_what_builds_is_not_in_what_runs() -> None:
    build, final = stages()
    assert build[0][1].endswith(" AS build")
    assert not any(name == "RUN" for name, _ in final)
    assert all("--from=build" in value for name, value in final if name == "COPY")


def test_nothing_goes_through_a_shell() -> None:
    for name, value in INSTRUCTIONS:
        if name in ("RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK"):
            assert json.loads(value[value.index("[") :]), value


def test_it_runs_as_nobody_in_particular() -> None:
    user, _, group = last("USER").partition(":")
    assert int(user) > 1000
    assert user == group
    owners = [value for name, value in stages()[-1] if name == "COPY" and "/var/lib/mtls-edge" in value]
    assert [f"--chown={user}:{group}" in value for value in owners] == [True]


def test_what_is_copied_into_it_is_there_and_is_what_the_package_is_made_of() -> None:
    sources = [word for name, value in stages()[0] if name == "COPY" for word in value.split()[:-1]]
    assert set(sources) == {"pyproject.toml", "README.md", "LICENSE", "edge"}
    for source in sources:
        assert (ROOT / source).exists()


def test_its_python_is_one_that_the_package_is_for() -> None:
    (python,) = [value for name, value in INSTRUCTIONS if name == "ARG"]
    major, minor = python.removeprefix("PYTHON=").split(".")
    assert (int(major), int(minor)) >= (3, 11)


# --- the health check ----------------------------------------------------------------------------


@contextmanager
def admin(status: int) -> Iterator[int]:
    """An administration listener that answers ``/healthz`` with that status, and all else with 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def check(port: int) -> int:
    value = last("HEALTHCHECK")
    command = json.loads(value[value.index("[") :])
    assert command[0] == "python"
    assert command[-1].count("9901") == 1
    return subprocess.run(
        [sys.executable, *command[1:-1], command[-1].replace("9901", str(port))],
        capture_output=True,
        check=False,
        timeout=30,
        env={"http_proxy": "http://127.0.0.1:9"},
    ).returncode


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (404, False)])
def test_the_health_check_is_what_healthz_says(status: int, *, healthy: bool) -> None:
    with admin(status) as port:
        assert (check(port) == 0) is healthy


def test_nobody_there_is_not_healthy() -> None:
    with admin(200) as port:
        pass
    assert check(port) != 0
