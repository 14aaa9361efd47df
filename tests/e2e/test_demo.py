"""The demonstration: what it prints can be pasted, and Ctrl-C leaves nothing behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest

import edge as package

SOURCE = Path(package.__file__).parent.parent
START_SECONDS = 30
LAST_LINE = "Ctrl-C stops everything."


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class Demo:
    """A running ``edge demo`` in a session of its own, as in a terminal."""

    def __init__(self, said: IO[bytes], directory: Path, port: int, command: Sequence[str]) -> None:
        self._said = said
        self.process = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(SOURCE), "EDGE_PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )

    @property
    def output(self) -> str:
        """Everything it printed so far, standard error included."""
        return os.pread(self._said.fileno(), 1 << 20, 0).decode()

    def wait_until_explained(self) -> str:
        """Wait for the end of what it explains and return everything it printed."""
        deadline = time.monotonic() + START_SECONDS
        while LAST_LINE not in self.output:
            started = self.process.poll() is None and time.monotonic() < deadline
            assert started, f"it did not start; it said:\n{self.output}"
            time.sleep(0.05)
        return self.output

    def wait(self) -> int:
        """Wait for its end and return the exit status."""
        return self.process.wait(START_SECONDS)

    def processes(self) -> list[int]:
        """Every process of its session that runs."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdecimal():
                    fields = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                    if int(fields[3]) == self.process.pid and fields[0] != "Z":
                        found.append(int(entry.name))
        return found


@contextmanager
def demo(directory: Path, *arguments: str, port: int, before: Sequence[str] = ()) -> Iterator[Demo]:
    with tempfile.TemporaryFile() as said:
        running = Demo(said, directory, port, [*before, sys.executable, "-m", "edge", "demo", *arguments])
        try:
            yield running
        finally:
            for pid in running.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            running.process.wait()


def curl_lines(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("curl ")]


def used_in(line: str) -> str:
    """The certificate and the path of a line: ``stranger /any``."""
    certificate = re.search(r"/(\w+)\.pem'? --key", line)
    return f"{certificate[1] if certificate else 'none'} /{line.rpartition('/')[2]}"


def paste(line: str, directory: Path) -> tuple[int, str]:
    """Run a line in a shell somewhere else and return the status and the whole answer."""
    done = subprocess.run(
        ["sh", "-c", line], cwd=directory, capture_output=True, timeout=30, check=False, text=True
    )
    assert done.returncode == 0, done.stderr
    status = re.match(r"HTTP/1\.1 (\d{3})", done.stdout)
    assert status, done.stdout
    return int(status[1]), done.stdout


@pytest.mark.parametrize("options", [(), ("--dir", "a directory/it's ours")])
def test_the_lines_it_prints_do_what_they_say_wherever_they_are_pasted(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    with demo(home, *options, port=free_port()) as running:
        lines = curl_lines(running.wait_until_explained())
        assert len(lines) >= 7
        answers = {line: paste(line, elsewhere) for line in lines}
        by_certificate = {used_in(line): answer for line, answer in answers.items()}
        assert by_certificate["none /"][0] == 403
        status, text = by_certificate["client /"]
        assert status == 200
        assert re.search(r"(?im)^set-cookie: CF_Authorization=ey", text)
        assert by_certificate["stranger /"][0] == 403
        assert by_certificate["stranger /any"][0] == 200
        status, text = by_certificate["revoked /"]
        assert status == 403
        assert "client_certificate_revoked" in text
        assert by_certificate["expired /"][0] == by_certificate["foreign /"][0] == 403


def test_ctrl_c_stops_everything_and_the_next_start_keeps_the_certificates(tmp_path: Path) -> None:
    port = free_port()
    authorities = []
    for _ in range(2):
        with demo(tmp_path, port=port) as running:
            running.wait_until_explained()
            assert len(running.processes()) >= 4, "the main process, two workers and the origin"
            os.killpg(running.process.pid, signal.SIGINT)
            assert running.wait() == 0
            assert "Traceback" not in running.output
            deadline = time.monotonic() + 10
            while running.processes():
                assert time.monotonic() < deadline, f"left behind: {running.processes()}"
                time.sleep(0.05)
        authorities.append((tmp_path / "certs" / "demo" / "server-ca.pem").read_bytes())
    assert authorities[0] == authorities[1]


def test_it_ends_with_its_main_process_however_that_ends(tmp_path: Path) -> None:
    with demo(tmp_path, port=free_port()) as running:
        running.wait_until_explained()
        running.process.kill()
        running.process.wait()
        deadline = time.monotonic() + 15
        while running.processes():
            assert time.monotonic() < deadline, f"left behind: {running.processes()}"
            time.sleep(0.05)


def test_a_port_in_use_is_one_line_and_leaves_nothing_running(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with demo(tmp_path, port=port) as running:
            assert running.wait() == 1
            assert f"error: cannot listen on 127.0.0.1:{port}" in running.output
            assert "Traceback" not in running.output
            assert running.processes() == []


def test_it_replaces_no_certificates_that_are_not_its_own(tmp_path: Path, pki: Path) -> None:
    directory = tmp_path / "certs" / "demo"
    directory.mkdir(parents=True)
    real = (pki / "ca-a.pem").read_bytes()
    (directory / "ca.pem").write_bytes(real)
    with demo(tmp_path, port=free_port()) as running:
        assert running.wait() == 1
        assert "was not made by the demo" in running.output
    assert [path.name for path in directory.iterdir()] == ["ca.pem"]
    assert (directory / "ca.pem").read_bytes() == real


WITHOUT_IPV6 = (
    *("unshare", "--net", "--map-root-user", "sh", "-c"),
    'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && ip link set lo up && exec "$@"',
    "sh",
)


def test_it_starts_where_there_is_no_ipv6(tmp_path: Path) -> None:
    try:
        possible = subprocess.run([*WITHOUT_IPV6, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        possible = False
    if not possible:
        pytest.skip("this machine lets nobody make a network without IPv6")
    with demo(tmp_path, port=free_port(), before=WITHOUT_IPV6) as running:
        running.wait_until_explained()
        os.killpg(running.process.pid, signal.SIGINT)
        assert running.wait() == 0
