"""A new process takes the addresses over from the old one, and no client sees an error."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from tests.e2e.clients import raw_tls
from tests.e2e.configuration import open_config
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin


class Asker:
    """Asks all the time, over a new connection each time; ``errors`` is what went wrong."""

    def __init__(self, edge: Edge) -> None:
        self._port = edge
        self.answered = 0
        self.errors: list[BaseException | int] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask_on, daemon=True)

    def _ask_on(self) -> None:
        while not self._done.is_set():
            try:
                with raw_tls(self._port, "open.test") as client:
                    status = client.ask("/echo", host="open.test").status
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is what we look for
                self.errors.append(error)
            else:
                self.answered += 1
                if status != 200:
                    self.errors.append(status)

    def __enter__(self) -> Asker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(30)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def edge_on(port: int, directory: Path, pki: Path, origin: Origin, workers: int) -> Edge:
    config = open_config(pki, origin.url, workers=workers).replace("127.0.0.1:0", f"127.0.0.1:{port}")
    return Edge(config, directory, server_ca=pki / "server-ca.pem")


@pytest.mark.parametrize(("workers", "then"), [(2, 2), (1, 3), (3, 1)])
def test_the_newer_takes_over_and_no_client_sees_an_error(
    tmp_path: Path, pki: Path, origin: Origin, workers: int, then: int
) -> None:
    port = free_port()
    old = edge_on(port, tmp_path, pki, origin, workers)
    old.start()
    with Asker(old) as first, Asker(old) as second, raw_tls(old, "open.test") as idle:
        assert idle.ask("/echo", host="open.test").status == 200
        with edge_on(port, tmp_path, pki, origin, then) as new:
            assert new.log_events("address_shared")
            idle.send(b"GET /sleep?seconds=2 HTTP/1.1\r\nHost: open.test\r\n\r\n")
            origin.wait_for("/sleep")
            assert old.stop() == 0
            assert idle.read_answer().body == b"slept"
            answered = first.answered + second.answered
            time.sleep(0.5)
            assert first.errors + second.errors == []
            assert first.answered + second.answered > answered
            assert old.log_events("handing_over")
            started = {event["request_id"][:12] for event in new.log_events("request")}
            assert len(started) == then, "every worker of the newer one has its share"


def test_the_newer_one_can_be_sent_away_again(tmp_path: Path, pki: Path, origin: Origin) -> None:
    port = free_port()
    with edge_on(port, tmp_path, pki, origin, 2) as old, Asker(old):
        with edge_on(port, tmp_path, pki, origin, 2):
            time.sleep(0.3)
        time.sleep(0.3)
        served = len(old.log_events("request"))
        time.sleep(0.3)
        assert len(old.log_events("request")) > served


def test_an_address_of_another_program_stays_an_error(tmp_path: Path, pki: Path, origin: Origin) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        edge = edge_on(other.getsockname()[1], tmp_path, pki, origin, 2)
        with pytest.raises(AssertionError):
            edge.start()
    assert edge.process.wait() == 1
    assert "in use" in edge.log
