"""The numbers as Prometheus reads them: text format 0.0.4, written by its own client library."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from edge.telemetry.catalogue import BY_NAME
from edge.telemetry.metrics import Family, Kind
from edge.telemetry.series import Series

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render(series: Series) -> bytes:
    """Return every metric there is; one without labels that nobody counted yet is 0."""
    return generate_latest(_Shown(series))


class _Shown(Collector):
    def __init__(self, series: Series) -> None:
        self._series = series

    def collect(self) -> Iterator[Metric]:
        return (_metric(family, self._series) for family in BY_NAME.values())


def _metric(family: Family, series: Series) -> Metric:
    if family.kind is Kind.HISTOGRAM:
        return _histogram(family, series)
    shape = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
    metric = shape(family.name, family.description, labels=family.labels)
    numbers = series.numbers(family)
    if not numbers and not family.labels:
        numbers = {(): 0.0}
    for labels in sorted(numbers):
        metric.add_metric(labels, numbers[labels])
    return metric


def _histogram(family: Family, series: Series) -> Metric:
    counts, total = series.histogram(family)
    reached, buckets = 0, []
    for bound, count in zip((*family.bounds, float("inf")), counts, strict=True):
        reached += count
        buckets.append((_text(bound), float(reached)))
    metric = HistogramMetricFamily(family.name, family.description)
    metric.add_metric([], buckets, total)
    return metric


def _text(bound: float) -> str:
    return "+Inf" if bound == float("inf") else repr(float(bound))
