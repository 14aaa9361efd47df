"""A flood of handshakes that fail writes no flood of lines, and none of them goes uncounted."""

from __future__ import annotations

from typing import cast

from structlog.typing import FilteringBoundLogger

from edge.proxy.failure_log import FailureLog
from tests.unit.strands import ManualLoop, manual_reactor


class Lines:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, **fields: object) -> None:
        self.told.append((event, fields))

    warning = info

    def of(self, name: str) -> list[dict[str, object]]:
        return [fields for event, fields in self.told if event == name]


class Desk:
    def __init__(self) -> None:
        self.loop = ManualLoop()
        self.reactor = manual_reactor(self.loop)
        self.lines = Lines()
        self.log = cast("FilteringBoundLogger", self.lines)
        self.failures = FailureLog()

    def fail(self, who: str, times: int = 1) -> None:
        for _ in range(times):
            self.failures.tell(self.reactor, self.log, who, {"client": who, "detail": "x"})

    @property
    def told(self) -> list[dict[str, object]]:
        return self.lines.of("handshake_failed")

    @property
    def summaries(self) -> list[dict[str, object]]:
        return self.lines.of("handshake_failed_suppressed")


def test_a_few_failures_are_told_one_by_one() -> None:
    desk = Desk()
    desk.fail("192.0.2.1", 50)
    desk.loop.advance(5)
    assert desk.told == [{"client": "192.0.2.1", "detail": "x"}] * 50
    assert desk.summaries == []


def test_of_a_flood_one_line_tells_how_much_there_was() -> None:
    desk = Desk()
    desk.fail("192.0.2.1", 5000)
    desk.fail("192.0.2.2", 60)
    assert len(desk.told) == 100
    assert desk.summaries == []
    desk.loop.advance(1.1)
    assert desk.summaries == [{"count": 4960, "clients": 2, "client": "192.0.2.1", "client_count": 4950}]
    desk.loop.advance(5)
    assert len(desk.summaries) == 1, "there was nothing more to tell"


def test_a_flood_that_lasts_has_ten_lines_a_second_and_a_summary() -> None:
    desk = Desk()
    for _ in range(100):
        desk.fail("192.0.2.1", 20)
        desk.loop.advance(0.1)
    assert len(desk.told) <= 50 + 10 * 10
    assert len(desk.summaries) <= 11
    desk.failures.flush(desk.log)
    counted = sum(cast("int", each["count"]) for each in desk.summaries)
    assert len(desk.told) + counted == 2000


def test_a_flood_from_everywhere_is_bounded_too() -> None:
    desk = Desk()
    for number in range(20_000):
        desk.fail(str(number))
    assert len(desk.told) == 500
    desk.loop.advance(1.1)
    (summary,) = desk.summaries
    assert summary["count"] == 19_500
    assert cast("int", summary["clients"]) <= 1024


def test_one_noisy_client_does_not_silence_another() -> None:
    desk = Desk()
    desk.fail("192.0.2.1", 5000)
    desk.fail("192.0.2.2")
    assert desk.told[-1]["client"] == "192.0.2.2"


def test_the_end_tells_what_was_not_told_yet() -> None:
    desk = Desk()
    desk.fail("192.0.2.1", 60)
    desk.failures.flush(desk.log)
    assert [each["count"] for each in desk.summaries] == [10]
    desk.failures.flush(desk.log)
    desk.loop.advance(2)
    assert len(desk.summaries) == 1
