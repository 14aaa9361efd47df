"""Where generations come from: the configuration at its path, read again whenever it is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from edge.config.errors import ConfigErrors
from edge.config.schema import Configuration
from edge.explain.policy_tests import run_tests
from edge.origin.endpoint import Endpoint
from edge.runtime.config_watch import ConfigWatch
from edge.runtime.prepare import needs_demo_origin, prepare, read_configuration
from edge.snapshot.build import Built

_BY_A_NEW_PROCESS = "start a second edge with it and end this one: docs/reload.md, Upgrade"


class Source:
    """A configuration, as it was read last and as it will be. ``watch`` tells when it has changed."""

    def __init__(
        self,
        path: Path,
        environ: Mapping[str, str],
        clock: Callable[[], float],
        timer: Callable[[], float],
    ) -> None:
        """``clock`` gives seconds since the epoch, ``timer`` seconds that only ever grow."""
        self._path = path
        self._environ = environ
        self._clock = clock
        self.demo_origin: Endpoint | None = None
        """Where ``origin = "demo:"`` leads."""
        self.watch = ConfigWatch(path, timer)

    def read(self, before: Configuration | None = None) -> Configuration:
        """Read the configuration, and watch what it names. Raises ``ConfigErrors``.

        ``before`` is the one in force. Its files are watched until another one is.
        """
        in_force = () if before is None else (before,)
        self.watch.begin()
        try:
            config = read_configuration(self._path, self._environ, self._now())
        except ConfigErrors as errors:
            self.watch.expect(*in_force, *(() if errors.sound is None else (errors.sound,)))
            raise
        self.watch.expect(config, *in_force)
        if before is not None:
            self._refuse_what_only_a_start_can_do(config, before)
        return config

    def build(self, config: Configuration, previous: Built | None = None) -> Built:
        """Build what is served and test it. Raises ``ConfigErrors`` and ``KeyStoreError``."""
        now = self._now()
        built = prepare(config, now, self.demo_origin, previous)
        failing = run_tests(config, built.snapshot, now)
        if failing:
            raise ConfigErrors(failing)
        return built

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _refuse_what_only_a_start_can_do(self, config: Configuration, before: Configuration) -> None:
        errors = []
        if config.server.listen != before.server.listen:
            errors.append(config.error(("server", "listen"), "a reload cannot change it", _BY_A_NEW_PROCESS))
        if config.server.admin_listen != before.server.admin_listen:
            errors.append(
                config.error(("server", "admin_listen"), "a reload cannot change it", _BY_A_NEW_PROCESS)
            )
        if workers_of(config) != workers_of(before):
            errors.append(config.error(("server", "workers"), "a reload cannot change it", _BY_A_NEW_PROCESS))
        if needs_demo_origin(config) and self.demo_origin is None:
            errors.append(
                config.error(("hosts",), 'a reload cannot begin to serve "demo:"', "restart the edge")
            )
        if errors:
            raise ConfigErrors(tuple(errors))


def workers_of(config: Configuration) -> int:
    """Return how many workers a configuration means on this machine."""
    return config.server.workers or len(os.sched_getaffinity(0))
