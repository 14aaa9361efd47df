"""The end of a request that did not take the short way: it is logged, counted, and remembered if refused."""

from __future__ import annotations

from edge.model.refusal import Refusal
from edge.proxy.access_log import RequestRecord
from edge.proxy.counts import HostCounts
from edge.proxy.services import Services


def tell(services: Services, record: RequestRecord, host: HostCounts, refusal: Refusal | None) -> None:
    """Tell of a request. ``refusal`` is what became of it, planned or not; None if it was not refused."""
    now = services.reactor.now()
    record.log(services.events, now)
    services.counts.request(host, record, refusal, now)
    if refusal is not None and now >= services.refusals.due:
        services.refusals.note(now, services.clock(), record.refused_event())
