"""For SOAK_SECONDS: every kind of client at once while the operator works; each answer is known beforehand.

Zero wrong verdicts, no error that a client could see, nothing leaked, no traceback, no secret in the log.
``make soak`` runs it for half an hour.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from OpenSSL import SSL

from tests.certificates import Authority
from tests.e2e.behaviours import scripted_origin
from tests.e2e.crowd import reset
from tests.e2e.edge_process import Edge
from tests.e2e.origin import Origin
from tests.e2e.test_upgrade import free_port
from tests.e2e.tls_client import TlsClient, client_hello
from tests.soak.customers import Card, Customer, Pest, Request, TunnelUser, Wallet
from tests.soak.operator import Operator
from tests.soak.truth import ALLOWED, BAD, DENIED, INVALID, MISDIRECTED, REQUIRED

SECONDS = float(os.environ.get("SOAK_SECONDS", "20"))
A_SECOND = float(os.environ.get("SOAK_RATE", "200"))
"""Requests a second of all customers together."""
SEED = int(os.environ.get("SOAK_SEED", "1"))
_MOST_MEMORY = 40 << 20
"""Octets by which a worker may grow: its bounded memories fill."""
_JWT = re.compile(r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}")


@pytest.fixture
def soak_origin() -> Iterator[Origin]:
    with scripted_origin() as origin:
        yield origin


@pytest.mark.timeout(SECONDS + 300)
def test_every_answer_is_the_one_that_was_foreseen(tmp_path: Path, soak_origin: Origin) -> None:
    port = free_port()
    operator = Operator(tmp_path, Authority("Server Root"), soak_origin.url, port)
    truth = operator.truth
    for what, verdict in (
        ("echo", ALLOWED),
        ("nobody", REQUIRED),
        ("stranger", INVALID),
        ("other name", DENIED),
        ("wrong host", MISDIRECTED),
        ("malformed", BAD),
    ):
        truth.settle(what, verdict)
    tunnel = operator.ca.authority.issue("tunnel")
    james = Wallet(Card(operator.ca.authority.issue("James Royal")))
    mallory = Wallet(Card(operator.ca.authority.issue("Mallory")))
    stranger, nobody = Wallet(Card(operator.other_ca.issue("James Royal"))), Wallet(Card(None))
    echo, wandering = Request("echo"), Request("wandering", "/wandering")
    fronted = Request("wrong host", host="b.test")
    malformed = Request("malformed", octets=b"GET /echo HTTP/1.1\r\nHost: a.test\r\nA : b\r\n\r\n")
    share = A_SECOND / 20
    customers: list[Customer | Pest | TunnelUser] = [
        Customer("keeps", port, truth, james, echo, wandering, keeps=1000, a_second=6 * share),
        Customer("keeps too", port, truth, mallory, wandering, keeps=1000, a_second=4 * share),
        Customer("named", port, truth, mallory, Request("other name", "/james"), keeps=50, a_second=share),
        Customer("new", port, truth, james, echo, wandering, a_second=share),
        Customer("resumes", port, truth, james, echo, wandering, a_second=share, resumes=True),
        Customer(
            "resumes 1.2", port, truth, james, echo, a_second=share, resumes=True, version=SSL.TLS1_2_VERSION
        ),
        Customer("nobody", port, truth, nobody, Request("nobody"), keeps=20, a_second=share),
        Customer("stranger", port, truth, stranger, Request("stranger"), keeps=5, a_second=share),
        Customer("revoked", port, truth, operator.wallet, echo, keeps=1000, a_second=2 * share),
        Customer("revoked anew", port, truth, operator.wallet, echo, a_second=share / 2),
        Customer("revoked resumes", port, truth, operator.wallet, echo, a_second=share / 2, resumes=True),
        Customer("fronts", port, truth, james, fronted, a_second=share / 2),
        Customer("babbles", port, truth, james, malformed, a_second=share / 2),
        TunnelUser(port, truth, tunnel),
        Pest("leaves in the hello", lambda: _leave_in_the_hello(operator.edge), 5),
        Pest("drips", lambda: _drip(port, operator), 1),
    ]
    chance, end = random.Random(SEED), time.monotonic() + SECONDS
    time.sleep(1)
    before = _resources(operator.edge)
    upgrades = 0
    while time.monotonic() < end:
        operator.act(chance)
        if len(operator.past) > upgrades:
            upgrades += 1
            time.sleep(1)
            before = _resources(operator.edge)
        time.sleep(min(0.3, max(0.0, end - time.monotonic())))
    for customer in customers:
        customer.stop()
    _wait_for_rest(operator.edge)
    after = _resources(operator.edge)
    cookies = {each for customer in customers if isinstance(customer, Customer) for each in customer.cookies}
    status = operator.stop()
    print(
        truth.answers,
        operator.done,
        f"reopened={truth.reopened} lost={truth.lost} slowest={truth.latest:.2f}",
    )
    print(f"{sum(truth.answers.values()) / SECONDS:.0f}/s; resources {before} -> {after}")
    assert truth.wrong == []
    assert set(truth.answers) >= {"keeps echo", "new echo", "resumes echo", "revoked echo", "tunnel"}
    assert truth.lost <= 16 * operator.done.get("kill", 0)
    assert status in (0, 1)
    assert after[0] <= before[0] + 8, "descriptors"
    assert after[1] <= before[1], "threads"
    assert after[2] <= before[2] + _MOST_MEMORY, "memory"
    for edge in operator.past:
        assert edge.stray_lines == []
        assert "Traceback" not in edge.log
        assert not _JWT.search(edge.log)
        assert not [cookie for cookie in cookies if cookie.partition("=")[2] in edge.log]
        assert edge.log_events("defect") == edge.log_events("request_defect") == []


def _resources(edge: Edge) -> tuple[int, int, int]:
    """Return descriptors, threads and resident octets of the workers, for each one."""
    workers = edge.workers()
    threads = sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in workers)
    count = max(len(workers), 1)
    return edge.descriptors() // count, threads // count, edge.memory() // count


def _wait_for_rest(edge: Edge) -> None:
    """Let workers of earlier generations end, and linger no more."""
    deadline = time.monotonic() + 30
    while len(edge.workers()) > 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(3)


def _leave_in_the_hello(edge: Edge) -> None:
    for octets in (b"\x16", client_hello("a.test")[:50], client_hello("a.test"), b"GET / HTTP/1.1\r\n\r\n"):
        with TlsClient(edge.port, "a.test", None) as client:
            client.sock.sendall(octets)
            reset(client.sock)


def _drip(port: int, operator: Operator) -> None:
    """Send a head so slowly that it is cut."""
    with TlsClient(port, "a.test", None) as client:
        client.handshake()
        for octet in b"GET /echo HTTP/1.1\r\nHost: a":
            client.send(bytes((octet,)))
            time.sleep(0.15)
        client.read_until_close()
