"""Slow clients in small numbers: others are still served, and what is slow for ever is cut.

This is no load test. Fifty connections bring no server down that bounds what it waits for.
"""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Callable

from edge.selftest.case import HELD, Case, Family, Finding, Severity, could_not_tell, hole
from edge.selftest.conversation import Attempt, Dialler, End
from edge.selftest.scene import NOBODY, Scene, request
from edge.tls.raw_client import Hello, RawClient, TlsRefused

SILENT_CONNECTIONS = 50
SLOW_HEADS = 20
_SERVED_WITHIN_SECONDS = 10.0
_DRIP_SECONDS = 1.0
_LONG_BODY = 1_000_000


def _silent_crowd(scene: Scene) -> Finding:
    with contextlib.ExitStack() as crowd:
        try:
            for _ in range(SILENT_CONNECTIONS):
                crowd.enter_context(scene.dialler.dial())
        except OSError as error:
            return could_not_tell(f"not all of {SILENT_CONNECTIONS} connections were opened: {error}")
        return _is_served(scene, f"{SILENT_CONNECTIONS} connections that say nothing")


def _slow_heads(scene: Scene) -> Finding:
    host = scene.protected.host
    begun = request(host.authority, scene.protected.target)[:-4]
    # Where strangers are refused in the handshake, only somebody who is let in can be slow after it.
    refused = scene.protected.refused
    caller = scene.owner if refused is not None and not refused.answers else NOBODY
    opened = 0
    with contextlib.ExitStack() as crowd:
        for _ in range(SLOW_HEADS):
            try:
                hello = Hello(host.server_name, caller.identity)
                client = RawClient(scene.dialler.dial(), hello, scene.dialler.deadline())
                crowd.callback(client.close)
                client.shake_hands()
                client.send(begun)
                opened += 1
            except (OSError, TlsRefused):
                continue
        if not opened:
            return could_not_tell("no connection came so far")
        return _is_served(scene, f"{opened} connections with half a head")


def _is_served(scene: Scene, crowd: str) -> Finding:
    host, began = scene.protected.host, time.monotonic()
    came = Attempt((), End.SILENT)
    while time.monotonic() < min(began + _SERVED_WITHIN_SECONDS, scene.dialler.run_ends):
        came = scene.dialler.ask(
            Hello(host.server_name, scene.owner.identity), request(host.authority, scene.protected.target)
        )
        if came.answers and scene.protected.lets_through(came.answers[0]):
            return HELD
        time.sleep(0.1)
    if time.monotonic() >= scene.dialler.run_ends:
        return could_not_tell("the time of the run was over")
    return hole(crowd, f"a client beside them was not served in {_SERVED_WITHIN_SECONDS:.0f} s: {came}")


def _silent_for_ever(scene: Scene) -> Finding:
    began = time.monotonic()
    try:
        with scene.dialler.dial() as sock:
            while time.monotonic() < began + scene.aim.patience:
                if time.monotonic() >= scene.dialler.run_ends:
                    return could_not_tell("the time of the run was over")
                readable, _, _ = select.select([sock], [], [], 0.5)
                if readable:
                    return HELD  # closed, or an alert: nobody speaks first in TLS for another reason
    except OSError:
        return HELD
    return hole("a connection that says nothing", f"it was still open after {scene.aim.patience:.0f} s")


def _dripping_head(scene: Scene) -> Finding:
    host = scene.protected.host
    begun = request(host.authority, scene.protected.target)[:-2] + b"X-Slow: "
    return _drip(scene, begun, "a head that grows by one octet each second")


def _dripping_body(scene: Scene) -> Finding:
    host = scene.protected.host
    lines = (f"Content-Length: {_LONG_BODY}", "Content-Type: application/octet-stream")
    begun = request(host.authority, scene.protected.target, *lines, method="POST")
    began = time.monotonic()
    finding = _drip(scene, begun, "a body that grows by one octet each second")
    if finding is HELD and time.monotonic() - began < _DRIP_SECONDS:
        return could_not_tell("it was answered before there was anything slow about it")
    return finding


def _drip(scene: Scene, begun: bytes, words: str) -> Finding:
    hello = Hello(scene.protected.host.server_name, scene.owner.identity)
    kept, came = scene.dialler.shake_hands(hello, _dripper(scene.dialler, begun, scene.aim.patience))
    if came.end in (End.UNREACHABLE, End.SILENT):
        return could_not_tell(came)
    if not kept:
        return HELD
    if time.monotonic() >= scene.dialler.run_ends:
        return could_not_tell("the time of the run was over")
    return hole(words, f"the connection was still open after {scene.aim.patience:.0f} s")


def _dripper(dialler: Dialler, begun: bytes, patience: float) -> Callable[[RawClient], bool]:
    """Return what drips until the server has something to say; True if it never had."""

    def drip(client: RawClient) -> bool:
        client.send(begun)
        end = time.monotonic() + patience
        while time.monotonic() < min(end, dialler.run_ends):
            client.deadline = time.monotonic() + _DRIP_SECONDS
            try:
                client.read()
            except TimeoutError:
                client.deadline = time.monotonic() + _DRIP_SECONDS
                client.send(b"x")
            else:
                return False  # an answer, or the end
        return True

    return drip


CASES = (
    Case(
        "slow-silent-connections",
        Family.SLOW,
        Severity.MEDIUM,
        f"{SILENT_CONNECTIONS} connections that say nothing, and one client beside them.",
        "a few idle connections keep the others from being served",
        _silent_crowd,
    ),
    Case(
        "slow-heads",
        Family.SLOW,
        Severity.MEDIUM,
        f"{SLOW_HEADS} connections with half a head, and one client beside them.",
        "a few unfinished heads keep the others from being served",
        _slow_heads,
    ),
    Case(
        "slow-silent-for-ever",
        Family.SLOW,
        Severity.LOW,
        "One connection that never says anything.",
        "a connection costs its owner nothing, and is never closed",
        _silent_for_ever,
    ),
    Case(
        "slow-head-for-ever",
        Family.SLOW,
        Severity.LOW,
        "One head that grows by one octet each second and never ends.",
        "the time limit begins anew with every octet, so there is none",
        _dripping_head,
    ),
    Case(
        "slow-body-for-ever",
        Family.SLOW,
        Severity.LOW,
        "One body that grows by one octet each second, with your certificate.",
        "the time limit begins anew with every octet, so there is none",
        _dripping_body,
    ),
)

LONG = frozenset(("slow-silent-for-ever", "slow-head-for-ever", "slow-body-for-ever"))
"""Those that last as long as the server lets them; they run beside all others."""
