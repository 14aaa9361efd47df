"""The parent process: it opens the sockets, forks the workers, and looks after them. It serves nothing.

The contexts exist before the fork, so all workers share their ticket keys: a session made by one is
resumed by any other.
"""

from __future__ import annotations

import gc
import os
import platform
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from edge.config.errors import ConfigErrors
from edge.config.schema import Configuration
from edge.runtime.admin_process import AdminProcess, open_admin_listeners
from edge.runtime.bulletin import Bulletin, Situation
from edge.runtime.changes import changes
from edge.runtime.channel import Message
from edge.runtime.crew import Crew
from edge.runtime.crl_watch import POLL_SECONDS, CrlWatch
from edge.runtime.ending import Ending
from edge.runtime.handover import count_others
from edge.runtime.notify import Notifier
from edge.runtime.reload import Changeover, NotTakenUp, is_same, with_crls_of_now
from edge.runtime.sockets import address_text, open_listeners
from edge.runtime.source import Source, workers_of
from edge.runtime.tally import Tally
from edge.snapshot.build import Built
from edge.state.signing_keys import KeyStoreError
from edge.telemetry.logging import logger
from edge.tls.chain_hints import ChainHints
from edge.tls.choice import calls_in_use
from edge.tls.openssl import OPENSSL_VERSION

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_START_SECONDS = 60.0
"""After that the start goes on being waited for, among other things."""


