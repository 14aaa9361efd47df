"""Rates, the text for Prometheus, and the documents they come from."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge.admin.exposition import render
from edge.admin.inlet import EdgeIsGone, Inlet
from edge.admin.rates import Rates
from edge.telemetry import families
from edge.telemetry.catalogue import BY_NAME
from edge.telemetry.metrics import Metrics
from edge.telemetry.series import Series
from tests.unit.admin.asking import STATUS, some_metrics


def series_of(metrics: Metrics) -> Series:
    return Series.read(orjson.loads(metrics.dump()))


# --- rates ---------------------------------------------------------------------------------------


def test_a_rate_is_taken_over_ten_seconds() -> None:
    rates = Rates()
    assert (rates.now(), rates.history()) == ({}, {})
    for second in range(31):
        rates.take(float(second), {"requests": 0.0 if second < 20 else (second - 20) * 7.0})
    assert rates.now() == {"requests": 7.0}
    history = rates.history()["requests"]
    assert (len(history), history[0], history[-1]) == (30, 0.0, 7.0)


def test_a_single_total_is_no_rate() -> None:
    rates = Rates()
    rates.take(5.0, {"requests": 100.0})
    assert (rates.now(), rates.history()) == ({"requests": 0.0}, {"requests": []})
    rates.take(5.0, {"requests": 200.0})
    assert rates.now() == {"requests": 0.0}, "nobody knows how much that is in a second"


def test_the_history_is_a_minute() -> None:
    rates = Rates()
    for second in range(500):
        rates.take(float(second), {"requests": second * 2.0})
    assert rates.history() == {"requests": [2.0] * 60}


# --- the text --------------------------------------------------------------------------------------


def test_every_metric_is_there_before_anything_was_counted() -> None:
    told = list(text_string_to_metric_families(render(Series()).decode()))
    names = [family.name + "_total" * (family.type == "counter") for family in told]
    assert names == list(BY_NAME)
    for family, name in zip(told, names, strict=True):
        assert bool(family.samples) is (not BY_NAME[name].labels), name


def test_a_histogram_is_cumulative() -> None:
    metrics = Metrics()
    for value in (0.0001, 0.3, 0.3, 1000.0):
        metrics.histogram(families.REQUEST_DURATION).observe(value)
    lines = render(series_of(metrics)).decode().splitlines()
    name = families.REQUEST_DURATION.name
    assert f'{name}_bucket{{le="0.0005"}} 1.0' in lines
    assert f'{name}_bucket{{le="0.25"}} 1.0' in lines
    assert f'{name}_bucket{{le="0.5"}} 3.0' in lines
    assert f'{name}_bucket{{le="+Inf"}} 4.0' in lines
    assert f"{name}_count 4.0" in lines
    assert f"{name}_sum 1000.6001" in lines


def test_a_label_value_cannot_break_out_of_its_line() -> None:
    metrics = Metrics()
    evil = 'a"} 1\nedge_workers 99\\'
    metrics.cell(families.CA_CERTIFICATE_EXPIRY, evil).value = 5
    told = {
        family.name: family for family in text_string_to_metric_families(render(series_of(metrics)).decode())
    }
    [sample] = told["edge_ca_certificate_expiry_seconds"].samples
    assert (sample.labels, sample.value) == ({"ca": evil}, 5)
    assert [sample.value for sample in told["edge_workers"].samples] == [0.0]


# --- documents -----------------------------------------------------------------------------------


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    parent, child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    child.setblocking(False)
    with parent, child:
        yield parent, child


def hand(parent: socket.socket, octets: bytes) -> None:
    memory = os.memfd_create("test")
    os.write(memory, octets)
    socket.send_fds(parent, [b"document"], [memory])
    os.close(memory)


def test_a_document_is_taken_and_said_to_be(ends: tuple[socket.socket, socket.socket]) -> None:
    parent, child = ends
    inlet = Inlet(lambda: 1.0)
    inlet.receive(child)
    assert inlet.age is None, "nothing has come yet"
    opened = len(list(Path("/proc/self/fd").iterdir()))
    hand(parent, orjson.dumps({"numbers": orjson.loads(some_metrics().dump()), "status": STATUS}))
    inlet.receive(child)
    assert parent.recv(100) == b"taken"
    assert inlet.status["generation"] == 3
    assert inlet.series.numbers(families.HANDSHAKES) == {("a.test", "full", "TLSv1.3"): 3}
    assert len(list(Path("/proc/self/fd").iterdir())) == opened


def test_the_end_of_the_edge_is_noticed(ends: tuple[socket.socket, socket.socket]) -> None:
    parent, child = ends
    parent.close()
    with pytest.raises(EdgeIsGone):
        Inlet(lambda: 1.0).receive(child)


@pytest.mark.parametrize(
    "octets", [b"", b"{}", b"[]", b"null", b'{"numbers": {}}', b'{"numbers": 1, "status": {}}']
)
def test_what_is_no_document_changes_nothing(octets: bytes) -> None:
    inlet = Inlet(lambda: 1.0)
    with pytest.raises((ValueError, KeyError, TypeError)):
        inlet.take(octets)
    assert (inlet.age, inlet.status) == (None, {})
