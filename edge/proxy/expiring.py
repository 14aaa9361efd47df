"""Tells of client certificates that end soon: once a day each in the log, and the soonest as numbers.

Asked when a connection opens, when another generation is in force, and for open connections once an hour;
never for a request. Only certificates that verify come here: a stranger's fill nothing. Everything is
bounded all the same, because a CA may issue without end.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from structlog.typing import FilteringBoundLogger

from edge.model.client_auth import CertificateFacts
from edge.proxy.access_log import certificate_fields
from edge.telemetry import families
from edge.telemetry.metrics import Metrics

DAY_SECONDS = 86400.0
THRESHOLD_DAYS = (1, 7, 14, 30)
_HORIZON_SECONDS = max(THRESHOLD_DAYS) * DAY_SECONDS
MOST_PER_HOST = 50
"""Certificates with a number of their own."""
_MOST_NUMBERS = 10_000
"""Of all hosts: half of what a metric may have, so that none is ever put under a common name."""
_MOST_TOLD = 16_384
"""Certificates whose last line in the log is remembered; about 5 MiB."""


class ExpiringCertificates:
    """What one worker has told of the client certificates it has seen."""

    __slots__ = ("_full_until", "_log", "_metrics", "_soonest", "_told")

    def __init__(self, metrics: Metrics, log: FilteringBoundLogger) -> None:
        self._metrics = metrics
        self._log = log
        self._told: dict[tuple[str, bytes], tuple[int, float]] = {}
        """By host and SHA-256: the threshold in days, and when it was told; the oldest first."""
        self._soonest = _Soonest(metrics)
        self._full_until = 0.0

    def see(self, host: str, certificate: CertificateFacts, now: float) -> None:
        """Take note of a certificate that verified on a host. Times are seconds since the epoch.

        ``host`` is the configuration's name of it, never what a client said.
        """
        self._soonest.see(host, certificate, now)
        left = certificate.not_after - now
        if 0 <= left <= _HORIZON_SECONDS:
            days = next(days for days in THRESHOLD_DAYS if left <= days * DAY_SECONDS)
            self._tell(host, certificate, days, now)

    def forget_the_past(self, now: float) -> None:
        """Drop the numbers of certificates that have ended, and what was told more than a day ago."""
        self._soonest.forget_the_past(now)
        past = (key for key, (_, told) in self._told.items() if now - told >= DAY_SECONDS)
        for key in tuple(past):
            del self._told[key]

    def _tell(self, host: str, certificate: CertificateFacts, days: int, now: float) -> None:
        key = (host, certificate.sha256)
        told = self._told.get(key)
        # A clock that was set back must not keep the log silent for as long.
        if told is not None and told[0] == days and 0 <= now - told[1] < DAY_SECONDS:
            return
        if told is None and len(self._told) >= _MOST_TOLD and not self._make_room(now):
            return
        self._told.pop(key, None)
        self._told[key] = (days, now)
        self._metrics.cell(families.CLIENT_CERTIFICATES_EXPIRING, host, str(days)).value += 1
        self._log.warning(
            "client_certificate_expiring",
            host=host,
            **certificate_fields(certificate),
            not_after=datetime.fromtimestamp(certificate.not_after, UTC).isoformat(),
            days_left=int((certificate.not_after - now) // DAY_SECONDS),
            within_days=days,
        )

    def _make_room(self, now: float) -> bool:
        """Forget the one that was told first, if a day ago; else say once a day that there are too many."""
        first = next(iter(self._told))
        if not 0 <= now - self._told[first][1] < DAY_SECONDS:
            del self._told[first]
            return True
        if now >= self._full_until:
            self._full_until = now + DAY_SECONDS
            self._log.warning("client_certificates_expiring_not_told", told_today=_MOST_TOLD)
        return False


class _Soonest:
    """The ends of the certificates that end first, as many of each host as have a number."""

    __slots__ = ("_by_host", "_count", "_latest", "_metrics")

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._by_host: dict[str, dict[str, float]] = {}
        """By host and serial number. Two certificates of two CAs may have the same: the sooner counts."""
        self._latest: dict[str, float] = {}
        """Of a host that has all its numbers, the end of the one that would make room."""
        self._count = 0

    def see(self, host: str, certificate: CertificateFacts, now: float) -> None:
        ends = certificate.not_after
        latest = self._latest.get(host)
        if (latest is not None and ends >= latest) or ends <= now:
            return
        known = self._by_host.setdefault(host, {})
        serial = certificate.serial_hex
        if known.get(serial, float("inf")) <= ends:
            return
        if serial not in known:
            if latest is not None:
                self._drop(host, [max(known, key=known.__getitem__)])
            elif self._count >= _MOST_NUMBERS:
                return
            self._count += 1
        known[serial] = ends
        self._metrics.cell(families.CLIENT_CERTIFICATE_EXPIRY, host, serial).value = ends
        self._settle(host)

    def forget_the_past(self, now: float) -> None:
        for host, known in self._by_host.items():
            self._drop(host, [serial for serial, ends in known.items() if ends <= now])
            self._settle(host)

    def _drop(self, host: str, serials: Iterable[str]) -> None:
        for serial in serials:
            del self._by_host[host][serial]
            self._metrics.forget(families.CLIENT_CERTIFICATE_EXPIRY, host, serial)
            self._count -= 1

    def _settle(self, host: str) -> None:
        known = self._by_host[host]
        if len(known) >= MOST_PER_HOST:
            self._latest[host] = max(known.values())
        else:
            self._latest.pop(host, None)