def serve(
    config: Configuration,
    built: Built,
    started: Callable[[list[str]], None] | None = None,
    source: Source | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status, 1 if connections were cut on demand.

    ``started`` is called with the addresses once every worker accepts connections. ``source`` is where
    newer generations come from; without one there are none. Raises ``ListenError``.
    """
    count = workers_of(config)
    _allow_many_descriptors()
    listeners = open_listeners(config.server.listen, count)
    addresses = [address_text(sock) for sock in listeners[0]]
    admin = config.server.admin_listen
    admin_listeners = [] if admin is None else open_admin_listeners(admin)
    if count_others([sock for sockets in listeners for sock in sockets]):
        logger().warning("address_shared", detail="another process listens here as well; end it, or this one")

    tls_calls = calls_in_use()  # tried out before the fork, once for all workers

    def announce() -> None:
        for address in addresses:
            logger().info(
                "listening", address=address, workers=count, openssl=OPENSSL_VERSION, tls_calls=tls_calls
            )
        for sock in admin_listeners:
            logger().info("admin_listening", address=address_text(sock))
        if started is not None:
            started(addresses)

    # Blocked before the fork, so that no signal is lost between the fork and the wait.
    with _blocked_signals():
        tally = None if admin is None else Tally()
        crew = Crew(listeners, ChainHints(), time.monotonic, tally)
        bulletin = None
        if admin is not None and tally is not None:
            bulletin = Bulletin(
                crew,
                tally,
                AdminProcess(admin_listeners, admin.host, time.monotonic, os.environ),
                time.time,  # noqa: TID251 - a shell
                time.monotonic,
                (OPENSSL_VERSION, platform.python_version(), tls_calls),
            )
        return _Supervisor(crew, config, built, announce, source, bulletin).run()


def _allow_many_descriptors() -> None:
    """Take what the system grants: the usual soft limit of 1024 is far below ``connections_per_worker``."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def _blocked_signals() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Supervisor:
    """Looks after a crew until its end."""

    def __init__(
        self,
        crew: Crew,
        config: Configuration,
        built: Built,
        announce: Callable[[], None],
        source: Source | None,
        bulletin: Bulletin | None,
    ) -> None:
        self._crew = crew
        self._config = config
        self._built = built
        self._source = source
        self._bulletin = bulletin
        self._notifier = Notifier(os.environ)
        self._vouch_at = 0.0
        """When the service manager is to hear from us again."""
        self._reload_wanted = ""
        """What it is wanted for; empty if it is not."""
        self._announce: Callable[[], None] | None = announce
        self._crls = CrlWatch(
            built.crl_sources,
            built.crl_stamps,
            built.snapshot.revocation,
            crew.channels,
            crew.let_go,
            time.time,  # noqa: TID251 - a shell
            time.monotonic,
        )
        self._ending: Ending | None = None

    def run(self) -> int:
        """Serve until the end; return the exit status."""
        freeze()
        self._fill_places()
        self._crew.wait(lambda: self._crew.complete or signal.SIGCHLD in signal.sigpending(), _START_SECONDS)
        while True:
            self._look_after()
            if self._ending is not None and not self._crew.members:
                break
            received = signal.sigtimedwait(_SIGNALS, POLL_SECONDS)
            if received is not None:
                self._obey(received.si_signo)
            elif self._ending is None and self._source is not None and self._source.watch.poll():
                self._reload_wanted = "files changed"
            if self._reload_wanted and self._ending is None:
                wanted, self._reload_wanted = self._reload_wanted, ""
                self._reload(wanted)
        if self._bulletin is not None:
            self._bulletin.end()
        logger().info("stopped")
        return 1 if self._ending.was_cut else 0

    def _look_after(self) -> None:
        """Do what is always to be done: reap, hear, replace, watch."""
        self._reap()
        self._crew.hear()
        self._vouch()
        self._inform()
        if self._ending is not None:
            self._ending.go_on()
            return
        self._fill_places()
        if self._announce is not None and self._crew.complete:
            announce, self._announce = self._announce, None
            announce()
            self._notifier.ready()
        if self._crew.crls_missed:
            self._crew.crls_missed = False
            self._crls.deliver()
        self._crls.poll()

    def _inform(self) -> None:
        """Tell whoever asks on ``admin_listen`` how it is."""
        if self._bulletin is not None:
            self._bulletin.look(
                lambda: Situation(self._config, self._in_force(), ending=self._ending is not None)
            )

    def _vouch(self) -> None:
        """Tell the service manager that all is well, if every worker has answered since the last time."""
        interval = self._notifier.watchdog_seconds / 2
        now = time.monotonic()
        if not interval or now < self._vouch_at:
            return
        if self._crew.answered_since(now - interval):
            self._notifier.alive()
        self._vouch_at = now + interval / 2
        self._crew.tell(Message("ping"))

    def _obey(self, received: int) -> None:
        if received in (signal.SIGTERM, signal.SIGINT):
            if self._ending is not None:
                self._ending.cut()
                return
            logger().info("stopping", signal=signal.Signals(received).name)
            self._notifier.stopping()
            self._crls.stop()
            if self._bulletin is not None:
                self._bulletin.stopping()
            self._ending = Ending(self._crew, time.monotonic)
        elif received == signal.SIGHUP:
            self._reload_wanted = "SIGHUP"

    def _in_force(self) -> Built:
        """Return the generation in force, with the CRLs that are in force now."""
        return replace(self._built, snapshot=self._built.snapshot.with_revocation(self._crls.revocation))

    def _fill_places(self) -> None:
        self._crew.fill_places(self._in_force().snapshot)

    def _reap(self) -> None:
        """Take note of the children that ended. As PID 1 we have some that nobody here made."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            ending = self._ending is not None
            if self._bulletin is not None and self._bulletin.reap(pid, code, ending=ending):
                continue
            if not self._crew.reap(pid, code, ending=ending):
                self._crls.reap(pid, code)

    def _reap_and_inform(self) -> None:
        """A changeover may take a minute, and somebody may be watching it."""
        self._reap()
        self._inform()

    # --- another configuration ---------------------------------------------------------------------

    def _reload(self, cause: str) -> None:
        """Put the configuration in force as it is now; or leave everything as it is, and say why."""
        log, began = logger(), time.monotonic()
        log.info("reload_started", cause=cause)
        self._notifier.reloading()
        try:
            taken_up = self._take_up()
        except ConfigErrors as errors:
            self._refuse(cause, [str(error) for error in errors.errors])
        except (KeyStoreError, NotTakenUp) as error:
            self._refuse(cause, [str(error)])
        except Exception as defect:  # noqa: BLE001 - the edge serves on, and somebody is told
            self._refuse(cause, [repr(defect)], defect)
        else:
            seconds = round(time.monotonic() - began, 3)
            generation = self._built.snapshot.generation
            if taken_up is None:
                self._note("unchanged", cause, [])
                log.info("reload_unchanged", generation=generation, seconds=seconds)
            else:
                self._note("done", cause, [taken_up])
                log.info("reload_done", generation=generation, seconds=seconds, changed=taken_up)
        finally:
            self._notifier.ready()

    def _note(self, result: str, cause: str, said: list[str]) -> None:
        if self._bulletin is not None:
            self._bulletin.reloaded(result, cause, said)

    def _refuse(self, cause: str, errors: list[str], defect: Exception | None = None) -> None:
        self._note("failed", cause, errors)
        logger().error(
            "reload_failed",
            errors=errors,
            detail="the configuration in force stays",
            generation=self._built.snapshot.generation,
            exc_info=defect,
        )

    def _take_up(self) -> str | None:
        """Return what changed, in words; None if nothing did."""
        source = self._source
        if source is None:
            raise NotTakenUp("this edge was started without a configuration to read again")
        with self._looking_after():
            config = source.read(self._config)
            built = source.build(config, self._in_force())
            before = self._in_force()
            built = with_crls_of_now(built, before.snapshot.revocation)
        if is_same(built, before):
            source.watch.expect(config)
            return None
        freeze()
        changeover = Changeover(self._crew, built, before, self._reap_and_inform)
        changeover.run()
        said = changes(config, built, self._config, before)
        known = {str(warning) for warning in self._built.warnings}
        for warning in built.warnings:
            if str(warning) not in known:
                logger().warning("configuration_warning", detail=str(warning))
        self._config, self._built = config, built
        self._crls.take_over(built.crl_sources, built.crl_stamps, built.snapshot.revocation, changeover.image)
        source.watch.expect(config)
        return said

    @contextmanager
    def _looking_after(self) -> Iterator[None]:
        """Look after the workers meanwhile, a few times a second: to build may take long.

        The handler runs between two instructions of this very thread, and the building has nothing to do
        with the workers.
        """

        def look(_number: int, _frame: object) -> None:
            try:
                self._look_after()
            except Exception as defect:  # noqa: BLE001 - it must not come out in the middle of the building
                logger().error("defect", error=repr(defect), exc_info=defect)

        before = signal.signal(signal.SIGALRM, look)
        signal.setitimer(signal.ITIMER_REAL, POLL_SECONDS, POLL_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def freeze() -> None:
    """Keep what lives for long out of the collector: its pages stay shared with the workers."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
