"""One run: the baseline, then every case, within a bound of time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from edge.selftest.aim import Aim
from edge.selftest.case import Case, Finding, Outcome, could_not_tell
from edge.selftest.conversation import Dialler
from edge.selftest.scene import Scene, learn
from edge.selftest.slow_cases import LONG

MOST_PATIENCE_SECONDS = 100.0
_SHORT_CASES_SECONDS = 75.0
_AFTER_PATIENCE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Report:
    """What came of it."""

    scene: Scene
    findings: tuple[tuple[Case, Finding], ...]
    seconds: float

    def count(self, outcome: Outcome) -> int:
        """How many cases ended so."""
        return sum(finding.outcome is outcome for _, finding in self.findings)


def run(aim: Aim, cases: Sequence[Case], nonce: str) -> Report:
    """Try every case. Lasts less than two minutes. Raises ``NoBaseline``.

    ``nonce`` is something that no answer has in it by chance.
    """
    began = time.monotonic()
    dialler = Dialler(aim, began + max(_SHORT_CASES_SECONDS, aim.patience + _AFTER_PATIENCE_SECONDS))
    scene = learn(dialler, nonce)
    found: dict[str, Finding] = {}
    with ThreadPoolExecutor(len(LONG)) as beside:
        try:
            waiting: dict[str, Future[Finding]] = {
                case.id: beside.submit(case.run, scene) for case in cases if case.id in LONG
            }
            for case in cases:
                if case.id not in LONG:
                    found[case.id] = _try(case, scene)
            found |= {identifier: future.result() for identifier, future in waiting.items()}
        except BaseException:
            dialler.run_ends = began  # those beside end soon: nobody waits for them any more
            raise
    findings = tuple((case, found[case.id]) for case in cases)
    return Report(scene, findings, time.monotonic() - began)


def _try(case: Case, scene: Scene) -> Finding:
    if time.monotonic() >= scene.dialler.run_ends:
        return could_not_tell("the time of the run was over")
    return case.run(scene)
