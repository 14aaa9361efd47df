"""After a crowd of good and bad clients nothing is left over: descriptors, memory, work, or a defect."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from pathlib import Path

from tests.certificates import Authority
from tests.e2e import agreement
from tests.e2e.behaviours import scripted_origin
from tests.e2e.bulk import MEBIBYTE
from tests.e2e.configuration import standard_config
from tests.e2e.crowd import HOST, Crowd
from tests.e2e.edge_process import Edge
from tests.e2e.resources import processor_seconds

CROWD_SECONDS = 10
SETTLE_SECONDS = 25
PLACES = 100
GROWTH_MIB = 32
LIMITS = f"""
handshake_timeout = "1s"
header_timeout = "1s"
keep_alive_timeout = "5s"
body_idle_timeout = "5s"
origin_idle_timeout = "3s"
connections_per_address = {PLACES}
"""


def descriptors_at_rest(edge: Edge) -> int:
    """What the workers hold once each of them has begun to serve."""
    knocks = 20  # the kernel deals them out: they all meet the same worker once in half a million times
    for _ in range(knocks):
        socket.create_connection(("127.0.0.1", edge.port)).close()
    edge.wait_for_event("handshake_failed", count=knocks)
    time.sleep(0.5)
    return edge.descriptors()


def settled(edge: Edge, at_most: int) -> int:
    """Wait until the workers hold no more descriptors than that, or for as long as it may take."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while (count := edge.descriptors()) > at_most and time.monotonic() < deadline:
        time.sleep(0.2)
    return count


def test_after_a_crowd_of_good_and_bad_clients_nothing_is_left_over(
    tmp_path: Path, pki: Path, ca_a: Authority
) -> None:
    with scripted_origin() as origin:
        config = standard_config(pki, origin.url).replace("[server.limits]", f"[server.limits]{LIMITS}")
        with Edge(config, tmp_path, server_ca=pki / "server-ca.pem") as edge:
            at_rest = descriptors_at_rest(edge)
            crowd = Crowd(edge, ca_a.issue("James Royal"), Authority("Nobody").intermediate("No").issue())
            agreement.prepare(edge)  # takes a moment, which is not to be the clients' time
            crowd.visit(seconds=2)  # what is made once is made
            memory = edge.memory()
            crowd.visit(CROWD_SECONDS)
            assert crowd.failures == []
            assert settled(edge, at_rest) == at_rest
            before = processor_seconds(edge)
            time.sleep(1)
            assert processor_seconds(edge) - before < 0.3, "nobody is there, and it works"
            assert (edge.memory() - memory) / MEBIBYTE < GROWTH_MIB
            assert_every_place_is_free(crowd)
            assert edge.log_events("defect") == []
            assert edge.log_events("worker_died") == []
            assert edge.stray_lines == []
            assert all(event["status"] for event in edge.log_events("request") if "aborted" not in event)


def assert_every_place_is_free(crowd: Crowd) -> None:
    """A place that was not given back would be missing now."""
    with ExitStack() as stack:
        for _ in range(PLACES):
            client = stack.enter_context(crowd.connect())
            assert client.ask("/echo", host=HOST).status == 200
