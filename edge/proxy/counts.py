"""What a worker counts of its traffic: numbers that are found once, and added to from then on.

Hosts are counted by their names in the configuration, never by what a client asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge.model.refusal import MessageError, Reason, Refusal
from edge.origin.connection import OriginError
from edge.proxy.access_log import RequestRecord, TlsFacts
from edge.proxy.admission import Admission
from edge.reactor.strand import Expired
from edge.telemetry import families
from edge.telemetry.metrics import Cell, Metrics

_ORIGINS_FAULT = frozenset((Reason.ORIGIN_UNREACHABLE, Reason.ORIGIN_BAD_RESPONSE, Reason.ORIGIN_TIMEOUT))


class _Passed(dict[int, Cell]):
    """Numbers of requests by status, found in the metrics when they are first asked for."""

    __slots__ = ("_metrics", "_name")

    def __init__(self, metrics: Metrics, name: str) -> None:
        super().__init__()
        self._metrics = metrics
        self._name = name

    def __missing__(self, status: int) -> Cell:
        status_class = f"{status // 100}xx" if status else ""
        cell = self[status] = self._metrics.cell(families.REQUESTS, self._name, status_class, "")
        return cell


class HostCounts:
    """The numbers of one host."""

    __slots__ = ("_metrics", "_name", "passed")

    def __init__(self, metrics: Metrics, name: str) -> None:
        self._metrics = metrics
        self._name = name
        self.passed = _Passed(metrics, name)
        """By status: the requests that were not refused; 0 is for those that got no answer."""

    def refusal_of(self, reason: Reason) -> Cell:
        """Return the number of requests refused for this reason."""
        status_class = f"{reason.status // 100}xx"
        return self._metrics.cell(families.REQUESTS, self._name, status_class, reason.value)

    def handshake(self, tls: TlsFacts) -> None:
        """Count one that succeeded."""
        result = "resumed" if tls.resumed else "full"
        self._metrics.cell(families.HANDSHAKES, self._name, result, tls.version).value += 1

    def failed_handshake(self) -> None:
        """Count one that failed. There is no version that both sides had agreed on for sure."""
        self._metrics.cell(families.HANDSHAKES, self._name, "failed", "").value += 1


class Counts:
    """The numbers of one worker."""

    __slots__ = (
        "_hosts",
        "_metrics",
        "admitted",
        "handshake_duration",
        "origin_duration",
        "received",
        "request_duration",
        "sent",
    )

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._hosts: dict[str, HostCounts] = {}
        self.admitted: Mapping[Admission, Cell] = {
            admission: metrics.cell(families.CONNECTIONS, admission.value) for admission in Admission
        }
        self.handshake_duration = metrics.histogram(families.HANDSHAKE_DURATION)
        self.request_duration = metrics.histogram(families.REQUEST_DURATION)
        self.origin_duration = metrics.histogram(families.ORIGIN_DURATION)
        self.received = metrics.cell(families.RECEIVED)
        self.sent = metrics.cell(families.SENT)

    def of_host(self, name: str) -> HostCounts:
        """Return the numbers of a host of the configuration; ``""`` stands for none of them."""
        found = self._hosts.get(name)
        if found is None:
            found = self._hosts[name] = HostCounts(self._metrics, name)
        return found

    def request(self, host: HostCounts, record: RequestRecord, refusal: Refusal | None, now: float) -> None:
        """Count a request that has ended, other than by the short way. ``now`` is the loop's."""
        cell = host.passed[record.status] if refusal is None else host.refusal_of(refusal.reason)
        cell.value += 1
        self.received.value += record.octets_in
        self.sent.value += record.octets_out
        self.request_duration.observe(now - record.started)
        if record.origin and record.origin_ended:
            self.origin_duration.observe(record.origin_ended - record.origin_started)

    def origin_error(self, origin: str, error: Exception) -> None:
        """Count what ended a request, if it was its origin's fault. ``origin`` is whom it was sent to."""
        reason = _fault(error)
        if reason in _ORIGINS_FAULT:
            name = error.origin if isinstance(error, OriginError) and error.origin else origin
            self._metrics.cell(families.ORIGIN_ERRORS, name, reason.value).value += 1


def _fault(error: Exception) -> Reason:
    match error:
        case OriginError():
            return error.reason
        case MessageError():
            return error.refusal.reason
        case Expired() if error.what.startswith("origin_"):
            return Reason.ORIGIN_TIMEOUT
        case _:
            return Reason.INTERNAL_ERROR
