"""Counting in one process."""

from __future__ import annotations

import orjson
import pytest

from edge.telemetry import families, metrics
from edge.telemetry.metrics import OTHER, Family, Kind, Metrics


def _every_family() -> list[Family]:
    return [value for value in vars(families).values() if isinstance(value, Family)]


COUNTER = Family("edge_things_total", Kind.COUNTER, "Things.", ("host",))
TIMES = Family("edge_wait_seconds", Kind.HISTOGRAM, "Waits.", bounds=(1.0, 2.0))


def test_the_same_labels_are_the_same_number() -> None:
    numbers = Metrics()
    numbers.cell(COUNTER, "a").value += 1
    numbers.cell(COUNTER, "a").value += 2
    numbers.cell(COUNTER, "b").value += 5
    assert orjson.loads(numbers.dump()) == {"edge_things_total": [[["a"], 3], [["b"], 5]]}


def test_a_value_on_a_bound_belongs_below_it() -> None:
    numbers = Metrics()
    for value in (0.5, 1.0, 1.5, 2.5):
        numbers.histogram(TIMES).observe(value)
    assert orjson.loads(numbers.dump()) == {"edge_wait_seconds": [[2, 1, 1], 5.5]}


def test_label_values_beyond_the_bound_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MOST_SERIES", 2)
    numbers = Metrics()
    for host in ("a", "b", "c", "d", "a"):
        numbers.cell(COUNTER, host).value += 1
    assert {labels[0]: number for labels, number in orjson.loads(numbers.dump())[COUNTER.name]} == {
        "a": 2,
        "b": 1,
        OTHER: 2,
    }


def test_what_is_forgotten_is_gone() -> None:
    numbers = Metrics()
    numbers.cell(families.CLIENT_CERTIFICATE_EXPIRY, "h", "1").value = 5
    numbers.forget(families.CLIENT_CERTIFICATE_EXPIRY, "h", "1")
    numbers.forget(families.CLIENT_CERTIFICATE_EXPIRY, "h", "2")
    assert orjson.loads(numbers.dump()) == {"edge_client_certificate_expiry_seconds": []}


def test_names_are_unique_and_follow_the_rules() -> None:
    every = _every_family()
    assert len({family.name for family in every}) == len(every)
    for family in every:
        assert family.name.startswith("edge_")
        assert family.name.endswith("_total") == (family.kind is Kind.COUNTER)
        assert family.description.endswith(".")
        assert bool(family.bounds) == (family.kind is Kind.HISTOGRAM)
