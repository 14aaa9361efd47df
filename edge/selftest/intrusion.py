"""Requests that must get nothing: how they are sent, and when an answer means that they got something."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edge.selftest.case import HELD, Finding, could_not_tell, hole, not_applicable
from edge.selftest.conversation import Answer, Attempt
from edge.selftest.scene import NOWHERE, Caller, Known, Scene, request
from edge.tls.raw_client import Hello

_MOST_UNTOLD = 3
"""A server that says nothing so many times will not begin to; every time costs seconds."""


@dataclass(frozen=True, slots=True)
class Intrusion:
    """Somebody asks for something of a host, in a way that should not work."""

    words: str
    """Who, and how."""
    known: Known
    """Whose resource it would be."""
    hello: Hello
    octets: bytes
    methods: tuple[bytes, ...] = (b"GET",)
    judged: int = 0
    """Which of the answers counts."""


def try_all(scene: Scene, intrusions: Iterable[Intrusion], *, none: str = "") -> Finding:
    """Try one after the other until one works. ``none`` says why there may be nothing to try."""
    untold: list[tuple[Intrusion, Attempt]] = []
    tried = False
    for intrusion in intrusions:
        tried = True
        came = scene.dialler.ask(
            intrusion.hello, intrusion.octets, methods=intrusion.methods, wanted=intrusion.judged + 1
        )
        if len(came.answers) > intrusion.judged:
            answer = came.answers[intrusion.judged]
            if intrusion.known.lets_through(answer) and not _is_for_everybody(scene, intrusion, answer):
                return hole(intrusion.words, came)
        elif came.told_nothing:
            untold.append((intrusion, came))
            if len(untold) == _MOST_UNTOLD:
                break
    if untold:
        intrusion, came = untold[0]
        return could_not_tell(came, intrusion.words)
    return HELD if tried else not_applicable(none)


def _is_for_everybody(scene: Scene, intrusion: Intrusion, answer: Answer) -> bool:
    """Tell whether the same connection gives the same page for a host that does not exist.

    Then the server answered for some default of its own, and the protected resource was not touched.
    """
    allowed = intrusion.known.allowed
    if not answer.body or (allowed is not None and answer.body == allowed.body):
        return False
    control = scene.dialler.ask(intrusion.hello, request(NOWHERE, "/selftest-unknown"))
    return bool(control.answers) and control.answers[0].body == answer.body


def turned_away(scene: Scene) -> Iterable[tuple[Known, Caller]]:
    """Every host with everybody who must not get anything there."""
    return ((known, caller) for known in scene.hosts for caller in known.turned_away)
