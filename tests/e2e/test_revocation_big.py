"""A list of two hundred thousand: taken up beside the traffic, by a child that may be ended at any time."""

from __future__ import annotations

import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.certificates import Authority, Credential
from tests.crl_octets import CRL_NUMBER, by_hand, element, extension, integer, utc_time
from tests.e2e.clients import raw_tls
from tests.e2e.crl_edge import OK, REVOKED, GuardedHost, Publisher, ask, crl_edge, soon
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.verdicts import verdict

ENTRIES = 200_000
READING_SECONDS = 30.0
"""Far more than it takes, for a machine that does many other things."""
LONGEST_GAP_SECONDS = 2.0
_RANDOM_OCTETS = 19


def many_entries(count: int) -> bytes:
    """Entries of serials that nobody has: 20 octets, the first of them fixed."""
    since = utc_time(-timedelta(days=1))
    octets = secrets.token_bytes(count * _RANDOM_OCTETS)
    return b"".join(
        element(0x30, b"\x02\x14\x01", octets[place : place + _RANDOM_OCTETS], since)
        for place in range(0, len(octets), _RANDOM_OCTETS)
    )


@pytest.fixture(scope="module")
def entries() -> bytes:
    return many_entries(ENTRIES)


def put_big_list(publisher: Publisher, entries: bytes, *revoked: Credential) -> None:
    """Publish the next list: the many, and these."""
    publisher.number += 1
    mine = [
        element(0x30, integer(each.certificate.serial_number), utc_time(-timedelta(days=1)))
        for each in revoked
    ]
    number = extension(CRL_NUMBER, integer(publisher.number))
    unfinished = publisher.path.with_name(f".{publisher.path.name}.new")
    unfinished.write_bytes(by_hand(publisher.authority, [entries, *mine], extensions=[number]))
    unfinished.replace(publisher.path)


class Prober:
    """Asks without a pause on one connection, and notes the longest time between two answers."""

    def __init__(self, edge: Edge, host: GuardedHost, credential: Credential) -> None:
        self.answers = 0
        self.bad: list[object] = []
        self.longest = 0.0
        self._stop = threading.Event()
        self._target = (edge, host, credential)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Prober:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        edge, host, credential = self._target
        try:
            with raw_tls(edge, host.name, credential) as client:
                before = time.monotonic()
                while not self._stop.is_set():
                    answer = client.ask(host=host.name)
                    now = time.monotonic()
                    self.longest, before = max(self.longest, now - before), now
                    self.answers += 1
                    if verdict(answer) != OK:
                        self.bad.append(verdict(answer))
        except Exception as error:  # noqa: BLE001 -- whatever it was, the test tells it
            self.bad.append(error)


def reader_of(edge: Edge, workers: list[int]) -> int:
    """Wait for the child that reads lists and return its process id."""
    deadline = time.monotonic() + READING_SECONDS
    while time.monotonic() < deadline:
        for pid in set(edge.workers()) - set(workers):
            return pid
        time.sleep(0.002)
    raise AssertionError("no child began to read")


def wait_until_ended(pids: list[int]) -> None:
    deadline = time.monotonic() + READING_SECONDS
    for pid in pids:
        while runs(pid):
            assert time.monotonic() < deadline, f"{pid} is still there"
            time.sleep(0.02)


def runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.fixture
def host(tmp_path: Path) -> GuardedHost:
    return GuardedHost("big.test", tmp_path)


@pytest.fixture
def edge(tmp_path: Path, server_root: Authority, session_origin: Origin, host: GuardedHost) -> Iterator[Edge]:
    directory = tmp_path / "edge"
    directory.mkdir()
    with crl_edge(directory, server_root, session_origin.url, host) as running:
        yield running


def test_no_request_fails_or_waits_long_while_it_is_taken_up(
    edge: Edge, host: GuardedHost, entries: bytes
) -> None:
    revoked, other = host.issue("revoked"), host.issue("other")
    with (
        Prober(edge, host, other) as one,
        Prober(edge, host, other) as two,
        raw_tls(edge, host.name, revoked) as client,
    ):
        assert verdict(client.ask(host=host.name)) == OK
        put_big_list(host.ca, entries, revoked)
        soon(lambda: client.ask(host=host.name), REVOKED, within=READING_SECONDS)
        event = edge.wait_for_event("crl_in_force", number=host.ca.number)
        assert event["revoked"] == ENTRIES + 1
        time.sleep(0.2)
    for prober in (one, two):
        assert prober.bad == []
        assert prober.answers > 10
    longest = max(one.longest, two.longest)
    print(f"longest time between two answers: {longest:.3f} s")
    assert longest < LONGEST_GAP_SECONDS


def test_a_reader_that_is_killed_takes_nothing_with_it(edge: Edge, host: GuardedHost, entries: bytes) -> None:
    revoked, other = host.issue("revoked"), host.issue("other")
    host.ca.revoke(revoked)
    soon(lambda: ask(edge, host, revoked), REVOKED)
    workers = edge.workers()
    put_big_list(host.ca, entries, revoked, other)
    os.kill(reader_of(edge, workers), signal.SIGKILL)
    event = edge.wait_for_event("crl_reading_failed")
    assert (event["level"], event["status"]) == ("error", -signal.SIGKILL)
    assert verdict(ask(edge, host, revoked)) == REVOKED
    assert verdict(ask(edge, host, other)) == OK
    assert sorted(edge.workers()) == sorted(workers)
    host.ca.revoke(other)
    soon(lambda: ask(edge, host, other), REVOKED, within=READING_SECONDS)


def test_a_list_that_comes_while_another_is_read_is_read_next(
    edge: Edge, host: GuardedHost, entries: bytes
) -> None:
    revoked, other = host.issue("revoked"), host.issue("other")
    workers = edge.workers()
    put_big_list(host.ca, entries, revoked)
    reader = reader_of(edge, workers)
    os.kill(reader, signal.SIGSTOP)
    put_big_list(host.ca, b"", revoked, other)
    time.sleep(1)
    assert verdict(ask(edge, host, other)) == OK, "served on meanwhile"
    os.kill(reader, signal.SIGCONT)
    soon(lambda: ask(edge, host, other), REVOKED, within=READING_SECONDS)
    assert verdict(ask(edge, host, revoked)) == REVOKED


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_a_list_is_read_ends_everything_at_once(
    edge: Edge, host: GuardedHost, entries: bytes, number: signal.Signals
) -> None:
    workers = edge.workers()
    put_big_list(host.ca, entries)
    reader = reader_of(edge, workers)
    os.kill(reader, signal.SIGSTOP)  # as one that waits for a disk for ever
    os.killpg(edge.process.pid, number)
    assert edge.wait() == 0
    wait_until_ended([*workers, reader])
    assert edge.log_events("stopped")
    assert edge.log_events("crl_reading_failed") == []
    assert edge.stray_lines == []


def test_the_workers_end_when_the_main_process_is_killed_while_a_list_is_read(
    tmp_path: Path, server_root: Authority, session_origin: Origin, host: GuardedHost, entries: bytes
) -> None:
    directory = tmp_path / "killed"
    directory.mkdir()
    edge = crl_edge(directory, server_root, session_origin.url, host)
    edge.start()
    workers = edge.workers()
    put_big_list(host.ca, entries)
    reader = reader_of(edge, workers)
    time.sleep(0.05)
    os.kill(reader, signal.SIGSTOP)
    try:
        edge.signal(signal.SIGKILL)
        edge.process.wait()
        wait_until_ended(workers)
    finally:
        os.kill(reader, signal.SIGKILL)
