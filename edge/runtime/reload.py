"""Puts another generation in force: in all workers, or in none.

    build -> prepare (every worker that lives) -> newer workers, if contexts changed -> commit -> relieve

Contexts are built here, in the parent, because only workers that were forked after that share their
ticket keys. So a change of what handshakes need takes newer workers; those before them accept no more,
judge by the new generation, and end with their last connection. Any other change is a swap.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

from edge.runtime.channel import Message, send
from edge.runtime.crew import Crew, Member, Stage
from edge.runtime.crl_image import write_image
from edge.runtime.memory import fill, new_memory
from edge.snapshot.build import Built
from edge.snapshot.transfer import pack
from edge.telemetry.logging import logger
from edge.trust.revocation import Revocation

_PREPARE_SECONDS = 30.0
_START_SECONDS = 60.0
_COMMIT_SECONDS = 10.0
_MOST_RETIRED = 4
"""Earlier generations whose workers are left in peace. Clients that never let go of their connections must
not keep a process for every reload there ever was."""
_FIXED_LIMITS = (
    "connections_per_worker",
    "connections_per_address",
    "origin_connect_timeout",
    "origin_idle_timeout",
)
"""What a worker is made with."""


class NotTakenUp(Exception):
    """The generation in force stays, in all workers; the message says why."""


def is_same(built: Built, before: Built) -> bool:
    """Tell whether nothing is different that is served."""
    new, old = built.snapshot, before.snapshot
    same = replace(new, generation=old.generation, revocation=old.revocation) == old
    return same and new.revocation is old.revocation and built.crl_sources == before.crl_sources


def needs_new_workers(built: Built, before: Built) -> bool:
    """Tell whether living workers cannot serve this: they lack a context, or were made with other limits."""
    if any(before.servers.get(name) is not side for name, side in built.servers.items()):
        return True
    new, old = built.snapshot.limits, before.snapshot.limits
    return any(getattr(new, name) != getattr(old, name) for name in _FIXED_LIMITS)


def with_crls_of_now(built: Built, in_force: Revocation) -> Built:
    """Return the generation with the CRLs that came to be in force while it was built."""
    names = [source.entry for source in built.crl_sources]
    if not built.crls_read and in_force.keys() == set(names):
        revocation = in_force
    else:
        read = built.snapshot.revocation
        revocation = MappingProxyType(
            {name: read[name] if name in built.crls_read else in_force[name] for name in names}
        )
    return replace(built, snapshot=built.snapshot.with_revocation(revocation))


class Changeover:
    """One attempt to put ``built`` in the place of ``before``."""

    def __init__(self, crew: Crew, built: Built, before: Built, reap: Callable[[], None]) -> None:
        """``reap`` takes note of the children that have ended."""
        self._crew = crew
        self._built = built
        self._before = before
        self._reap = reap
        self._number = built.snapshot.generation
        self._newer: list[Member] = []
        self.image: int | None = None
        """Memory with the CRLs, for the caller to keep; None if they are as before."""

    def run(self) -> None:
        """Put it in force. Raises ``NotTakenUp``."""
        try:
            self._prepare()
            if needs_new_workers(self._built, self._before):
                self._hire()
        except (NotTakenUp, OSError) as error:
            self._crew.tell(Message("abort", self._number))
            self._crew.dismiss(self._newer)
            if self.image is not None:
                os.close(self.image)
            raise NotTakenUp(str(error)) from None
        self._commit()

    def _prepare(self) -> None:
        """Have every worker make it ready."""
        told = new_memory()
        try:
            fill(told, [pack(self._built, self._before)])
            descriptors = [told]
            if self._built.snapshot.revocation is not self._before.snapshot.revocation:
                self.image = new_memory()
                write_image(self.image, self._built.snapshot.revocation)
                descriptors.append(self.image)
            message = Message("prepare", self._number, str(len(descriptors)))
            asked = list(self._crew.members.values())
            unheard = [each for each in asked if not send(each.channel, message, *descriptors)]
            if unheard:
                raise NotTakenUp(f"worker {unheard[0].pid} does not listen")
        finally:
            os.close(told)
        everybody = self._crew.wait(lambda: not self._silent(asked, "prepared", "failed"), _PREPARE_SECONDS)
        for member in asked:
            for reply in member.replies:
                if reply.word == "failed" and reply.number == self._number:
                    raise NotTakenUp(f"worker {member.pid}: {reply.text}")
        if not everybody:
            raise NotTakenUp(self._unfinished(self._silent(asked, "prepared"), _PREPARE_SECONDS))

    def _hire(self) -> None:
        """Have newer workers ready that do not accept yet."""
        for place in range(self._crew.size):
            self._newer.append(self._crew.hire(place, self._built.snapshot, serve=False))

        def settled() -> bool:
            return self._lost() or all(member.stage is Stage.READY for member in self._newer)

        if not self._crew.wait(settled, _START_SECONDS) or self._lost():
            raise NotTakenUp(
                self._unfinished([m for m in self._newer if m.stage is not Stage.READY], _START_SECONDS)
            )

    def _commit(self) -> None:
        """From here on there is no way back: who does not follow is killed, and replaced."""
        asked = [member for member in self._crew.members.values() if member not in self._newer]
        self._crew.tell(Message("commit", self._number))
        self._crew.relieve(self._newer)
        self._crew.wait(lambda: not self._silent(asked, "committed"), _COMMIT_SECONDS, always=True)
        for member in self._silent(asked, "committed"):
            logger().error("worker_does_not_follow", pid=member.pid, generation=self._number)
            self._crew.kill(member)
        for member in self._crew.members.values():
            member.replies.clear()
        self._end_the_oldest()

    def _end_the_oldest(self) -> None:
        retired = [member for member in self._crew.members.values() if member.stage is Stage.RETIRED]
        oldest = sorted({member.generation for member in retired})[:-_MOST_RETIRED]
        for member in retired:
            if member.generation in oldest:
                self._crew.kill(member, signal.SIGTERM)

    def _silent(self, asked: list[Member], *words: str) -> list[Member]:
        """Return who of these lives and has not said any of these words of this generation."""
        self._reap()
        return [
            member
            for member in asked
            if member.pid in self._crew.members
            and not any(reply.word in words and reply.number == self._number for reply in member.replies)
        ]

    def _lost(self) -> bool:
        self._reap()
        return any(member.pid not in self._crew.members for member in self._newer)

    def _unfinished(self, members: list[Member], seconds: float) -> str:
        if signal.sigpending() & {signal.SIGTERM, signal.SIGINT}:
            return "the edge is to end"
        if self._lost():
            return "a worker died of it"
        return f"worker {members[0].pid} was not ready for it within {seconds:g} seconds"
