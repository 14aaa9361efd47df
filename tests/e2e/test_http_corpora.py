"""Every published case through a running edge, judged at the origin, and beside a real nginx."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.behaviours import scripted_origin
from tests.e2e.clients import raw_tls
from tests.e2e.edge_process import Edge
from tests.e2e.nginx_beside import NGINX, Nginx
from tests.e2e.origin import Origin
from tests.unit.http1.corpus import Case, cases, read_all
from tests.unit.http1.test_corpora import SHAPES

CASES = cases()
LAST = b"GET /last HTTP/1.1\r\nHost: open.test\r\nConnection: close\r\n\r\n"
"""Behind every case: it ends the connection, wherever the case left it."""
Arrived = list[tuple[str, str, bytes]]
THE_LAST = ("GET", "/last", b"")

OTHER_HOST, NO_WEBSOCKET = 421, 400
REFUSED_LATER = {
    "gunicorn/valid/rfc9112_target_absolute_ipv6_01": OTHER_HOST,
    "llhttp/uri/host-terminated-by-question-mark": OTHER_HOST,
    "llhttp/uri/host-port-and-question-mark": OTHER_HOST,
    "llhttp/uri/host-port-and-space": OTHER_HOST,
    "llhttp/uri/underscore-in-host": OTHER_HOST,
    "llhttp/connection/multiple-tokens": NO_WEBSOCKET,
}
"""Read without a doubt, and refused for what it asks: the status."""
MUTATIONS = [
    Case(
        f"{shape}/{octet:02x}",
        accepted=False,
        octets=b"POST /x HTTP/1.1\r\nHost: open.test\r\n"
        + field % octet
        + b"\r\nContent-Length: 6\r\n\r\n0\r\n\r\nX",
    )
    for shape, field in SHAPES.items()
    for octet in (1, 9, 10, 11, 12, 13, 32, 127, 160)
]


def arrived(origin: Origin) -> Arrived:
    """Method, target and body of what reached the origin to its end."""
    return [(each.method, each.target, each.body) for each in origin.received() if each.complete]


def predicted(case: Case) -> Arrived:
    """What our reader finds in a case and the request behind it."""
    return [(read.method, read.target, read.body) for read in read_all(case.octets + LAST).requests]


def waits(case: Case) -> bool:
    """Whether the edge has no reason yet to end the connection."""
    return read_all(case.octets + LAST).end == "incomplete"


def through(edge: Edge, origin: Origin, case: Case) -> tuple[Arrived, bytes]:
    """What a case becomes at the origin of an edge, and what the client is told."""
    origin.forget()
    with raw_tls(edge, "open.test") as client:
        client.send(case.octets + LAST)
        told = client.read_until_close()
    assert origin.unreadable == [], case.name
    return arrived(origin), told


@pytest.mark.parametrize("source", ["gunicorn", "h11", "llhttp", "smuggling"])
def test_the_origin_gets_what_our_reader_says_and_nothing_else(
    edge: Edge, origin: Origin, source: str
) -> None:
    judged = 0
    for case in CASES:
        if not case.name.startswith(f"{source}/") or waits(case):
            continue
        judged += 1
        got, told = through(edge, origin, case)
        expected = predicted(case)
        if case.name in REFUSED_LATER:
            del expected[0]
            assert told.startswith(b"HTTP/1.1 %d " % REFUSED_LATER[case.name]), case.name
        assert got == expected, case.name
    assert judged > 50


def test_a_disguised_coding_reaches_no_origin(edge: Edge, origin: Origin) -> None:
    for case in MUTATIONS:
        if not waits(case):
            got, _ = through(edge, origin, case)
            assert got == predicted(case), case.name


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[tuple[Nginx, Origin]]:
    """A real nginx and its own origin."""
    with scripted_origin() as origin, Nginx(tmp_path, origin.port) as nginx:
        yield nginx, origin


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed: nobody was asked but ourselves")
def test_nothing_that_nginx_refuses_reaches_the_origin_of_the_edge(
    edge: Edge, origin: Origin, beside: tuple[Nginx, Origin]
) -> None:
    """And what both let through, they read as the same."""
    nginx, its_origin = beside
    both = only_nginx = 0
    for case in (*CASES, *MUTATIONS):
        if waits(case):
            continue
        ours, _ = through(edge, origin, case)
        its_origin.forget()
        nginx.tell(case.octets + LAST)
        theirs = arrived(its_origin)
        assert [each for each in ours if each not in (*theirs, THE_LAST)] == [], (case.name, ours, theirs)
        both += len(ours) > 1
        only_nginx += len(theirs) > len(ours)
    assert both > 50
    assert only_nginx > 50
