"""The admin process: it answers those who may ask, and whatever becomes of it nobody else notices."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.e2e.admin import Admin, running, wait_for, with_admin
from tests.e2e.behaviours import scripted_origin
from tests.e2e.clients import raw_tls
from tests.e2e.command_line import run, spawn
from tests.e2e.configuration import open_config
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin

SECRET = "a-secret-of-the-environment"


@pytest.fixture(scope="module")
def own_origin() -> Iterator[Origin]:
    with scripted_origin() as origin:
        yield origin


@pytest.fixture
def site(tmp_path: Path, pki: Path, own_origin: Origin) -> Iterator[tuple[Edge, Admin]]:
    with running(open_config(pki, own_origin.url, workers=2), tmp_path, pki) as both:
        yield both


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def answers(admin: Admin, path: str, status: int) -> bool:
    with contextlib.suppress(OSError):
        return admin.get(path).status == status
    return False


def test_only_who_reads_here_by_a_name_of_ours_is_answered(site: tuple[Edge, Admin]) -> None:
    _, admin = site
    here = f"127.0.0.1:{admin.port}"
    assert admin.get("/status", {"Host": "rebound.example"}).status == 421
    assert admin.get("/status", {"Origin": "http://evil.example"}).status == 403
    assert admin.get("/status", {"Origin": f"http://{here}"}).status == 200
    assert admin.get("/status", {"Host": f"localhost:{admin.port}"}).status == 200
    assert admin.get("/metrics", method="POST").status == 405
    head = admin.get("/metrics", method="HEAD")
    assert (head.status, head.body) == (200, "")
    assert "server" not in head.fields


def test_it_is_another_program_without_keys_and_without_our_environment(
    tmp_path: Path, pki: Path, own_origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = (pki / "open.test-key.pem").read_text()
    monkeypatch.setenv("EDGE_TEST_KEY", key)
    monkeypatch.setenv("EDGE_TEST_SECRET", SECRET)
    config = open_config(pki, own_origin.url).replace(
        f'private_key = "{pki}/open.test-key.pem"', 'private_key = "${EDGE_TEST_KEY}"'
    )
    assert "EDGE_TEST_KEY" in config
    with running(config, tmp_path, pki) as (_, admin):
        environment = Path(f"/proc/{admin.pid}/environ").read_bytes()
        assert SECRET.encode() not in environment
        assert b"PRIVATE KEY" not in environment
        secret = key.splitlines()[1].encode()
        assert secret not in memory_of(admin.pid)
        assert any(secret in memory_of(pid) for pid in [os.getpid()]), "one that has it is found out"
        opened = [str(each.readlink()) for each in Path(f"/proc/{admin.pid}/fd").iterdir()]
        assert not [name for name in opened if "state" in name or name.endswith(".pem")]


def memory_of(pid: int) -> bytes:
    """Everything that a process can write to."""
    found = []
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            extent, rights, *_ = line.split()
            if rights.startswith("rw"):
                begin, end = (int(number, 16) for number in extent.split("-"))
                with contextlib.suppress(OSError, OverflowError, ValueError):
                    memory.seek(begin)
                    found.append(memory.read(end - begin))
    return b"".join(found)


def test_it_dies_and_is_there_again_while_everybody_is_served(site: tuple[Edge, Admin]) -> None:
    edge, admin = site
    workers, victim = set(admin.workers), admin.pid
    with raw_tls(edge, "open.test") as client:
        assert client.ask("/echo", host="open.test").status == 200
        os.kill(victim, signal.SIGKILL)
        assert client.ask("/echo", host="open.test").status == 200
        edge.wait_for_event("admin_died", pid=victim, status=-signal.SIGKILL)
        edge.wait_for_event("admin_started", count=2)
        wait_for(lambda: answers(admin, "/readyz", 200), "it answers again")
        assert client.ask("/echo", host="open.test").status == 200
    assert set(admin.workers) == workers
    admin.until("edge_requests_total", 3, host="open.test", status_class="2xx", reason="")
    assert admin.metrics().value("edge_worker_deaths_total") == 0


def test_who_hangs_is_given_no_more_documents(site: tuple[Edge, Admin]) -> None:
    """Each of them is memory; a process that stands still must not pile them up."""
    edge, admin = site
    os.kill(admin.pid, signal.SIGSTOP)
    try:
        time.sleep(3.5)
        held = [
            name
            for each in Path(f"/proc/{edge.process.pid}/fd").iterdir()
            if "memfd:edge (" in (name := str(each.readlink()))
        ]
        assert held == []
        queues = Path("/proc/net/unix").read_text()
        assert queues, "it can be read"
    finally:
        os.kill(admin.pid, signal.SIGCONT)
    wait_for(lambda: answers(admin, "/healthz", 200), "it goes on")


def test_it_ends_with_its_parent_however_that_ends(tmp_path: Path, pki: Path, own_origin: Origin) -> None:
    edge = Edge(with_admin(open_config(pki, own_origin.url)), tmp_path, server_ca=pki / "server-ca.pem")
    edge.start()
    admin = Admin(edge)
    wait_for(lambda: answers(admin, "/readyz", 200), "it is ready")
    pids = [admin.pid, *admin.workers]
    os.kill(edge.process.pid, signal.SIGKILL)
    edge.wait()
    wait_for(lambda: not any(is_alive(pid) for pid in pids), "all of them have ended", within=30)


def test_a_ctrl_c_does_not_end_it_before_the_others(site: tuple[Edge, Admin]) -> None:
    _, admin = site
    for number in (signal.SIGINT, signal.SIGHUP):
        os.kill(admin.pid, number)
    time.sleep(0.3)
    assert is_alive(admin.pid)
    assert admin.get("/healthz").status == 200


def test_an_edge_that_is_stopping_is_not_ready_and_says_so_to_the_end(
    tmp_path: Path, pki: Path, own_origin: Origin
) -> None:
    with running(open_config(pki, own_origin.url), tmp_path, pki) as (edge, admin):
        pid = admin.pid
        with raw_tls(edge, "open.test") as client:
            client.send(b"GET /sleep?seconds=4 HTTP/1.1\r\nHost: open.test\r\n\r\n")
            own_origin.wait_for("/sleep")
            edge.signal(signal.SIGTERM)
            wait_for(lambda: answers(admin, "/readyz", 503), "it is not ready any more", within=3)
            assert admin.get("/readyz").json() == {"ready": False, "state": "stopping"}
            assert admin.get("/healthz").status == 200
            assert admin.status()["state"] == "stopping"
            assert client.read_answer().status == 200
        assert edge.wait() == 0
        assert not is_alive(pid)
        assert edge.log_events("admin_died") == []


def test_an_edge_that_lacks_a_worker_is_not_ready(site: tuple[Edge, Admin]) -> None:
    """The more often one dies at its start, the longer its place is empty."""
    edge, admin = site
    victim = admin.workers[0]
    for count in range(5):
        os.kill(victim, signal.SIGKILL)
        edge.wait_for_event("worker_died", count=count + 1)
        if count < 4:
            victim = edge.wait_for_event("worker_started", count=count + 3)["pid"]
    wait_for(lambda: answers(admin, "/readyz", 503), "a place is empty", within=3)
    assert admin.status()["state"] == "degraded"
    wait_for(lambda: answers(admin, "/readyz", 200), "it is ready again")


def test_an_address_in_use_is_an_error_of_the_start(tmp_path: Path, pki: Path, own_origin: Origin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        path = tmp_path / "edge.toml"
        path.write_text(with_admin(open_config(pki, own_origin.url), address))
        done = spawn("run", "-c", str(path))
    assert done.status == 1
    [line] = done.err.splitlines()[-1:]
    assert line.startswith(f"error: cannot listen on {address}: Address already in use")


def test_a_newer_edge_takes_the_address_over(tmp_path: Path, pki: Path, own_origin: Origin) -> None:
    """Both listen while both run. The older one leaves the address at once when it is told to end."""
    for name in ("older", "newer"):
        (tmp_path / name).mkdir()
    with running(open_config(pki, own_origin.url), tmp_path / "older", pki) as (older, before):
        config = open_config(pki, own_origin.url).replace("127.0.0.1:0", f"127.0.0.1:{older.port}")
        config = with_admin(config, f"127.0.0.1:{before.port}")
        with Edge(config, tmp_path / "newer", server_ca=pki / "server-ca.pem") as newer:
            after = Admin(newer)
            newer.wait_for_event("admin_started")
            assert older.stop() == 0
            wait_for(lambda: answers(after, "/readyz", 200), "the newer one answers")
            assert all(after.get("/readyz").json()["state"] == "serving" for _ in range(10))
            pids = [worker["pid"] for worker in after.status()["workers"]]
            assert pids == after.workers


def test_a_reload_cannot_change_the_address(site: tuple[Edge, Admin]) -> None:
    edge, admin = site
    text = edge.config_path.read_text()
    edge.config_path.write_text(text.replace('admin_listen = "127.0.0.1:0"', 'admin_listen = "127.0.0.1:9"'))
    edge.signal(signal.SIGHUP)
    event = edge.wait_for_event("reload_failed")
    assert any("server.admin_listen: a reload cannot change it" in error for error in event["errors"])
    admin.until("edge_last_reload_failed", 1)


def test_edge_check_warns_of_an_address_that_others_reach(
    tmp_path: Path, pki: Path, own_origin: Origin, server_root: Authority
) -> None:
    path = tmp_path / "edge.toml"
    path.write_text(with_admin(open_config(pki, own_origin.url), "0.0.0.0:9901"))
    done = run("check", "-c", str(path))
    assert done.status == 0
    assert "server.admin_listen" in done.out + done.err
    assert "not loopback" in done.out + done.err


def test_the_last_refusals_are_told_with_their_reasons(tmp_path: Path, pki: Path, own_origin: Origin) -> None:
    with running(open_config(pki, own_origin.url), tmp_path, pki) as (edge, admin):
        with raw_tls(edge, "open.test") as client:
            client.send(b"GET /%3Cscript%3E?secret=1 HTTP/1.1\r\nHost: other.test\r\n\r\n")
            assert client.read_answer().status == 421
        wait_for(lambda: len(admin.status()["refusals"]) == 1, "it is told")
        [told] = admin.status()["refusals"]
        assert (told["reason"], told["host"], told["client"]) == (
            "misdirected_request", "other.test", "127.0.0.1",
        )  # fmt: skip
        assert "secret" not in admin.get("/status").body
