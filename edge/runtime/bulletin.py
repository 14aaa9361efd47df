"""Once a second: what the edge counted, and how it is, in one document for the admin process.

    ask the workers for their numbers -> a moment later, add them up -> hand the document over

Without ``admin_listen`` nobody is asked and nothing is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from edge import __version__
from edge.config.schema import Configuration
from edge.runtime import standing
from edge.runtime.admin_process import AdminProcess
from edge.runtime.channel import Message
from edge.runtime.crew import Crew, Stage
from edge.runtime.handover import count_others
from edge.runtime.tally import Tally
from edge.snapshot.build import Built
from edge.telemetry import families
from edge.telemetry.logging import lines_lost, logger
from edge.telemetry.metrics import Kind, Metrics
from edge.telemetry.series import Series

_SECONDS = 1.0
_ANSWER_SECONDS = 0.2
"""What the workers have for their numbers; who is late counts with the numbers before."""
_END_SECONDS = 2.0
_MOST_ERRORS = 100


@dataclass(frozen=True, slots=True)
class Situation:
    """What is in force."""

    config: Configuration
    built: Built
    """With the CRLs of now."""
    ending: bool


class Bulletin:
    """Keeps the admin process up to date.

    ``clock`` gives seconds since the epoch, ``timer`` seconds that only ever grow.
    """

    def __init__(
        self,
        crew: Crew,
        tally: Tally,
        process: AdminProcess,
        clock: Callable[[], float],
        timer: Callable[[], float],
        versions: tuple[str, str, str],
    ) -> None:
        """``versions``: of OpenSSL, of Python, and how OpenSSL is called."""
        self._crew = crew
        self._tally = tally
        self._process = process
        self._clock = clock
        self._timer = timer
        self._started = clock()
        self._ask_at = 0.0
        self._hand_at: float | None = None
        self._asked = 0
        self._metrics = Metrics()
        self._metrics.cell(families.BUILD_INFO, __version__, *versions).value = 1
        for result in ("done", "unchanged", "failed"):
            self._metrics.cell(families.RELOADS, result)
        self._metrics.cell(families.LAST_RELOAD).value = self._started
        self._told: Built | None = None
        """What ``_hosts`` and ``_cas`` were made from."""
        self._since = self._started
        """When the generation in force came to be in force."""
        self._hosts: list[dict[str, Any]] = []
        self._cas: list[dict[str, Any]] = []
        self._expiries = Metrics()
        self._reload: dict[str, Any] = {}
        self._was_complete = False
        crew.private = list(process.listeners)

    def look(self, situation: Callable[[], Situation]) -> None:
        """Do what is due."""
        self._process.look_after()
        self._crew.private = [*self._process.listeners, *self._process.channels]
        now = self._timer()
        if now >= self._ask_at:
            self._ask_at = now + _SECONDS
            self._hand_at = now + _ANSWER_SECONDS
            self._asked += 1
            self._crew.tell(Message("counts", self._asked))
        elif self._hand_at is not None and now >= self._hand_at and self._process.takes:
            self._hand_at = None
            try:
                self._process.hand(self.document(situation()))
            except OSError as error:
                logger().warning("admin_not_told", detail=error.strerror)
            except Exception as defect:  # noqa: BLE001 - nobody who serves may end because of who looks on
                logger().error("defect", error=repr(defect), exc_info=defect)

    def reloaded(self, result: str, cause: str, said: Sequence[str]) -> None:
        """Take note of a reload: its result (done, unchanged, failed) and what was said of it."""
        now = self._clock()
        self._metrics.cell(families.RELOADS, result).value += 1
        self._metrics.cell(families.LAST_RELOAD_FAILED).value = int(result == "failed")
        self._metrics.cell(families.LAST_RELOAD).value = now
        self._reload = {"result": result, "cause": cause, "time": now, "said": list(said[:_MOST_ERRORS])}

    def reap(self, pid: int, code: int, *, ending: bool) -> bool:
        """Take note of a child that ended; tell whether it was the admin process."""
        return self._process.reap(pid, code, ending=ending)

    def stopping(self) -> None:
        """Another edge that listens on the same address answers from now on; without one this one does."""
        if count_others(self._process.listeners):
            self._process.leave()

    def end(self) -> None:
        """End the admin process."""
        self._process.end(_END_SECONDS)

    def document(self, situation: Situation) -> bytes:
        """Return everything as JSON: ``numbers`` as ``Series.document`` has them, and ``status``."""
        now = self._clock()
        built = situation.built
        self._describe(situation, now)
        total = self._total(built)
        crls = standing.crls(built.snapshot.revocation, now)
        status = {
            "time": now,
            "state": self._state(ending=situation.ending),
            "version": __version__,
            "started": self._started,
            "generation": built.snapshot.generation,
            "since": self._since,
            "reload": self._reload or None,
            "workers": self._workers(now),
            "hosts_in_all": len(self._hosts),
            "hosts": self._hosts[: standing.MOST_HOSTS],
            "cas": [{**ca, "crls": crls.get(ca["name"], [])} for ca in self._cas],
            "refusals": self._tally.refusals(),
        }
        return orjson.dumps({"numbers": total.document(), "status": status})

    def _describe(self, situation: Situation, now: float) -> None:
        """Look at the hosts and CAs again, if they are not those of the last time."""
        built, before = situation.built, self._told
        self._told = built
        if before is None or built.servers is not before.servers:
            self._hosts = standing.hosts(situation.config, built)
            self._cas = standing.cas(situation.config, built)
            self._since = self._started if before is None else now
        elif built.snapshot.revocation is before.snapshot.revocation:
            return
        self._expiries = Metrics()  # a host that is gone has no certificate that ends
        standing.count_expiries(self._expiries, self._hosts, self._cas)
        standing.count_crls(self._expiries, built.snapshot.revocation)

    def _total(self, built: Built) -> Series:
        metrics, members = self._metrics, self._crew.members.values()
        serving = sum(member.stage is Stage.SERVING for member in members)
        metrics.cell(families.WORKERS).value = serving
        metrics.cell(families.WORKER_DEATHS).value = self._crew.deaths
        metrics.cell(families.GENERATION).value = built.snapshot.generation
        metrics.cell(families.LAST_RELOAD_FAILED)
        metrics.cell(families.LOG_LINES_LOST).value = lines_lost()
        total = self._tally.total()
        for own in (metrics, self._expiries):
            total.add(Series.read(orjson.loads(own.dump())), frozenset(Kind))
        return total

    def _state(self, *, ending: bool) -> str:
        if ending:
            return "stopping"
        if self._crew.complete:
            self._was_complete = True
            return "serving"
        return "degraded" if self._was_complete else "starting"

    def _workers(self, now: float) -> list[dict[str, Any]]:
        timer = self._timer()
        return [
            {
                "pid": member.pid,
                "place": member.place,
                "stage": member.stage.value,
                "generation": member.generation,
                "since": now - (timer - member.started),
            }
            for member in sorted(self._crew.members.values(), key=lambda each: (each.place, each.started))
        ]
