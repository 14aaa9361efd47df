"""A cut is counted by the name that its limit has in the configuration."""

from __future__ import annotations

import pytest

from edge.config.schema import Limits
from edge.proxy.cuts import (
    CONNECTIONS_PER_ADDRESS,
    CONNECTIONS_PER_WORKER,
    HANDSHAKES_PER_ADDRESS,
    LIMIT_OF,
    count_cut,
)
from edge.telemetry.families import CUT
from edge.telemetry.metrics import Metrics


@pytest.mark.parametrize("waited_for", ["keep_alive", "linger", "permission_ended", "turn", ""])
def test_waits_that_end_without_anybodys_fault_are_not_counted(waited_for: str) -> None:
    metrics = Metrics()
    count_cut(metrics, waited_for)
    assert metrics.dump() == b"{}"


@pytest.mark.parametrize(("waited_for", "limit"), LIMIT_OF.items())
def test_a_cut_is_counted_once_under_its_limit(waited_for: str, limit: str) -> None:
    metrics = Metrics()
    count_cut(metrics, waited_for)
    assert metrics.cell(CUT, limit).value == 1


def test_every_label_is_a_key_of_the_configuration() -> None:
    labels = {*LIMIT_OF.values(), CONNECTIONS_PER_ADDRESS, CONNECTIONS_PER_WORKER, HANDSHAKES_PER_ADDRESS}
    assert labels <= Limits.model_fields.keys()
